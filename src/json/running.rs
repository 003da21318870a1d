//! Running sandboxes, printed by `nsscript ps --json`.

use serde::Serialize;

use super::Version;

/// The running sandboxes of the caller, the oldest first: `nsscript ps --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Sandboxes {
    /// The version of this document.
    pub version: Version<1>,
    /// The sandboxes.
    pub sandboxes: Vec<Running>,
}

/// A running sandbox.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Running {
    /// The name that the recipe gave it with `.name`; `null` if it gave none.
    pub name: Option<String>,
    /// Its number: the process id of its process 1.
    pub number: i32,
    /// The process id of the nsscript process that started it.
    pub nsscript: i32,
    /// The user id of its programs, as they see it.
    pub uid: u32,
    /// The group id of its programs, as they see it.
    pub gid: u32,
    /// Its root: a directory of the host, `rootfs`, or `empty`.
    pub root: String,
    /// Its network: `none`, `host`, `outbound`, or the name of the network that it has entered.
    pub network: String,
    /// Its first program and the arguments.
    pub command: Vec<String>,
    /// The time since it started, in seconds.
    pub age: u64,
}
