//! Errors of verbs, and terminations that no recipe catches.

use std::rc::Rc;

use rhai::{Dynamic, EvalAltResult, Position};

use crate::diag::{Origin, Report};
use crate::run::Problem;

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

impl From<Problem> for VerbError {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Reports(reports) => Self::Reports(reports),
            Problem::Interrupted(interrupted) => Self::Interrupted(interrupted.signal),
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
pub const IN_CHILD: &str = "in the child process of";

/// The termination of a dry run that does not end by itself.
#[derive(Clone, Debug)]
pub struct DryRunTooLong;

/// The value that a `catch` receives.
#[derive(Clone, Debug)]
pub struct ScriptError {
    /// The reports, at least one.
    pub reports: Rc<[Report]>,
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

/// A termination that no recipe catches, as the engine carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Termination {
    /// With this status.
    Exit(i32),
    /// By this signal.
    Signal(i32),
    /// A requirement is not met.
    NotRun(String),
}

impl From<VerbError> for Box<EvalAltResult> {
    fn from(failed: VerbError) -> Self {
        let end = |ending: Termination| {
            Box::new(EvalAltResult::ErrorTerminated(Dynamic::from(ending), Position::NONE))
        };
        match failed {
            VerbError::Reports(reports) => {
                let error = Dynamic::from(ScriptError { reports: reports.into() });
                Box::new(EvalAltResult::ErrorRuntime(error, Position::NONE))
            }
            VerbError::Interrupted(signal) => end(Termination::Signal(signal)),
            VerbError::Exit(code) => end(Termination::Exit(code)),
            VerbError::NotRun(reason) => end(Termination::NotRun(reason)),
        }
    }
}
