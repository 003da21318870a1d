//! Errors of verbs, and terminations that no recipe catches.

use std::error::Error;
use std::fmt;
use std::rc::Rc;

use rhai::{Dynamic, EvalAltResult, Position};

use crate::diag::{Origin, Report, messages};
use crate::run::{RunError, signal_name};

/// The error of a verb, as the engine carries it to the recipe.
#[derive(Clone, Debug)]
pub enum VerbError {
    /// An error with these reports, which a recipe can catch.
    Reports(Vec<Report>),
    /// A signal asked nsscript to exit. No recipe catches it.
    Interrupted(i32),
    /// The recipe exits with this status.
    Exit(i32),
    /// A requirement of the recipe is not met.
    NotRun(String),
}

impl VerbError {
    /// Sets the position of reports without one.
    #[must_use]
    pub fn at(mut self, origin: Option<&Origin>) -> Self {
        if let Self::Reports(reports) = &mut self {
            for report in reports.iter_mut().filter(|report| report.origin.is_none()) {
                report.origin = origin.cloned();
            }
        }
        self
    }
}

impl fmt::Display for VerbError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reports(reports) => out.write_str(&messages(reports)),
            Self::Interrupted(signal) => write!(out, "interrupted by {}", signal_name(*signal)),
            Self::Exit(code) => write!(out, "the recipe exits with {code}"),
            Self::NotRun(reason) => write!(out, "not run: {reason}"),
        }
    }
}

impl Error for VerbError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Reports(reports) => reports.first().map(|report| report as _),
            Self::Interrupted(_) | Self::Exit(_) | Self::NotRun(_) => None,
        }
    }
}

impl From<RunError> for VerbError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Reports(reports) => Self::Reports(reports),
            RunError::Interrupted(interrupted) => Self::Interrupted(interrupted.signal),
        }
    }
}

impl From<Report> for VerbError {
    fn from(report: Report) -> Self {
        Self::Reports(vec![report])
    }
}

impl From<Vec<Report>> for VerbError {
    fn from(reports: Vec<Report>) -> Self {
        Self::Reports(reports)
    }
}

/// The start of the note that a report comes from the process of a closure.
pub const IN_CHILD: &str = "in the child process";

/// The termination of a dry run that does not end by itself.
#[derive(Clone, Debug)]
pub struct DryRunTooLong;

/// The value that a `catch` receives.
#[derive(Clone, Debug)]
pub struct ScriptError {
    /// The reports, at least one.
    pub reports: Rc<[Report]>,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message())
    }
}

impl Error for ScriptError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.first().map(|report| report as _)
    }
}

impl ScriptError {
    /// The first report, which determines the properties of the error.
    pub fn first(&self) -> Option<&Report> {
        self.reports.first()
    }

    /// The message.
    pub fn message(&self) -> String {
        self.first().map(|report| report.message.clone()).unwrap_or_default()
    }
}

/// How a recipe ended. The engine carries an end that no recipe catches as its own error.
#[derive(Clone, Debug)]
pub enum End {
    /// With this exit status.
    Status(i32),
    /// With errors.
    Failed(Vec<Report>),
    /// By a signal.
    Signal(i32),
    /// Not run, because of this missing requirement.
    NotRun(String),
}

impl From<End> for Box<EvalAltResult> {
    fn from(end: End) -> Self {
        Box::new(EvalAltResult::ErrorTerminated(Dynamic::from(end), Position::NONE))
    }
}

impl From<End> for VerbError {
    fn from(end: End) -> Self {
        match end {
            End::Status(code) => Self::Exit(code),
            End::Failed(reports) => Self::Reports(reports),
            End::Signal(signal) => Self::Interrupted(signal),
            End::NotRun(reason) => Self::NotRun(reason),
        }
    }
}

impl From<VerbError> for Box<EvalAltResult> {
    fn from(failed: VerbError) -> Self {
        match failed {
            VerbError::Reports(reports) => {
                let error = Dynamic::from(ScriptError { reports: reports.into() });
                Box::new(EvalAltResult::ErrorRuntime(error, Position::NONE))
            }
            VerbError::Interrupted(signal) => End::Signal(signal).into(),
            VerbError::Exit(code) => End::Status(code).into(),
            VerbError::NotRun(reason) => End::NotRun(reason).into(),
        }
    }
}
