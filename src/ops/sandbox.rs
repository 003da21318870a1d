//! A sandbox: what a process sees, as a list of what was asked for.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::Ask;
use crate::diag::{Origin, count};
use crate::spec::{GuestPath, Id, IdRange, Namespaces, NetworkChoice, Root};

/// One thing that a sandbox is described by.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// These namespaces are new.
    Unshare(Namespaces),
    /// These namespaces are the caller's.
    Share(Namespaces),
    /// This is the root.
    Root(Root),
    /// The root is the host's, read-only, with the private places emptied.
    HostView,
    /// The root cannot be written to.
    ReadOnlyRoot,
    /// What changes in the root is kept in this directory of the host.
    KeepChanges(PathBuf),
    /// The root is entered by chroot(2), not pivot_root(2).
    Chroot,
    /// The network.
    Network(NetworkChoice),
    /// The user that the program is.
    User(Id),
    /// The group that the program is in.
    Group(Id),
    /// More user ids.
    MapUser(IdRange),
    /// More group ids.
    MapGroup(IdRange),
    /// Environment variables.
    Env(Vec<(String, String)>),
    /// Environment variables taken from nsscript's own environment.
    KeepEnv(Vec<String>),
    /// The program is process 1, without an init.
    Pid1,
    /// What becomes operations by itself.
    Ask(Ask),
}

/// A step and the place that asked for it. Two steps are equal if they describe the same, wherever
/// that was asked for.
#[derive(Clone, Debug)]
pub struct Step {
    /// What is described.
    pub what: What,
    /// Where it was asked for.
    pub origin: Option<Origin>,
}

impl PartialEq for Step {
    fn eq(&self, other: &Self) -> bool {
        self.what == other.what
    }
}

impl What {
    /// The place inside that the step is about, if it is about one.
    #[must_use]
    pub fn target(&self) -> Option<&GuestPath> {
        if let Self::Ask(ask) = self { ask.target() } else { None }
    }
}

/// A sandbox as a list of steps; every addition gives a new value and leaves the old one as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Sandbox {
    steps: Vec<Arc<Step>>,
}

impl Sandbox {
    /// A sandbox with this root and nothing else.
    #[must_use]
    pub fn new(root: Root, origin: Option<Origin>) -> Self {
        Self { steps: Vec::new() }.with(What::Root(root), origin)
    }

    /// This sandbox and one more step.
    #[must_use]
    pub fn with(&self, what: impl Into<What>, origin: Option<Origin>) -> Self {
        let mut steps = Vec::with_capacity(self.steps.len() + 1);
        steps.extend(self.steps.iter().cloned());
        steps.push(Arc::new(Step { what: what.into(), origin }));
        Self { steps }
    }

    /// The steps, in the order they were asked for.
    #[must_use]
    pub fn steps(&self) -> &[Arc<Step>] {
        &self.steps
    }
}

impl fmt::Display for Sandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sandbox of {}", count(self.steps.len(), "step"))?;
        for (index, step) in self.steps.iter().enumerate() {
            write!(formatter, "\n{:>4}  {}", index + 1, step.what)?;
        }
        Ok(())
    }
}

impl fmt::Display for What {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unshare(namespaces) => write!(out, "unshare {}", namespaces.constants()),
            Self::Share(namespaces) => write!(out, "share {}", namespaces.constants()),
            Self::Root(Root::Empty) => write!(out, "root: empty"),
            Self::Root(Root::Directory(path)) => write!(out, "root: {}", path.display()),
            Self::Root(Root::Rootfs(root)) => write!(out, "root: {root}"),
            Self::HostView => write!(out, "root: a read-only view of the host"),
            Self::ReadOnlyRoot => write!(out, "root cannot be written to"),
            Self::KeepChanges(path) => write!(out, "changes kept in {}", path.display()),
            Self::Chroot => write!(out, "root entered by chroot"),
            Self::Network(NetworkChoice::None) => write!(out, "no network"),
            Self::Network(NetworkChoice::Host) => write!(out, "network of the host"),
            Self::Network(NetworkChoice::Joined(joined)) => write!(out, "network {}", joined.label),
            Self::Network(NetworkChoice::Outbound(_)) => write!(out, "network to the outside"),
            Self::User(id) => write!(out, "user {id}"),
            Self::Group(id) => write!(out, "group {id}"),
            Self::MapUser(range) => write!(out, "map user {range}"),
            Self::MapGroup(range) => write!(out, "map group {range}"),
            Self::Env(pairs) => {
                let names: Vec<_> = pairs.iter().map(|(name, _)| name.as_str()).collect();
                write!(out, "environment {}", names.join(" "))
            }
            Self::KeepEnv(names) => write!(out, "environment kept: {}", names.join(" ")),
            Self::Pid1 => write!(out, "the program is process 1"),
            Self::Ask(ask) => out.write_str(&ask.say()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Sandbox;
    use crate::ops::Hostname;
    use crate::spec::Root;

    #[test]
    fn adding_a_step_leaves_the_old_value_as_it_is() {
        let base = Sandbox::new(Root::Empty, None);
        let named = base.with(Hostname("box".into()), None);
        assert_eq!((base.steps().len(), named.steps().len()), (1, 2));
        assert_eq!(named.to_string(), "sandbox of 2 steps\n   1  root: empty\n   2  hostname box");
    }
}
