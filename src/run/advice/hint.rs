//! Hints: from operation, system call, errno and host facts to advice. They are consulted only
//! after a failure. Whenever a failure puzzles somebody, a row is added.

mod file_system;
mod identity;
mod in_sandbox;
mod mount;
mod overlay;
mod raw_call;
mod start;

use std::path::Path;

use super::action_error::ActionError;
use crate::diag::{Report, quoted};
use crate::host::Host;
use crate::ops::{Op, RawAction};
use crate::run::advice::{self, Hint};
use crate::run::layers::Layers;
use crate::run::session::Session;
use crate::spec::GuestPath;
use crate::sys::Errno;

/// A failure and its machine.
struct Case<'a> {
    failed: &'a ActionError<'a>,
    action: &'a Op,
    host: &'a Host,
    session: &'a Session,
    layers: &'a Layers,
}

/// A row of the tables.
type Row = advice::Row<fn(&Case<'_>) -> Option<Hint>>;

/// The tables. The first matching row that returns a hint is used.
const TABLE: [&[Row]; 7] = [
    start::ROWS,
    in_sandbox::ROWS,
    raw_call::ROWS,
    identity::ROWS,
    overlay::ROWS,
    file_system::ROWS,
    mount::ROWS,
];

/// The report with what helps.
pub(in crate::run) fn add(report: Report, failed: &ActionError<'_>, layers: &Layers) -> Report {
    let Some(planned) = failed.plan.actions.get(failed.action) else { return report };
    let (host, session) = (layers.host(), layers.session());
    let case = Case { failed, action: &planned.action, host, session, layers };
    let rows = TABLE.into_iter().flatten();
    let advice = advice::first(rows, failed.error, |tell| tell(&case));
    let report = match advice {
        Some(advice) => advice.add(report),
        None => report,
    };
    match in_sandbox::read_only_by(&case) {
        Some((_, by)) if failed.error.errno == Errno::EROFS => {
            report.related(by, "read-only since here")
        }
        _ => report,
    }
}

/// The place inside that an action concerns.
pub(in crate::run) fn target(action: &Op) -> Option<&GuestPath> {
    action.facts().leaves.place()
}

/// A path in quotes.
fn shown(path: &Path) -> String {
    quoted(path.to_string_lossy())
}

impl<'a> Case<'a> {
    /// The action, if it belongs to the raw layer.
    fn raw(&self) -> Option<&'a RawAction> {
        match self.action {
            Op::RawAction(raw) => Some(raw),
            _ => None,
        }
    }

    /// The kernel's answer.
    fn errno(&self) -> Errno {
        self.failed.error.errno
    }
}
