//! The words of the command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::exit::{FAILED, Ui};
use crate::diag::Format;

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
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Running a recipe.
    Run(Source),
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
    /// The manual page of a verb, or the list of all.
    Help(Option<String>),
    /// The reference of the language.
    Reference {
        /// Whether REFERENCE.md is written.
        write: bool,
    },
}

/// The words that are no recipes.
pub(super) const SUBCOMMANDS: [&str; 6] = ["plan", "check", "test", "store", "help", "reference"];

fn command() -> Command {
    let format = Arg::new("error-format")
        .long("error-format")
        .value_name("FORMAT")
        .value_parser(["human", "short", "json"])
        .default_value("human")
        .global(true)
        .help("How errors and warnings are written");
    let code = Arg::new("code")
        .short('e')
        .value_name("CODE")
        .help("Run this text as a recipe; what follows are its arguments");
    let trust = Arg::new("trust")
        .long("trust-recipe")
        .action(ArgAction::SetTrue)
        .global(true)
        .help("As root, run a recipe that other users can write to");
    let host = Arg::new("host")
        .long("host")
        .action(ArgAction::SetTrue)
        .help("Make raw calls to the host itself, not in a session of their own");
    let explain = Arg::new("explain")
        .long("explain")
        .value_name("FORMAT")
        .value_parser(["human", "json"])
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("human")
        .help("Tell every action on standard error as it is done (or NSSCRIPT_EXPLAIN=1)");
    let json = || Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print it as JSON");
    let write =
        Arg::new("write").long("write").action(ArgAction::SetTrue).help("Write REFERENCE.md");
    let paths = Arg::new("paths")
        .value_name("PATH")
        .num_args(0..)
        .value_parser(clap::value_parser!(PathBuf))
        .help("A recipe, or a directory: every `*.rhai` in it [default: recipes]");
    let recipe = || external(Command::new("plan"));
    Command::new("nsscript")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Linux sandboxes as readable recipes")
        .override_usage(
            "nsscript [OPTIONS] RECIPE [ARGS]...\n       nsscript [OPTIONS] -e CODE [ARGS]...\n       \
             nsscript plan [--json] RECIPE [ARGS]...\n       nsscript check RECIPE...\n       \
             nsscript test [--json] [PATH]...\n       \
             nsscript store list|show|gc|path\n       nsscript help [VERB]",
        )
        .after_help("RECIPE is a file, or `-` for standard input. `nsscript help` lists the verbs.")
        .disable_help_subcommand(true)
        .arg_required_else_help(true)
        .allow_external_subcommands(true)
        .external_subcommand_value_parser(clap::value_parser!(OsString))
        .args([format, code, trust, host, explain])
        .subcommand(
            recipe().about("Tell what a recipe would do, without doing it").arg(json()),
        )
        .subcommand(
            external(Command::new("check")).about("Find what is wrong with recipes, without running them"),
        )
        .subcommand(
            Command::new("test")
                .about("Run recipes as tests, each in a process of its own")
                .args([json().help("Print a JSON object for each"), paths]),
        )
        .subcommand(store())
        .subcommand(
            Command::new("help")
                .about("Show the manual page of a verb, or list all verbs")
                .arg(Arg::new("verb").value_name("VERB")),
        )
        .subcommand(Command::new("reference").hide(true).arg(write))
}

/// The words of `nsscript store`.
fn store() -> Command {
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print it as JSON");
    let digest = Arg::new("digest")
        .value_name("DIGEST")
        .required(true)
        .help("The digest, or its first digits");
    let days = Arg::new("days")
        .long("days")
        .value_name("DAYS")
        .value_parser(clap::value_parser!(u64))
        .default_value("30")
        .help("Remove what was not used for so many days");
    let all = Arg::new("all").long("all").action(ArgAction::SetTrue).help("Remove every layer");
    Command::new("store")
        .about("Look at the layers of roots that are kept, or remove them")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(Command::new("list").about("List the layers, those used last first").arg(json))
        .subcommand(Command::new("show").about("Print the manifest of a layer or root").arg(digest))
        .subcommand(Command::new("gc").about("Remove layers that no run uses").args([days, all]))
        .subcommand(Command::new("path").about("Print where the store is"))
}

