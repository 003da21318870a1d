//! File trees as programs and their libraries are looked up in them.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::programs::candidates;
use super::tree::Tree;
use super::unseen::Unseen;

/// A file tree, seen as if it were `/`: a directory, or the inside of a sandbox that does not exist
/// yet. Paths are paths inside the tree, and links lead to places beneath its root.
///
/// Errors are those of path_resolution(7), and of the system call that has the method's name.
pub trait FileView {
    /// The place of the file `path`, which must exist, without links.
    ///
    /// # Errors
    /// Nothing is there.
    fn place(&self, path: &Path) -> io::Result<PathBuf>;

    /// The same for a name in a directory that is known to have no links before it.
    ///
    /// # Errors
    /// Nothing is there.
    fn place_in(&self, directory: PathBuf, name: &Path) -> io::Result<PathBuf> {
        self.place(&directory.join(name))
    }

    /// The result of stat(2) on the file `path`.
    ///
    /// # Errors
    /// Those of stat(2).
    fn metadata(&self, path: &Path) -> io::Result<Metadata>;

    /// Opens the file `path` for reading.
    ///
    /// # Errors
    /// Those of open(2).
    fn open(&self, path: &Path) -> io::Result<File>;

    /// The content of the file `path`.
    ///
    /// # Errors
    /// Those of open(2) and read(2).
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The names in the directory `path`, sorted.
    ///
    /// # Errors
    /// Those of readdir(3).
    fn names(&self, path: &Path) -> io::Result<Vec<OsString>>;

    /// Records an error of a file that was opened in this tree.
    fn note(&self, path: &Path, error: io::Error) -> io::Error;

    /// The first look-up that has failed, so that it is unknown what is there.
    fn unseen(&self) -> Option<Unseen>;

    /// Whether `path` leads to something.
    fn exists(&self, path: &Path) -> bool {
        self.metadata(path).is_ok()
    }

    /// The program `name`, as execvp(3) would find it: see [`Tree::which`].
    fn which(&self, name: &str, path_variable: Option<&str>) -> Option<PathBuf> {
        let runs = |path: &PathBuf| {
            self.metadata(path)
                .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        };
        candidates(name, path_variable).into_iter().find(runs)
    }
}

impl FileView for Tree {
    fn place(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(self.resolve(path)?.path)
    }

    fn place_in(&self, directory: PathBuf, name: &Path) -> io::Result<PathBuf> {
        Ok(self.walk(directory, name)?.path)
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        Self::metadata(self, path)
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        Self::open(self, path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        Self::read(self, path)
    }

    fn names(&self, path: &Path) -> io::Result<Vec<OsString>> {
        Self::names(self, path)
    }

    fn note(&self, path: &Path, error: io::Error) -> io::Error {
        Self::note(self, path, error)
    }

    fn unseen(&self) -> Option<Unseen> {
        Self::unseen(self)
    }
}
