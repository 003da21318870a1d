//! Failures of verbs on their way through the engine.

use std::rc::Rc;

use rhai::{Dynamic, EvalAltResult, Position};

use crate::diag::{Origin, Report};
use crate::run::Problem;

/// Why a verb did not do what it was asked for.
#[derive(Clone, Debug)]
pub enum Failed {
    /// These reports say it; a recipe can catch it.
    Reports(Vec<Report>),
    /// A signal asked nsscript to end; no recipe catches that.
    Interrupted(i32),
    /// The recipe asked to end with this status.
    Exit(i32),
    /// Something that the recipe needs is not there.
    NotRun(String),
}

impl Failed {
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

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Reports(reports) => Self::Reports(reports),
            Problem::Interrupted(interrupted) => Self::Interrupted(interrupted.signal),
        }
    }
}

impl From<Report> for Failed {
    fn from(report: Report) -> Self {
        Self::Reports(vec![report])
    }
}

impl From<Vec<Report>> for Failed {
    fn from(reports: Vec<Report>) -> Self {
        Self::Reports(reports)
    }
}

/// How the note begins that says that a report comes from the process of a closure.
pub const IN_CHILD: &str = "in the child process of";

/// Why a dry run that does not end by itself is ended.
#[derive(Clone, Debug)]
pub struct TooLong;

/// What a `catch` gets.
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

/// The end of a run that no recipe catches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With this status.
    Exit(i32),
    /// By this signal.
    Signal(i32),
    /// As something that it needs is not there.
    NotRun(String),
}

impl From<Failed> for Box<EvalAltResult> {
    fn from(failed: Failed) -> Self {
        let end = |ending: Ending| {
            Box::new(EvalAltResult::ErrorTerminated(Dynamic::from(ending), Position::NONE))
        };
        match failed {
            Failed::Reports(reports) => {
                let error = Dynamic::from(ScriptError { reports: reports.into() });
                Box::new(EvalAltResult::ErrorRuntime(error, Position::NONE))
            }
            Failed::Interrupted(signal) => end(Ending::Signal(signal)),
            Failed::Exit(code) => end(Ending::Exit(code)),
            Failed::NotRun(reason) => end(Ending::NotRun(reason)),
        }
    }
}
