//! Places in the file systems of the kernel, /proc and /sys, where nothing can be created, and
//! where some links lead to another file in each process.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::Planning;
use crate::diag::{Origin, Report, quoted};
use crate::ops::{At, Leaves, Op, Place};
use crate::spec::{GuestPath, Root};

/// The directory of the host with the same files, and one that every complete instance has.
fn of_host(kind: &str) -> Option<(&'static Path, &'static Path)> {
    let (files, usual) = match kind {
        "proc" => ("/proc", "/proc/version"),
        "sysfs" => ("/sys", "/sys/kernel"),
        _ => return None,
    };
    Some((Path::new(files), Path::new(usual)))
}

/// Whether a name in /proc is the directory of a process, or a link to one.
fn is_of_process(name: &str) -> bool {
    matches!(name, "self" | "thread-self") || name.bytes().all(|byte| byte.is_ascii_digit())
}

impl Planning<'_> {
    /// The type and the place of the file system of the kernel that holds a place.
    fn kernel_files(&self, place: &GuestPath) -> Option<(&'static str, GuestPath)> {
        let actions = self.actions.iter().rev();
        let covers = |op: &Op| match op.facts().leaves {
            Leaves::FileSystem { kind, target, .. } if place.is_within(target) => {
                let kind = ["proc", "sysfs"].into_iter().find(|known| *known == kind);
                Some(kind.map(|kind| (kind, target.clone())))
            }
            Leaves::Bound { target, .. } | Leaves::Hidden(target) if place.is_within(target) => {
                Some(None)
            }
            Leaves::FileSystem { .. }
            | Leaves::Bound { .. }
            | Leaves::Hidden(_)
            | Leaves::Nothing
            | Leaves::ReadOnly(_)
            | Leaves::Directory(_)
            | Leaves::File(_)
            | Leaves::Symlink { .. } => None,
        };
        actions.map(|(op, _)| op).find_map(covers).flatten()
    }

    /// Whether a file system of the kernel was mounted so far.
    pub(in crate::ops) fn has_kernel_files(&self) -> bool {
        self.actions.iter().any(|(op, _)| {
            let Leaves::FileSystem { kind, .. } = op.facts().leaves else { return false };
            of_host(kind).is_some()
        })
    }

    /// Whether a place lies in a file system of the kernel, by its path.
    pub(super) fn is_in_kernel_files(&self, place: &GuestPath) -> bool {
        self.kernel_files(place).is_some_and(|(_, base)| *place != base)
    }

    /// Reports a target that leads to a file that each process has for itself: what is mounted or
    /// written there would be that of a process which is gone.
    fn of_each_process(
        &self,
        target: &GuestPath,
        found: &Place,
        origin: Option<&Origin>,
    ) -> Option<Report> {
        let (kind, base) = self.kernel_files(&found.place)?;
        let below = found.place.below(&base)?.to_str()?;
        let first = below.split('/').next().unwrap_or_default();
        let (link, says) = match &found.link {
            _ if kind != "proc" || found.at != At::Unknown => return None,
            // A path cannot name the directory of a process, so the look-up ends before it.
            Some((link, says)) if first.is_empty() || is_of_process(first) => {
                (link.clone(), says.clone())
            }
            // These are the links in /proc itself.
            _ if matches!(first, "mounts" | "net") => {
                (base.join(first).ok()?, format!("self/{first}"))
            }
            _ => return None,
        };
        let (shown, link_shown) = (quoted(target.as_str()), quoted(link.as_str()));
        let path = if link == *target { "it".to_owned() } else { link_shown };
        let says = quoted(&says);
        let message = format!(
            "{shown} cannot be replaced: {path} is a link to {says}, which each process has for \
             itself"
        );
        let mut report = Report::error(message).at(origin.cloned());
        report.facts.target = Some(target.to_string());
        Some(report)
    }

    /// Another way than to mount on a file of each process, or to write it.
    fn instead_of_link(&self, target: &GuestPath) -> String {
        match &self.root.root {
            Root::Rootfs(_) if !self.is_in_kernel_files(target) => format!(
                "replace the link in the root itself, before it is a sandbox: \
                 `rootfs.file(\"{target}\", …)`"
            ),
            Root::Rootfs(_) | Root::Empty | Root::Directory(_) => self.elsewhere(target),
        }
    }

    /// The path in a file system of the kernel that a target leads to, if the kernel has no such
    /// file. Files of processes and networks are not known: those inside are others than here.
    fn lacked_by_kernel(&self, target: &GuestPath) -> Option<GuestPath> {
        let (place, at) = self.lookup(|lookup| lookup.reach(target));
        let (kind, base) = self.kernel_files(&place)?;
        let below = place.below(&base).filter(|_| at == At::Unknown)?;
        let names: Vec<_> = below.iter().filter_map(|name| name.to_str()).collect();
        let is_own = kind == "proc" && names.first().is_none_or(|name| is_of_process(name));
        if is_own || names.is_empty() || names.contains(&"net") {
            return None;
        }
        let (files, usual) = of_host(kind)?;
        let absent = |path: PathBuf| {
            let kind = self.host.tree.symlink_metadata(&path).err().map(|error| error.kind());
            matches!(kind, Some(ErrorKind::NotFound | ErrorKind::NotADirectory))
        };
        (absent(files.join(below)) && !absent(usual.into())).then_some(place)
    }

    /// Whether a target can be mounted on or written as far as file systems of the kernel are
    /// concerned; reports one that cannot.
    pub(in crate::ops) fn kernel_allows(
        &mut self,
        target: &GuestPath,
        origin: Option<&Origin>,
    ) -> bool {
        let found = self.lookup(|lookup| lookup.follow(target));
        let linked = self.of_each_process(target, &found, origin);
        let linked =
            linked.map(|report| report.advise("place_of_process", self.instead_of_link(target)));
        let report = linked.or_else(|| {
            self.lacked_by_kernel(target)?;
            let shown = quoted(target.as_str());
            let message = format!("{shown} does not exist, and only the kernel adds files there");
            let report = Report::error(message).at(origin.cloned());
            let mut report = report.advise("place_of_kernel", self.elsewhere(target));
            report.facts.target = Some(target.to_string());
            Some(report)
        });
        let allows = report.is_none();
        self.reports.extend(report);
        allows
    }

    /// Whether a place to hide or to make read-only is one that the kernel lacks.
    pub(super) fn kernel_lacks(&self, target: &GuestPath) -> bool {
        self.is_in_kernel_files(target) && self.lacked_by_kernel(target).is_some()
    }

    /// Whether a place to hide or to make read-only belongs to each process; reports it.
    pub(super) fn is_of_each_process(
        &mut self,
        target: &GuestPath,
        found: &Place,
        origin: Option<&Origin>,
    ) -> bool {
        let report = self.of_each_process(target, found, origin);
        let is_it = report.is_some();
        let hint = "leave it out, or hide all of `/proc`";
        self.reports.extend(report.map(|report| report.advise("hidden_of_process", hint)));
        is_it
    }
}
