//! A file tree looked at as if it were `/`.
//!
//! The host and the root of a guest are asked in the same way. Every symbolic link, an absolute
//! one too, leads to a place beneath the root of the tree, and `..` at the top stays there.
//!
//! A `Tree` looks; it does not guard. Whoever changes the tree meanwhile can make an answer
//! stale, so what is *done* with a path is done by descriptor, beneath the root, elsewhere.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// How many symbolic links one path may cross, as in the kernel; see `path_resolution(7)`.
const MOST_LINKS: usize = 40;

/// What the kernel answers when a path crosses too many links. The number is the same on x86-64
/// and aarch64, and `std` has no stable name for it.
pub(super) const ELOOP: i32 = 40;

/// Where programs are looked for where there is no `PATH`, on the host and inside.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A file tree looked at as if it were `/`: the host, or a directory.
///
/// Paths given to it are paths inside the tree. A relative one begins at its root: a tree has no
/// working directory.
///
/// Many who ask only want to know whether something is there, and take every error for a no. An
/// error that says nothing about that (no descriptor is left, the disk is broken) is remembered:
/// see [`Tree::failure`].
#[derive(Debug, Clone)]
pub struct Tree {
    /// The directories that lie on each other as its root, the topmost first.
    roots: Vec<PathBuf>,
    failure: Arc<Mutex<Option<Failure>>>,
}

impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        self.roots == other.roots
    }
}

impl Eq for Tree {}

/// A look-up that failed, so that what is at its path is not known.
#[derive(Debug)]
pub struct Failure {
    /// What was looked for.
    pub path: PathBuf,
    /// The kernel's answer.
    pub error: io::Error,
}

