//! Reports: errors and warnings with their places, notes and hints.

use std::error::Error;
use std::fmt;

use super::origin::Origin;

/// The severity of a [`Report`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The recipe cannot continue.
    Error,
    /// The recipe continues; something is probably a mistake.
    Warning,
    /// The recipe does not continue, because the machine lacks something that it needs.
    NotRun,
}

/// The parts of an error that a program or a `catch` can read, besides its message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// What was attempted, in one word: `bind`, `mount`, `execute`.
    pub operation: Option<String>,
    /// The kernel's error number.
    pub errno: Option<i32>,
    /// The path that was the source.
    pub source: Option<String>,
    /// The path that was the target.
    pub target: Option<String>,
    /// The exit status of the process, if it is not 125.
    pub status: Option<i32>,
    /// The names of the named hints.
    pub advice: Vec<String>,
    /// How a program ended, if that is the error.
    pub program: Option<Box<Ended>>,
}

/// How a program ended that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Its exit status, or 128 plus the signal that ended it.
    pub code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Its standard output and standard error, if they were kept.
    pub written: Option<[String; 2]>,
}

impl Facts {
    /// Details of output that could not be written, by error number.
    #[must_use]
    pub fn unwritten(errno: i32) -> Self {
        Self { operation: Some("print".into()), errno: Some(errno), ..Self::default() }
    }
}

/// An error or a warning: a message, its place, and more that helps.
///
/// The message is lower case, present tense, without a full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its severity.
    pub severity: Severity,
    /// The message, one sentence.
    pub message: String,
    /// The place in the recipe that it is about.
    pub origin: Option<Origin>,
    /// Related places, each with a label.
    pub related: Vec<(Origin, String)>,
    /// Notes, one line each.
    pub notes: Vec<String>,
    /// Hints, one sentence each.
    pub hints: Vec<String>,
    /// The same for programs.
    pub facts: Facts,
}

impl Report {
    /// An error with this message.
    #[must_use]
    pub fn error(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            origin: None,
            related: Vec::new(),
            notes: Vec::new(),
            hints: Vec::new(),
            facts: Facts::default(),
        }
    }

    /// A warning with this message.
    #[must_use]
    pub fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(message) }
    }

    /// A report that the machine lacks something that the recipe needs.
    #[must_use]
    pub fn not_run(message: impl Into<String>) -> Self {
        Self { severity: Severity::NotRun, ..Self::error(message) }
    }

    /// Sets the place in the recipe.
    #[must_use]
    pub fn at(mut self, origin: Option<Origin>) -> Self {
        self.origin = origin;
        self
    }

    /// Adds a note.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds a hint with a name. Tests use the name to check that following the hint helps.
    #[must_use]
    pub fn advise(mut self, name: &str, hint: impl Into<String>) -> Self {
        self.facts.advice.push(name.to_owned());
        self.hint(hint)
    }

    /// Adds a related place.
    #[must_use]
    pub fn related(mut self, origin: Option<&Origin>, what: impl Into<String>) -> Self {
        if let Some(origin) = origin {
            self.related.push((origin.clone(), what.into()));
        }
        self
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl Error for Report {}

/// The messages of reports, as one line.
#[must_use]
pub fn messages(reports: &[Report]) -> String {
    let messages: Vec<_> = reports.iter().map(|report| report.message.as_str()).collect();
    messages.join("; ")
}
