//! A sandbox: what a process sees.

use std::fmt;
use std::rc::Rc;

use super::network::NetworkChoice;
use super::step::{Root, Step, What};
use crate::diag::{Origin, count};

/// A sandbox as a list of steps; every addition gives a new value and leaves the old one as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Sandbox {
    steps: Vec<Rc<Step>>,
}

impl Sandbox {
    /// A sandbox with this root and nothing else.
    #[must_use]
    pub fn new(root: Root, origin: Option<Origin>) -> Self {
        Self { steps: Vec::new() }.with(What::Root(root), origin)
    }

    /// This sandbox and one more step.
    #[must_use]
    pub fn with(&self, what: What, origin: Option<Origin>) -> Self {
        let mut steps = Vec::with_capacity(self.steps.len() + 1);
        steps.extend(self.steps.iter().cloned());
        steps.push(Rc::new(Step { what, origin }));
        Self { steps }
    }

    /// The steps, in the order they were asked for.
    #[must_use]
    pub fn steps(&self) -> &[Rc<Step>] {
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
            Self::Bind { source, target, options } => {
                let read_only = if options.read_only { ", read-only" } else { "" };
                write!(out, "bind {} on {target}{read_only}", source.display())
            }
            Self::Tmpfs { target, .. } => write!(out, "tmpfs on {target}"),
            Self::Proc { target, .. } => write!(out, "proc on {target}"),
            Self::Sysfs(target) => write!(out, "sysfs on {target}"),
            Self::Dev(target) => write!(out, "devices on {target}"),
            Self::Devpts(target) => write!(out, "devpts on {target}"),
            Self::Mount { kind, target, .. } => write!(out, "{kind} on {target}"),
            Self::Directory(path, _) => write!(out, "directory {path}"),
            Self::File(path, content, _) => write!(out, "file {path} of {} bytes", content.len()),
            Self::Symlink { path, target } => write!(out, "symlink {path} to {target}"),
            Self::Mask(path) => write!(out, "mask {path}"),
            Self::ReadOnly(path) => write!(out, "{path} cannot be written to"),
            Self::Network(NetworkChoice::None) => write!(out, "no network"),
            Self::Network(NetworkChoice::Host) => write!(out, "network of the host"),
            Self::Network(NetworkChoice::Joined(joined)) => write!(out, "network {}", joined.label),
            Self::Network(NetworkChoice::Outbound(_)) => write!(out, "network to the outside"),
            Self::Hostname(name) => write!(out, "hostname {name}"),
            Self::Domainname(name) => write!(out, "domainname {name}"),
            Self::User(id) => write!(out, "user {id}"),
            Self::Group(id) => write!(out, "group {id}"),
            Self::MapUser(range) => write!(out, "map user {range}"),
            Self::MapGroup(range) => write!(out, "map group {range}"),
            Self::Env(pairs) => {
                let names: Vec<_> = pairs.iter().map(|(name, _)| name.as_str()).collect();
                write!(out, "environment {}", names.join(" "))
            }
            Self::KeepEnv(names) => write!(out, "environment kept: {}", names.join(" ")),
            Self::Workdir(path) => write!(out, "working directory {path}"),
            Self::Umask(mode) => write!(out, "umask {mode:03o}"),
            Self::Pid1 => write!(out, "the program is process 1"),
        }
    }
}

impl fmt::Display for super::step::Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(out, "{number}"),
            Self::Name(name) => write!(out, "{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Root, Sandbox, What};

    #[test]
    fn adding_a_step_leaves_the_old_value_as_it_is() {
        let base = Sandbox::new(Root::Empty, None);
        let named = base.with(What::Hostname("box".into()), None);
        assert_eq!((base.steps().len(), named.steps().len()), (1, 2));
        assert_eq!(named.to_string(), "sandbox of 2 steps\n   1  root: empty\n   2  hostname box");
    }
}