/// A subcommand that is followed by a recipe and its arguments.
fn external(command: Command) -> Command {
    command.arg(Arg::new("code").short('e').value_name("CODE").help("The recipe as text")).arg(
        Arg::new("recipe")
            .value_name("RECIPE")
            .num_args(0..)
            .trailing_var_arg(true)
            .allow_hyphen_values(true)
            .value_parser(clap::value_parser!(OsString)),
    )
}

/// Reads the command line; what it asks to print at once (help, version, mistakes) is printed,
/// and the status to end with is given.
pub(super) fn parse(words: impl Iterator<Item = OsString>) -> Result<(Action, Ui), ExitCode> {
    let mut words: Vec<OsString> = words.collect();
    if let Some(action) = plain(&words) {
        return Ok((action, Ui::new(Format::Human)));
    }
    // As for other interpreters, what follows the code is the recipe's, whatever it looks like.
    let code = words.iter().position(|word| word == "-e").map(|at| (at + 2).min(words.len()));
    let given = code.map(|end| words.split_off(end)).unwrap_or_default();
    let matches = command().try_get_matches_from(words).map_err(|error| {
        let _ = error.print();
        if error.use_stderr() { ExitCode::from(FAILED) } else { ExitCode::SUCCESS }
    })?;
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
                Source { text, arguments: Vec::new(), trust, host: false, explain: None }
            };
            sources.extend(words.into_iter().map(one));
            Action::Check(sources)
        }
        Some(("test", inner)) => {
            let paths = inner.get_many("paths").unwrap_or_default().cloned().collect();
            let (json, trust) = (inner.get_flag("json"), inner.get_flag("trust"));
            Action::Test(Tests { paths, json, trust })
        }
        Some(("store", inner)) => Action::Store(match inner.subcommand() {
            Some(("show", one)) => {
                Store::Show(one.get_one::<String>("digest").cloned().unwrap_or_default())
            }
            Some(("gc", how)) if how.get_flag("all") => Store::Collect(None),
            Some(("gc", how)) => Store::Collect(how.get_one::<u64>("days").copied()),
            Some(("path", _)) => Store::Path,
            Some((_, how)) => Store::List { json: how.get_flag("json") },
            None => Store::List { json: false },
        }),
        Some(("help", inner)) => Action::Help(inner.get_one::<String>("verb").cloned()),
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

/// The commonest command line, `nsscript RECIPE ARGS…`, read without a parser: making one takes
/// longer than starting a sandbox's program.
fn plain(words: &[OsString]) -> Option<Action> {
    let (recipe, arguments) = words.get(1..)?.split_first()?;
    let name = recipe.to_str()?;
    if name.is_empty() || name.starts_with('-') || SUBCOMMANDS.contains(&name) {
        return None;
    }
    let arguments: Option<_> = arguments.iter().map(|word| word.to_str().map(Into::into)).collect();
    let text = Text::File(recipe.clone());
    let explain = explain_variable();
    Some(Action::Run(Source { text, arguments: arguments?, trust: false, host: false, explain }))
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
    for word in words {
        let word = word.into_string();
        arguments.push(word.map_err(|_| ui.fail("an argument of the recipe is not UTF-8"))?);
    }
    let host = matches.try_get_one::<bool>("host").ok().flatten().copied().unwrap_or(false);
    let explain = matches.try_get_one::<String>("explain").ok().flatten();
    let explain = match explain.map(String::as_str) {
        Some("json") => Some(Explain::Json),
        Some(_) => Some(Explain::Human),
        None => explain_variable(),
    };
    Ok(Source { text, arguments, trust, host, explain })
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
