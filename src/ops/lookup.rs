//! Look-up of paths inside a sandbox, according to the mounts and files of its plan.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{Leaves, Op};
use crate::host::Tree;
use crate::spec::GuestPath;

/// The kind of file at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// A directory.
    Directory,
    /// A file of another kind.
    File,
    /// A symbolic link, with its target.
    Link(String),
    /// Nothing.
    Nothing,
    /// Unknown: it cannot be determined from outside.
    Unknown,
}

/// The result of following a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The place, without links in its path.
    pub place: GuestPath,
    /// The kind of file there.
    pub at: At,
    /// The last link that was followed, with its target.
    pub link: Option<(GuestPath, String)>,
}

/// The holder of the file at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// This file of the host.
    Host(PathBuf),
    /// The action with this number, which created it.
    Made(usize),
    /// The root.
    Root,
    /// A private file system of the sandbox.
    Own,
}

/// The maximum number of links, as in the kernel: path_resolution(7).
const MOST_LINKS: usize = 40;

/// The inside of a sandbox after some actions.
#[derive(Clone)]
pub struct Lookup<'a> {
    /// The tree of the host, from which files are bound.
    pub host: &'a Tree,
    /// The operations in the root, in order.
    pub actions: Vec<&'a Op>,
    /// The kind of file at a place in the root itself.
    pub root: &'a dyn Fn(&GuestPath) -> At,
}

impl std::fmt::Debug for Lookup<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Lookup").field("actions", &self.actions).finish_non_exhaustive()
    }
}

impl<'a> Lookup<'a> {
    /// Follows `path`, including links.
    #[must_use]
    pub fn follow(&self, path: &GuestPath) -> Place {
        self.walk(path).0
    }

    /// The place that `path` leads to if its missing directories are made, and the kind of file
    /// there.
    #[must_use]
    pub fn reach(&self, path: &GuestPath) -> (GuestPath, At) {
        let (Place { place, at, link: _ }, ahead) = self.walk(path);
        let rest: Vec<&str> = ahead.iter().rev().map(String::as_str).collect();
        match place.join(&rest.join("/")) {
            _ if rest.is_empty() => (place, at),
            // Nobody can say where `..` of a missing directory leads.
            Ok(whole) if !rest.contains(&"..") => (whole, at),
            _ => (place, At::Unknown),
        }
    }

    /// The kind of file at the path itself: the last link is not followed.
    #[must_use]
    pub fn reach_itself(&self, path: &GuestPath) -> (GuestPath, At) {
        let Some((parent, name)) = path.parent().zip(path.as_str().rsplit('/').next()) else {
            return (path.clone(), At::Directory);
        };
        let (parent, at) = self.reach(&parent);
        match parent.join(name) {
            Ok(place) if matches!(at, At::Directory | At::Nothing) => {
                let at = self.at(&place);
                (place, at)
            }
            Ok(place) => (place, at),
            Err(_) => (parent, At::Unknown),
        }
    }

    /// Follows `path`; also returns the names behind a missing or unknown place, the last first.
    fn walk(&self, path: &GuestPath) -> (Place, Vec<String>) {
        let mut ahead: Vec<String> = names(path.as_str());
        let (mut place, mut link, mut links) = (GuestPath::root(), None, 0);
        while let Some(name) = ahead.pop() {
            if name == ".." {
                place = place.parent().unwrap_or_else(GuestPath::root);
                continue;
            }
            // The kernel would not accept such a path either.
            let Ok(next) = place.join(&name) else {
                return (Place { place, at: At::Unknown, link }, ahead);
            };
            let at = self.at(&next);
            match at {
                At::Link(says) if links < MOST_LINKS => {
                    links += 1;
                    if says.starts_with('/') {
                        place = GuestPath::root();
                    }
                    ahead.extend(names(&says));
                    link = Some((next, says));
                }
                At::Directory => place = next,
                At::File if ahead.is_empty() => {
                    return (Place { place: next, at: At::File, link }, ahead);
                }
                At::Unknown => return (Place { place: next, at: At::Unknown, link }, ahead),
                At::Link(_) | At::File | At::Nothing => {
                    return (Place { place: next, at: At::Nothing, link }, ahead);
                }
            }
        }
        (Place { place, at: At::Directory, link }, ahead)
    }

