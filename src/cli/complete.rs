//! Completion of command lines, for the scripts of shells.
//!
//! An answer is one line per candidate: `word`, a word and its meaning, separated by tabs; or
//! `recipes`, `files` or `directories`, which the shell lists itself. Candidates are not filtered
//! by the typed prefix, because shells have their own ways to compare.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::{Arg, Command};

use super::command::command;
use super::exit::{Ui, print};
use crate::diag::count;
use crate::run::{Runner, Store};
use crate::script::{catalog, manual};

/// Prints completions of the last of these words, which follow `nsscript`.
pub(super) fn complete(words: &[OsString], ui: Ui) -> ExitCode {
    let mut root = command();
    root.build();
    let (current, before) = words
        .split_last()
        .map_or((OsStr::new(""), &[][..]), |(last, rest)| (last.as_os_str(), rest));
    print(&answer(&root, before, &current.to_string_lossy()), ui)
}

/// The kind of word to complete.
enum Place<'c> {
    /// A word of a command: its argument of this index, an option, or a subcommand.
    Command(&'c Command, usize),
    /// The value of an option.
    Value(&'c Arg),
    /// An argument of the recipe.
    RecipeArgument,
}

fn answer(root: &Command, before: &[OsString], current: &str) -> String {
    match place(root, before) {
        Place::RecipeArgument => "files\n".into(),
        Place::Value(option) => values(option, "", current),
        Place::Command(command, number) => {
            if let Some((name, _)) = current.split_once('=').filter(|_| current.starts_with("--")) {
                let option = command.get_arguments().find(|it| it.get_long() == name.get(2..));
                return option
                    .map(|it| values(it, &format!("{name}="), current))
                    .unwrap_or_default();
            }
            if current.starts_with('-') {
                return options(command);
            }
            let mut out = String::new();
            if number == 0 {
                for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
                    let about = below.get_about().map(ToString::to_string).unwrap_or_default();
                    out.push_str(&word(below.get_name(), &about));
                }
            }
            let argument = command.get_positionals().nth(number);
            let argument =
                argument.or_else(|| command.get_positionals().last().filter(|it| many(it)));
            match argument {
                Some(argument) => out.push_str(&values(argument, "", current)),
                // The first word can also be a recipe.
                None if command.is_allow_external_subcommands_set() => out.push_str("recipes\n"),
                None => {}
            }
            out
        }
    }
}

/// The place that the preceding words lead to.
fn place<'c>(root: &'c Command, before: &[OsString]) -> Place<'c> {
    let (mut command, mut number) = (root, 0);
    let mut words = before.iter().map(|word| word.to_string_lossy());
    let mut options = true;
    while let Some(word) = words.next() {
        if options && word == "--" {
            options = false;
        } else if options && word.starts_with('-') && word != "-" {
            let option = named(command, &word).filter(|it| !word.contains('=') && takes(it));
            let Some(option) = option else { continue };
            if words.next().is_none() {
                return Place::Value(option);
            }
            // All words after the code are arguments of the recipe.
            if option.get_id() == "code" {
                return Place::RecipeArgument;
            }
        } else if let Some(below) = command.find_subcommand(&*word).filter(|_| number == 0) {
            command = below;
        } else {
            let argument = command.get_positionals().nth(number);
            let of_recipe = match argument {
                Some(argument) => argument.is_trailing_var_arg_set(),
                None => command.is_allow_external_subcommands_set(),
            };
            if of_recipe {
                return Place::RecipeArgument;
            }
            number += 1;
        }
    }
    Place::Command(command, number)
}

/// The option with this name.
fn named<'c>(command: &'c Command, word: &str) -> Option<&'c Arg> {
    command.get_arguments().find(|option| match word.strip_prefix("--") {
        Some(long) => option.get_long() == Some(long),
        None => {
            option.get_short().is_some_and(|letter| word[1..] == *letter.encode_utf8(&mut [0; 4]))
        }
    })
}

/// Whether the word after an option is its value.
fn takes(option: &Arg) -> bool {
    option.get_action().takes_values() && !option.is_require_equals_set()
}

fn many(argument: &Arg) -> bool {
    argument.get_num_args().is_some_and(|range| range.max_values() > 1)
}

fn options(command: &Command) -> String {
    let mut out = String::new();
    for option in command.get_arguments().filter(|it| !it.is_positional() && !it.is_hide_set()) {
        let help = option.get_help().map(ToString::to_string).unwrap_or_default();
        let short = option.get_short().map(|letter| format!("-{letter}"));
        let long = option.get_long().map(|name| format!("--{name}"));
        for name in [short, long].into_iter().flatten() {
            out.push_str(&word(&name, &help));
        }
    }
    out
}

/// The completions of an argument, selected by the name of its value.
fn values(argument: &Arg, before: &str, current: &str) -> String {
    let mut out = String::new();
    if argument.get_action().takes_values() {
        for value in argument.get_possible_values() {
            out.push_str(&word(&format!("{before}{}", value.get_name()), ""));
        }
    }
    let name = argument.get_value_names().and_then(|names| names.first());
    match name.map(clap::builder::Str::as_str) {
        Some("RECIPE" | "PATH") => out.push_str("recipes\n"),
        Some("FILE") => out.push_str("files\n"),
        Some("DIR") => out.push_str("directories\n"),
        Some("TOPIC") => out.push_str(&topics(current)),
        Some("DIGEST") => out.push_str(&digests()),
        Some("SANDBOX") => {
            for (name, command) in super::running::names() {
                out.push_str(&word(&name, &command));
            }
        }
        Some("SIGNAL") => {
            for name in crate::run::signal_names() {
                out.push_str(&word(name, ""));
            }
        }
        _ => {}
    }
    out
}

fn topics(current: &str) -> String {
    let commands = command();
    let commands = commands.get_subcommands().filter(|command| !command.is_hide_set());
    let mut out = String::new();
    for command in commands {
        out.push_str(&word(command.get_name(), "A command."));
    }
    for topic in manual::topics() {
        out.push_str(&word(&topic.name, &topic.summary));
    }
    if current.contains('.') {
        for verb in catalog::all().filter(|verb| !verb.receiver().is_empty()) {
            let name = format!("{}.{}", verb.receiver().to_lowercase(), verb.name);
            out.push_str(&word(&name, catalog::summary(verb)));
        }
    }
    out
}

/// The layers in the store. Opening a store would create it, so there are none if it does not
/// exist.
fn digests() -> String {
    let runner = Runner::new();
    let place = Store::place(runner.host()).filter(|place| place.path.is_dir());
    let store = place.and_then(|place| Store::open(&place).ok());
    let layers = store.and_then(|store| store.list().ok()).unwrap_or_default();
    let mut words: Vec<_> =
        layers.iter().map(|layer| word(&layer.digest, &count(layer.entries, "file"))).collect();
    // The same layer for other ids has the same digest.
    words.sort();
    words.dedup();
    words.concat()
}

fn word(name: &str, about: &str) -> String {
    format!("word\t{name}\t{about}\n")
}
