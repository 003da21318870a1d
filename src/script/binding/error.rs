//! The errors of verbs, and the ends that no recipe catches.

use std::rc::Rc;

use rhai::{Dynamic, EvalAltResult, Position};

use crate::diag::{Origin, Report};
use crate::run::Problem;

/// The error of a verb, on its way through the engine to the recipe.
#[derive(Clone, Debug)]
pub enum VerbError {
    /// These reports say it; a recipe can catch it.
    Reports(Vec<Report>),
    /// A signal asked nsscript to end; no recipe catches that.
    Interrupted(i32),
    /// The recipe asked to end with this status.
    Exit(i32),
    /// Something that the recipe needs is not there.
    NotRun(String),
}

impl VerbError {
    /// At this place, what has none.
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

/// How the note begins that says that a report comes from the process of a closure.
pub const IN_CHILD: &str = "in the child process of";

/// A dry run is ended because it does not end by itself.
#[derive(Clone, Debug)]
pub struct DryRunTooLong;

/// The value that a `catch` gets.
#[derive(Clone, Debug)]
pub struct ScriptError {
    /// What is said, at least one.
    pub reports: Rc<[Report]>,
}

impl ScriptError {
    /// The first report, which the properties of the error are about.
    pub fn first(&self) -> Option<&Report> {
        self.reports.first()
    }

    /// The sentence.
    pub fn message(&self) -> String {
        self.first().map(|report| report.message.clone()).unwrap_or_default()
    }
}

/// An end of the run that no recipe catches, as the engine carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Termination {
    /// With this status.
    Exit(i32),
    /// By this signal.
    Signal(i32),
    /// As something that it needs is not there.
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
