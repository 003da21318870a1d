//! A file tree, seen as if it were `/`.
//!
//! The host and the root of a guest are queried in the same way. Every symbolic link, an absolute
//! one too, leads to a place beneath the root of the tree, and `..` at the top stays there.
//!
//! A `Tree` reads; it does not protect. A process that changes the tree meanwhile can make an
//! answer stale, so every *action* on a path uses a descriptor, beneath the root, elsewhere.

#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::unseen::{Noted, Unseen};

/// The maximum number of symbolic links in one path, as in the kernel; see `path_resolution(7)`.
const MOST_LINKS: usize = 40;

/// The error if a path crosses too many links. The number is the same on x86-64 and aarch64, and
/// `std` has no stable name for it.
pub(super) const ELOOP: i32 = 40;

/// A file tree, seen as if it were `/`: the host, or a directory.
///
/// Paths given to it are paths inside the tree. A relative one begins at its root: a tree has no
/// working directory.
///
/// Many callers only ask whether something exists, and treat every error as "no". An error that
/// does not answer the question (no free descriptor, a broken disk) is recorded: see
/// [`Tree::take_unseen`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// The stacked directories of its root, the topmost first.
    roots: Vec<PathBuf>,
    noted: Noted,
}

/// The place that a path leads to, and the links on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The place, absolute and without links, as seen inside the tree.
    pub path: PathBuf,
    /// Every symbolic link crossed, in order.
    pub links: Vec<Link>,
}

/// A symbolic link crossed on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The place of the link itself, absolute and without links, as seen inside the tree.
    pub path: PathBuf,
    /// Its target, exactly as `readlink(2)` returns it.
    pub target: PathBuf,
}

impl Tree {
    /// The tree of the machine itself.
    #[must_use]
    pub fn host() -> Self {
        Self::at("/")
    }

