//! Scripts that have shells complete command lines.

use std::process::ExitCode;

use super::exit::{Ui, print};

/// Prints the script of a shell.
///
/// The scripts know nothing of nsscript's words: they ask nsscript itself, so they stay true when
/// it is replaced by a newer one.
pub(super) fn completions(shell: &str, ui: Ui) -> ExitCode {
    let script = match shell {
        "zsh" => include_str!("completions/nsscript.zsh"),
        "fish" => include_str!("completions/nsscript.fish"),
        _ => include_str!("completions/nsscript.bash"),
    };
    print(script, ui)
}
