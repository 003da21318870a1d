//! The command line: runs the command that was given, and sets the exit status.

mod args;
mod check;
mod command;
mod complete;
mod completions;
mod definitions;
mod doctor;
mod exit;
mod explain;
mod help;
mod man;
mod new;
mod plan;
mod progress;
mod recipe;
mod reference;
mod repl;
mod running;
mod store;
mod test;
mod written;

use std::process::ExitCode;

use args::Action;

/// The allocator of the program.
pub use crate::run::Heap;

/// Runs the command line.
#[must_use]
pub fn main() -> ExitCode {
    crate::run::fail_at_file_limits();
    crate::run::own_process();
    let (action, ui) = match args::parse(std::env::args_os()) {
        Ok(parsed) => parsed,
        Err(code) => return code,
    };
    if crate::run::is_secure_execution() {
        return ui.fail("nsscript must not be installed set-user-ID or with capabilities");
    }
    match action {
        Action::Run(source) => recipe::run(&source, ui),
        Action::Plan { source, json } => plan::plan(&source, json, ui),
        Action::Check(sources) => check::check(&sources, ui),
        Action::Test(tests) => test::test(&tests, ui),
        Action::Doctor { json } => doctor::doctor(json, ui),
        Action::Store(what) => store::store(&what, ui),
        Action::Ps { json } => running::ps(json, ui),
        Action::Exec { sandbox, command, privileged } => {
            running::exec(&sandbox, command, privileged, ui)
        }
        Action::Kill { sandbox, signal } => running::kill(&sandbox, signal.as_deref(), ui),
        Action::Repl(source) => repl::repl(source.as_ref(), ui),
        Action::New(name) => new::new(&name, ui),
        Action::Help(words) => help::help(&words, ui),
        Action::Man { into, recipe } => man::man(into.as_deref(), recipe, ui),
        Action::Completions(shell) => completions::completions(&shell, ui),
        Action::Complete(words) => complete::complete(&words, ui),
        Action::Definitions(directory) => definitions::definitions(&directory, ui),
        Action::Reference { write } => reference::reference(write, ui),
    }
}
