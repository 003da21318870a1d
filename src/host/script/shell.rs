//! Shell scripts: the first words of their simple commands.

mod reader;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use self::reader::Reader;
use super::{Requests, add, program_of};

/// Nested texts (of `eval`, `trap`, `sh -c` and backquotes) and nested brackets that are read.
const MOST_DEPTH: usize = 32;
/// The values of one variable, and of one word, that are followed.
const MOST_VALUES: usize = 8;

/// Commands of the shell itself, which also exist as programs or not at all.
const BUILTINS: &[&str] = &[
    ":",
    "[",
    "alias",
    "autoload",
    "bg",
    "bindkey",
    "break",
    "caller",
    "cd",
    "compgen",
    "complete",
    "continue",
    "declare",
    "dirs",
    "disown",
    "echo",
    "emulate",
    "enable",
    "exit",
    "export",
    "false",
    "fc",
    "fg",
    "getopts",
    "hash",
    "help",
    "history",
    "integer",
    "jobs",
    "kill",
    "let",
    "local",
    "logout",
    "mapfile",
    "popd",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "return",
    "set",
    "setopt",
    "shift",
    "shopt",
    "suspend",
    "test",
    "times",
    "true",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "unsetopt",
    "wait",
    "whence",
    "which",
    "zmodload",
    "zstyle",
];

/// Words that stand before a command and start it; those of the shell itself first.
const STARTERS: &[&str] = &[
    "exec", "command", "builtin", "env", "nice", "nohup", "setsid", "stdbuf", "sudo", "time",
    "timeout", "xargs",
];
/// The number of them that are no programs.
const OWN_STARTERS: usize = 3;

/// What a shell script asks for.
pub(super) fn requests(text: &str) -> Requests {
    let mut found = Found::default();
    Reader::of(text, 0).read(&mut found);
    let Found { mut requests, functions, arguments, runs_arguments, .. } = found;
    for (command, argument) in arguments.iter().filter(|_| runs_arguments) {
        if functions.contains(command) && !is_own(argument) {
            add(&mut requests.programs, argument);
        }
    }
    requests.programs.retain(|program| !functions.contains(program));
    requests
}

/// What was found so far, in a script and in the texts within it.
#[derive(Default)]
struct Found {
    requests: Requests,
    functions: Vec<String>,
    /// The first argument of each command, and the command.
    arguments: Vec<(String, String)>,
    /// Whether arguments are run as a command, as in `run() { "$@"; }`.
    runs_arguments: bool,
    variables: HashMap<String, Vec<String>>,
}

/// A part of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// What it is, plainly.
    Text(String),
    /// A variable, and the word that stands for it if it is not set.
    Variable(String, Option<String>),
    /// `$0`, `$@` and others that are one character.
    Special(u8),
    /// What only a run would tell.
    Unknown,
}

type Word = Vec<Part>;

/// Reads a text within a script as a script.
fn within(text: &str, found: &mut Found, depth: usize) {
    if depth < MOST_DEPTH {
        Reader::of(text, depth + 1).read(found);
    }
}

fn is_empty(part: &Part) -> bool {
    matches!(part, Part::Text(text) if text.is_empty())
}

/// Whether a word consists of digits, as before a redirection.
fn is_number(word: &Word) -> bool {
    plain(word).is_some_and(|text| text.bytes().all(|c| c.is_ascii_digit()))
}

/// The text of a word that is nothing but text.
fn plain(word: &Word) -> Option<String> {
    let text = |part: &Part| match part {
        Part::Text(text) => Some(text.clone()),
        _ => None,
    };
    word.iter().map(text).collect()
}

/// The values that a word can have, as far as they are written in the script.
fn values(word: &Word, found: &Found) -> Vec<String> {
    let mut values = vec![String::new()];
    for part in word {
        let parts: Vec<String> = match part {
            Part::Text(text) => vec![text.clone()],
            Part::Variable(name, default) => {
                let known = found.variables.get(name).into_iter().flatten().cloned();
                known.chain(default.clone()).collect()
            }
            Part::Special(_) | Part::Unknown => return Vec::new(),
        };
        let ends = |value: String| parts.iter().map(move |part| format!("{value}{part}"));
        values = values.into_iter().flat_map(ends).take(MOST_VALUES).collect();
    }
    values
}

/// The name at the end of a word whose beginning only a run would tell: `$(dirname $0)/name`.
fn beside(word: &Word) -> Option<&str> {
    let [first, .., Part::Text(last)] = word.as_slice() else { return None };
    if matches!(first, Part::Text(text) if !text.is_empty()) {
        return None;
    }
    let name = last.strip_prefix('/')?;
    (program_of(name) == Some(name) && !name.split('/').any(|name| name == "..")).then_some(name)
}

/// The name and value of an assignment.
fn assignment(word: &Word) -> Option<(String, Word)> {
    let Part::Text(text) = word.first()? else { return None };
    let (name, value) = text.split_once('=')?;
    let mut characters = name.chars();
    let is_name = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_');
    let mut rest = vec![Part::Text(value.to_owned())];
    rest.extend(word[1..].iter().cloned());
    is_name.then(|| (name.to_owned(), rest))
}

