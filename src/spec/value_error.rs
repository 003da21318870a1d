//! Errors of values, found without looking at the machine.

use std::fmt;

use crate::diag::Report;

/// An invalid value: the message says what was given and what is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueError {
    message: String,
    hint: Option<String>,
}

impl ValueError {
    /// An error with this message, lower case and without a full stop.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The hint, if there is one.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for ValueError {}

impl From<&ValueError> for Report {
    fn from(invalid: &ValueError) -> Self {
        let report = Self::error(invalid.message.as_str());
        match &invalid.hint {
            Some(hint) => report.hint(hint.as_str()),
            None => report,
        }
    }
}
