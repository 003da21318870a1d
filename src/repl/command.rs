//! Commands of the prompt, which begin with a colon.

use crate::diag::{Report, closest, quoted};
use crate::script::manual;

/// A command.
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

/// A command as `:help` lists it: name, argument, description.
struct Entry(&'static str, &'static str, &'static str);

const ENTRIES: [Entry; 12] = [
    Entry("help", "[VERB]", "shows this, or the manual page of a verb"),
    Entry("plan", "EXPRESSION", "shows what an expression would do, without doing it"),
    Entry("explain", "on|off", "prints every action as it happens"),
    Entry("where", "", "shows namespaces, ids, root and mounts of all running processes"),
    Entry("sandboxes", "", "lists the running sandboxes"),
    Entry("enter", "EXPRESSION", "enters a sandbox, or the sandbox of a process"),
    Entry("leave", "", "leaves what `:enter` entered"),
    Entry("undo", "", "undoes the last line and the values that it created"),
    Entry("save", "FILE", "writes the lines so far as a recipe"),
    Entry("load", "FILE", "runs a recipe as if it were typed"),
    Entry("time", "EXPRESSION", "runs an expression and prints the time that it takes"),
    Entry("quit", "", "exits nsscript and ends everything that it started"),
];

/// What `:help` without a topic shows before the commands.
const OVERVIEW: &str = r#"Type an expression to see its value. `it` is the last value that was shown, and a
line that begins with a dot continues from it: `.run("ps")`. A semicolon at the end
hides the value. An unfinished expression continues on the next line. Tab completes
names, options and paths; Ctrl-C discards a line or interrupts what is running;
{exits}.

    let guest = sandbox("/")
    guest.run("ps ax")
    :plan guest.run("ps ax")
    :enter guest

Begin with `sandbox(…)`, `rootfs()`, `netns()`, or a system call: `unshare(UTS)`.
`:help sandbox` and Tab after a dot show more. Commands:
"#;

impl<'l> Command<'l> {
    /// Parses a line that begins with a colon; `None` for other lines.
    pub fn parse(line: &'l str) -> Option<Result<Self, Report>> {
        let rest = line.strip_prefix(':')?;
        let (word, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let rest = rest.trim();
        let entry = ENTRIES.iter().find(|Entry(name, ..)| *name == word);
        let Some(Entry(name, wants, _)) = entry else {
            let report = Report::error(format!("unknown command {}", quoted(format!(":{word}"))));
            let near = closest(word, ENTRIES.iter().map(|Entry(name, ..)| *name));
            return Some(Err(match near {
                Some(near) => report.hint(format!("did you mean `:{near}`?")),
                None if matches!(word, "q" | "exit") => report.hint("did you mean `:quit`?"),
                None => report.hint("list the commands with `:help`"),
            }));
        };
        let usage = || {
            let report = Report::error(format!("usage: `:{name} {wants}`"));
            Some(Err(report))
        };
        match (rest.is_empty(), wants.is_empty()) {
            (true, false) if !wants.starts_with('[') => return usage(),
            (false, true) => {
                return Some(Err(Report::error(format!("`:{name}` takes no argument"))));
            }
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

/// The answer to a command without its colon, which would otherwise be a syntax error.
pub(super) fn without_colon(line: &str) -> Option<String> {
    let line = line.trim().trim_end_matches(';').trim_end_matches("()");
    match line.split_once(char::is_whitespace).unwrap_or((line, "")) {
        ("help", topic) if topic.chars().all(|it| it.is_alphanumeric() || "_./: ".contains(it)) => {
            let help = format!(":help {}", topic.trim());
            Some(format!("commands begin with a colon: type `{}`", help.trim_end()))
        }
        ("quit" | "exit" | "q", "") => Some("to exit, type `:quit` or press Ctrl-D".into()),
        _ => None,
    }
}

/// The names of all commands, with colon.
pub(super) fn names() -> impl Iterator<Item = String> {
    ENTRIES.iter().map(|Entry(name, ..)| format!(":{name}"))
}

/// The text of `:help`, at a breakpoint or not.
pub(super) fn help(topic: &str, at_breakpoint: bool) -> String {
    let topic = topic.trim_start_matches(':').trim_end_matches(['(', ')']);
    if topic.is_empty() {
        let line = |Entry(name, wants, does): &Entry| {
            format!("  {:<20} {does}\n", format!(":{name} {wants}"))
        };
        let lines: String = ENTRIES.iter().map(line).collect();
        let exits = if at_breakpoint {
            "`:leave` or Ctrl-D continues the recipe, and `:quit` ends it"
        } else {
            "Ctrl-D exits"
        };
        return format!("{}{}", OVERVIEW.replace("{exits}", exits), lines.trim_end());
    }
    let own = ENTRIES.iter().find(|Entry(name, ..)| *name == topic);
    let own = own.map(|Entry(name, wants, does)| format!(":{name} {wants}\n{does}"));
    let parts: Vec<String> = own.into_iter().chain(manual::topic(topic)).collect();
    if parts.is_empty() {
        if let Some(hint) = manual::foreign::anywhere(topic) {
            return format!("no help for {}; {hint}", quoted(topic));
        }
        let near = manual::near_topic(topic);
        let near = near.map(|near| format!("; did you mean {}?", quoted(near))).unwrap_or_default();
        return format!("no help for {}{near}", quoted(topic));
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
        assert_eq!(parsed(":enter"), Some(Err("usage: `:enter EXPRESSION`".into())));
        assert_eq!(parsed(":quit now"), Some(Err("`:quit` takes no argument".into())));
        assert_eq!(parsed(":hlep"), Some(Err("unknown command `:hlep`".into())));
        let hint = Command::parse(":hlep").unwrap().unwrap_err().hints;
        assert_eq!(hint, ["did you mean `:help`?"]);
    }

    #[test]
    fn commands_without_their_colon_are_named_with_it() {
        let answer = |line| without_colon(line).unwrap_or_default();
        assert_eq!(answer("help limit"), "commands begin with a colon: type `:help limit`");
        assert_eq!(answer("help"), "commands begin with a colon: type `:help`");
        assert_eq!(answer("help();"), "commands begin with a colon: type `:help`");
        assert_eq!(answer("quit"), "to exit, type `:quit` or press Ctrl-D");
        assert_eq!(answer("exit"), answer("quit"));
        for text in ["help = 1", "help.len()", "exit(1)", "let help = 1", "quit + 1", "limit"] {
            assert_eq!(without_colon(text), None, "{text}");
        }
    }
}
