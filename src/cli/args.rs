//! Parsed command lines.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ArgMatches;

use super::command::{COMPLETE, SUBCOMMANDS, command};
use super::exit::{FAILED, Ui, print};
use crate::diag::{Format, Report, Sources, quoted, say};

/// A recipe on the command line, with its arguments and options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// The text.
    pub text: Text,
    /// The value of `args`.
    pub arguments: Vec<String>,
    /// Whether root runs a recipe even if others can write to it.
    pub trust: bool,
    /// Whether raw calls act on the host itself.
    pub host: bool,
    /// The form of the trace, if there is one.
    pub explain: Option<Explain>,
    /// The lines at which the recipe stops.
    pub breaks: Vec<u32>,
    /// Whether nsscript asks before each action.
    pub step: bool,
}

/// The form of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Explain {
    /// Text for people.
    Human,
    /// JSON for programs, one object per line.
    Json,
}

/// The source of a recipe's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// A file.
    File(OsString),
    /// The command line.
    Code(String),
    /// Standard input.
    Stdin,
}

/// The arguments of `nsscript test`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tests {
    /// Recipes, and directories of recipes. Empty for the default directory.
    pub paths: Vec<PathBuf>,
    /// Whether results are printed as JSON.
    pub json: bool,
    /// Whether root runs recipes even if others can write to them.
    pub trust: bool,
}

/// The commands of `nsscript store`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Store {
    /// Lists the layers.
    List {
        /// Whether to print JSON.
        json: bool,
    },
    /// Prints the manifest of a layer.
    Show(String),
    /// Removes layers not used for this many days; without a number, all.
    Collect(Option<u64>),
    /// Prints the path of the store.
    Path,
    /// Reads and compares all layers.
    Verify,
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Runs a recipe.
    Run(Source),
    /// Starts a prompt, after running a recipe if one is given.
    Repl(Option<Source>),
    /// Shows what a recipe would do.
    Plan {
        /// The recipe.
        source: Source,
        /// Whether to print JSON.
        json: bool,
    },
    /// Checks recipes.
    Check(Vec<Source>),
    /// Runs recipes as tests.
    Test(Tests),
    /// Lists, checks or cleans the store.
    Store(Store),
    /// Lists running sandboxes.
    Ps {
        /// Whether to print JSON.
        json: bool,
    },
    /// Runs a program in a running sandbox.
    Exec {
        /// Its name or number.
        sandbox: String,
        /// The program and its arguments; empty for a shell.
        command: Vec<String>,
        /// Whether the program has all capabilities in the sandbox.
        privileged: bool,
    },
    /// Sends a signal to a running sandbox.
    Kill {
        /// Its name or number.
        sandbox: String,
        /// The name or number of the signal, if it is not SIGKILL.
        signal: Option<String>,
    },
    /// Writes a starter recipe.
    New(PathBuf),
    /// Describes a topic or a command of one or more words, or lists all.
    Help(Vec<String>),
    /// Writes manual pages for man(1).
    Man {
        /// The directory for all pages; `None` prints one page.
        into: Option<PathBuf>,
        /// Whether to print the page of the language.
        recipe: bool,
    },
    /// Prints the completion script for a shell.
    Completions(String),
    /// Completes these words, which follow `nsscript`; for the completion scripts.
    Complete(Vec<OsString>),
    /// Writes definitions for editors to this directory.
    Definitions(PathBuf),
    /// Shows what nsscript can do on this machine.
    Doctor {
        /// Whether to print JSON.
        json: bool,
    },
    /// Prints the reference of the language.
    Reference {
        /// Whether to write REFERENCE.md.
        write: bool,
    },
}

/// Parses the command line. Prints help, the version and usage errors, and returns the exit status
/// for them.
pub(super) fn parse(words: impl Iterator<Item = OsString>) -> Result<(Action, Ui), ExitCode> {
    let mut words: Vec<OsString> = words.collect();
    if words.len() < 2 {
        return Ok((without_arguments(), Ui::new(Format::Human)));
    }
    if words.get(1).is_some_and(|word| word == COMPLETE) {
        return Ok((Action::Complete(words.split_off(2)), Ui::new(Format::Human)));
    }
    if let Some(action) = without_parser(&words) {
        return Ok((action, Ui::new(Format::Human)));
    }
    // As for other interpreters, all words after the code are arguments of the recipe.
    let code = words.iter().position(|word| word == "-e").map(|at| (at + 2).min(words.len()));
    let given = code.map(|end| words.split_off(end)).unwrap_or_default();
    let matches =
        command().try_get_matches_from(&words).map_err(|error| usage_error(&error, &words))?;

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
        Some(("ps", inner)) => Action::Ps { json: inner.get_flag("json") },
        Some((name @ ("exec" | "enter"), inner)) => {
            let words = if name == "exec" { inner.get_many("command") } else { None };
            let command = words.unwrap_or_default().cloned().collect();
            let privileged = inner.get_flag("privileged");
            Action::Exec { sandbox: one_word(inner, "sandbox"), command, privileged }
        }
        Some(("kill", inner)) => {
            let signal = inner.get_one::<String>("signal").cloned();
            Action::Kill { sandbox: one_word(inner, "sandbox"), signal }
        }
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

/// Prints a usage error, help or the version.
fn usage_error(error: &clap::Error, words: &[OsString]) -> ExitCode {
    // clap does not name the word.
    let wrong = words.iter().find(|word| word.to_str().is_none());
    if let (clap::error::ErrorKind::InvalidUtf8, Some(wrong)) = (error.kind(), wrong) {
        let report = Report::error(format!("{} is not UTF-8", shown_bytes(wrong)));
        let is_command = |word: &OsString| SUBCOMMANDS.iter().any(|known| word == *known);
        let hint = "use `nsscript run` for a recipe with such a name";
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

/// The command without arguments: a prompt at a terminal; otherwise standard input is a recipe.
fn without_arguments() -> Action {
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

/// A required path.
fn one_path(matches: &ArgMatches, name: &str) -> PathBuf {
    matches.get_one::<PathBuf>(name).cloned().unwrap_or_default()
}

/// A required word.
fn one_word(matches: &ArgMatches, name: &str) -> String {
    matches.get_one::<String>(name).cloned().unwrap_or_default()
}

/// Parses the most common command line, `nsscript RECIPE ARGS…`, without clap: creating its parser
/// takes longer than starting a sandbox's program.
fn without_parser(words: &[OsString]) -> Option<Action> {
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
            None => return Err(ui.fail("missing recipe; `nsscript --help` shows the usage")),
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

/// A word for a message, with other bytes than ASCII escaped.
fn shown_bytes(word: &OsStr) -> String {
    quoted(word.as_encoded_bytes().escape_ascii().to_string())
}

/// The trace that `NSSCRIPT_EXPLAIN` selects: `1` or `human`, or `json`; none if it is empty or
/// `0`.
fn explain_variable() -> Option<Explain> {
    let value = std::env::var_os("NSSCRIPT_EXPLAIN")?;
    match value.to_str() {
        Some("" | "0") => None,
        Some("json") => Some(Explain::Json),
        _ => Some(Explain::Human),
    }
}

/// The command for the store.
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
