//! The command line: what was asked for, and how the process ends.

mod args;
mod check;
mod exit;
mod explain;
mod help;
mod plan;
mod progress;
mod recipe;
mod reference;
mod store;
mod test;

use std::process::ExitCode;

use args::Action;

/// Does what the command line says.
#[must_use]
pub fn main() -> ExitCode {
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
        Action::Store(what) => store::store(&what, ui),
        Action::Help(verb) => help::help(verb.as_deref(), ui),
        Action::Reference { write } => reference::reference(write, ui),
    }
}
