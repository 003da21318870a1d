//! What a line that begins with a colon asks for.

use crate::diag::{Report, closest, quoted};
use crate::script::manual;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command<'l> {
    Help(&'l str),
    Plan(&'l str),
    Explain(bool),
    Where,
    Enter(&'l str),
    Leave,
    Sandboxes,
    Undo,
    Save(&'l str),
    Load(&'l str),
    Time(&'l str),
    Quit,
}

/// A command as `:help` lists it: its name, what follows it, and what it does.
struct Entry(&'static str, &'static str, &'static str);

const ENTRIES: [Entry; 12] = [
    Entry("help", "[VERB]", "shows this, or the manual page of a verb"),
    Entry("plan", "EXPRESSION", "tells what it would do, without doing it"),
    Entry("explain", "on|off", "tells every action as it is done"),
    Entry("where", "", "shows namespaces, ids, root and mounts of all that runs"),
    Entry("sandboxes", "", "lists the sandboxes that run"),
    Entry("enter", "EXPRESSION", "goes on inside a sandbox, or beside a process"),
    Entry("leave", "", "comes back out of it"),
    Entry("undo", "", "drops the last line and what it has made"),
    Entry("save", "FILE", "writes what was done as a recipe"),
    Entry("load", "FILE", "does what a recipe says"),
    Entry("time", "EXPRESSION", "tells how long it takes"),
    Entry("quit", "", "leaves nsscript and ends everything it has started"),
];

/// What is shown to who asks for help with nothing in particular.
const OVERVIEW: &str = r#"Type an expression to see its value; `it` is the value that was shown last,
and a line that begins with a dot goes on from it. A semicolon at the end shows
nothing. What is not finished goes on in the next line. Tab completes names,
options and paths; Ctrl-C drops a line or ends what runs; Ctrl-D leaves.

    let guest = sandbox("/").read_only_root().proc("/proc")
    guest.run("ps ax")
    :plan guest.run("ps ax")
    :enter guest

Begin with `sandbox(…)`, `rootfs()`, `netns()`, or a system call: `unshare(UTS)`.
`:help sandbox` and Tab after a dot show more. Commands:
"#;

impl<'l> Command<'l> {
    /// The command that a line is; none where it is not one.
    pub fn parse(line: &'l str) -> Option<Result<Self, Report>> {
        let rest = line.strip_prefix(':')?;
        let (word, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let rest = rest.trim();
        let entry = ENTRIES.iter().find(|Entry(name, ..)| *name == word);
        let Some(Entry(name, wants, _)) = entry else {
            let report = Report::error(format!("no command {}", quoted(format!(":{word}"))));
            let near = closest(word, ENTRIES.iter().map(|Entry(name, ..)| *name));
            return Some(Err(match near {
                Some(near) => report.hint(format!("did you mean `:{near}`?")),
                None if matches!(word, "q" | "exit") => report.hint("did you mean `:quit`?"),
                None => report.hint("`:help` lists the commands"),
            }));
        };
        let usage = || {
            let report = Report::error(format!("`:{name}` is written `:{name} {wants}`"));
            Some(Err(report))
        };
        match (rest.is_empty(), wants.is_empty()) {
            (true, false) if !wants.starts_with('[') => return usage(),
            (false, true) => return Some(Err(Report::error(format!("nothing follows `:{name}`")))),
            _ => {}
        }
        Some(Ok(match *name {
            "help" => Self::Help(rest),
            "plan" => Self::Plan(rest),
            "explain" => match rest {
                "on" => Self::Explain(true),
                "off" => Self::Explain(false),
                _ => return usage(),
            },
            "where" => Self::Where,
            "enter" => Self::Enter(rest),
            "leave" => Self::Leave,
            "sandboxes" => Self::Sandboxes,
            "undo" => Self::Undo,
            "save" => Self::Save(rest),
            "load" => Self::Load(rest),
            "time" => Self::Time(rest),
            _ => Self::Quit,
        }))
    }
}

/// The names of all commands, with their colon.
pub(super) fn names() -> impl Iterator<Item = String> {
    ENTRIES.iter().map(|Entry(name, ..)| format!(":{name}"))
}

/// What `:help` shows.
pub(super) fn help(topic: &str) -> String {
    let topic = topic.trim_start_matches(':').trim_end_matches(['(', ')']);
    if topic.is_empty() {
        let line = |Entry(name, wants, does): &Entry| {
            format!("  {:<20} {does}\n", format!(":{name} {wants}"))
        };
        let lines: String = ENTRIES.iter().map(line).collect();
        return format!("{OVERVIEW}{}", lines.trim_end());
    }
    let own = ENTRIES.iter().find(|Entry(name, ..)| *name == topic);
    let own = own.map(|Entry(name, wants, does)| format!(":{name} {wants}\n{does}"));
    let parts: Vec<String> = own.into_iter().chain(manual::topic(topic)).collect();
    if parts.is_empty() {
        let near = manual::near_topic(topic);
        let near = near.map(|near| format!("; did you mean {}?", quoted(near))).unwrap_or_default();
        return format!("there is nothing about {}{near}", quoted(topic));
    }
    parts.join("\n\n").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_have_what_they_need() {
        let parsed =
            |line: &'static str| Command::parse(line).map(|it| it.map_err(|it| it.message));
        assert_eq!(parsed("1 + 1"), None);
        assert_eq!(parsed(":help"), Some(Ok(Command::Help(""))));
        assert_eq!(parsed(":plan  a.run(1) "), Some(Ok(Command::Plan("a.run(1)"))));
        assert_eq!(parsed(":explain on"), Some(Ok(Command::Explain(true))));
        assert_eq!(parsed(":enter"), Some(Err("`:enter` is written `:enter EXPRESSION`".into())));
        assert_eq!(parsed(":quit now"), Some(Err("nothing follows `:quit`".into())));
        assert_eq!(parsed(":hlep"), Some(Err("no command `:hlep`".into())));
        let hint = Command::parse(":hlep").unwrap().unwrap_err().hints;
        assert_eq!(hint, ["did you mean `:help`?"]);
    }
}
