//! One thing to be said to a person, with all that is known of it.

use super::origin::Origin;

/// How grave a [`Report`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The recipe cannot go on.
    Error,
    /// The recipe goes on; something is likely not meant.
    Warning,
    /// The recipe does not go on, as something that it needs is not there: no fault of anyone.
    NotRun,
}

/// What a program or a `catch` wants to know of an error, beside its sentence.
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
    /// The exit status that the process shall end with, where it is not 125.
    pub status: Option<i32>,
    /// The names of the hints that have one.
    pub advice: Vec<String>,
}

impl Facts {
    /// Those of output that could not be written, by the number of the error.
    #[must_use]
    pub fn unwritten(errno: i32) -> Self {
        Self { operation: Some("print".into()), errno: Some(errno), ..Self::default() }
    }
}

/// An error or a warning: a sentence, its place, and what else helps.
///
/// The sentence is lower case, present tense, without a full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How grave it is.
    pub severity: Severity,
    /// What is wrong, in one sentence.
    pub message: String,
    /// Where it was asked for.
    pub origin: Option<Origin>,
    /// Other places that matter, each with what it has to do with this one.
    pub related: Vec<(Origin, String)>,
    /// Circumstances, one line each.
    pub notes: Vec<String>,
    /// What helps, one sentence each.
    pub hints: Vec<String>,
    /// The same for programs.
    pub facts: Facts,
}

impl Report {
    /// An error that says `message`.
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

    /// A warning that says `message`.
    #[must_use]
    pub fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(message) }
    }

    /// What a recipe needs is not there: `message`.
    #[must_use]
    pub fn not_run(message: impl Into<String>) -> Self {
        Self { severity: Severity::NotRun, ..Self::error(message) }
    }

    /// The same, asked for at `origin`.
    #[must_use]
    pub fn at(mut self, origin: Option<Origin>) -> Self {
        self.origin = origin;
        self
    }

    /// The same with one more circumstance.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// The same with one more thing that helps.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same with one more thing that helps, which has a name: it is the one by which tests know
    /// that following it helps.
    #[must_use]
    pub fn advise(mut self, name: &str, hint: impl Into<String>) -> Self {
        self.facts.advice.push(name.to_owned());
        self.hint(hint)
    }

    /// The same with one more place that matters.
    #[must_use]
    pub fn related(mut self, origin: Option<&Origin>, what: impl Into<String>) -> Self {
        if let Some(origin) = origin {
            self.related.push((origin.clone(), what.into()));
        }
        self
    }
}
