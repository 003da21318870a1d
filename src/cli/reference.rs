//! REFERENCE.md.

use std::process::ExitCode;

use super::exit::{Ui, print};
use crate::diag::os_error;
use crate::script::catalog;

/// Prints the reference of the language, or writes it into REFERENCE.md of this directory.
pub(super) fn reference(write: bool, ui: Ui) -> ExitCode {
    let text = catalog::reference();
    if !write {
        return print(&text, ui);
    }
    match std::fs::write("REFERENCE.md", text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ui.fail(format!("cannot write `REFERENCE.md`: {}", os_error(&error))),
    }
}
