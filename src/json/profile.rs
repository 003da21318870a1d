//! Profiles of system calls, as docker, podman and the runtime specification of OCI write them.

use serde::Deserialize;

/// A profile: `defaultAction`, `syscalls` and others.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeccompProfile {
    /// What becomes of calls that no entry names.
    pub default_action: String,
    /// The error number of that.
    pub default_errno_ret: Option<u16>,
    /// The name of that error, which readers may use.
    pub default_errno: Option<String>,
    /// The architectures, each with those that belong to it.
    pub arch_map: Option<Vec<ArchitectureMap>>,
    /// The architectures.
    pub architectures: Option<Vec<String>>,
    /// Flags of seccomp(2).
    pub flags: Option<Vec<String>>,
    /// A socket for what is decided by another program.
    pub listener_path: Option<String>,
    /// What that program is told.
    pub listener_metadata: Option<String>,
    /// The entries.
    pub syscalls: Option<Vec<SeccompEntry>>,
}

/// An architecture and those whose programs it runs, too.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArchitectureMap {
    /// The architecture.
    pub architecture: String,
    /// The others.
    pub sub_architectures: Option<Vec<String>>,
}

/// An entry: calls, and what becomes of them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeccompEntry {
    /// The calls.
    pub names: Option<Vec<String>>,
    /// One call, in old profiles.
    pub name: Option<String>,
    /// What becomes of them.
    pub action: String,
    /// The error number of that.
    pub errno_ret: Option<u16>,
    /// The name of that error, which readers may use.
    pub errno: Option<String>,
    /// The conditions.
    pub args: Option<Vec<SeccompArgument>>,
    /// Why there is the entry.
    pub comment: Option<String>,
    /// What must hold for the entry to count.
    pub includes: Option<SeccompCase>,
    /// What must not hold.
    pub excludes: Option<SeccompCase>,
}

/// A condition: `value` and `valueTwo` mean what seccomp_rule_add(3) says.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeccompArgument {
    /// The argument, from 0.
    pub index: u8,
    /// A number, or the mask of `SCMP_CMP_MASKED_EQ`.
    #[serde(default)]
    pub value: u64,
    /// The number behind the mask.
    #[serde(default)]
    pub value_two: u64,
    /// The comparison.
    pub op: String,
}

/// When an entry counts.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SeccompCase {
    /// Capabilities.
    pub caps: Option<Vec<String>>,
    /// Architectures, by docker's names.
    pub arches: Option<Vec<String>>,
    /// The version of Linux, at least.
    pub min_kernel: Option<String>,
}

impl SeccompProfile {
    /// Reads a profile.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn read(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }
}
