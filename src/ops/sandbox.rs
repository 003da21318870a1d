//! Sandboxes: the view of a process, as a list of steps.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Ask, Pod};
use crate::diag::{Caller, Origin, count};
use crate::spec::{AllIds, GuestPath, Id, IdRange, Namespaces, NetworkChoice, Root};

/// A step in the description of a sandbox.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// These namespaces are new.
    Unshare(Namespaces),
    /// These namespaces are the caller's.
    Share(Namespaces),
    /// The root.
    Root(Root),
    /// The root is read-only.
    ReadOnlyRoot,
    /// The root is the host's tree as it is, writable.
    WritableRoot,
    /// Changes in the root are kept in this directory of the host.
    KeepChanges(PathBuf),
    /// The root is entered with chroot(2) instead of pivot_root(2).
    Chroot,
    /// These namespaces are those of a running sandbox.
    Join(Pod),
    /// The network.
    Network(NetworkChoice),
    /// The user of the program.
    User(Id),
    /// The group of the program.
    Group(Id),
    /// A further range of user ids.
    MapUser(IdRange),
    /// A further range of group ids.
    MapGroup(IdRange),
    /// All user ids that the caller may map.
    MapUsers(AllIds),
    /// All group ids that the caller may map.
    MapGroups(AllIds),
    /// Environment variables.
    Env(Vec<(String, String)>),
    /// Environment variables taken from nsscript's own environment.
    KeepEnv(Vec<String>),
    /// The program is process 1, without an init.
    Pid1,
    /// A step that becomes operations by itself.
    Ask(Ask),
}

/// A step and its place in the recipe. Steps are equal if they describe the same, regardless of
/// their places.
#[derive(Clone, Debug)]
pub struct Step {
    /// The step.
    pub what: What,
    /// The place that asked for it.
    pub origin: Option<Origin>,
}

impl PartialEq for Step {
    fn eq(&self, other: &Self) -> bool {
        self.what == other.what
    }
}

impl What {
    /// The place inside that the step concerns, if any.
    #[must_use]
    pub fn target(&self) -> Option<&GuestPath> {
        if let Self::Ask(ask) = self { ask.target() } else { None }
    }
}

/// A sandbox as a list of steps. Adding a step returns a new value and leaves the old one
/// unchanged.
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

    /// Returns this sandbox with one more step.
    #[must_use]
    pub fn with(&self, what: impl Into<What>, origin: Option<Origin>) -> Self {
        let mut steps = Vec::with_capacity(self.steps.len() + 1);
        steps.extend(self.steps.iter().cloned());
        steps.push(Arc::new(Step { what: what.into(), origin }));
        Self { steps }
    }

    /// The steps that only this sandbox has, after `-`, and those that only `other` has, after `+`,
    /// one a line.
    #[must_use]
    pub fn diff(&self, other: &Self) -> String {
        let (one, two) = (&self.steps, &other.steps);
        // The longest common sequence of steps from each position on.
        let mut common = vec![vec![0_usize; two.len() + 1]; one.len() + 1];
        for (i, step) in one.iter().enumerate().rev() {
            for (j, with) in two.iter().enumerate().rev() {
                common[i][j] = if step == with {
                    common[i + 1][j + 1] + 1
                } else {
                    common[i + 1][j].max(common[i][j + 1])
                };
            }
        }
        let (mut i, mut j, mut lines) = (0, 0, Vec::new());
        while i < one.len() || j < two.len() {
            if i < one.len() && j < two.len() && one[i] == two[j] {
                (i, j) = (i + 1, j + 1);
            } else if i < one.len() && (j == two.len() || common[i + 1][j] >= common[i][j + 1]) {
                lines.push(format!("- {}", one[i].what));
                i += 1;
            } else {
                lines.push(format!("+ {}", two[j].what));
                j += 1;
            }
        }
        lines.join("\n")
    }

    /// Returns this sandbox with `caller` as the place that asked for the steps after the first
    /// `count`, beside their own.
    #[must_use]
    pub fn asked_by(mut self, count: usize, caller: &Caller, callers: &[Caller]) -> Self {
        for step in self.steps.iter_mut().skip(count) {
            let Step { what, origin } = &**step;
            let origin = origin.clone().map(|mut origin| {
                let all = std::iter::once(caller).chain(callers).cloned();
                origin.callers = all.collect();
                origin
            });
            *step = Arc::new(Step { what: what.clone(), origin });
        }
        self
    }

    /// The steps, in the order of the recipe.
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
            Self::ReadOnlyRoot => write!(out, "read-only root"),
            Self::WritableRoot => write!(out, "writable root"),
            Self::KeepChanges(path) => write!(out, "changes kept in {}", path.display()),
            Self::Chroot => write!(out, "root entered by chroot"),
            Self::Join(pod) => {
                write!(out, "{} shared with {}", pod.kinds.constants(), pod.shown())
            }
            Self::Network(NetworkChoice::None) => write!(out, "no network"),
            Self::Network(NetworkChoice::Host) => write!(out, "network of the host"),
            Self::Network(NetworkChoice::Joined(joined)) => write!(out, "network {}", joined.label),
            Self::Network(NetworkChoice::Outbound(_)) => write!(out, "network to the outside"),
            Self::User(id) => write!(out, "user {id}"),
            Self::Group(id) => write!(out, "group {id}"),
            Self::MapUser(range) => write!(out, "map user {range}"),
            Self::MapGroup(range) => write!(out, "map group {range}"),
            Self::MapUsers(all) => write!(out, "map all users{all}"),
            Self::MapGroups(all) => write!(out, "map all groups{all}"),
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
    use super::{Sandbox, What};
    use crate::ops::Hostname;
    use crate::spec::Root;

    #[test]
    fn steps_that_differ_are_told() {
        let base = Sandbox::new(Root::Empty, None);
        let one = base.with(Hostname("one".into()), None).with(What::Pid1, None);
        let two = base.with(What::Chroot, None).with(Hostname("two".into()), None);
        let two = two.with(What::Pid1, None);
        let lines = "- hostname one\n+ root entered by chroot\n+ hostname two";
        assert_eq!(one.diff(&two), lines);
        assert_eq!(one.diff(&one.clone()), "");
        assert_eq!(base.diff(&one), "+ hostname one\n+ the program is process 1");
    }

    #[test]
    fn adding_a_step_leaves_the_old_value_as_it_is() {
        let base = Sandbox::new(Root::Empty, None);
        let named = base.with(Hostname("box".into()), None);
        assert_eq!((base.steps().len(), named.steps().len()), (1, 2));
        assert_eq!(named.to_string(), "sandbox of 2 steps\n   1  root: empty\n   2  hostname box");
    }
}
