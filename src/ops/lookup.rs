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
    /// The kind of file at a path of the host, below a directory that is bound.
    pub bound: &'a dyn Fn(&Path) -> At,
    /// The operations in the root, in order.
    pub actions: Vec<&'a Op>,
    /// The kind of file at a place in the root itself.
    pub root: &'a dyn Fn(&GuestPath) -> At,
    /// The places of the operations with the links in their paths followed, if that is done: see
    /// [`Lookup::places`].
    pub places: &'a [Option<GuestPath>],
}

impl std::fmt::Debug for Lookup<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Lookup").field("actions", &self.actions).finish_non_exhaustive()
    }
}

impl<'a> Lookup<'a> {
    /// The place of each operation, with the links in its path followed. Without them, a target
    /// counts as the place itself, which is wrong for `/bin/x` if `/bin` is a link.
    #[must_use]
    pub fn places(&self) -> Vec<Option<GuestPath>> {
        let mut places: Vec<Option<GuestPath>> = Vec::with_capacity(self.actions.len());
        for (index, op) in self.actions.iter().enumerate() {
            let before = Lookup {
                actions: self.actions[..index].to_vec(),
                places: &places,
                bound: self.bound,
                root: self.root,
            };
            let place = op.facts().leaves.place().map(|target| before.place_of(target));
            places.push(place);
        }
        places
    }

    /// The place that a target leads to. What is created or mounted there replaces nothing above.
    fn place_of(&self, target: &GuestPath) -> GuestPath {
        let name = target.as_str().rsplit('/').next().unwrap_or_default();
        let Some(above) = target.parent() else { return target.clone() };
        let above = self.follow(&above);
        match above.at {
            At::Directory => above.place.join(name).unwrap_or_else(|_| target.clone()),
            // It is created with its parents, or the place is not known.
            At::File | At::Link(_) | At::Nothing | At::Unknown => target.clone(),
        }
    }

    /// The place of the operation with this number, whose target is this.
    fn placed(&self, index: usize, target: &GuestPath) -> GuestPath {
        self.places.get(index).cloned().flatten().unwrap_or_else(|| target.clone())
    }

    /// Follows `path`, including links.
    #[must_use]
    pub fn follow(&self, path: &GuestPath) -> Place {
        self.follow_from_root(path.as_str())
    }

    /// The same for a path that may contain `..`.
    #[must_use]
    pub fn follow_from_root(&self, path: &str) -> Place {
        self.walk(path).0
    }

    /// The place that `path` leads to if its missing directories are made, and the kind of file
    /// there.
    #[must_use]
    pub fn reach(&self, path: &GuestPath) -> (GuestPath, At) {
        let (Place { place, at, link: _ }, ahead) = self.walk(path.as_str());
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
    fn walk(&self, path: &str) -> (Place, Vec<String>) {
        let mut ahead: Vec<String> = names(path);
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
        let covers = |index: usize| {
            let covered = self.actions[index].facts().leaves.covers();
            covered.is_some_and(|target| path.is_within(&self.placed(index, target)))
        };
        (0..self.actions.len()).rev().filter(|index| covers(*index)).find(|index| {
            let before = Self { actions: self.actions[..*index].to_vec(), ..self.clone() };
            matches!(before.follow(path).at, At::File | At::Directory)
        })
    }

    /// The holder of the file at a place whose path has no links.
    #[must_use]
    pub fn holder(&self, path: &GuestPath) -> Holder {
        let holds = |(index, op): (usize, &&'a Op)| match op.facts().leaves {
            Leaves::Bound { source, target, .. } => {
                let target = self.placed(index, target);
                let below = path.below(&target)?;
                let is_it = below.as_os_str().is_empty();
                Some(Holder::Host(if is_it { source.into() } else { source.join(below) }))
            }
            Leaves::FileSystem { target, .. } | Leaves::Hidden(target) => {
                path.is_within(&self.placed(index, target)).then_some(Holder::Own)
            }
            Leaves::Directory(made) | Leaves::File(made) | Leaves::Symlink { path: made, .. } => {
                (self.placed(index, made) == *path).then_some(Holder::Made(index))
            }
            Leaves::Nothing | Leaves::ReadOnly(_) => None,
        };
        self.actions.iter().enumerate().rev().find_map(holds).unwrap_or(Holder::Root)
    }

    /// The kind of file at a place whose path has no links.
    #[must_use]
    pub fn at(&self, path: &GuestPath) -> At {
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
        let placed = |target: &GuestPath| self.placed(index, target);
        let before = || Self { actions: self.actions[..index].to_vec(), ..self.clone() };
        // Creating a file also creates its parent directories, if they do not exist.
        let on_the_way = |made: &GuestPath| {
            let is_way = made.is_within(path);
            if !is_way || self.places.is_empty() {
                return is_way.then_some(At::Directory);
            }
            match before().at(path) {
                At::Nothing => Some(At::Directory),
                found => Some(found),
            }
        };
        match leaves {
            Leaves::Nothing | Leaves::ReadOnly(_) => None,
            Leaves::Bound { source, directory, target, attributes: _ } => {
                let target = placed(target);
                match path.below(&target) {
                    Some(below) if below.as_os_str().is_empty() => {
                        Some(if directory { At::Directory } else { At::File })
                    }
                    Some(below) => Some((self.bound)(&source.join(below))),
                    None => on_the_way(&target),
                }
            }
            Leaves::FileSystem { kind, target, attributes: _ } => {
                let target = placed(target);
                if !path.is_within(&target) {
                    return on_the_way(&target);
                }
                Some(match (*path == target, kind) {
                    (true, _) => At::Directory,
                    (false, "tmpfs" | "ramfs") => At::Nothing,
                    (false, _) => At::Unknown,
                })
            }
            Leaves::Hidden(target) => {
                let target = placed(target);
                if *path == target {
                    return Some(before().at(path));
                }
                path.is_within(&target).then_some(At::Nothing)
            }
            Leaves::File(made) if *path == placed(made) => Some(At::File),
            Leaves::Symlink { path: made, says } if *path == placed(made) => {
                Some(At::Link(says.to_owned()))
            }
            Leaves::Directory(made) | Leaves::File(made) | Leaves::Symlink { path: made, .. } => {
                on_the_way(&placed(made))
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
