//! Actions as they are performed, printed with `--explain=json`.

use serde::Serialize;

use super::{Performer, Place, Version};

/// The system call of an action that failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FailedCall {
    /// The name of the system call.
    pub call: String,
    /// The kernel's error number.
    pub errno: i32,
    /// The name of that number: `ENOENT`.
    pub name: String,
}

/// An action that was performed, one object a line on standard error: `--explain=json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TracedAction {
    /// The version of this document.
    pub version: Version<1>,
    /// What was done, for people.
    pub sentence: String,
    /// The operation in one word.
    pub operation: String,
    /// Who performed it.
    pub by: Performer,
    /// The process that performed it, as the way to it from the one that runs the recipe: `[2, 1]`
    /// is the first process that was started by the second one that the recipe started.
    pub process: Vec<usize>,
    /// The number of the process that it started.
    pub starts: Option<usize>,
    /// The system calls in the notation of strace(1). If one failed, it is the last.
    pub calls: Vec<String>,
    /// The command of a shell that does the same.
    pub shell: Option<String>,
    /// The place in the recipe that asked for it; `null` for what every sandbox does.
    pub place: Option<Place>,
    /// The system call that failed; `null` if none did.
    pub failed: Option<FailedCall>,
    /// How long it took; `null` if that is not known.
    pub microseconds: Option<u64>,
}
