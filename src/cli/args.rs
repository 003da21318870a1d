//! What the command line asks for.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ArgMatches;

use super::command::{COMPLETE, SUBCOMMANDS, command};
use super::exit::{FAILED, Ui, print};
use crate::diag::{Format, Report, Sources, quoted, say};

/// Where the text of a recipe comes from, and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// The text.
    pub text: Text,
    /// What the recipe finds in `args`.
    pub arguments: Vec<String>,
    /// Whether a recipe that others can write to is run as root all the same.
    pub trust: bool,
    /// Whether raw calls are made to the host itself.
    pub host: bool,
    /// How actions are told as they are done, where they are.
    pub explain: Option<Explain>,
    /// The lines that it stops at.
    pub breaks: Vec<u32>,
    /// Whether a person is asked before everything that is done.
    pub step: bool,
}

/// How actions are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Explain {
    /// To a person.
    Human,
    /// To a program: a line of JSON each.
    Json,
}

/// Where the text of a recipe comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// A file.
    File(OsString),
    /// The command line.
    Code(String),
    /// Standard input.
    Stdin,
}

/// Which recipes are run as tests, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tests {
    /// Recipes, and directories that hold some; none for the usual place.
    pub paths: Vec<PathBuf>,
    /// What is said is said as JSON.
    pub json: bool,
    /// Whether recipes that others can write to are run as root all the same.
    pub trust: bool,
}

/// What is done with the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Store {
    /// The layers in it.
    List {
        /// As JSON.
        json: bool,
    },
    /// What is in one layer.
    Show(String),
    /// Removing what was not used for this many days; all, without a number.
    Collect(Option<u64>),
    /// Where it is.
    Path,
    /// Reading all of it.
    Verify,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Running a recipe.
    Run(Source),
    /// A prompt, after running a recipe if one is given.
    Repl(Option<Source>),
    /// Telling what a recipe would do.
    Plan {
        /// The recipe.
        source: Source,
        /// As JSON.
        json: bool,
    },
    /// Finding what is wrong with recipes.
    Check(Vec<Source>),
    /// Running recipes as tests.
    Test(Tests),
    /// Looking at the store, or making room in it.
    Store(Store),
    /// Writing a recipe to start from.
    New(PathBuf),
    /// What there is to say of a word, or the list of all; of a command in one or more words.
    Help(Vec<String>),
    /// Manual pages for man(1).
    Man {
        /// The directory that all are written below; none to print one.
        into: Option<PathBuf>,
        /// Whether the one of the language is printed.
        recipe: bool,
    },
    /// The script that has this shell complete command lines.
    Completions(String),
    /// What can stand at the end of these words, which follow `nsscript`: asked by those scripts.
    Complete(Vec<OsString>),
    /// What editors can know, into this directory.
    Definitions(PathBuf),
    /// Telling what the machine lets nsscript do.
    Doctor {
        /// As JSON.
        json: bool,
    },
    /// The reference of the language.
    Reference {
        /// Whether REFERENCE.md is written.
        write: bool,
    },
}

