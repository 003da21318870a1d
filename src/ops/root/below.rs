//! Path look-up across stacked layers.

use std::collections::VecDeque;
use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use super::tree::{Assembled, Entry, Kept, Layer};
use crate::diag::quoted;
use crate::host::Host;

/// The layers of a root, or those below a further one, the lowest first.
#[derive(Clone, Copy, Debug)]
pub struct Below<'a> {
    /// The machine with the layers.
    pub host: &'a Host,
    /// The layers.
    pub layers: &'a [Layer],
}

/// The kind of file at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A directory.
    Directory {
        /// Its permission bits.
        mode: u32,
    },
    /// A symbolic link, with its target.
    Symlink(PathBuf),
    /// Another kind of file.
    Other,
}

/// One step on a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// A directory.
    Directory,
    /// A link with this target.
    Link(PathBuf),
    /// Nothing.
    Nothing,
    /// Another kind of file, which ends the path.
    Blocked,
}

/// The content of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// That of this file of the machine.
    OnHost(PathBuf),
    /// These bytes.
    InMemory(Rc<[u8]>),
}

/// A file in the layers of a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Its content.
    pub content: Content,
    /// Its permission bits; those of the file of the machine if not set.
    pub mode: Option<u32>,
}

/// A path that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolveError {
    /// Where it ends: this does not exist, is not a directory, or has too many links before it.
    pub place: PathBuf,
}

impl fmt::Display for ResolveError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} is not a directory", quoted(self.place.to_string_lossy()))
    }
}

impl Error for ResolveError {}

/// The maximum number of links, as in the kernel: path_resolution(7).
pub const MOST_LINKS: usize = 40;

/// Resolves `path` in a tree to an absolute place, without links before its last name. `at` returns
/// the kind of file at such a place. `..` does not lead above the root.
///
/// # Errors
/// A directory in the path is missing, or not a directory.
pub fn follow(path: &Path, at: &mut dyn FnMut(&Path) -> Way) -> Result<PathBuf, ResolveError> {
    let mut rest = components(path);
    let mut place = PathBuf::from("/");
    let mut links = 0;
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            place.pop();
            continue;
        }
        place.push(name);
        if rest.is_empty() {
            break;
        }
        match at(&place) {
            Way::Directory => {}
            Way::Link(target) if links < MOST_LINKS => {
                links += 1;
                place.pop();
                if target.is_absolute() {
                    place = PathBuf::from("/");
                }
                let mut through = components(&target);
                through.append(&mut rest);
                rest = through;
            }
            Way::Nothing | Way::Link(_) | Way::Blocked => return Err(ResolveError { place }),
        }
    }
    Ok(place)
}

/// The names in a path, without the root and `.`.
#[must_use]
pub fn components(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        })
        .collect()
}

/// The state of a path in one layer.
enum Says {
    /// Nothing: the layers below decide.
    Nothing,
    /// It is removed.
    Gone,
    /// It exists; an opaque directory hides the layers below.
    Holds { found: Found, opaque: bool },
}

