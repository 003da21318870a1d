//! A recipe as it was given: text, name, arguments.

use std::path::PathBuf;

/// A text to run.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Its name in messages: its path as the user gave it.
    pub name: String,
    /// The text.
    pub text: String,
    /// The directory for its relative paths.
    pub directory: PathBuf,
    /// The value of `args`.
    pub arguments: Vec<String>,
    /// Whether root imports modules even if others can write to them.
    pub trust: bool,
    /// The lines at which the recipe stops.
    pub breaks: Vec<u32>,
}

impl Recipe {
    /// The text for the engine.
    pub(in crate::script) fn code(&self) -> String {
        code(&self.text)
    }
}

/// The text of a recipe or module for the engine, with the `#!` line as a comment. No column
/// changes.
pub(in crate::script) fn code(text: &str) -> String {
    match text.strip_prefix("#!") {
        Some(rest) => format!("//{rest}"),
        None => text.to_owned(),
    }
}
