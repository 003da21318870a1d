//! Tables of advice, keyed by the system call that failed and the kernel's answer.
//!
//! One errno has many causes, and which of them it can be depends on the call: EPERM of `write` on a
//! map of ids has nothing to do with EPERM of `fsconfig`. So a row names the calls that it is about,
//! and is never asked about another one.

pub(super) mod action_error;
pub(super) mod guest;
pub(super) mod hint;
pub(super) mod loader;

use super::remedy::Remedy;
use crate::diag::Report;
use crate::sys::{CallError, Errno, Syscall};

/// A row of a table. Made by [`row`], which leaves nothing out.
pub(super) struct Row<F: 'static> {
    /// The name of the advice: see [`crate::diag::Report::advise`].
    pub name: &'static str,
    /// The calls that it is about.
    pub calls: &'static [Syscall],
    /// Their answers that it is about.
    pub errnos: &'static [Errno],
    /// What helps; none if the operation or the machine shows that it is something else.
    pub tell: F,
}

/// What helps, and the name that it is known by: that of its row, and of the remedy if it is one.
pub(super) struct Advice {
    name: String,
    text: String,
}

/// The advice of the first row that is about a call that failed so, and that has something to say if
/// it is asked.
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
    /// The report with this as a hint.
    pub fn add(self, report: Report) -> Report {
        report.advise(&self.name, self.text)
    }
}

/// A row whose advice is that of the function `tell`, by whose name it is known: the calls, by their
/// names in [`Syscall`] or as a slice of them, and their errors.
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

/// What a row says, and the name of the remedy if it is one.
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
