//! The name under which `nsscript ps` lists a sandbox.

use crate::diag::quoted;
use crate::ops::{AsIs, Changes, Facts, Leaves, Operation, Scope, Told, Turn};
use crate::spec::{Namespaces, ValueError};

/// Lists the sandbox under a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Name(String);

/// The maximum length of a name: a host name is no longer.
const LONGEST: usize = 64;

impl Name {
    /// A name: letters, digits, `.`, `_` and `-`.
    ///
    /// # Errors
    /// The name is empty, longer than 64 bytes, contains another character, begins with `.`, `_` or
    /// `-`, or consists of digits, which are the number of a sandbox.
    pub fn new(name: &str) -> Result<Self, ValueError> {
        let wrong = |why: &str| {
            let error = ValueError::new(format!("invalid name {}: {why}", quoted(name)));
            Err(error.hint("a name has letters, digits, `.`, `_` and `-`, as in `web-1`"))
        };
        let is_plain = |one: char| one.is_ascii_alphanumeric() || "._-".contains(one);
        match name {
            "" => wrong("it is empty"),
            long if long.len() > LONGEST => wrong("it is longer than 64 bytes"),
            text if !text.chars().all(is_plain) => wrong("it contains another character"),
            text if text.starts_with(['.', '_', '-']) => wrong("it begins with a sign"),
            text if text.chars().all(|one| one.is_ascii_digit()) => {
                wrong("digits alone are the number of a sandbox")
            }
            text => Ok(Self(text.to_owned())),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Operation for Name {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "name",
            turn: Turn::Listing,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: format!("list the sandbox as {} in `nsscript ps`", quoted(&self.0)),
            source: None,
            target: None,
            shell: None,
        }
    }
}

impl AsIs for Name {
    fn say(&self) -> String {
        format!("name {}", self.0)
    }

    fn changes(&self) -> Changes {
        Changes::Program
    }

    fn key(&self) -> Option<&str> {
        Some("name")
    }
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn a_name_is_a_word_and_no_number() {
        for good in ["web", "Web-1", "a.b_c", "1st", "7z"] {
            assert_eq!(Name::new(good).map(|name| name.as_str().to_owned()).as_deref(), Ok(good));
        }
        let long = "x".repeat(65);
        for bad in ["", "12", "-x", ".x", "_x", "a b", "a/b", "a\n", "\u{e9}", &long] {
            assert!(Name::new(bad).is_err(), "{bad:?}");
        }
    }
}
