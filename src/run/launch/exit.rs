//! Exit statuses and output of programs.

use std::fmt;
use std::time::Duration;

use crate::diag::{Facts, Report, quoted};
use crate::plan::Plan;
use crate::sys::{self, Errno, Usage};

/// The cause of a program's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It exited.
    Exited,
    /// A signal killed it.
    Signal,
    /// It was ended because its time was over.
    Timeout,
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Exited => "exited",
            Self::Signal => "signal",
            Self::Timeout => "timeout",
        })
    }
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its exit status, or 128 plus the signal that killed it.
    pub code: i32,
    /// The signal that killed it.
    pub signal: Option<i32>,
    /// The cause.
    pub cause: Cause,
    /// The time that it ran.
    pub wall: Duration,
    /// Its resource usage.
    pub usage: Usage,
}

impl fmt::Display for Exit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.cause == Cause::Timeout {
            formatter.write_str("ran too long, and ")?;
        }
        match self.signal {
            Some(signal) => write!(formatter, "ended by {}", sys::signal_name(signal)),
            None => write!(formatter, "exited with status {}", self.code),
        }
    }
}

/// The output of a program, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
    /// How it ended.
    pub exit: Exit,
}

/// The report of terminal output that could not be shown.
pub(in crate::run) fn output_lost(plan: &Plan, errno: Errno) -> Report {
    let last = plan.actions.last();
    let message = format!("cannot write to the standard output: {errno}");
    let mut report = Report::error(message).at(last.and_then(|last| last.origin.clone()));
    report.facts = Facts::unwritten(errno.code());
    report
}

/// The report of an unknown exit status, which is not a success.
pub(in crate::run) fn status_lost(plan: &Plan, errno: Errno) -> Report {
    let what =
        if plan.command.is_closure() { "the closure".into() } else { quoted(plan.command.shown()) };
    let message = format!("cannot determine how {what} ended: {errno}");
    let mut report = Report::error(message);
    report.facts.operation = Some("wait".into());
    report.facts.errno = Some(errno.code());
    let last = plan.actions.last();
    report.note("the call was waitid(2)").at(last.and_then(|last| last.origin.clone()))
}
