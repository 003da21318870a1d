//! What a recipe would do, printed by `nsscript plan --json`.

use serde::Serialize;

use super::{Place, Version};

/// Everything that a recipe would do: `nsscript plan --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[expect(clippy::struct_field_names, reason = "programs read it by this name")]
pub struct Plans {
    /// The version of this document.
    pub version: Version<1>,
    /// The plans, in the order in which the recipe would perform them. If the dry run fails, those
    /// before the failure.
    pub plans: Vec<Plan>,
    /// What a dry run cannot know, because it depends on what a program does.
    pub unknown: Vec<Unknown>,
}

/// A place at which a run decides.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Unknown {
    /// What is decided there, for people: "which branch `if` takes".
    pub what: String,
    /// What decides it, for people: "what `uname -m` prints".
    pub depends_on: String,
    /// The place in the recipe.
    pub place: Place,
    /// Whether the plan ends there, because the recipe fails with the stand-in of the dry run.
    pub ends: bool,
}

/// What a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A program in a sandbox.
    Program,
    /// A closure of the recipe in a sandbox.
    Closure,
    /// Calls of the raw layer that follow each other, on nsscript itself and its copies.
    Raw,
}

/// One launch, or raw calls that follow each other.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Plan {
    /// What it is for.
    pub kind: Kind,
    /// The program and its arguments; `null` unless `kind` is `program`.
    pub command: Option<Vec<String>>,
    /// The new namespaces in words; `null` for raw calls.
    pub namespaces: Option<String>,
    /// What is done, in order.
    pub actions: Vec<Action>,
    /// Warnings, one sentence each.
    pub warnings: Vec<String>,
}

/// Who performs an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Performer {
    /// nsscript itself.
    Parent,
    /// The new process: process 1 of the sandbox.
    Child,
    /// The process that becomes the program.
    Program,
}

/// One thing that is done.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Action {
    /// Its number in the plan, counted from 1.
    pub number: usize,
    /// Who performs it.
    pub by: Performer,
    /// The operation in one word: `bind`, `mount`, `execute`.
    pub operation: String,
    /// What it does, for people.
    pub sentence: String,
    /// The path that is the source.
    pub source: Option<String>,
    /// The path that is the target.
    pub target: Option<String>,
    /// The attributes of a mount in the words of mount(8): `ro`, `nosuid`, `nodev`, `noexec`;
    /// `null` if it mounts nothing.
    pub attributes: Option<Vec<String>>,
    /// The system calls of the raw layer in the notation of strace(1); `null` in a launch, whose
    /// calls `--explain` shows.
    pub calls: Option<Vec<String>>,
    /// The command of a shell that does the same.
    pub shell: Option<String>,
    /// The number of closures in child processes around it; `null` in a launch.
    pub depth: Option<usize>,
    /// The place in the recipe that asked for it; `null` for what every sandbox does.
    pub place: Option<Place>,
}