/// Whether an error is an answer about what is at a path, and not a failure to look.
fn is_answer(error: &io::Error) -> bool {
    use io::ErrorKind::{
        InvalidFilename, InvalidInput, IsADirectory, NotADirectory, NotFound, PermissionDenied,
    };
    // A device that is not connected answers ENXIO or ENODEV.
    const NO_DEVICE: [i32; 2] = [6, 19];
    matches!(
        error.kind(),
        InvalidFilename | InvalidInput | IsADirectory | NotADirectory | NotFound | PermissionDenied
    ) || error.raw_os_error().is_some_and(|code| code == ELOOP || NO_DEVICE.contains(&code))
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
        Self { roots, failure: Arc::default() }
    }

    /// The first look-up since this was asked last that failed, so that it is not known what is
    /// there. Clones of a tree share it.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Remembers a look-up that failed.
    fn noted<T>(&self, path: &Path, found: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &found
            && !is_answer(error)
        {
            let again = error.raw_os_error().map(io::Error::from_raw_os_error);
            let error = again.unwrap_or_else(|| error.kind().into());
            let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            failure.get_or_insert_with(|| Failure { path: path.to_path_buf(), error });
        }
        found
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
            self.noted(path, self.must_be_directory(&resolved.path))?;
        }
        Ok(resolved)
    }

    /// Follows `path` from a place already known to be a directory without links before it.
    pub(super) fn walk(&self, place: PathBuf, path: &Path) -> io::Result<Resolved> {
        self.noted(path, self.step_by_step(place, path))
    }

    fn step_by_step(&self, mut place: PathBuf, path: &Path) -> io::Result<Resolved> {
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
                Err(error) => return Err(error),
            }
        }
        Ok(Resolved { path: place, links })
    }

    /// What `stat(2)` says of `path`.
    ///
    /// # Errors
    /// Those of [`Tree::resolve`].
    pub fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.noted(path, fs::metadata(self.followed(path)?))
    }

    /// What `lstat(2)` says of `path`: of a link itself where it is one.
    ///
    /// # Errors
    /// Those of [`Tree::resolve`].
    pub fn symlink_metadata(&self, path: &Path) -> io::Result<Metadata> {
        if self.is_host() {
            return self.noted(path, fs::symlink_metadata(from_root(path)));
        }
        let (Some(name), false) = (path.file_name(), names_a_directory(path)) else {
            return self.metadata(path);
        };
        let parent = self.resolve(&from_root(path.parent().unwrap_or(Path::new("/"))))?;
        self.noted(path, self.must_be_directory(&parent.path))?;
        self.noted(path, fs::symlink_metadata(self.real(&parent.path.join(name))))
    }

    /// Opens the file `path` for reading.
    ///
    /// # Errors
    /// Those of [`Tree::resolve`] and of `open(2)`.
    pub fn open(&self, path: &Path) -> io::Result<File> {
        self.noted(path, File::open(self.followed(path)?))
    }

    /// The whole content of the file `path`.
    ///
    /// # Errors
    /// Those of [`Tree::open`] and of `read(2)`.
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.noted(path, fs::read(self.followed(path)?))
    }

    /// The names in the directory `path`, sorted.
    ///
    /// # Errors
    /// Those of [`Tree::resolve`] and of `readdir(3)`.
    pub fn names(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let entries = self.noted(path, fs::read_dir(self.followed(path)?))?;
        let names = entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>();
        let mut names = self.noted(path, names)?;
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

    /// Whether `path` leads to something. What may not be looked at does not exist here.
    #[must_use]
    pub fn exists(&self, path: &Path) -> bool {
        self.metadata(path).is_ok()
    }

    /// The program that `name` means, as `execvp(3)` would find it.
    ///
    /// A name with a `/` is a path, taken from the root of the tree. Another is searched in the
    /// directories of `path_variable`, or in the usual ones where that is `None`; a directory
    /// that is not absolute is passed over. What is found is a regular file with an `x` bit.
    #[must_use]
    pub fn which(&self, name: &str, path_variable: Option<&str>) -> Option<PathBuf> {
        let runs = |path: &Path| {
            self.metadata(path)
                .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        };
        if name.is_empty() {
            return None;
        }
        if name.contains('/') {
            let path = PathBuf::from(name);
            return runs(&path).then_some(path);
        }
        path_variable
            .unwrap_or(DEFAULT_PATH)
            .split(':')
            .filter(|directory| directory.starts_with('/'))
            .map(|directory| Path::new(directory).join(name))
            .find(|path| runs(path))
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
        if fs::symlink_metadata(self.real(place))?.is_dir() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fixture::Fixture;

    fn resolved(tree: &Tree, path: &str) -> io::Result<(String, Vec<(String, String)>)> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let found = tree.resolve(Path::new(path))?;
        let links = found.links.iter().map(|link| (text(&link.path), text(&link.target)));
        Ok((text(&found.path), links.collect()))
    }

    #[test]
    fn links_lead_to_places_beneath_the_root_and_are_reported() {
        let made = Fixture::new("tree-links");
        made.file("usr/lib/libc-2.36.so", b"x");
        made.link("usr/lib", "lib");
        made.link("libc-2.36.so", "usr/lib/libc.so.6");
        made.link("/lib", "abs");
        made.link("../../../../usr", "up");
        let tree = made.tree();
        let link = |path: &str, target: &str| (path.to_owned(), target.to_owned());
        assert_eq!(
            resolved(&tree, "/abs/libc.so.6").unwrap(),
            (
                "/usr/lib/libc-2.36.so".to_owned(),
                vec![
                    link("/abs", "/lib"),
                    link("/lib", "usr/lib"),
                    link("/usr/lib/libc.so.6", "libc-2.36.so")
                ]
            )
        );
        assert_eq!(resolved(&tree, "up/../../usr").unwrap().0, "/usr");
        assert_eq!(resolved(&tree, "/").unwrap().0, "/");
        assert_eq!(tree.read(Path::new("/abs/libc.so.6")).unwrap(), b"x");
        assert!(tree.symlink_metadata(Path::new("/lib")).unwrap().is_symlink());
        assert!(tree.symlink_metadata(Path::new("/lib/")).unwrap().is_dir());
        assert!(!tree.exists(Path::new("/etc/passwd")));
        assert_eq!(tree.real(Path::new("/../../usr/../lib")), made.path("lib"));
    }

    #[test]
    fn errors_are_those_of_the_kernel() {
        let made = Fixture::new("tree-errors");
        made.file("file", b"");
        made.link("b", "a");
        made.link("a", "b");
        let tree = made.tree();
        let error = |path: &str| resolved(&tree, path).unwrap_err();
        assert_eq!(error("/a").raw_os_error(), Some(ELOOP));
        assert_eq!(error("/none").kind(), io::ErrorKind::NotFound);
        assert_eq!(error("").kind(), io::ErrorKind::NotFound);
        for path in ["/file/x", "/file/..", "/file/", "/file/."] {
            assert_eq!(error(path).kind(), io::ErrorKind::NotADirectory, "{path}");
        }
    }

    #[test]
    fn the_host_is_resolved_as_the_kernel_does() {
        for path in ["/bin/sh", "/proc/self/exe", "/usr/bin/../lib", "/lib64"] {
            let ours = Tree::host().resolve(Path::new(path)).unwrap().path;
            assert_eq!(ours, fs::canonicalize(path).unwrap(), "{path}");
        }
    }

    #[test]
    fn of_layers_the_topmost_counts() {
        let (above, below) = (Fixture::new("tree-above"), Fixture::new("tree-below"));
        above.file("etc/motd", b"above");
        above.file("file", b"");
        below.file("etc/motd", b"below");
        below.file("etc/issue", b"below");
        below.link("etc/issue", "link");
        below.file("file/hidden", b"");
        let tree = Tree::layered(vec![above.path(""), below.path("")]);
        assert_eq!(tree.read(Path::new("/etc/motd")).unwrap(), b"above");
        assert_eq!(tree.read(Path::new("/link")).unwrap(), b"below");
        assert_eq!(tree.names(Path::new("/etc")).unwrap(), ["issue", "motd"]);
        assert!(!tree.exists(Path::new("/file/hidden")) && !tree.exists(Path::new("/none")));
    }

    #[test]
    fn programs_are_found_as_execvp_finds_them() {
        let made = Fixture::new("tree-which");
        made.file("opt/tool", b"not executable");
        made.program("usr/bin/tool", b"");
        made.program("tool", b"");
        let tree = made.tree();
        let found = |name, variable| tree.which(name, variable);
        assert_eq!(found("tool", None), Some("/usr/bin/tool".into()));
        assert_eq!(found("tool", Some("::.:/opt:/usr/bin")), Some("/usr/bin/tool".into()));
        assert_eq!(found("tool", Some("/opt")), None);
        assert_eq!(found("/tool", Some("/opt")), Some("/tool".into()));
        assert_eq!(found("/opt/tool", None), None);
        assert_eq!(found("", None), None);
    }
}