impl Below<'_> {
    /// The kind of file at `path`, which contains no links, and the topmost layer that has it.
    #[must_use]
    pub fn find(&self, path: &Path) -> Option<(Found, &Layer)> {
        // The layers that have all directories of the path, the topmost first.
        let mut active: Vec<&Layer> = self.layers.iter().rev().collect();
        let mut place = PathBuf::from("/");
        let mut found = None;
        let mut names = path.components().skip(1).peekable();
        while let Some(name) = names.next() {
            place.push(name);
            let mut next = Vec::new();
            found = None;
            for layer in active {
                match self.says(layer, &place) {
                    Says::Nothing => {}
                    Says::Gone => break,
                    Says::Holds { found: holds, opaque } => {
                        let is_directory = matches!(holds, Found::Directory { .. });
                        // A directory in a lower layer is visible if all layers above it have a
                        // directory there.
                        if is_directory || next.is_empty() {
                            next.push(layer);
                            found.get_or_insert((holds, layer));
                        }
                        if opaque || !is_directory {
                            break;
                        }
                    }
                }
            }
            let (holds, _) = found.as_ref()?;
            if names.peek().is_some() && !matches!(holds, Found::Directory { .. }) {
                return None;
            }
            active = next;
        }
        found
    }

    fn says(&self, layer: &Layer, path: &Path) -> Says {
        match layer {
            Layer::Assembled(assembled) => in_assembled(assembled, path),
            Layer::Kept(kept) => self.in_kept(kept, path),
        }
    }

    fn in_kept(&self, kept: &Kept, path: &Path) -> Says {
        if kept.removed.contains(path) {
            return Says::Gone;
        }
        if kept.is_unknown() {
            return Says::Nothing;
        }
        let place = kept.tree().join(path.strip_prefix("/").unwrap_or(path));
        let Ok(metadata) = self.host.tree.symlink_metadata(&place) else { return Says::Nothing };
        let found = if metadata.is_dir() {
            Found::Directory { mode: metadata.mode() & 0o7777 }
        } else if metadata.is_symlink() {
            let says = std::fs::read_link(self.host.tree.real(&place));
            Found::Symlink(says.unwrap_or_default())
        } else {
            Found::Other
        };
        Says::Holds { found, opaque: kept.opaque.contains(path) }
    }

    /// Whether the directory `path` is empty.
    #[must_use]
    pub fn is_empty(&self, path: &Path) -> bool {
        let seen = |layer: &Layer| match layer {
            Layer::Assembled(assembled) => {
                let below = assembled.entries.range(path.to_path_buf()..).skip(1);
                below.take_while(|(other, _)| other.starts_with(path)).count() > 0
            }
            Layer::Kept(kept) => {
                let place = kept.tree().join(path.strip_prefix("/").unwrap_or(path));
                let names = self.host.tree.names(&place).unwrap_or_default();
                names.iter().any(|name| self.find(&path.join(name)).is_some())
            }
        };
        !self.layers.iter().any(seen)
    }

    /// The content of the file at `path`, with links followed.
    #[must_use]
    pub fn content(&self, path: &Path) -> Option<Rc<[u8]>> {
        let mut way = |place: &Path| match self.find(place) {
            Some((Found::Directory { .. }, _)) => Way::Directory,
            Some((Found::Symlink(target), _)) => Way::Link(target),
            Some((Found::Other, _)) => Way::Blocked,
            None => Way::Nothing,
        };
        let mut path = path.to_path_buf();
        for _ in 0..MOST_LINKS {
            let place = follow(&path, &mut way).ok()?;
            match way(&place) {
                Way::Link(target) => path = place.parent()?.join(target),
                _ => return self.read(&place),
            }
        }
        None
    }

    fn read(&self, place: &Path) -> Option<Rc<[u8]>> {
        match self.stored(place)?.content {
            Content::OnHost(path) => self.host.tree.read(&path).ok().map(Rc::from),
            Content::InMemory(content) => Some(content),
        }
    }

    /// The file at `place`, which contains no links; `None` if it is another kind of file.
    #[must_use]
    pub fn stored(&self, place: &Path) -> Option<StoredFile> {
        match self.find(place)? {
            (Found::Other, Layer::Kept(kept)) => {
                let path = kept.tree().join(place.strip_prefix("/").ok()?);
                Some(StoredFile { content: Content::OnHost(path), mode: None })
            }
            (Found::Other, Layer::Assembled(assembled)) => in_memory(assembled, place),
            _ => None,
        }
    }

    /// The names in the directory `path`, which contains no links.
    #[must_use]
    pub fn names(&self, path: &Path) -> Vec<OsString> {
        let name = |path: &Path| path.file_name().map(ToOwned::to_owned);
        let mut names: Vec<OsString> = Vec::new();
        for layer in self.layers {
            match layer {
                Layer::Assembled(assembled) => {
                    let below = assembled.entries.range(path.to_path_buf()..);
                    let below = below.take_while(|(other, _)| other.starts_with(path));
                    let directly = below.filter(|(other, _)| other.parent() == Some(path));
                    names.extend(directly.filter_map(|(other, _)| name(other)));
                }
                Layer::Kept(kept) if kept.is_unknown() => {}
                Layer::Kept(kept) => {
                    let place = kept.tree().join(path.strip_prefix("/").unwrap_or(path));
                    names.extend(self.host.tree.names(&place).unwrap_or_default());
                }
            }
        }
        names.sort();
        names.dedup();
        names.retain(|name| self.find(&path.join(name)).is_some());
        names
    }
}

/// A file of an assembled layer.
fn in_memory(assembled: &Assembled, place: &Path) -> Option<StoredFile> {
    match &assembled.entries.get(place)?.entry {
        Entry::File { content, mode } => {
            Some(StoredFile { content: Content::InMemory(content.clone()), mode: Some(*mode) })
        }
        Entry::Copy { source, mode, .. } => {
            Some(StoredFile { content: Content::OnHost(source.clone()), mode: Some(*mode) })
        }
        Entry::HardLink { first } => in_memory(assembled, first),
        Entry::Directory { .. }
        | Entry::Inherited { .. }
        | Entry::Symlink { .. }
        | Entry::Device => None,
    }
}

fn in_assembled(assembled: &Assembled, path: &Path) -> Says {
    let Some(made) = assembled.entries.get(path) else { return Says::Nothing };
    let found = match &made.entry {
        Entry::Directory { mode } | Entry::Inherited { mode } => Found::Directory { mode: *mode },
        Entry::Symlink { target } => Found::Symlink(target.clone()),
        _ => Found::Other,
    };
    Says::Holds { found, opaque: false }
}
