//! The trace of `--explain`: for people, and as JSON for programs.

use std::io::IsTerminal;
use std::time::Duration;

use super::args::Explain;
use crate::diag::{escape, say, wrapped};
use crate::json;
use crate::plan::Called;
use crate::run::{Errno, Explained, Tell, terminal_width};

/// The width of the text without a terminal, and its limits on one.
const WIDTH: usize = 100;
const NARROWEST: usize = 60;
/// The indentation of calls, and the additional indentation of continuation lines.
const INDENT: usize = 4;
const MORE: usize = 4;
/// The most lines of one call.
const LINES: usize = 4;
/// The size up to which writes to a pipe are atomic: `PIPE_BUF` of pipe(7).
const AT_ONCE: usize = 4096;

/// The writer of the trace, on standard error.
pub(super) fn trace_writer(explain: Explain) -> Tell {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colour = std::io::stderr().is_terminal() && !plain;
    let width = terminal_width().unwrap_or(WIDTH).clamp(NARROWEST, WIDTH);
    let page = Page { colour, width };
    Box::new(move |explained| {
        write(&match explain {
            Explain::Human => page.human(explained),
            Explain::Json => json::line(&document(explained)),
        });
    })
}

/// Writes whole lines, as many at once as are written atomically, because other processes write
/// too.
fn write(text: &str) {
    let mut rest = text;
    while !rest.is_empty() {
        let room = rest.as_bytes().get(..AT_ONCE).unwrap_or(rest.as_bytes());
        let end = room.iter().rposition(|byte| *byte == b'\n').map(|end| end + 1);
        let end = end.or_else(|| rest.find('\n').map(|end| end + 1)).unwrap_or(rest.len());
        say(&rest[..end]);
        rest = &rest[end..];
    }
}

/// The layout of a trace for people.
struct Page {
    colour: bool,
    width: usize,
}

impl Page {
    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn human(&self, explained: &Explained) -> String {
        let mut lines = self.head(explained);
        let last = explained.calls.len().saturating_sub(1);
        for (index, called) in explained.calls.iter().enumerate() {
            let result = match &called.gives {
                _ if index == last => result(explained, called),
                Some(given) => format!(" = {given}"),
                None => String::new(),
            };
            lines.extend(self.call(&called.call, &result, explained));
        }
        if explained.calls.is_empty() && (explained.failed.is_some() || explained.elapsed.is_some())
        {
            let nothing = Called::new("");
            lines.push(format!("{:INDENT$}{}", "", result(explained, &nothing).trim_start()));
        }
        if let Some(shell) = &explained.shell {
            let room = self.room(explained).saturating_sub(INDENT + 4);
            let pieces = broken(shell, '\'', room);
            for (index, piece) in pieces.iter().enumerate() {
                let head = if index == 0 { "$ ".to_owned() } else { " ".repeat(2 + MORE) };
                let more = if index + 1 < pieces.len() { " \\" } else { "" };
                let line = self.paint("36", &format!("{head}{piece}{more}"));
                lines.push(format!("{:INDENT$}{line}", ""));
            }
        }
        let bar = self.bar(&explained.process);
        let mut out = String::new();
        for line in lines {
            out.push_str(&format!("{bar}{line}\n"));
        }
        out
    }

    /// The width of a line beside the bars.
    fn room(&self, explained: &Explained) -> usize {
        let bars = explained.process.iter().map(|number| number.to_string().len() + 2);
        self.width.saturating_sub(bars.sum()).max(NARROWEST / 2)
    }

    /// The bars of a process: one with a number for each process on the path to it.
    fn bar(&self, process: &[usize]) -> String {
        let bars: Vec<String> = process.iter().map(|number| format!("{number}│ ")).collect();
        if bars.is_empty() { String::new() } else { self.paint("33", &bars.concat()) }
    }

