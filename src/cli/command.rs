//! The commands and options of nsscript, with their help texts.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command};

/// The commands. A recipe of the same name needs a path.
pub(super) const SUBCOMMANDS: [&str; 17] = [
    "run",
    "repl",
    "plan",
    "check",
    "test",
    "ps",
    "exec",
    "enter",
    "kill",
    "new",
    "store",
    "doctor",
    "help",
    "man",
    "completions",
    "definitions",
    "reference",
];

/// The word with which completion scripts call nsscript. It is not a command: all words after it
/// belong to the line that is being completed.
pub(super) const COMPLETE: &str = "__complete";

/// The usage text.
const USAGE: &str = "nsscript [run] [OPTIONS] RECIPE [ARGS]...
       nsscript [run] [OPTIONS] -e CODE [ARGS]...
       nsscript [repl [RECIPE [ARGS]...]]
       nsscript plan [--json] RECIPE [ARGS]...
       nsscript check RECIPE...
       nsscript test [--json] [PATH]...
       nsscript ps [--json]
       nsscript exec SANDBOX COMMAND [ARGS]...
       nsscript enter SANDBOX
       nsscript kill SANDBOX [SIGNAL]
       nsscript new NAME
       nsscript store list|show|gc|path|verify
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
        .help("Format of errors and warnings");
    let code = Arg::new("code")
        .short('e')
        .value_name("CODE")
        .help("Run CODE as a recipe; the words after it are its arguments");
    let trust = Arg::new("trust")
        .long("trust-recipe")
        .action(ArgAction::SetTrue)
        .global(true)
        .help("As root, run a recipe even if other users can write to it");
    let json = || Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON");
    let write =
        Arg::new("write").long("write").action(ArgAction::SetTrue).help("Write REFERENCE.md");
    let paths = Arg::new("paths")
        .value_name("PATH")
        .num_args(0..)
        .value_parser(clap::value_parser!(PathBuf))
        .help("A recipe, or a directory with `*.rhai` files [default: recipes]");
    let recipe = || external(Command::new("plan"));
    Command::new("nsscript")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Linux sandboxes as readable recipes")
        .override_usage(USAGE)
        .after_help(
            "RECIPE is a file, or `-` for standard input. `nsscript help` lists all commands and \
             verbs.",
        )
        .disable_help_subcommand(true)
        .arg_required_else_help(true)
        .allow_external_subcommands(true)
        .external_subcommand_value_parser(clap::value_parser!(OsString))
        .args([format, code, trust])
        .args(run_options())
        .subcommand(
            external(Command::new("run"))
                .about("Run a recipe; the default command")
                .args(run_options()),
        )
        .subcommand(
            external(Command::new("repl"))
                .about("Start an interactive prompt, after running RECIPE if one is given")
                .arg(host()),
        )
        .subcommand(recipe().about("Show what a recipe would do, without doing it").arg(json()))
        .subcommand(
            external(Command::new("check"))
                .about("Find mistakes in recipes without running them")
                .mut_arg("recipe", |recipes| recipes.help("The recipes to check")),
        )
        .subcommand(
            Command::new("test")
                .about("Run recipes as tests, each in its own process")
                .args([json().help("Print one JSON object for each recipe"), paths]),
        )
        .subcommand(Command::new("ps").about("List your running sandboxes").arg(json()))
        .subcommand(exec())
        .subcommand(
            Command::new("enter")
                .about("Open a shell in a running sandbox")
                .args([privileged(), sandbox()]),
        )
        .subcommand(kill())
        .subcommand(new())
        .subcommand(store())
        .subcommand(
            Command::new("doctor")
                .about("Show what nsscript can do on this machine, and how to enable the rest")
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
        .help("Let raw calls change the host, instead of a private session")
}

/// The options for running a recipe.
fn run_options() -> [Arg; 4] {
    let explain = Arg::new("explain")
        .long("explain")
        .value_name("FORMAT")
        .value_parser(["human", "json"])
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("human")
        .help("Print every action to standard error as it happens (or NSSCRIPT_EXPLAIN=1)");
    let breaks = Arg::new("break")
        .long("break")
        .value_name("LINE")
        .action(ArgAction::Append)
        .value_parser(clap::value_parser!(u32))
        .help("Stop before this line and open a prompt with the recipe's variables");
    let step =
        Arg::new("step").long("step").action(ArgAction::SetTrue).help("Ask before each action");
    [host(), explain, breaks, step]
}

