//! Tables of advice, keyed by the failed system call and its error.
//!
//! An errno has many causes, which depend on the call: EPERM from `write` to an id map has nothing
//! to do with EPERM from `fsconfig`. So a row names its calls, and is never consulted for others.

pub(super) mod action_error;
pub(super) mod guest;
pub(super) mod hint;
pub(super) mod loader;

use super::remedy::Remedy;
use crate::diag::Report;
use crate::sys::{CallError, Errno, Syscall};

/// A row of a table, created by [`row`].
pub(super) struct Row<F: 'static> {
    /// The name of the advice: see [`crate::diag::Report::advise`].
    pub name: &'static str,
    /// The calls that it concerns.
    pub calls: &'static [Syscall],
    /// The errors that it concerns.
    pub errnos: &'static [Errno],
    /// Returns the hint; `None` if the operation or the machine shows another cause.
    pub tell: F,
}

/// A hint with its name: that of its row, followed by that of the remedy, if any.
pub(super) struct Advice {
    name: String,
    text: String,
}

/// The advice of the first row that matches the failed call and returns a hint.
pub(super) fn first<'t, F: Copy + 'static>(
    rows: impl IntoIterator<Item = &'t Row<F>>,
    failed: CallError,
    ask: impl Fn(F) -> Option<Hint>,
) -> Option<Advice> {
    rows.into_iter()
        .filter(|row| row.calls.contains(&failed.syscall) && row.errnos.contains(&failed.errno))
        .find_map(|row| {
            let Hint { remedy, text } = ask(row.tell)?;
            let name = match remedy {
                Some(remedy) => format!("{}.{remedy}", row.name),
                None => row.name.to_owned(),
            };
            Some(Advice { name, text })
        })
}

impl Advice {
    /// Adds this to a report as a hint.
    pub fn add(self, report: Report) -> Report {
        report.advise(&self.name, self.text)
    }
}

/// Creates a row that calls the function `tell` and has its name, from the calls, as names in
/// [`Syscall`] or as a slice, and their errors.
macro_rules! row {
    ($tell:ident, [$($call:ident),+], [$($errno:ident),+]) => {
        $crate::run::advice::row!($tell, &[$($crate::sys::Syscall::$call),+], [$($errno),+])
    };
    ($tell:ident, $calls:expr, [$($errno:ident),+]) => {
        $crate::run::advice::Row {
            name: stringify!($tell),
            calls: $calls,
            errnos: &[$($crate::sys::Errno::$errno),+],
            tell: $tell,
        }
    };
}

pub(super) use row;

/// The hint of a row, with the name of the remedy, if any.
pub(super) struct Hint {
    pub remedy: Option<&'static str>,
    pub text: String,
}

impl From<String> for Hint {
    fn from(text: String) -> Self {
        Self { remedy: None, text }
    }
}

impl From<&str> for Hint {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<Remedy> for Hint {
    fn from(remedy: Remedy) -> Self {
        Self { remedy: Some(remedy.name), text: remedy.hint() }
    }
}
