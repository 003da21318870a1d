//! Rendering of reports: for people, as one line, or as JSON.

use unicode_width::UnicodeWidthStr;

use super::origin::Origin;
use super::report::{Facts, Report, Severity};
use super::source::Sources;
use super::words::escape;
use crate::json;

/// The format of reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// With excerpts of the recipe, notes and hints.
    #[default]
    Human,
    /// One line each: place, severity, sentence.
    Short,
    /// One JSON object per line.
    Json,
}

/// The text of `report`, ending with a line end.
#[must_use]
pub fn render(report: &Report, sources: &Sources, format: Format, colour: bool) -> String {
    match format {
        Format::Human => human(report, sources, colour),
        Format::Short => short(report),
        Format::Json => json::line(&document(report)),
    }
}

fn severity(report: &Report) -> &'static str {
    match report.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::NotRun => "not run",
    }
}

fn short(report: &Report) -> String {
    let place = report.origin.as_ref().map(|origin| format!("{origin}: ")).unwrap_or_default();
    format!("{place}{}: {}\n", severity(report), report.message)
}

/// The report as a program reads it.
fn document(report: &Report) -> json::Report {
    let related = |(origin, what): &(Origin, String)| json::Related {
        place: origin.into(),
        what: what.clone(),
    };
    let Facts { operation, errno, source, target, advice, status: _, program: _ } =
        report.facts.clone();
    json::Report {
        version: json::Version,
        severity: match report.severity {
            Severity::Error => json::Severity::Error,
            Severity::Warning => json::Severity::Warning,
            Severity::NotRun => json::Severity::NotRun,
        },
        message: report.message.clone(),
        place: report.origin.as_ref().map(Into::into),
        related: report.related.iter().map(related).collect(),
        notes: report.notes.clone(),
        hints: report.hints.clone(),
        operation,
        errno,
        source,
        target,
        advice,
    }
}

/// The terminal style of a part of a report; empty if colour is off.
struct Paint(bool);

impl Paint {
    fn with(&self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
    fn bold(&self, text: &str) -> String {
        self.with("1", text)
    }
    fn head(&self, report: &Report) -> String {
        let code = if report.severity == Severity::Error { "1;31" } else { "1;33" };
        self.with(code, severity(report))
    }
    fn frame(&self, text: &str) -> String {
        self.with("36", text)
    }
}

fn human(report: &Report, sources: &Sources, colour: bool) -> String {
    let paint = Paint(colour);
    let mut out = format!("{}: {}\n", paint.head(report), paint.bold(&report.message));
    let places = report.origin.iter().chain(report.related.iter().map(|(origin, _)| origin));
    let margin = places.map(|origin| origin.line.to_string().len()).max().unwrap_or(0);
    let gap = " ".repeat(margin + 1);
    if let Some(origin) = &report.origin {
        excerpt(&mut out, &paint, sources, origin, margin, None);
    }
    for (origin, what) in &report.related {
        excerpt(&mut out, &paint, sources, origin, margin, Some(what));
    }
    let callers = report.origin.iter().flat_map(|origin| origin.callers.iter());
    let callers = callers.map(|caller| format!("asked for by {caller}"));
    for note in report.notes.iter().cloned().chain(callers) {
        for (index, line) in note.lines().enumerate() {
            let mark = if index == 0 { paint.frame("=") } else { " ".into() };
            out.push_str(&format!("{gap} {mark} {line}\n"));
        }
    }
    for hint in &report.hints {
        out.push_str(&format!("\n{}: {hint}\n", paint.with("1;32", "hint")));
    }
    out
}

/// A line for display: tabs become spaces; characters that move the cursor or turn the text are
/// escaped.
fn visible(text: &str) -> String {
    escape(&text.replace('\t', "    "))
}

/// Adds the place, its line of text, and an underline.
fn excerpt(
    out: &mut String,
    paint: &Paint,
    sources: &Sources,
    origin: &Origin,
    margin: usize,
    what: Option<&str>,
) {
    let arrow = paint.frame("──▶");
    let gap = " ".repeat(margin + 1);
    out.push_str(&format!("{gap}{arrow} {origin}\n"));
    let Some(line) = sources.line(&origin.source, origin.line) else {
        if let Some(what) = what {
            out.push_str(&format!("{gap} {} {what}\n", paint.frame("=")));
        }
        return;
    };
    let bar = paint.frame("│");
    let shown = visible(&line);
    let number = paint.frame(&format!("{:>width$}", origin.line, width = margin + 1));
    out.push_str(&format!("{gap} {bar}\n{number} {bar} {shown}\n"));
    if origin.column == 0 {
        return;
    }
    let start = origin.column as usize - 1;
    let before = visible(&line.chars().take(start).collect::<String>());
    let under = line.chars().skip(start).take(origin.length as usize).collect::<String>();
    let under = visible(&under);
    let marks = "^".repeat(under.width().max(1));
    let space = " ".repeat(before.width());
    let what = what.map(|what| format!(" {what}")).unwrap_or_default();
    out.push_str(&format!("{gap} {bar} {space}{}{what}\n", paint.bold(&marks)));
}

#[cfg(test)]
mod tests {
    use super::{Format, render};
    use crate::diag::{Origin, Report, Sources};

    fn sample() -> (Report, Sources) {
        let sources = Sources::default();
        sources.insert("a.rhai", "let a = sandbox();\n\ta.bind(1);\n");
        let origin = Origin::new("a.rhai", 2, 4).underlining(4);
        let report = Report::error("`bind` takes a path").at(Some(origin));
        (report.note("a note").hint("a hint"), sources)
    }

    #[test]
    fn a_report_has_its_excerpt_notes_and_hints() {
        let (report, sources) = sample();
        let text = render(&report, &sources, Format::Human, false);
        let wanted = "error: `bind` takes a path\n  ──▶ a.rhai:2:4\n   │\n 2 │     a.bind(1);\n   \
                      │       ^^^^\n   = a note\n\nhint: a hint\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn the_short_and_json_forms_name_the_place() {
        let (report, sources) = sample();
        let text = render(&report, &sources, Format::Short, false);
        assert_eq!(text, "a.rhai:2:4: error: `bind` takes a path\n");
        let text = render(&report, &sources, Format::Json, false);
        assert!(
            text.contains(r#""place":{"file":"a.rhai","line":2,"column":4,"length":4}"#),
            "{text}"
        );
        assert!(text.contains(r#""hints":["a hint"]"#), "{text}");
    }
}
