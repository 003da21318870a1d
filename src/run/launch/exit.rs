//! The ends of programs, and their output until then.

use std::fmt;
use std::time::Duration;

use crate::diag::{Facts, Report, quoted};
use crate::plan::Plan;
use crate::sys::{self, Errno, Usage};

/// Why a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It ended by itself.
    Exited,
    /// A signal ended it.
    Signal,
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Exited => "exited",
            Self::Signal => "signal",
        })
    }
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its exit status; 128 and the signal where one ended it.
    pub code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Why it ended.
    pub cause: Cause,
    /// How long it ran.
    pub wall: Duration,
    /// What it used.
    pub usage: Usage,
}

impl fmt::Display for Exit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.signal {
            Some(signal) => write!(formatter, "ended by {}", sys::signal_name(signal)),
            None => write!(formatter, "exited with status {}", self.code),
        }
    }
}

/// What a program wrote, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// What it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error.
    pub stderr: Vec<u8>,
    /// How it ended.
    pub exit: Exit,
}

/// That what a program has written to its terminal was not seen to the end.
pub(in crate::run) fn unseen(plan: &Plan, errno: Errno) -> Report {
    let last = plan.actions.last();
    let message = format!("cannot write to the standard output: {errno}");
    let mut report = Report::error(message).at(last.and_then(|last| last.origin.clone()));
    report.facts = Facts::unwritten(errno.code());
    report
}

/// That the exit status of a program is lost: which is no success.
pub(in crate::run) fn lost(plan: &Plan, errno: Errno) -> Report {
    let what =
        if plan.command.is_closure() { "the closure".into() } else { quoted(plan.command.shown()) };
    let message = format!("cannot determine how {what} ended: {errno}");
    let mut report = Report::error(message);
    report.facts.operation = Some("wait".into());
    report.facts.errno = Some(errno.code());
    let last = plan.actions.last();
    report.note("the call was waitid(2)").at(last.and_then(|last| last.origin.clone()))
}