    /// The tree whose `/` is the directory `root`.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self::layered(vec![root.into()])
    }

    /// The tree of stacked directories, the topmost first, like the layers of an overlay.
    /// Directories that hide everything below them (`opaque`) get no special treatment.
    #[must_use]
    pub fn layered(roots: Vec<PathBuf>) -> Self {
        Self { roots, noted: Noted::default() }
    }

    /// Takes the first look-up that has failed since the last call. Results until then cover only
    /// what could be read.
    pub fn take_unseen(&self) -> Option<Unseen> {
        self.noted.held().take()
    }

    /// The same, without taking it.
    pub(super) fn unseen(&self) -> Option<Unseen> {
        self.noted.held().clone()
    }

    /// Records that a required file may not be accessed.
    pub(super) fn forbidden(&self, path: &Path) {
        const EACCES: i32 = 13;
        self.noted.held().get_or_insert(Unseen { path: path.to_path_buf(), errno: EACCES });
    }

    /// Records an error of the file itself, which was opened in this tree.
    pub(super) fn note(&self, path: &Path, error: io::Error) -> io::Error {
        let noted = self.noted.note(path, Err::<(), _>(error));
        noted.err().unwrap_or_else(|| io::ErrorKind::Other.into())
    }

    /// Whether this is the tree of the machine itself.
    #[must_use]
    pub fn is_host(&self) -> bool {
        matches!(self.roots.as_slice(), [root] if root == Path::new("/"))
    }

    /// The path on the machine of a place in the tree.
    ///
    /// For paths returned by [`Tree::resolve`]: links are not followed here. A `..` removes the
    /// name before it and never leaves the tree.
    #[must_use]
    pub fn real(&self, inside: &Path) -> PathBuf {
        let mut below = PathBuf::new();
        for component in inside.components() {
            match component {
                Component::Normal(name) => below.push(name),
                Component::ParentDir => {
                    below.pop();
                }
                _ => {}
            }
        }
        match self.roots.as_slice() {
            [root] => root.join(below),
            roots => in_layers(roots, &below),
        }
    }

    /// Follows `path` to the place it names, which must exist, and reports every link crossed.
    ///
    /// # Errors
    /// Those of `path_resolution(7)`: `ENOENT`, `ENOTDIR`, `EACCES`, and `ELOOP` after 40 links.
    pub fn resolve(&self, path: &Path) -> io::Result<Resolved> {
        if path.as_os_str().is_empty() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let resolved = self.walk(PathBuf::from("/"), path)?;
        if names_a_directory(path) {
            self.must_be_directory(&resolved.path)?;
        }
        Ok(resolved)
    }

    /// Follows `path` from a place already known to be a directory without links before it.
    pub(super) fn walk(&self, mut place: PathBuf, path: &Path) -> io::Result<Resolved> {
        let mut links = Vec::new();
        let mut ahead = Vec::new();
        put_ahead(&mut ahead, path);
        while let Some(name) = ahead.pop() {
            if name == ".." {
                self.must_be_directory(&place)?;
                place.pop();
                continue;
            }
            place.push(&name);
            match fs::read_link(self.real(&place)) {
                Ok(target) => {
                    if links.len() == MOST_LINKS {
                        return Err(io::Error::from_raw_os_error(ELOOP));
                    }
                    links.push(Link { path: place.clone(), target: target.clone() });
                    place.pop();
                    if target.is_absolute() {
                        place = PathBuf::from("/");
                    }
                    put_ahead(&mut ahead, &target);
                }
                // What is not a link is refused with EINVAL, and by that is known to exist.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
                Err(error) => return self.noted.note(&place, Err(error)),
            }
        }
        Ok(Resolved { path: place, links })
    }

    /// The result of `stat(2)` on `path`.
    ///
    /// # Errors
    /// Those of [`Tree::resolve`].
    pub fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.noted.note(path, fs::metadata(self.followed(path)?))
    }

    /// The result of `lstat(2)` on `path`: of the link itself, if it is one.
    ///
    /// # Errors
    /// Those of [`Tree::resolve`].
    pub fn symlink_metadata(&self, path: &Path) -> io::Result<Metadata> {
        if self.is_host() {
            return self.noted.note(path, fs::symlink_metadata(from_root(path)));
        }
        let (Some(name), false) = (path.file_name(), names_a_directory(path)) else {
            return self.metadata(path);
        };
        let parent = self.resolve(&from_root(path.parent().unwrap_or(Path::new("/"))))?;
        self.must_be_directory(&parent.path)?;
        self.noted.note(path, fs::symlink_metadata(self.real(&parent.path.join(name))))
    }

    /// Opens the file `path` for reading.
    ///
    /// # Errors
    /// Those of [`Tree::resolve`] and of `open(2)`.
    pub fn open(&self, path: &Path) -> io::Result<File> {
        self.noted.note(path, File::open(self.followed(path)?))
    }

    /// The whole content of the file `path`.
    ///
    /// # Errors
    /// Those of [`Tree::open`] and of `read(2)`.
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.noted.note(path, fs::read(self.followed(path)?))
    }

    /// The names in the directory `path`, sorted.
    ///
    /// # Errors
    /// Those of [`Tree::resolve`] and of `readdir(3)`.
    pub fn names(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let entries = self.noted.note(path, fs::read_dir(self.followed(path)?))?;
        let names = entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>();
        let mut names = self.noted.note(path, names)?;
        if self.roots.len() > 1 {
            let place = self.resolve(path)?.path;
            let below = place.strip_prefix("/").unwrap_or(&place);
            let others = self.roots.iter().filter_map(|root| fs::read_dir(root.join(below)).ok());
            names.extend(others.flatten().flatten().map(|entry| entry.file_name()));
            names.retain(|name| fs::symlink_metadata(self.real(&place.join(name))).is_ok());
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// The most likely intended name in the same directory, if nothing is at the path itself.
    #[must_use]
    pub fn near(&self, path: &Path) -> Option<String> {
        let names = self.names(path.parent()?).ok()?;
        let names: Vec<_> = names.iter().filter_map(|name| name.to_str()).collect();
        crate::diag::closest(path.file_name()?.to_str()?, names).map(str::to_owned)
    }

    /// Whether `path` leads to something. A file without permission counts as missing; for failed
    /// look-ups, see [`Tree::take_unseen`].
    #[must_use]
    pub fn exists(&self, path: &Path) -> bool {
        self.metadata(path).is_ok()
    }

    /// A path on the machine by which the kernel reaches the file at `path` in the tree.
    fn followed(&self, path: &Path) -> io::Result<PathBuf> {
        // The host's own tree is what the kernel resolves in anyway.
        if self.is_host() && !path.as_os_str().is_empty() {
            return Ok(from_root(path));
        }
        Ok(self.real(&self.resolve(path)?.path))
    }

    fn must_be_directory(&self, place: &Path) -> io::Result<()> {
        if self.noted.note(place, fs::symlink_metadata(self.real(place)))?.is_dir() {
            Ok(())
        } else {
            Err(io::ErrorKind::NotADirectory.into())
        }
    }
}

/// The layer that holds a path: the topmost one with it, unless one above hides it.
fn in_layers(roots: &[PathBuf], below: &Path) -> PathBuf {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    for root in roots {
        let real = root.join(below);
        match fs::symlink_metadata(&real) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // What takes away: nothing is at, or below, what is no directory.
            Ok(found) if found.file_type().is_char_device() && found.rdev() == 0 => {
                return real.join("gone");
            }
            _ => return real,
        }
    }
    roots.first().map_or_else(PathBuf::new, |root| root.join(below))
}

/// `path` with its beginning at `/`.
fn from_root(path: &Path) -> PathBuf {
    Path::new("/").join(path)
}

/// Whether the form of `path` requires a directory: `a/` or `a/.`.
fn names_a_directory(path: &Path) -> bool {
    let written = path.as_os_str().as_bytes();
    written.ends_with(b"/") || written.ends_with(b"/.")
}

/// Pushes the names of `path` onto the stack of names to walk; the next one is the last.
fn put_ahead(ahead: &mut Vec<OsString>, path: &Path) {
    ahead.extend(path.components().rev().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_os_string()),
        Component::ParentDir => Some(OsStr::new("..").to_os_string()),
        _ => None,
    }));
}