/// Reads the command line; what it asks to print at once (help, version, mistakes) is printed,
/// and the status to end with is given.
pub(super) fn parse(words: impl Iterator<Item = OsString>) -> Result<(Action, Ui), ExitCode> {
    let mut words: Vec<OsString> = words.collect();
    if words.len() < 2 {
        return Ok((alone(), Ui::new(Format::Human)));
    }
    if words.get(1).is_some_and(|word| word == COMPLETE) {
        return Ok((Action::Complete(words.split_off(2)), Ui::new(Format::Human)));
    }
    if let Some(action) = plain(&words) {
        return Ok((action, Ui::new(Format::Human)));
    }
    // As for other interpreters, what follows the code is the recipe's, whatever it looks like.
    let code = words.iter().position(|word| word == "-e").map(|at| (at + 2).min(words.len()));
    let given = code.map(|end| words.split_off(end)).unwrap_or_default();
    let matches =
        command().try_get_matches_from(&words).map_err(|error| mistaken(&error, &words))?;

    let format = match matches.get_one::<String>("error-format").map(String::as_str) {
        Some("short") => Format::Short,
        Some("json") => Format::Json,
        _ => Format::Human,
    };
    let ui = Ui::new(format);
    let action = match matches.subcommand() {
        Some(("plan", inner)) => {
            let words = inner.get_many::<OsString>("recipe").unwrap_or_default().cloned();
            let source = source(inner, words.chain(given).collect(), ui)?;
            Action::Plan { source, json: inner.get_flag("json") }
        }
        Some(("run", inner)) => {
            let words = inner.get_many::<OsString>("recipe").unwrap_or_default().cloned();
            Action::Run(source(inner, words.chain(given).collect(), ui)?)
        }
        Some(("repl", inner)) => {
            let words: Vec<_> =
                inner.get_many::<OsString>("recipe").unwrap_or_default().cloned().collect();
            let has_recipe = inner.contains_id("code") || !words.is_empty();
            let words = words.into_iter().chain(given).collect();
            Action::Repl(if has_recipe { Some(source(inner, words, ui)?) } else { None })
        }
        Some(("check", inner)) => {
            let words: Vec<OsString> =
                inner.get_many("recipe").unwrap_or_default().cloned().chain(given).collect();
            let code = inner.get_one::<String>("code").is_some();
            let mut sources = Vec::new();
            if code || words.is_empty() {
                sources.push(source(inner, Vec::new(), ui)?);
            }
            let one = |word: OsString| {
                let text = if word == "-" { Text::Stdin } else { Text::File(word) };
                let trust = inner.get_flag("trust");
                Source {
                    text,
                    arguments: Vec::new(),
                    trust,
                    host: false,
                    explain: None,
                    breaks: Vec::new(),
                    step: false,
                }
            };
            sources.extend(words.into_iter().map(one));
            Action::Check(sources)
        }
        Some(("test", inner)) => {
            let paths = inner.get_many("paths").unwrap_or_default().cloned().collect();
            let (json, trust) = (inner.get_flag("json"), inner.get_flag("trust"));
            Action::Test(Tests { paths, json, trust })
        }
        Some(("store", inner)) => Action::Store(store(inner)),
        Some(("new", inner)) => Action::New(one_path(inner, "name")),
        Some(("help", inner)) => {
            Action::Help(inner.get_many("topic").unwrap_or_default().cloned().collect())
        }
        Some(("man", inner)) => {
            let into = inner.get_one::<PathBuf>("directory").cloned();
            Action::Man { into, recipe: inner.get_flag("recipe") }
        }
        Some(("completions", inner)) => {
            Action::Completions(inner.get_one::<String>("shell").cloned().unwrap_or_default())
        }
        Some(("definitions", inner)) => Action::Definitions(one_path(inner, "directory")),
        Some(("doctor", inner)) => Action::Doctor { json: inner.get_flag("json") },
        Some(("reference", inner)) => Action::Reference { write: inner.get_flag("write") },
        Some((first, rest)) => {
            let rest = rest.get_many::<OsString>("").unwrap_or_default().cloned();
            let words = std::iter::once(first.into()).chain(rest).chain(given).collect();
            Action::Run(source(&matches, words, ui)?)
        }
        None => Action::Run(source(&matches, given, ui)?),
    };
    Ok((action, ui))
}

/// Prints what is wrong with the words, or what they ask to print at once.
fn mistaken(error: &clap::Error, words: &[OsString]) -> ExitCode {
    // The parser does not say which one it is.
    let wrong = words.iter().find(|word| word.to_str().is_none());
    if let (clap::error::ErrorKind::InvalidUtf8, Some(wrong)) = (error.kind(), wrong) {
        let report = Report::error(format!("{} is not UTF-8", shown_bytes(wrong)));
        let is_command = |word: &OsString| SUBCOMMANDS.iter().any(|known| word == *known);
        let hint = "`nsscript run` runs a recipe of such a name";
        let report = if words.iter().any(is_command) { report } else { report.hint(hint) };
        Ui::new(Format::Human).say(&report, &Sources::default());
        return ExitCode::from(FAILED);
    }
    let text = error.render().to_string();
    if error.use_stderr() {
        say(&text);
        return ExitCode::from(FAILED);
    }
    print(&text, Ui::new(Format::Human))
}

