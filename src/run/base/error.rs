//! The error of this layer: reports, or the signal that ended the work.

use std::error::Error;
use std::fmt;

use crate::diag::{Report, messages};
use crate::sys::signal_name;

/// A signal asked nsscript to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted {
    /// The signal.
    pub signal: i32,
}

/// Why something could not be done.
#[derive(Clone, Debug)]
pub enum RunError {
    /// These reports say it.
    Reports(Vec<Report>),
    /// A signal asked nsscript to end.
    Interrupted(Interrupted),
}

impl fmt::Display for RunError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reports(reports) => out.write_str(&messages(reports)),
            Self::Interrupted(Interrupted { signal }) => {
                write!(out, "interrupted by {}", signal_name(*signal))
            }
        }
    }
}

impl Error for RunError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Reports(reports) => reports.first().map(|report| report as _),
            Self::Interrupted(_) => None,
        }
    }
}

impl From<Vec<Report>> for RunError {
    fn from(reports: Vec<Report>) -> Self {
        Self::Reports(reports)
    }
}

impl From<Report> for RunError {
    fn from(report: Report) -> Self {
        Self::Reports(vec![report])
    }
}

impl From<Interrupted> for RunError {
    fn from(interrupted: Interrupted) -> Self {
        Self::Interrupted(interrupted)
    }
}

/// Who is told what is odd.
pub type Warn = Box<dyn Fn(&Report)>;
