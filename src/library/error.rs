//! The error of the library.

use std::fmt;
use std::panic::Location;

use crate::diag::{Format, Origin, Report, Sources, render};
use crate::run::{self, Interrupted, RunError};
use crate::spec::ValueError;

/// Why a sandbox could not be planned or its program not be run: what was attempted, the kernel's
/// answer, the line of the program that asked for it, and what helps.
///
/// `{error}` is one line for each thing that is wrong. `{error:#}` is the whole report as
/// `nsscript` prints it, with places, notes and hints.
///
/// ```
/// let error = nsscript::Sandbox::new().bind("/missing", "/data").command("ls").status().unwrap_err();
/// assert!(error.to_string().contains("`/missing`"));
/// assert!(error.location().unwrap().contains(".rs:"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    reports: Vec<Report>,
}

impl Error {
    pub(super) fn new(reports: Vec<Report>) -> Self {
        Self { reports }
    }

    /// The kernel's error number of the first failure: errno(3). `None` if no system call failed.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        self.first(|report| report.facts.errno)
    }

    /// What was attempted, in one word: `bind`, `mount`, `execute`.
    #[must_use]
    pub fn operation(&self) -> Option<&str> {
        self.first(|report| report.facts.operation.as_deref())
    }

    /// The place in the source that asked for it: `src/main.rs:7:10`.
    #[must_use]
    pub fn location(&self) -> Option<String> {
        self.first(|report| report.origin.as_ref().map(ToString::to_string))
    }

    /// What helps, one sentence each.
    #[must_use]
    pub fn hints(&self) -> Vec<&str> {
        self.reports.iter().flat_map(|report| &report.hints).map(String::as_str).collect()
    }

    /// The exit status that a script asked for with `exit(status)`, for errors of
    /// `SandboxPackage`.
    #[must_use]
    pub fn exit_status(&self) -> Option<i32> {
        self.first(|report| report.facts.status)
    }

    /// The same error, with a place for what has none.
    pub(super) fn or_at(mut self, origin: Option<&Origin>) -> Self {
        for report in self.reports.iter_mut().filter(|report| report.origin.is_none()) {
            report.origin = origin.cloned();
        }
        self
    }

    fn first<'a, T>(&'a self, part: impl Fn(&'a Report) -> Option<T>) -> Option<T> {
        self.reports.first().and_then(part)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, report) in self.reports.iter().enumerate() {
            if index > 0 {
                out.write_str("\n")?;
            }
            if out.alternate() {
                let text = render(report, &Sources::default(), Format::Human, false);
                out.write_str(text.trim_end())?;
            } else {
                out.write_str(&report.message)?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl From<RunError> for Error {
    fn from(problem: RunError) -> Self {
        match problem {
            RunError::Reports(reports) => Self { reports },
            RunError::Interrupted(Interrupted { signal }) => {
                Report::error(format!("interrupted by {}", run::signal_name(signal))).into()
            }
        }
    }
}

impl From<Report> for Error {
    fn from(report: Report) -> Self {
        Self { reports: vec![report] }
    }
}

impl From<Vec<Report>> for Error {
    fn from(reports: Vec<Report>) -> Self {
        Self { reports }
    }
}

/// The report of an invalid value that was given at `origin`.
pub(super) fn invalid(error: &ValueError, origin: Option<Origin>) -> Report {
    Report::from(error).at(origin)
}

/// The place in the program that called a function of the library.
#[track_caller]
#[expect(clippy::unnecessary_wraps, reason = "below, not everything has an origin")]
pub(super) fn here() -> Option<Origin> {
    let place = Location::caller();
    Some(Origin::new(place.file(), place.line(), place.column()))
}
