//! What the machine lets nsscript do, printed by `nsscript doctor --json`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Version;

/// The machine, as far as nsscript needs it: `nsscript doctor --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Examination {
    /// The version of this document.
    pub version: Version<1>,
    /// The recipe that `works` is about.
    pub recipe: String,
    /// Whether that recipe can work here.
    pub works: bool,
    /// The keys of the facts that prevent it from working.
    pub obstacles: Vec<String>,
    /// All facts, by their stable keys.
    pub facts: Facts,
}

/// Facts by their keys.
pub type Facts = BTreeMap<String, Fact>;

/// The verdict on a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is available.
    Ok,
    /// It is partly available.
    Part,
    /// It is not available.
    No,
    /// It cannot be determined.
    Unknown,
}

/// A number or names that belong to a fact.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Finding {
    /// Nothing: `null`.
    Nothing,
    /// A boolean.
    Holds(bool),
    /// A number.
    Number(u64),
    /// A name.
    Name(String),
    /// Names.
    Names(Vec<String>),
    /// Ranges of ids, each as the first id and how many follow from it.
    Ids {
        /// The ranges of users.
        users: Vec<(u32, u32)>,
        /// The ranges of groups.
        groups: Vec<(u32, u32)>,
    },
}

/// A fact of the machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fact {
    /// The heading under which it is reported.
    pub group: String,
    /// The verdict on it.
    pub verdict: Verdict,
    /// What was found, and the cause if known.
    pub found: String,
    /// A number or names that belong to it, as `docs/doctor.md` lists.
    pub value: Finding,
    /// The parts of nsscript that need it.
    pub enables: String,
    /// How to enable it; `null` if nothing helps or nothing is missing.
    pub cure: Option<String>,
    /// The stable name of that cure.
    pub advice: Option<String>,
    /// Whether the recipe needs it.
    pub needed: bool,
}

impl<T: Into<Finding>> From<Option<T>> for Finding {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nothing, Into::into)
    }
}

impl From<bool> for Finding {
    fn from(holds: bool) -> Self {
        Self::Holds(holds)
    }
}

impl From<u32> for Finding {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u64> for Finding {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Finding {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<String> for Finding {
    fn from(name: String) -> Self {
        Self::Name(name)
    }
}

impl From<Vec<String>> for Finding {
    fn from(names: Vec<String>) -> Self {
        Self::Names(names)
    }
}
