//! A recipe as it is given: its text, its name, its arguments.

use std::path::PathBuf;

/// A text to run.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Its name in messages: its path as the user gave it.
    pub name: String,
    /// The text.
    pub text: String,
    /// Where its relative paths begin.
    pub directory: PathBuf,
    /// What the recipe finds in `args`.
    pub arguments: Vec<String>,
    /// Whether modules that others can write to are run as root all the same.
    pub trust: bool,
    /// The lines that it stops at.
    pub breaks: Vec<u32>,
}

impl Recipe {
    /// The text as the language reads it, to which the `#!` line is a comment; every column stays
    /// what it is.
    pub(in crate::script) fn code(&self) -> String {
        match self.text.strip_prefix("#!") {
            Some(rest) => format!("//{rest}"),
            None => self.text.clone(),
        }
    }
}
