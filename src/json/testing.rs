//! Recipes that were run as tests, printed by `nsscript test --json`.

use serde::Serialize;

use super::Version;

/// How the run of a recipe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Outcome {
    /// It passed.
    #[serde(rename = "ok")]
    Passed,
    /// It failed.
    #[serde(rename = "failed")]
    Failed,
    /// The machine lacks something that it needs.
    #[serde(rename = "not run")]
    NotRun,
}

/// A recipe that was run, one object a line: `nsscript test --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TestResult {
    /// The version of this document.
    pub version: Version<1>,
    /// The path of the recipe.
    pub path: String,
    /// How it ended.
    pub result: Outcome,
    /// The exit status; `null` if a signal ended it.
    pub status: Option<i32>,
    /// How long it took.
    pub milliseconds: u64,
    /// The first error, or what it needs; `null` if it passed.
    pub reason: Option<String>,
    /// What it wrote to standard error; `null` unless it failed.
    pub stderr: Option<String>,
    /// The last lines that it printed; `null` unless it failed.
    pub stdout: Option<String>,
}
