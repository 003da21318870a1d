//! Manual pages for man(1): nsscript(1) from the commands and options, nsscript-recipe(5) from the
//! catalog.

use std::path::Path;
use std::process::ExitCode;

use clap::{Arg, Command};

use super::command::command;
use super::exit::{Ui, print};
use super::written::{MARK, listed, write};
use crate::script::manual::{PageName, recipe_page, roff};

const PAGE: PageName = PageName { name: "nsscript", section: "1", title: "User Commands" };

/// The Markdown before the options, and after the commands.
const ABOUT: &str = include_str!("man/about.md");
const REST: &str = include_str!("man/rest.md");

/// Prints one page, or writes all pages to a manual directory.
pub(super) fn man(into: Option<&Path>, recipe: bool, ui: Ui) -> ExitCode {
    let mark = format!("{MARK} man`.");
    let of_command = roff(PAGE, &mark, &markdown());
    let (name, of_recipe) = recipe_page(&mark);
    let Some(directory) = into else {
        return print(if recipe { &of_recipe } else { &of_command }, ui);
    };
    match write(directory, &[(PAGE.path(), of_command), (name.path(), of_recipe)]) {
        Ok(paths) => print(&listed(&paths), ui),
        Err(why) => ui.fail(why),
    }
}

/// nsscript(1) in Markdown.
fn markdown() -> String {
    let mut command = command();
    command.build();
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").lines().map(str::trim);
    let usage = usage.collect::<Vec<_>>().join("\n");
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut out = format!("# NAME\n\nnsscript - {about}\n");
    out.push_str(&format!("\n# SYNOPSIS\n\n```\n{usage}\n```\n\n{ABOUT}\n# OPTIONS\n"));
    out.push_str(&options(&command, true));
    out.push_str("\n# COMMANDS\n");
    commands(&command, &mut out);
    out.push_str(&format!("\n{REST}"));
    out
}

/// The subcommands of a command, recursively, each with its options.
fn commands(above: &Command, out: &mut String) {
    for command in above.get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = command.get_bin_name().unwrap_or(command.get_name());
        let arguments = command.get_positionals().map(|argument| format!(" {}", shown(argument)));
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        out.push_str(&format!("\n## {name}{}\n\n{about}.\n", arguments.collect::<String>()));
        out.push_str(&options(command, false));
        commands(command, out);
    }
}

/// The options and arguments of a command; for subcommands, without the global ones.
fn options(command: &Command, top: bool) -> String {
    let mut out = String::new();
    let is_everywhere = |argument: &Arg| argument.is_global_set() || argument.get_id() == "help";
    let told = |argument: &&Arg| !argument.is_hide_set() && (top || !is_everywhere(argument));
    for argument in command.get_arguments().filter(told) {
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let mut more = String::new();
        if argument.get_action().takes_values() {
            let values = argument.get_possible_values();
            let values: Vec<_> = values.iter().map(|it| format!("`{}`", it.get_name())).collect();
            if !values.is_empty() {
                more.push_str(&format!(" One of {}.", values.join(", ")));
            }
            if let [default] = argument.get_default_values() {
                more.push_str(&format!(" Default: `{}`.", default.to_string_lossy()));
            }
        }
        out.push_str(&format!("\n{}\n: {help}.{more}\n", shown(argument)));
    }
    out
}

/// An option or argument as it is written: `-e` *CODE*, [*PATH*]…
fn shown(argument: &Arg) -> String {
    let value = argument.get_value_names().and_then(|names| names.first());
    let value = value.map(|name| format!("*{name}*")).unwrap_or_default();
    if argument.is_positional() {
        let many = argument.get_num_args().is_some_and(|range| range.max_values() > 1);
        let dots = if many { "..." } else { "" };
        let value = if argument.is_required_set() { value } else { format!("\\[{value}\\]") };
        return format!("{value}{dots}");
    }
    let short = argument.get_short().map(|letter| format!("`-{letter}`"));
    let long = argument.get_long().map(|word| format!("`--{word}`"));
    let names: Vec<_> = [short, long].into_iter().flatten().collect();
    let value = match (argument.get_action().takes_values(), argument.is_require_equals_set()) {
        (false, _) => String::new(),
        (true, true) => format!("\\[`=`{value}\\]"),
        (true, false) => format!(" {value}"),
    };
    format!("{}{value}", names.join(", "))
}