    /// The sentence, and at the right the line of the recipe.
    fn head(&self, explained: &Explained) -> Vec<String> {
        let mark = if explained.failed.is_some() { ("31", "✗") } else { ("32", "▸") };
        let mark = self.paint(mark.0, mark.1);
        let place = explained.origin.as_ref().map(|origin| {
            // The directory is usually that of the recipe, and takes space.
            let name = origin.source.rsplit('/').next().unwrap_or_default();
            escape(&format!("{name}:{}:{}", origin.line, origin.column))
        });
        let place = place.unwrap_or_default();
        let room = self.room(explained).saturating_sub(2);
        let pieces = wrapped(&escape(&explained.sentence), room, room);
        let used = pieces.last().map_or(0, |piece| piece.chars().count());
        let shown = pieces.iter().enumerate().map(|(index, piece)| {
            let head = if index == 0 { &mark } else { " " };
            format!("{head} {}", self.paint("1", piece))
        });
        let mut lines: Vec<_> = shown.collect();
        if place.is_empty() {
            return lines;
        }
        let length = place.chars().count();
        let place = self.paint("2", &place);
        match (lines.last_mut(), room.checked_sub(used + length)) {
            (Some(last), Some(gap)) if gap >= 2 => last.push_str(&format!("{:gap$}{place}", "")),
            _ => lines.push(format!("{:gap$}{place}", "", gap = (room + 2).saturating_sub(length))),
        }
        lines
    }

    /// A call and its result, on as many lines as needed.
    fn call(&self, call: &str, result: &str, explained: &Explained) -> Vec<String> {
        let room = self.room(explained) - INDENT;
        let mut lines = broken(call, '"', room);
        if lines.len() > LINES {
            lines.truncate(LINES);
            let last = lines.pop().unwrap_or_default();
            lines.push(last + "…");
        }
        let count = lines.len();
        if let Some(last) = lines.last_mut() {
            let indent = if count > 1 { MORE } else { 0 };
            if indent + last.chars().count() + result.chars().count() <= room {
                last.push_str(result);
            } else {
                lines.push(result.trim_start().to_owned());
            }
        }
        let indented = lines.iter().enumerate().map(|(index, line)| {
            let indent = if index == 0 { INDENT } else { INDENT + MORE };
            format!("{:indent$}{line}", "")
        });
        indented.collect()
    }
}

/// Splits a text into lines, and keeps quoted parts together.
fn broken(text: &str, quote: char, room: usize) -> Vec<String> {
    // A character that no call and no command contains.
    const HELD: char = '\u{0}';
    let mut inside = false;
    let together = |letter: char| {
        inside ^= letter == quote;
        if inside && letter == ' ' { HELD } else { letter }
    };
    let text: String = escape(text).chars().map(together).collect();
    let lines = wrapped(&text, room, room - MORE);
    lines.iter().map(|line| line.replace(HELD, " ")).collect()
}

/// ` = 0  (0.12 ms)`, or the error, and the process that was started.
fn result(explained: &Explained, called: &Called) -> String {
    let mut out = match &explained.failed {
        Some((call, errno)) => {
            // The name of the failed call, if it is not one of those shown.
            let within = if called.call.is_empty() || called.call.starts_with(call) {
                String::new()
            } else {
                format!(" in {call}(2)")
            };
            format!(" = -1 {} ({}){within}", errno.name(), errno.text())
        }
        None => match &called.gives {
            Some(given) => format!(" = {given}"),
            None if explained.elapsed.is_none() => String::new(),
            None => " = 0".into(),
        },
    };
    if let Some(time) = explained.elapsed {
        out.push_str(&format!("  ({})", shown(time)));
    }
    if let Some(number) = explained.starts {
        out.push_str(&format!("  → {number}│"));
    }
    out
}

/// A duration: `12 µs`, `1.25 ms`.
fn shown(time: Duration) -> String {
    let micros = time.as_nanos().div_ceil(1000);
    if micros < 1000 {
        format!("{micros} µs")
    } else {
        format!("{:.2} ms", time.as_secs_f64() * 1000.0)
    }
}

/// The action as a program reads it.
fn document(explained: &Explained) -> json::TracedAction {
    let failed = |(call, errno): &(&'static str, Errno)| json::FailedCall {
        call: (*call).to_owned(),
        errno: errno.code(),
        name: errno.name(),
    };
    let microseconds = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    json::TracedAction {
        version: json::Version,
        sentence: explained.sentence.clone(),
        operation: explained.operation.to_owned(),
        by: explained.side.into(),
        process: explained.process.clone(),
        starts: explained.starts,
        calls: explained.calls.iter().map(ToString::to_string).collect(),
        shell: explained.shell.clone(),
        place: explained.origin.as_ref().map(Into::into),
        failed: explained.failed.as_ref().map(failed),
        microseconds: explained.elapsed.map(microseconds),
    }
}
