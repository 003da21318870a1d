//! The words of the command line: commands, options, and what they say of themselves.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command};

/// The words that are no recipes.
pub(super) const SUBCOMMANDS: [&str; 13] = [
    "run",
    "repl",
    "plan",
    "check",
    "test",
    "new",
    "store",
    "doctor",
    "help",
    "man",
    "completions",
    "definitions",
    "reference",
];

/// The word by which scripts for shells ask what can come next. It is no command: whatever follows
/// it is part of the line that is being written.
pub(super) const COMPLETE: &str = "__complete";

/// How it is called.
const USAGE: &str = "nsscript [run] [OPTIONS] RECIPE [ARGS]...
       nsscript [run] [OPTIONS] -e CODE [ARGS]...
       nsscript [repl [RECIPE [ARGS]...]]
       nsscript plan [--json] RECIPE [ARGS]...
       nsscript check RECIPE...
       nsscript test [--json] [PATH]...
       nsscript new NAME
       nsscript store list|show|gc|path
       nsscript doctor [--json]
       nsscript help [TOPIC]";

/// nsscript, with all its commands.
pub(super) fn command() -> Command {
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
        .override_usage(USAGE)
        .after_help(
            "RECIPE is a file, or `-` for standard input. `nsscript help` lists the commands and \
             the verbs.",
        )
        .disable_help_subcommand(true)
        .arg_required_else_help(true)
        .allow_external_subcommands(true)
        .external_subcommand_value_parser(clap::value_parser!(OsString))
        .args([format, code, trust])
        .args(ways())
        .subcommand(
            external(Command::new("run"))
                .about("Run a recipe, as nsscript alone does")
                .args(ways()),
        )
        .subcommand(
            external(Command::new("repl"))
                .about("Start an interactive prompt, after running RECIPE if one is given")
                .arg(host()),
        )
        .subcommand(recipe().about("Tell what a recipe would do, without doing it").arg(json()))
        .subcommand(
            external(Command::new("check"))
                .about("Find what is wrong with recipes, without running them"),
        )
        .subcommand(
            Command::new("test")
                .about("Run recipes as tests, each in a process of its own")
                .args([json().help("Print a JSON object for each"), paths]),
        )
        .subcommand(new())
        .subcommand(store())
        .subcommand(
            Command::new("doctor")
                .about("Tell what this machine lets nsscript do, and how to change that")
                .arg(json()),
        )
        .subcommand(help())
        .subcommand(man())
        .subcommand(completions())
        .subcommand(definitions())
        .subcommand(Command::new("reference").hide(true).arg(write))
}

/// `--host`.
fn host() -> Arg {
    Arg::new("host")
        .long("host")
        .action(ArgAction::SetTrue)
        .help("Make raw calls to the host itself, not in a session of their own")
}

/// The ways in which a recipe is run.
fn ways() -> [Arg; 4] {
    let explain = Arg::new("explain")
        .long("explain")
        .value_name("FORMAT")
        .value_parser(["human", "json"])
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("human")
        .help("Tell every action on standard error as it is done (or NSSCRIPT_EXPLAIN=1)");
    let breaks = Arg::new("break")
        .long("break")
        .value_name("LINE")
        .action(ArgAction::Append)
        .value_parser(clap::value_parser!(u32))
        .help("Stop before this line, with a prompt on the variables");
    let step = Arg::new("step")
        .long("step")
        .action(ArgAction::SetTrue)
        .help("Ask before everything that is done");
    [host(), explain, breaks, step]
}

/// The words of `nsscript new`.
fn new() -> Command {
    let name = Arg::new("name")
        .value_name("NAME")
        .required(true)
        .value_parser(clap::value_parser!(PathBuf))
        .help("The name of the recipe, with or without `.rhai`");
    Command::new("new").about("Write a recipe to start from").arg(name)
}

/// The words of `nsscript help`.
fn help() -> Command {
    let topic = Arg::new("topic").value_name("TOPIC").num_args(0..).help(
        "A verb (`bind`, `sandbox.bind`), a type, a constant, a module, an option, a command, or \
         `language`",
    );
    Command::new("help").about("Tell of a verb or a command, or list all").arg(topic)
}

/// The words of `nsscript man`.
fn man() -> Command {
    let recipe = Arg::new("recipe")
        .long("recipe")
        .action(ArgAction::SetTrue)
        .help("Print nsscript-recipe(5), the language, and not nsscript(1)");
    let into = directory()
        .conflicts_with("recipe")
        .help("Write both pages below this directory: man1/nsscript.1, man5/nsscript-recipe.5");
    Command::new("man").about("Print a manual page, or write all for man(1)").args([recipe, into])
}

/// The words of `nsscript completions`.
fn completions() -> Command {
    let shell = Arg::new("shell")
        .value_name("SHELL")
        .required(true)
        .value_parser(["bash", "zsh", "fish"])
        .help("The shell that is to complete");
    Command::new("completions")
        .about("Print a script that has a shell complete commands, recipes and verbs")
        .arg(shell)
}

/// The words of `nsscript definitions`.
fn definitions() -> Command {
    Command::new("definitions")
        .about("Write what editors can know of the verbs into a directory")
        .arg(directory().required(true).help("The directory, which is made if it is not there"))
}

fn directory() -> Arg {
    Arg::new("directory").value_name("DIR").value_parser(clap::value_parser!(PathBuf))
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
        .subcommand(Command::new("verify").about("Read every layer, and name those that changed"))
}

/// A subcommand that is followed by a recipe and its arguments.
fn external(command: Command) -> Command {
    command.arg(Arg::new("code").short('e').value_name("CODE").help("The recipe as text")).arg(
        Arg::new("recipe")
            .value_name("RECIPE")
            .num_args(0..)
            .trailing_var_arg(true)
            .allow_hyphen_values(true)
            .help("The recipe, and its arguments")
            .value_parser(clap::value_parser!(OsString)),
    )
}

#[cfg(test)]
mod tests {
    use super::{SUBCOMMANDS, command};

    #[test]
    fn every_command_is_known_to_be_no_recipe() {
        let command = command();
        let mut names: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
        let mut known = SUBCOMMANDS.to_vec();
        names.sort_unstable();
        known.sort_unstable();
        assert_eq!(names, known);
        command.debug_assert();
    }
}
