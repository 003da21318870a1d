//! The paths on the host of paths inside a sandbox, according to the mounts of its plan.

use std::path::{Path, PathBuf};

use crate::diag::Origin;
use crate::host::Tree;
use crate::spec::GuestPath;

/// The storage of the files below a place inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backing {
    /// A private file system of the sandbox.
    Private,
    /// A read-only tree of the host, with a place for changes on top.
    Layered(PathBuf),
    /// A private place of the sandbox that was made read-only.
    Protected,
    /// A file or directory of the host.
    Host {
        /// The place on the host.
        path: PathBuf,
        /// Whether it is read-only.
        read_only: bool,
    },
}

#[derive(Clone, Debug)]
struct Covered {
    target: GuestPath,
    backing: Backing,
    origin: Option<Origin>,
}

/// The kind of file at a path of the host, without following links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// A directory.
    Directory,
    /// A file of another kind.
    File,
    /// Nothing.
    Nothing,
    /// Unknown, because the path leads through a link, whose target depends on the sandbox.
    Unknown,
}

/// The mounts of a plan, later ones on top.
#[derive(Clone, Debug, Default)]
pub struct View {
    covered: Vec<Covered>,
    /// The directories that were bound on themselves.
    pinned: Vec<GuestPath>,
}

impl View {
    /// Adds a mount on top.
    pub fn cover(&mut self, target: &GuestPath, backing: Backing, origin: Option<Origin>) {
        self.covered.push(Covered { target: target.clone(), backing, origin });
    }

    /// Makes `target` read-only.
    pub fn protect(&mut self, target: &GuestPath, origin: Option<Origin>) {
        let found = self.on_host(target);
        let backing = match found {
            Some(path) => Backing::Host { path, read_only: true },
            None => Backing::Protected,
        };
        self.cover(target, backing, origin);
    }

    /// The storage of `path`, and the line that mounted it.
    #[must_use]
    pub fn holder(&self, path: &GuestPath) -> Option<(&GuestPath, &Backing, Option<&Origin>)> {
        let covered = self.covered.iter().rev().find(|covered| path.is_within(&covered.target))?;
        Some((&covered.target, &covered.backing, covered.origin.as_ref()))
    }

    /// Notes a directory that was bound on itself.
    pub fn pin(&mut self, target: &GuestPath) {
        self.pinned.push(target.clone());
    }

    /// Whether `path` is a mount point.
    #[must_use]
    pub fn is_mounted(&self, path: &GuestPath) -> bool {
        self.pinned.contains(path) || self.covered.iter().any(|covered| covered.target == *path)
    }

    /// The storage of the directory that has the name `path`.
    #[must_use]
    pub fn parent_holder(&self, path: &GuestPath) -> Option<&Backing> {
        Some(self.holder(&path.parent()?)?.1)
    }

    /// The read-only places of the host, and the lines that made them so.
    #[must_use]
    pub fn read_only(&self) -> Vec<(GuestPath, Option<Origin>)> {
        let is_protected =
            |covered: &&Covered| matches!(covered.backing, Backing::Host { read_only: true, .. });
        let protected = self.covered.iter().filter(is_protected);
        protected.map(|covered| (covered.target.clone(), covered.origin.clone())).collect()
    }

    /// The first mount at `target`.
    #[must_use]
    pub fn first(&self, target: &GuestPath) -> Option<&Backing> {
        let first = self.covered.iter().find(|covered| covered.target == *target);
        first.map(|covered| &covered.backing)
    }

    /// The path on the host that `path` shows, if any.
    #[must_use]
    pub fn on_host(&self, path: &GuestPath) -> Option<PathBuf> {
        let (target, backing, _) = self.holder(path)?;
        match backing {
            Backing::Private | Backing::Protected => None,
            Backing::Layered(base) | Backing::Host { path: base, .. } => {
                let below = path.below(target)?;
                Some(if below.as_os_str().is_empty() { base.clone() } else { base.join(below) })
            }
        }
    }
}

/// The kind of file at `path` below `base` on the host, without following links below `base`.
#[must_use]
pub fn presence(host: &Tree, base: &Path, below: &Path) -> Presence {
    let mut place = base.to_path_buf();
    let mut found = None;
    for name in below.components() {
        place.push(name);
        match host.symlink_metadata(&place) {
            Ok(metadata) if metadata.is_symlink() => return Presence::Unknown,
            Ok(metadata) => found = Some(metadata),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                return Presence::Unknown;
            }
            Err(_) => return Presence::Nothing,
        }
    }
    // Links in the base itself are followed, as the kernel does when it is bound.
    match found.or_else(|| host.metadata(base).ok()) {
        Some(found) if found.is_dir() => Presence::Directory,
        Some(_) => Presence::File,
        None => Presence::Nothing,
    }
}
