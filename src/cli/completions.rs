//! Completion scripts for shells.

use std::process::ExitCode;

use super::exit::{Ui, print};

/// Prints the script of a shell.
///
/// The scripts contain no words: they ask nsscript itself, so they stay correct when nsscript is
/// updated.
pub(super) fn completions(shell: &str, ui: Ui) -> ExitCode {
    let script = match shell {
        "zsh" => include_str!("completions/nsscript.zsh"),
        "fish" => include_str!("completions/nsscript.fish"),
        _ => include_str!("completions/nsscript.bash"),
    };
    print(script, ui)
}
