//! Origins: places in a recipe.

use std::fmt;
use std::sync::Arc;

use crate::json::Place;

/// A place in a source text: the name of the text, and a line and column counted from 1.
///
/// The column counts characters. `length` is the number of characters that the excerpt underlines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The name of the text: a path as the user gave it, or `<command line>`.
    pub source: Arc<str>,
    /// The line, counted from 1; 0 if only the text is known.
    pub line: u32,
    /// The column in characters, counted from 1; 0 if only the line is known.
    pub column: u32,
    /// The number of characters to underline, at least 1.
    pub length: u32,
    /// The functions of the recipe this place was reached through, innermost first.
    pub callers: Arc<[Caller]>,
}

/// One call on the way to an [`Origin`]: which function, and where it was called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The name of the function that was called; empty for a closure.
    pub function: Arc<str>,
    /// The name of the text that holds the call.
    pub source: Arc<str>,
    /// The line of the call, counted from 1.
    pub line: u32,
    /// The column of the call, counted from 1.
    pub column: u32,
}

impl Origin {
    /// A place that underlines one character.
    #[must_use]
    pub fn new(source: impl Into<Arc<str>>, line: u32, column: u32) -> Self {
        let callers = Arc::from([]);
        Self { source: source.into(), line, column, length: 1, callers }
    }

    /// The same place with `length` characters underlined.
    #[must_use]
    pub fn underlining(mut self, length: usize) -> Self {
        self.length = u32::try_from(length).unwrap_or(u32::MAX).max(1);
        self
    }
}

impl From<&Origin> for Place {
    fn from(origin: &Origin) -> Self {
        let Origin { source, line, column, length, callers: _ } = origin;
        Self { file: source.to_string(), line: *line, column: *column, length: *length }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => write!(formatter, "{}", self.source),
            (line, 0) => write!(formatter, "{}:{line}", self.source),
            (line, column) => write!(formatter, "{}:{line}:{column}", self.source),
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { function, source, line, column } = self;
        match &**function {
            "" => write!(formatter, "a closure, called at {source}:{line}:{column}"),
            name => write!(formatter, "`{name}`, called at {source}:{line}:{column}"),
        }
    }
}
