//! Errors and warnings, printed with `--error-format json`.

use serde::{Deserialize, Serialize};

use super::Version;

/// A place in a recipe.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Place {
    /// The path of the recipe as it was given, `<command line>`, or the name of a module.
    pub file: String,
    /// The line, counted from 1; 0 if only the file is known.
    pub line: u32,
    /// The column in characters, counted from 1; 0 if only the line is known.
    pub column: u32,
    /// The number of characters from there that the place is about.
    pub length: u32,
}

/// How severe a report is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Severity {
    /// The recipe cannot continue.
    #[serde(rename = "error")]
    Error,
    /// The recipe continues; something is probably a mistake.
    #[serde(rename = "warning")]
    Warning,
    /// The recipe does not continue, because the machine lacks something that it needs.
    #[serde(rename = "not run")]
    NotRun,
}

/// Another place that has to do with a report.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Related {
    /// The place.
    pub place: Place,
    /// What is there, in words.
    pub what: String,
}

/// An error or warning, one object a line on standard error: `--error-format json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// The version of this document.
    pub version: Version<1>,
    /// How severe it is.
    pub severity: Severity,
    /// The message, one sentence.
    pub message: String,
    /// The place in the recipe that it is about.
    pub place: Option<Place>,
    /// Other places that it mentions.
    pub related: Vec<Related>,
    /// Notes, for people.
    pub notes: Vec<String>,
    /// Hints, for people.
    pub hints: Vec<String>,
    /// What was attempted, in one word: `bind`, `mount`, `execute`.
    pub operation: Option<String>,
    /// The kernel's error number.
    pub errno: Option<i32>,
    /// The path that was the source.
    pub source: Option<String>,
    /// The path that was the target.
    pub target: Option<String>,
    /// The stable names of the hints that have one.
    pub advice: Vec<String>,
}

/// The fields of a printed [`Report`] by which nsscript finds it in the output of its own copy.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ReportHead {
    /// How severe it is, in the word of [`Severity`].
    pub severity: String,
    /// The message.
    pub message: String,
}

impl ReportHead {
    /// The fields in a line of output; `None` if the line is no report.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }
}
