//! What is at a path inside a sandbox, by what a plan does there: mounts and what is made in them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::action::Action;
use crate::host::Tree;
use crate::spec::GuestPath;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// A directory.
    Directory,
    /// A file of another kind.
    File,
    /// A symbolic link, and what it says.
    Link(String),
    /// Nothing.
    Nothing,
    /// It cannot be told without being there.
    Unknown,
}

/// Where a path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The place, without links on the way to it.
    pub place: GuestPath,
    /// What is there.
    pub at: At,
    /// The last link on the way, and what it says.
    pub link: Option<(GuestPath, String)>,
}

/// What holds the file at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// This file of the host.
    Host(PathBuf),
    /// The action with this number has made it.
    Made(usize),
    /// The root.
    Root,
    /// A file system of the sandbox's own.
    Own,
}

/// path_resolution(7): more links than this and the kernel gives up.
const MOST_LINKS: usize = 40;

/// The inside of a sandbox after some actions.
#[derive(Clone)]
pub struct Lookup<'a> {
    /// The host, from which files are bound.
    pub host: &'a Tree,
    /// What is done in the root, in order.
    pub actions: Vec<&'a Action>,
    /// What is at a place in the root itself.
    pub root: &'a dyn Fn(&GuestPath) -> At,
}

impl std::fmt::Debug for Lookup<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Lookup").field("actions", &self.actions).finish_non_exhaustive()
    }
}

impl Lookup<'_> {
    /// Where `path` leads, links followed.
    #[must_use]
    pub fn follow(&self, path: &GuestPath) -> Place {
        let mut ahead: Vec<String> = names(path.as_str());
        let (mut place, mut link, mut links) = (GuestPath::root(), None, 0);
        while let Some(name) = ahead.pop() {
            if name == ".." {
                place = place.parent().unwrap_or_else(GuestPath::root);
                continue;
            }
            // Of a path that the kernel would not take either, nothing is known.
            let Ok(next) = place.join(&name) else {
                return Place { place, at: At::Unknown, link };
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
                At::File if ahead.is_empty() => return Place { place: next, at: At::File, link },
                At::Unknown => return Place { place: next, at: At::Unknown, link },
                At::Link(_) | At::File | At::Nothing => {
                    return Place { place: next, at: At::Nothing, link };
                }
            }
        }
        Place { place, at: At::Directory, link }
    }

    /// The number of the action that hides what was at `path` before it.
    #[must_use]
    pub fn hidden_by(&self, path: &GuestPath) -> Option<usize> {
        let covers = |action: &Action| {
            matches!(
                action,
                Action::Bind { target, .. } | Action::Mount { target, .. } | Action::Mask(target)
                    if path.is_within(target)
            )
        };
        (0..self.actions.len()).rev().filter(|index| covers(self.actions[*index])).find(|index| {
            let before = Self { actions: self.actions[..*index].to_vec(), ..self.clone() };
            matches!(before.follow(path).at, At::File | At::Directory)
        })
    }

    /// What holds what is at a place that no link is on the way to.
    #[must_use]
    pub fn holder(&self, path: &GuestPath) -> Holder {
        let holds = |(index, action): (usize, &&Action)| match action {
            Action::Bind { source, target, .. } => {
                let below = path.below(target)?;
                let is_it = below.as_os_str().is_empty();
                Some(Holder::Host(if is_it { source.clone() } else { source.join(below) }))
            }
            Action::Mount { target, .. } | Action::Mask(target) => {
                path.is_within(target).then_some(Holder::Own)
            }
            Action::MakeDirectory(made, _)
            | Action::MakeFile(made, ..)
            | Action::MakeSymlink { path: made, .. } => {
                (made == path).then_some(Holder::Made(index))
            }
            _ => None,
        };
        self.actions.iter().enumerate().rev().find_map(holds).unwrap_or(Holder::Root)
    }

    /// What is at a place that no link is on the way to.
    fn at(&self, path: &GuestPath) -> At {
        for (index, action) in self.actions.iter().enumerate().rev() {
            let found = match action {
                Action::Bind { source, directory, target, .. } if path.is_within(target) => {
                    let below = path.below(target).unwrap_or(Path::new(""));
                    match (below.as_os_str().is_empty(), directory) {
                        (true, true) => At::Directory,
                        (true, false) => At::File,
                        (false, _) => at_host(self.host, &source.join(below)),
                    }
                }
                Action::Mount { kind, target, .. } if path.is_within(target) => {
                    match (path == target, kind.as_str()) {
                        (true, _) => At::Directory,
                        (false, "tmpfs" | "ramfs") => At::Nothing,
                        (false, _) => At::Unknown,
                    }
                }
                Action::Mask(target) if path == target => {
                    let before = Self { actions: self.actions[..index].to_vec(), ..self.clone() };
                    before.at(path)
                }
                Action::Mask(target) if path.is_within(target) => At::Nothing,
                Action::MakeDirectory(made, _) if path == made => At::Directory,
                Action::MakeFile(made, ..) if path == made => At::File,
                Action::MakeSymlink { path: made, target } if path == made => {
                    At::Link(target.clone())
                }
                // What is made below is made with the directories on the way.
                Action::Bind { target: made, .. }
                | Action::Mount { target: made, .. }
                | Action::MakeDirectory(made, _)
                | Action::MakeFile(made, ..)
                | Action::MakeSymlink { path: made, .. }
                    if made.is_within(path) =>
                {
                    At::Directory
                }
                _ => continue,
            };
            return found;
        }
        (self.root)(path)
    }
}

/// What the host has at `path`.
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

/// The names in a path, the last one first.
fn names(path: &str) -> Vec<String> {
    let names = path.split('/').filter(|name| !matches!(*name, "" | "."));
    names.rev().map(str::to_owned).collect()
}

/// What is at `path` in a directory of the host that is shown as the root.
#[must_use]
pub fn at_root_of(host: &Tree, root: &Path, path: &GuestPath) -> At {
    let below: PathBuf = path.relative().into();
    at_host(host, &root.join(below))
}
