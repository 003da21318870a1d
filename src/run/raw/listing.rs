//! What directories of the host hold, for a recipe that asks.

use std::fs::{self, DirEntry, File};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use crate::run::layers::hash::read_hashed;
use crate::sys::{self, Errno};

/// The most paths that a recipe gets at once; more fill its memory.
pub const MOST_PATHS: usize = 1_000_000;

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub enum Found<'a> {
    /// Everything below a directory.
    Below(&'a Path),
    /// What matches a pattern with `*`, `?`, `[…]` and `**`.
    Matching(&'a str),
}

fn because(error: &std::io::Error) -> Errno {
    Errno::from(error)
}

/// Checks that no signal ends nsscript, and that there is room for one more.
fn room(length: usize, most: usize) -> Result<(), Errno> {
    match sys::interrupted() {
        Some(_) => Err(Errno::INTERRUPTED),
        None if length >= most => Err(Errno::TOO_BIG),
        None => Ok(()),
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The names in a directory, sorted by their bytes.
///
/// # Errors
/// The directory cannot be read; `EFBIG` if it holds more than a recipe gets.
pub fn names(directory: &Path) -> Result<Vec<String>, Errno> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(|error| because(&error))? {
        room(names.len(), MOST_PATHS)?;
        names.push(entry.map_err(|error| because(&error))?.file_name());
    }
    names.sort_unstable_by(|one, other| one.as_bytes().cmp(other.as_bytes()));
    Ok(names.into_iter().map(|name| name.to_string_lossy().into_owned()).collect())
}

/// The paths below a directory or that match a pattern, sorted. Links are not followed. With
/// `skip`, a directory that may not be read counts as empty.
///
/// # Errors
/// What cannot be read; `EFBIG` if there are more than `most`, `EINVAL` for a wrong pattern.
pub fn found(wanted: Found<'_>, skip: bool, most: usize) -> Result<Vec<String>, (PathBuf, Errno)> {
    match wanted {
        Found::Below(directory) => below(directory, skip, most),
        Found::Matching(pattern) => matching(pattern, skip, most),
    }
}

fn below(directory: &Path, skip: bool, most: usize) -> Result<Vec<String>, (PathBuf, Errno)> {
    let mut found = Vec::new();
    let mut unread = vec![directory.to_path_buf()];
    while let Some(directory) = unread.pop() {
        let cannot = |errno| (directory.clone(), errno);
        let is_first = found.is_empty();
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            // It went while the others were read.
            Err(error) if error.kind() == ErrorKind::NotFound && !is_first => continue,
            Err(error) if error.kind() == ErrorKind::PermissionDenied && skip => continue,
            Err(error) => return Err(cannot(because(&error))),
        };
        for entry in entries {
            room(found.len(), most).map_err(cannot)?;
            let entry = entry.map_err(|error| cannot(because(&error)))?;
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                unread.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found.sort_unstable();
    Ok(found.iter().map(|path| text(path)).collect())
}

/// A part of a pattern, between slashes.
enum Part {
    /// A name.
    Name(String),
    /// Names that match it.
    Names(Pattern),
    /// Any number of directories.
    Directories,
}

impl Part {
    fn new(text: &str) -> Result<Self, Errno> {
        let pattern = Pattern::new(text).map_err(|_| Errno::INVALID)?;
        Ok(match text {
            "**" => Self::Directories,
            _ if text.contains(['*', '?', '[']) => Self::Names(pattern),
            _ => Self::Name(text.to_owned()),
        })
    }
}

fn matching(pattern: &str, skip: bool, most: usize) -> Result<Vec<String>, (PathBuf, Errno)> {
    let parts = pattern.split('/').filter(|part| !part.is_empty()).map(Part::new);
    let parts: Result<Vec<_>, _> = parts.collect();
    let parts = parts.map_err(|errno| (PathBuf::from(pattern), errno))?;
    let base = if pattern.starts_with('/') { PathBuf::from("/") } else { PathBuf::new() };
    let mut search = Search { skip, most, found: Vec::new() };
    search.expand(&base, &parts)?;
    search.found.sort_unstable();
    // Several `**` can lead to the same path.
    search.found.dedup();
    Ok(search.found.iter().map(|path| text(path)).collect())
}

/// A search for a pattern.
struct Search {
    skip: bool,
    most: usize,
    found: Vec<PathBuf>,
}

impl Search {
    /// Adds what matches these parts below `base`.
    fn expand(&mut self, base: &Path, parts: &[Part]) -> Result<(), (PathBuf, Errno)> {
        let Some((first, rest)) = parts.split_first() else {
            room(self.found.len(), self.most).map_err(|errno| (base.to_path_buf(), errno))?;
            if !base.as_os_str().is_empty() {
                self.found.push(base.to_path_buf());
            }
            return Ok(());
        };
        match first {
            Part::Name(name) => {
                let path = base.join(name);
                if path.symlink_metadata().is_ok() { self.expand(&path, rest) } else { Ok(()) }
            }
            Part::Names(pattern) => {
                // As in a shell: what begins with a dot is named with it.
                let options = MatchOptions { require_literal_leading_dot: true, ..EXACT };
                for entry in self.entries(base)? {
                    if pattern.matches_with(&entry.file_name().to_string_lossy(), options) {
                        self.expand(&base.join(entry.file_name()), rest)?;
                    }
                }
                Ok(())
            }
            Part::Directories => {
                self.expand(base, rest)?;
                for entry in self.entries(base)? {
                    let is_hidden = entry.file_name().as_bytes().starts_with(b".");
                    // A link could lead back, and so on without end.
                    let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
                    let path = base.join(entry.file_name());
                    if is_directory && !is_hidden {
                        self.expand(&path, parts)?;
                    } else if rest.is_empty() && !is_hidden {
                        self.expand(&path, rest)?;
                    }
                }
                Ok(())
            }
        }
    }

    /// The entries of a directory; none if it is no directory.
    fn entries(&self, directory: &Path) -> Result<Vec<DirEntry>, (PathBuf, Errno)> {
        let place = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        let cannot = |errno| (place.to_path_buf(), errno);
        let entries = match fs::read_dir(place) {
            Ok(entries) => entries,
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(Vec::new());
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied && self.skip => {
                return Ok(Vec::new());
            }
            Err(error) => return Err(cannot(because(&error))),
        };
        let mut all = Vec::new();
        for entry in entries {
            room(all.len(), self.most).map_err(cannot)?;
            all.push(entry.map_err(|error| cannot(because(&error)))?);
        }
        Ok(all)
    }
}

/// Letters match themselves, and `*` does not match a slash.
const EXACT: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// The sha256 of a file, as hexadecimal digits.
///
/// # Errors
/// It cannot be read; `EINTR` if a signal asks nsscript to end.
pub fn digest_of(path: &Path) -> Result<String, Errno> {
    let file: File = sys::open_to_read(path)?;
    let hashed = read_hashed(&file, None);
    hashed.map(|(_, digest)| digest).map_err(|error| because(&error))
}

/// The standard input to its end.
///
/// # Errors
/// It is closed; `EFBIG` if it is larger than `largest`, `EINTR` if a signal asks nsscript to end.
pub fn read_standard_input(largest: u64) -> Result<Vec<u8>, Errno> {
    sys::read_all(File::from(sys::duplicate(sys::standard_input())?), largest)
}
