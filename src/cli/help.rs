//! `nsscript help`: commands and the language.

use std::process::ExitCode;

use super::command::command;
use super::exit::{Ui, print};
use crate::diag::{closest, quoted};
use crate::script::catalog;
use crate::script::manual::{FUNCTIONS, foreign, libraries, near_topic, topic};

/// Prints the help for a word or a command; without one, lists all.
pub(super) fn help(words: &[String], ui: Ui) -> ExitCode {
    let Some(first) = words.first() else { return print(&list(), ui) };
    let command_help = command_help(words);
    let language_help = if words.len() == 1 { topic(first) } else { None };
    let text = match (command_help, language_help) {
        (Some(command), Some(topic)) => {
            format!("`nsscript {first}` is a command:\n\n{command}\nIn a recipe:\n\n{topic}")
        }
        (Some(text), None) | (None, Some(text)) => text,
        (None, None) => return ui.fail(unknown(words)),
    };
    print(&text, ui)
}

/// The text of `--help` for a command.
fn command_help(words: &[String]) -> Option<String> {
    let mut command = command();
    command.build();
    let mut found = &mut command;
    for word in words {
        found = found.find_subcommand_mut(word).filter(|command| !command.is_hide_set())?;
    }
    Some(found.render_help().to_string())
}

fn unknown(words: &[String]) -> String {
    let said = words.join(" ");
    if words.len() > 1 {
        return format!("unknown command {}; `nsscript help` lists all commands", quoted(said));
    }
    let command = command();
    let commands = command.get_subcommands().filter(|command| !command.is_hide_set());
    let near = near_topic(&said)
        .or_else(|| closest(&said, commands.map(clap::Command::get_name)).map(str::to_owned));
    if let Some(hint) = foreign::anywhere(&said) {
        return format!("unknown verb or command {}; {hint}", quoted(said));
    }
    match near {
        Some(near) => {
            format!("unknown verb or command {}; did you mean {}?", quoted(said), quoted(near))
        }
        None => format!("unknown verb or command {}; `nsscript help` lists all", quoted(said)),
    }
}

fn list() -> String {
    let mut out = String::from(
        "`nsscript help TOPIC` describes a command, a verb (`bind`, `sandbox.bind`), a type\n\
         (`Sandbox`), a constant, a module (`std/net`) or an option. `nsscript help language` is\n\
         a short guide.\n\nCommands\n",
    );
    let mut line = |name: &str, about: &str| out.push_str(&format!("  {name:<16} {about}\n"));
    line("RECIPE", "Run a recipe: `nsscript recipe.rhai`.");
    for command in command().get_subcommands().filter(|command| !command.is_hide_set()) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        line(command.get_name(), &format!("{about}."));
    }
    let mut receiver = None;
    let mut verbs: Vec<_> = catalog::all().collect();
    verbs.sort_by_key(|verb| (verb.receiver(), verb.name));
    for verb in verbs {
        if receiver != Some(verb.receiver()) {
            receiver = Some(verb.receiver());
            let title = if verb.receiver().is_empty() { "Functions" } else { verb.receiver() };
            out.push_str(&format!("\n{title}\n"));
        }
        out.push_str(&format!("  {:<16} {}\n", verb.name, catalog::summary(verb)));
    }
    out.push_str("\nLanguage\n");
    for function in FUNCTIONS {
        out.push_str(&format!("  {:<16} {}\n", function.name, function.doc));
    }
    out.push_str("\nConstants\n");
    let constants = catalog::constants().into_iter().filter(|it| it.alias_of.is_none());
    let constants = constants.map(|constant| (constant.name, constant.doc()));
    for (name, doc) in constants.chain(catalog::VALUES.map(|(name, doc)| (name, doc.to_owned()))) {
        out.push_str(&format!("  {name:<16} {doc}\n"));
    }
    out.push_str("\nModules\n");
    for library in libraries() {
        out.push_str(&format!("  {:<16} {}\n", library.name, library.summary()));
    }
    out
}