/// What nsscript does without arguments: at a terminal, a prompt; otherwise standard input is a recipe.
fn alone() -> Action {
    use std::io::{IsTerminal, stdin};
    if stdin().is_terminal() {
        return Action::Repl(None);
    }
    let (text, explain) = (Text::Stdin, explain_variable());
    Action::Run(Source {
        text,
        arguments: Vec::new(),
        trust: false,
        host: false,
        explain,
        breaks: Vec::new(),
        step: false,
    })
}

/// A path that must be given.
fn one_path(matches: &ArgMatches, name: &str) -> PathBuf {
    matches.get_one::<PathBuf>(name).cloned().unwrap_or_default()
}

/// The commonest command line, `nsscript RECIPE ARGS…`, read without a parser: making one takes
/// longer than starting a sandbox's program.
fn plain(words: &[OsString]) -> Option<Action> {
    let (recipe, arguments) = words.get(1..)?.split_first()?;
    let name = recipe.to_string_lossy();
    if name.is_empty() || name.starts_with('-') || SUBCOMMANDS.contains(&&*name) {
        return None;
    }
    let arguments: Option<_> = arguments.iter().map(|word| word.to_str().map(Into::into)).collect();
    let text = Text::File(recipe.clone());
    let explain = explain_variable();
    Some(Action::Run(Source {
        text,
        arguments: arguments?,
        trust: false,
        host: false,
        explain,
        breaks: Vec::new(),
        step: false,
    }))
}

/// A recipe and its arguments, from `-e` or the words.
fn source(matches: &ArgMatches, words: Vec<OsString>, ui: Ui) -> Result<Source, ExitCode> {
    let mut words = words.into_iter();
    let text = match matches.get_one::<String>("code") {
        Some(code) => Text::Code(code.clone()),
        None => match words.next() {
            Some(dash) if dash == "-" => Text::Stdin,
            Some(path) => Text::File(path),
            None => return Err(ui.fail("no recipe is given; `nsscript --help` shows how")),
        },
    };
    let trust = matches.get_flag("trust");
    let mut arguments = Vec::new();
    for (index, word) in words.enumerate() {
        arguments.push(word.into_string().map_err(|word| {
            let (number, shown) = (index + 1, shown_bytes(&word));
            ui.fail(format!("argument {number} of the recipe, {shown}, is not UTF-8"))
        })?);
    }
    let host = matches.try_get_one::<bool>("host").ok().flatten().copied().unwrap_or(false);
    let explain = matches.try_get_one::<String>("explain").ok().flatten();
    let explain = match explain.map(String::as_str) {
        Some("json") => Some(Explain::Json),
        Some(_) => Some(Explain::Human),
        None => explain_variable(),
    };
    let breaks = matches.try_get_many::<u32>("break").ok().flatten().into_iter().flatten();
    let breaks = breaks.copied().collect();
    let step = matches.try_get_one::<bool>("step").ok().flatten().copied().unwrap_or(false);
    Ok(Source { text, arguments, trust, host, explain, breaks, step })
}

/// A word as a message shows it, whatever bytes it is of.
fn shown_bytes(word: &OsStr) -> String {
    quoted(word.as_encoded_bytes().escape_ascii().to_string())
}

/// What `NSSCRIPT_EXPLAIN` asks for: `1` or `human`, `json`; empty and `0` for nothing.
fn explain_variable() -> Option<Explain> {
    let value = std::env::var_os("NSSCRIPT_EXPLAIN")?;
    match value.to_str() {
        Some("" | "0") => None,
        Some("json") => Some(Explain::Json),
        _ => Some(Explain::Human),
    }
}

/// What is asked of the store.
fn store(matches: &ArgMatches) -> Store {
    match matches.subcommand() {
        Some(("show", one)) => {
            Store::Show(one.get_one::<String>("digest").cloned().unwrap_or_default())
        }
        Some(("gc", how)) if how.get_flag("all") => Store::Collect(None),
        Some(("gc", how)) => Store::Collect(how.get_one::<u64>("days").copied()),
        Some(("path", _)) => Store::Path,
        Some(("verify", _)) => Store::Verify,
        Some((_, how)) => Store::List { json: how.get_flag("json") },
        None => Store::List { json: false },
    }
}