fn assign(name: &str, value: &Word, found: &mut Found) {
    for value in values(value, found) {
        // `GREP=grep`, `xz='xz --format=auto'`: a program under its own name.
        if let Some(program) = program_of(&value) {
            let last = program.rsplit('/').next().unwrap_or_default();
            if last.eq_ignore_ascii_case(name) {
                add(&mut found.requests.programs, program);
            }
        }
        let known = found.variables.entry(name.to_owned()).or_default();
        if known.len() < MOST_VALUES {
            add(known, &value);
        }
    }
}

/// A simple command.
fn command(words: &mut Vec<Word>, found: &mut Found, depth: usize) {
    let words = std::mem::take(words);
    let mut rest = words.as_slice();
    while let Some((name, value)) = rest.first().and_then(assignment) {
        assign(&name, &value, found);
        rest = &rest[1..];
    }
    while let [first, arguments @ ..] = rest {
        let candidates = values(first, found);
        match first.iter().filter(|part| !is_empty(part)).collect::<Vec<_>>().as_slice() {
            [Part::Special(b'@')] => found.runs_arguments = true,
            [Part::Special(b'0'), Part::Text(end)] if program_of(end) == Some(end) => {
                add(&mut found.requests.ends, end);
            }
            _ => {}
        }
        if let Some(name) = beside(first).filter(|_| candidates.is_empty()) {
            add(&mut found.requests.beside, name);
        }
        let names: Vec<String> =
            candidates.iter().filter_map(|value| program_of(value)).map(str::to_owned).collect();
        let Some(name) = names.first().map(String::as_str) else { return };
        for argument in arguments.first().map(|word| values(word, found)).unwrap_or_default() {
            if let Some(argument) = program_of(&argument) {
                found.arguments.push((name.to_owned(), argument.to_owned()));
            }
        }
        let starter = STARTERS.iter().position(|starter| *starter == name);
        if starter.is_none_or(|place| place >= OWN_STARTERS) {
            for name in names.iter().filter(|name| !is_own(name)) {
                add(&mut found.requests.programs, name);
            }
        }
        if let (None, [file, ..]) = (starter, arguments)
            && matches!(name, "." | "source")
        {
            let paths = values(file, found);
            for path in paths.iter().filter(|path| path.starts_with('/')) {
                add(&mut found.requests.files, path);
            }
            if let Some(name) = beside(file).filter(|_| paths.is_empty()) {
                add(&mut found.requests.beside, name);
            }
        }
        if starter.is_none() {
            return arguments_of(name, arguments, found, depth);
        }
        let option = |word: &Word| plain(word).is_some_and(|word| word.starts_with('-'));
        let passed = |word: &&Word| {
            let is_number =
                plain(word).is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit()));
            option(word) || is_number || assignment(word).is_some()
        };
        rest = &arguments[arguments.iter().take_while(passed).count()..];
    }
}

/// Arguments that are commands, or assignments.
fn arguments_of(name: &str, arguments: &[Word], found: &mut Found, depth: usize) {
    match name.rsplit('/').next().unwrap_or_default() {
        "export" | "readonly" | "local" | "declare" | "typeset" => {
            for (name, value) in arguments.iter().filter_map(assignment) {
                assign(&name, &value, found);
            }
        }
        "eval" => {
            let text: Vec<String> = arguments
                .iter()
                .filter_map(|word| values(word, found).into_iter().next())
                .collect();
            // Of `eval "$grep$arguments"` the beginning, each value of which is a program.
            let known = |part: &&Part| match part {
                Part::Text(_) => true,
                Part::Variable(name, _) => found.variables.contains_key(name),
                Part::Special(_) | Part::Unknown => false,
            };
            let beginning = arguments.first().into_iter().flatten().take_while(known);
            for value in values(&beginning.cloned().collect(), found) {
                within(&value, found, depth);
            }
            if text.len() > 1 {
                within(&text.join(" "), found, depth);
            }
        }
        // What is asked for is used if it is there.
        "type" | "which" | "whence" => {
            for name in arguments.iter().filter_map(plain) {
                let program = program_of(&name).filter(|name| !name.starts_with('-'));
                if let Some(name) = program.filter(|name| !is_own(name)) {
                    add(&mut found.requests.programs, name);
                }
            }
        }
        "trap" => {
            if let Some(text) = arguments.first().and_then(plain) {
                within(&text, found, depth);
            }
        }
        "sh" | "bash" | "dash" | "ksh" | "zsh" => {
            let mut words = arguments.iter().filter_map(plain);
            if words.next().as_deref() == Some("-c")
                && let Some(text) = words.next()
            {
                within(&text, found, depth);
            }
        }
        _ => {}
    }
}

/// Whether a command is one of the shell itself.
fn is_own(name: &str) -> bool {
    let words = [".", "source", "eval", "trap", "exec", "command", "builtin", "}", "{"];
    BUILTINS.contains(&name) || words.contains(&name)
}