    /// The number of the action that hides an earlier file at `path`.
    #[must_use]
    pub fn hidden_by(&self, path: &GuestPath) -> Option<usize> {
        let covers =
            |op: &Op| op.facts().leaves.covers().is_some_and(|target| path.is_within(target));
        (0..self.actions.len()).rev().filter(|index| covers(self.actions[*index])).find(|index| {
            let before = Self { actions: self.actions[..*index].to_vec(), ..self.clone() };
            matches!(before.follow(path).at, At::File | At::Directory)
        })
    }

    /// The holder of the file at a place whose path has no links.
    #[must_use]
    pub fn holder(&self, path: &GuestPath) -> Holder {
        let holds = |(index, op): (usize, &&'a Op)| match op.facts().leaves {
            Leaves::Bound { source, target, .. } => {
                let below = path.below(target)?;
                let is_it = below.as_os_str().is_empty();
                Some(Holder::Host(if is_it { source.into() } else { source.join(below) }))
            }
            Leaves::FileSystem { target, .. } | Leaves::Hidden(target) => {
                path.is_within(target).then_some(Holder::Own)
            }
            Leaves::Directory(made) | Leaves::File(made) | Leaves::Symlink { path: made, .. } => {
                (made == path).then_some(Holder::Made(index))
            }
            Leaves::Nothing | Leaves::ReadOnly(_) => None,
        };
        self.actions.iter().enumerate().rev().find_map(holds).unwrap_or(Holder::Root)
    }

    /// The kind of file at a place whose path has no links.
    fn at(&self, path: &GuestPath) -> At {
        for (index, op) in self.actions.iter().enumerate().rev() {
            if let Some(found) = self.left(index, op.facts().leaves, path) {
                return found;
            }
        }
        (self.root)(path)
    }

    /// The kind of file that the operation with this number leaves at a place; `None` if it does
    /// not concern the place.
    fn left(&self, index: usize, leaves: Leaves<'_>, path: &GuestPath) -> Option<At> {
        // Creating a file also creates its parent directories.
        let on_the_way = |made: &GuestPath| made.is_within(path).then_some(At::Directory);
        match leaves {
            Leaves::Nothing | Leaves::ReadOnly(_) => None,
            Leaves::Bound { source, directory, target, attributes: _ } => {
                match path.below(target) {
                    Some(below) if below.as_os_str().is_empty() => {
                        Some(if directory { At::Directory } else { At::File })
                    }
                    Some(below) => Some(at_host(self.host, &source.join(below))),
                    None => on_the_way(target),
                }
            }
            Leaves::FileSystem { kind, target, attributes: _ } if path.is_within(target) => {
                Some(match (path == target, kind) {
                    (true, _) => At::Directory,
                    (false, "tmpfs" | "ramfs") => At::Nothing,
                    (false, _) => At::Unknown,
                })
            }
            Leaves::FileSystem { target, .. } => on_the_way(target),
            Leaves::Hidden(target) if path == target => {
                let before = Self { actions: self.actions[..index].to_vec(), ..self.clone() };
                Some(before.at(path))
            }
            Leaves::Hidden(target) => path.is_within(target).then_some(At::Nothing),
            Leaves::File(made) if path == made => Some(At::File),
            Leaves::Symlink { path: made, says } if path == made => Some(At::Link(says.to_owned())),
            Leaves::Directory(made) | Leaves::File(made) | Leaves::Symlink { path: made, .. } => {
                on_the_way(made)
            }
        }
    }
}

/// The kind of file at `path` of the host.
#[must_use]
pub fn at_host(host: &Tree, path: &Path) -> At {
    match host.symlink_metadata(path) {
        Ok(found) if found.is_symlink() => match std::fs::read_link(host.real(path)) {
            Ok(says) => At::Link(says.to_string_lossy().into_owned()),
            Err(_) => At::Unknown,
        },
        Ok(found) if found.is_dir() => At::Directory,
        Ok(_) => At::File,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            At::Nothing
        }
        Err(_) => At::Unknown,
    }
}

/// The names in a path, in reverse order.
fn names(path: &str) -> Vec<String> {
    let names = path.split('/').filter(|name| !matches!(*name, "" | "."));
    names.rev().map(str::to_owned).collect()
}

/// The kind of file at `path` in a directory of the host that is the root.
#[must_use]
pub fn at_root_of(host: &Tree, root: &Path, path: &GuestPath) -> At {
    let below: PathBuf = path.relative().into();
    at_host(host, &root.join(below))
}
