//! Policies for system calls.

use crate::json::SeccompProfile;
use crate::run;
use crate::spec::{self, CallAction, Capabilities, Circumstances, Condition, ValueError, Wanted};

/// A policy for system calls: which of them programs can make. See seccomp(2).
///
/// Of several rules for a call, the last one counts. A wrong name is an error of the sandbox that has
/// the policy.
///
/// ```
/// use nsscript::{Policy, Sandbox};
///
/// let policy = Policy::new("default").deny(["@mount", "uname"]);
/// let output = Sandbox::host_view().seccomp(&policy).command("uname").output()?;
/// assert!(!output.status.success());
/// # Ok::<(), nsscript::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Policy(Result<spec::Policy, ValueError>);

impl Policy {
    /// A policy that begins with `default` (every call that ordinary programs need), `strict` (those of
    /// ordinary services), or `none` (every call).
    pub fn new(preset: &str) -> Self {
        Self(spec::Policy::preset(preset))
    }

    /// A policy from a seccomp profile of docker, podman or OCI: JSON. Entries that need capabilities
    /// count if the programs can have these: `SYS_ADMIN`.
    pub fn from_profile(
        json: &str,
        capabilities: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Self {
        let read = || {
            let profile = SeccompProfile::read(json)
                .map_err(|error| ValueError::new(format!("no seccomp profile: {error}")))?;
            let circumstances = Circumstances {
                capabilities: Capabilities::parse(capabilities)?,
                kernel: run::kernel_version(),
            };
            spec::Policy::of_profile(profile, circumstances, None)
        };
        Self(read())
    }

    /// Allows calls by the names of syscalls(2), or groups of systemd.exec(5): `@mount`.
    pub fn allow(self, names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.with(names, Vec::new(), CallAction::Allow)
    }

    /// Denies calls: they fail with EPERM.
    pub fn deny(self, names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.with(names, Vec::new(), CallAction::DENIED)
    }

    /// Denies calls if an argument, counted from 0, is one of `values`.
    pub fn deny_if(
        self,
        names: impl IntoIterator<Item = impl AsRef<str>>,
        argument: u8,
        values: impl IntoIterator<Item = i64>,
    ) -> Self {
        let wanted = Wanted::Any(values.into_iter().collect());
        let conditions = vec![Condition { argument, wanted }];
        self.with(names, conditions, CallAction::DENIED)
    }

    fn with(
        self,
        names: impl IntoIterator<Item = impl AsRef<str>>,
        conditions: Vec<Condition>,
        action: CallAction,
    ) -> Self {
        let names = names.into_iter().map(|name| name.as_ref().to_owned()).collect();
        Self(self.0.and_then(|policy| policy.with(names, conditions, action, None)))
    }

    pub(super) fn checked(&self) -> Result<&spec::Policy, ValueError> {
        self.0.as_ref().map_err(Clone::clone)
    }
}