/// A running sandbox.
fn sandbox() -> Arg {
    Arg::new("sandbox")
        .value_name("SANDBOX")
        .required(true)
        .help("The name or number of a running sandbox, as `nsscript ps` shows it")
}

/// `--privileged` of `nsscript exec` and `nsscript enter`.
fn privileged() -> Arg {
    Arg::new("privileged").long("privileged").action(ArgAction::SetTrue).help(
        "Give the program all capabilities in the sandbox, and not its policy for system calls",
    )
}

/// The arguments of `nsscript exec`.
fn exec() -> Command {
    let command = Arg::new("command")
        .value_name("COMMAND")
        .required(true)
        .num_args(1..)
        .trailing_var_arg(true)
        .allow_hyphen_values(true)
        .help("The program and its arguments, with or without `--` before them");
    Command::new("exec").about("Run a program in a running sandbox").args([
        privileged(),
        sandbox(),
        command,
    ])
}

/// The arguments of `nsscript kill`.
fn kill() -> Command {
    let signal = Arg::new("signal")
        .value_name("SIGNAL")
        .help("The name or number of a signal for its program [default: KILL, for all programs]");
    Command::new("kill")
        .about("End a running sandbox, or send a signal to its program")
        .args([sandbox(), signal])
}

/// The arguments of `nsscript new`.
fn new() -> Command {
    let name = Arg::new("name")
        .value_name("NAME")
        .required(true)
        .value_parser(clap::value_parser!(PathBuf))
        .help("Name of the recipe, with or without `.rhai`");
    Command::new("new").about("Write a starter recipe").arg(name)
}

/// The arguments of `nsscript help`.
fn help() -> Command {
    let topic = Arg::new("topic").value_name("TOPIC").num_args(0..).help(
        "A verb (`bind`, `sandbox.bind`), a type, a constant, a module, an option, a command, or \
         `language`",
    );
    Command::new("help").about("Describe a verb or a command, or list all of them").arg(topic)
}

/// The arguments of `nsscript man`.
fn man() -> Command {
    let recipe = Arg::new("recipe")
        .long("recipe")
        .action(ArgAction::SetTrue)
        .help("Print nsscript-recipe(5), the language, instead of nsscript(1)");
    let into = directory()
        .conflicts_with("recipe")
        .help("Write both pages to this directory: man1/nsscript.1 and man5/nsscript-recipe.5");
    Command::new("man")
        .about("Print a manual page, or write all pages to a directory")
        .args([recipe, into])
}

/// The arguments of `nsscript completions`.
fn completions() -> Command {
    let shell = Arg::new("shell")
        .value_name("SHELL")
        .required(true)
        .value_parser(["bash", "zsh", "fish"])
        .help("The shell to write it for");
    Command::new("completions").about("Print a completion script for a shell").arg(shell)
}

/// The arguments of `nsscript definitions`.
fn definitions() -> Command {
    Command::new("definitions")
        .about("Write definitions of the verbs for editors")
        .arg(directory().required(true).help("The directory, created if it is missing"))
}

fn directory() -> Arg {
    Arg::new("directory").value_name("DIR").value_parser(clap::value_parser!(PathBuf))
}

/// The commands of `nsscript store`.
fn store() -> Command {
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON");
    let digest = Arg::new("digest")
        .value_name("DIGEST")
        .required(true)
        .help("The digest of the layer, or its first digits");
    let days = Arg::new("days")
        .long("days")
        .value_name("DAYS")
        .value_parser(clap::value_parser!(u64))
        .default_value("30")
        .help("Remove layers that were not used for this many days");
    let all = Arg::new("all").long("all").action(ArgAction::SetTrue).help("Remove every layer");
    Command::new("store")
        .about("List, check or remove the stored layers of roots")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(
            Command::new("list").about("List the layers, most recently used first").arg(json),
        )
        .subcommand(Command::new("show").about("Print the manifest of a layer or root").arg(digest))
        .subcommand(
            Command::new("gc")
                .about("Remove layers that were not used for 30 days")
                .args([days, all]),
        )
        .subcommand(Command::new("path").about("Print the path of the store"))
        .subcommand(Command::new("verify").about("Read every layer and report changed ones"))
}

/// A command that takes a recipe and its arguments.
fn external(command: Command) -> Command {
    command.arg(Arg::new("code").short('e').value_name("CODE").help("Use CODE as the recipe")).arg(
        Arg::new("recipe")
            .value_name("RECIPE")
            .num_args(0..)
            .trailing_var_arg(true)
            .allow_hyphen_values(true)
            .help("The recipe and its arguments")
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
