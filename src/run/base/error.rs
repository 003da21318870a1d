//! Errors of this layer: reports, or the signal that ended the work.

use crate::diag::Report;

/// A signal asked nsscript to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted {
    /// The signal.
    pub signal: i32,
}

/// Why something could not be done.
#[derive(Clone, Debug)]
pub enum Problem {
    /// These reports say it.
    Reports(Vec<Report>),
    /// A signal asked nsscript to end.
    Interrupted(Interrupted),
}

impl From<Vec<Report>> for Problem {
    fn from(reports: Vec<Report>) -> Self {
        Self::Reports(reports)
    }
}

impl From<Report> for Problem {
    fn from(report: Report) -> Self {
        Self::Reports(vec![report])
    }
}

impl From<Interrupted> for Problem {
    fn from(interrupted: Interrupted) -> Self {
        Self::Interrupted(interrupted)
    }
}

/// Who is told what is odd.
pub type Warn = Box<dyn Fn(&Report)>;
