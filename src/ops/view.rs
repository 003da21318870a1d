//! What a path inside a sandbox is, on the host: the mounts of a plan, looked at from outside.

use std::path::{Path, PathBuf};

use crate::diag::Origin;
use crate::host::Tree;
use crate::spec::GuestPath;

/// What holds the files below a place inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backing {
    /// A file system of the sandbox's own.
    Private,
    /// A tree of the host that is only read, with a place for changes over it.
    Layered(PathBuf),
    /// A place of the sandbox's own that cannot be written to any more.
    Protected,
    /// A file or directory of the host.
    Host {
        /// The place on the host.
        path: PathBuf,
        /// Whether nothing can be written there.
        read_only: bool,
    },
}

#[derive(Clone, Debug)]
struct Covered {
    target: GuestPath,
    backing: Backing,
    origin: Option<Origin>,
}

/// What is at a path on the host, as far as that can be told without following links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// A directory.
    Directory,
    /// A file of another kind.
    File,
    /// Nothing.
    Nothing,
    /// A link is on the way: where it leads depends on the sandbox.
    Unknown,
}

/// The mounts of a plan, the later on top.
#[derive(Clone, Debug, Default)]
pub struct View {
    covered: Vec<Covered>,
}

impl View {
    /// Puts a mount on top.
    pub fn cover(&mut self, target: &GuestPath, backing: Backing, origin: Option<Origin>) {
        self.covered.push(Covered { target: target.clone(), backing, origin });
    }

    /// Makes what is at `target` read-only.
    pub fn protect(&mut self, target: &GuestPath, origin: Option<Origin>) {
        let found = self.on_host(target);
        let backing = match found {
            Some(path) => Backing::Host { path, read_only: true },
            None => Backing::Protected,
        };
        self.cover(target, backing, origin);
    }

    /// What holds `path`, and the line that put it there.
    #[must_use]
    pub fn holder(&self, path: &GuestPath) -> Option<(&GuestPath, &Backing, Option<&Origin>)> {
        let covered = self.covered.iter().rev().find(|covered| path.is_within(&covered.target))?;
        Some((&covered.target, &covered.backing, covered.origin.as_ref()))
    }

    /// What was put at `target` first.
    #[must_use]
    pub fn first(&self, target: &GuestPath) -> Option<&Backing> {
        let first = self.covered.iter().find(|covered| covered.target == *target);
        first.map(|covered| &covered.backing)
    }

    /// The place on the host that `path` shows, where it shows one.
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

/// What is at `path` of the host, below `base`; links below `base` are not followed.
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
    // The base itself is followed: the kernel follows it too when it is bound.
    match found.or_else(|| host.metadata(base).ok()) {
        Some(found) if found.is_dir() => Presence::Directory,
        Some(_) => Presence::File,
        None => Presence::Nothing,
    }
}
