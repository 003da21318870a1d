//! Documents for programs: the types of everything that nsscript prints as JSON.
//!
//! Two rules hold for all of them. Every field is always present, and is `null` if it has no value.
//! `version` rises if a field is removed or changes its meaning; new fields do not change it.

mod doctor;
mod index;
mod plan;
mod profile;
mod report;
mod running;
mod store;
mod testing;
mod trace;

#[cfg(test)]
mod schema;

use serde::{Serialize, Serializer};

pub use doctor::{Examination, Fact, Finding, Verdict};
pub use index::{Constant, Function, Index, Module, OptionKey, Parameter, Snippet, Verb};
pub use plan::{Action, Kind, Performer, Plan, Plans, Unknown};
pub use profile::{SeccompArgument, SeccompCase, SeccompEntry, SeccompProfile};
pub use report::{Place, Related, Report, ReportHead, Severity};
pub use running::{Running, Sandboxes};
pub use store::{Layer, Layers};
pub use testing::{Outcome, TestResult};
pub use trace::{FailedCall, TracedAction};

/// The version of a document, as the number `N`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version<const N: u32>;

impl<const N: u32> Serialize for Version<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(N)
    }
}

/// A document that a program reads. Each has a field `version`, and a schema in `docs/schema`.
pub trait Document: Serialize {
    /// The name of its schema.
    #[cfg(test)]
    const NAME: &'static str;
}

/// Implements [`Document`], and lists all documents for the test that compares their schemas.
macro_rules! documents {
    ($($document:ident => $name:literal,)*) => {
        $(impl Document for $document {
            #[cfg(test)]
            const NAME: &'static str = $name;
        })*

        /// The names of all documents, each with the function that makes its schema.
        #[cfg(test)]
        const DOCUMENTS: &[(&str, fn() -> schemars::Schema)] =
            &[$(($document::NAME, schema::of::<$document>)),*];
    };
}

documents! {
    Index => "definitions",
    Examination => "doctor",
    TracedAction => "explain",
    Plans => "plan",
    Sandboxes => "ps",
    Report => "report",
    Layers => "store-list",
    TestResult => "test",
}

/// The document on one line, with its line end.
#[must_use]
pub fn line(document: &impl Document) -> String {
    ended(serde_json::to_string(document))
}

/// The document on several indented lines.
#[must_use]
pub fn text(document: &impl Document) -> String {
    ended(serde_json::to_string_pretty(document))
}

/// Snippets, by name: the format is that of VS Code, so it has no version.
#[must_use]
pub fn snippets(snippets: &std::collections::BTreeMap<String, Snippet>) -> String {
    ended(serde_json::to_string_pretty(snippets))
}

/// Writing to memory succeeds, and no type of this module has keys that are not text.
fn ended(text: serde_json::Result<String>) -> String {
    match text {
        Ok(text) => text + "\n",
        Err(error) => unreachable!("a document is not JSON: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Report, Severity, Version, line, text};

    fn report() -> Report {
        let place = Place { file: "a.rhai".into(), line: 2, column: 4, length: 1 };
        Report {
            version: Version,
            severity: Severity::NotRun,
            message: "a \"b\"\n".into(),
            place: Some(place),
            related: Vec::new(),
            notes: Vec::new(),
            hints: Vec::new(),
            operation: None,
            errno: Some(2),
            source: None,
            target: None,
            advice: vec!["x".into()],
        }
    }

    #[test]
    fn a_line_has_every_field_and_no_line_break() {
        let wanted = [
            r#"{"version":1,"severity":"not run","message":"a \"b\"\n","#,
            r#""place":{"file":"a.rhai","line":2,"column":4,"length":1},"#,
            r#""related":[],"notes":[],"hints":[],"operation":null,"errno":2,"#,
            r#""source":null,"target":null,"advice":["x"]}"#,
        ];
        assert_eq!(line(&report()), wanted.concat() + "\n");
    }

    #[test]
    fn the_indented_form_says_the_same() {
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&text(&report())), read(&line(&report())));
        assert!(text(&report()).starts_with("{\n  \"version\": 1,\n"));
    }
}
