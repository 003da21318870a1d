//! A file tree looked at as if it were `/`.
//!
//! The host and the root of a guest are asked in the same way. Every symbolic link, an absolute
//! one too, leads to a place beneath the root of the tree, and `..` at the top stays there.
//!
//! A `Tree` looks; it does not guard. Whoever changes the tree meanwhile can make an answer
//! stale, so what is *done* with a path is done by descriptor, beneath the root, elsewhere.

#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::unseen::{Noted, Unseen};

/// How many symbolic links one path may cross, as in the kernel; see `path_resolution(7)`.
const MOST_LINKS: usize = 40;

/// What the kernel answers when a path crosses too many links. The number is the same on x86-64
/// and aarch64, and `std` has no stable name for it.
pub(super) const ELOOP: i32 = 40;

/// A file tree looked at as if it were `/`: the host, or a directory.
///
/// Paths given to it are paths inside the tree. A relative one begins at its root: a tree has no
/// working directory.
///
/// Many who ask only want to know whether something is there, and take every error for a no. An
/// error that says nothing about that (no descriptor is left, the disk is broken) is remembered:
/// see [`Tree::take_unseen`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// The directories that lie on each other as its root, the topmost first.
    roots: Vec<PathBuf>,
    noted: Noted,
}

/// Where a path leads, and by which links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The place, absolute and without links, as seen inside the tree.
    pub path: PathBuf,
    /// Every symbolic link crossed, in the order in which it was.
    pub links: Vec<Link>,
}

/// A symbolic link crossed on the way to somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The place of the link itself, absolute and without links, as seen inside the tree.
    pub path: PathBuf,
    /// Exactly what `readlink(2)` says it holds.
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

    /// The tree that directories make which lie on each other, the topmost first, as the layers of
    /// an overlay do. Directories that hide all below them (`opaque`) are not told apart.
    #[must_use]
    pub fn layered(roots: Vec<PathBuf>) -> Self {
        Self { roots, noted: Noted::default() }
    }

    /// The first look-up that has failed since this was asked last: whatever was found until then is
    /// only what could be seen.
    pub fn take_unseen(&self) -> Option<Unseen> {
        self.noted.held().take()
    }

    /// The same, and it stays to be asked for.
    pub(super) fn unseen(&self) -> Option<Unseen> {
        self.noted.held().clone()
    }

    /// Notes that a file that has to be seen may not be.
    pub(super) fn forbidden(&self, path: &Path) {
        const EACCES: i32 = 13;
        self.noted.held().get_or_insert(Unseen { path: path.to_path_buf(), errno: EACCES });
    }

    /// Notes what an error says of the file itself, which was opened in this tree.
    pub(super) fn note(&self, path: &Path, error: io::Error) -> io::Error {
        let noted = self.noted.note(path, Err::<(), _>(error));
        noted.err().unwrap_or_else(|| io::ErrorKind::Other.into())
    }

    /// Whether this is the tree of the machine itself.
    #[must_use]
    pub fn is_host(&self) -> bool {
        matches!(self.roots.as_slice(), [root] if root == Path::new("/"))
    }

    /// Where a place of the tree lies on the machine.
    ///
    /// Meant for a path that [`Tree::resolve`] gave: links are not followed here. A `..` takes
    /// away the name before it and never leaves the tree.
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

    /// What `stat(2)` says of `path`.
    ///
    /// # Errors
    /// Those of [`Tree::resolve`].
    pub fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.noted.note(path, fs::metadata(self.followed(path)?))
    }

    /// What `lstat(2)` says of `path`: of a link itself where it is one.
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

    /// The name beside a path that was likely meant, where nothing is at the path itself.
    #[must_use]
    pub fn near(&self, path: &Path) -> Option<String> {
        let names = self.names(path.parent()?).ok()?;
        let names: Vec<_> = names.iter().filter_map(|name| name.to_str()).collect();
        crate::diag::closest(path.file_name()?.to_str()?, names).map(str::to_owned)
    }

    /// Whether `path` leads to something. What may not be looked at does not exist here; of what could
    /// not be looked at, see [`Tree::take_unseen`].
    #[must_use]
    pub fn exists(&self, path: &Path) -> bool {
        self.metadata(path).is_ok()
    }

    /// A path of the machine by which the kernel reaches what `path` leads to in the tree.
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

/// Where a path of layers lies: in the topmost that has it, unless one above hides it.
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

/// Whether `path` is written so that only a directory fits: `a/` or `a/.`.
fn names_a_directory(path: &Path) -> bool {
    let written = path.as_os_str().as_bytes();
    written.ends_with(b"/") || written.ends_with(b"/.")
}

/// Puts the names of `path` before those still to be walked; the next one is the last.
fn put_ahead(ahead: &mut Vec<OsString>, path: &Path) {
    ahead.extend(path.components().rev().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_os_string()),
        Component::ParentDir => Some(OsStr::new("..").to_os_string()),
        _ => None,
    }));
}
