//! The comparison of a tree on disk with its manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::{Manifest, unescaped};
use crate::diag::{os_error, quoted};
use crate::run::layers::contents::{Item, Kind};
use crate::run::layers::hash::{in_parallel, read_hashed};
use crate::run::layers::tree::OPAQUE;
use crate::sys::{self, Node};

/// The files that a comparison of a tree with its manifest reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// All files.
    All,
    /// Files whose status changed at this time, in seconds and nanoseconds, or later: the clock of a
    /// file system ticks every few milliseconds.
    Since(i64, i64),
}

impl Reads {
    fn are_for(self, found: &fs::Metadata) -> bool {
        match self {
            Self::All => true,
            Self::Since(seconds, nanoseconds) => {
                (found.ctime(), found.ctime_nsec()) >= (seconds, nanoseconds)
            }
        }
    }
}

/// A difference of a tree from its manifest.
#[derive(Debug)]
pub struct Difference {
    /// The path, inside.
    pub path: PathBuf,
    /// The error, if the path could not be read.
    pub error: Option<io::Error>,
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = quoted(self.path.to_string_lossy());
        match &self.error {
            Some(error) if self.is_unseen() => {
                write!(out, "cannot be read at {path}: {}", os_error(error))
            }
            _ => write!(out, "was changed at {path}"),
        }
    }
}

impl Difference {
    /// Whether the path could not be read, so that it may be unchanged.
    #[must_use]
    pub fn is_unseen(&self) -> bool {
        self.error.as_ref().is_some_and(|error| error.kind() != io::ErrorKind::NotFound)
    }

    /// Encodes the difference for another process.
    pub(in crate::run) fn to_bytes(&self) -> Vec<u8> {
        let code = self.error.as_ref().and_then(io::Error::raw_os_error).unwrap_or_default();
        [&code.to_ne_bytes()[..], self.path.as_os_str().as_bytes()].concat()
    }

    /// Decodes a difference; `None` if the bytes are empty.
    pub(in crate::run) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (code, path) = bytes.split_first_chunk()?;
        let code = Some(i32::from_ne_bytes(*code)).filter(|code| *code != 0);
        let path = PathBuf::from(OsStr::from_bytes(path));
        Some(Self { path, error: code.map(io::Error::from_raw_os_error) })
    }
}

impl Manifest {
    /// The first path at which the tree at `directory` differs or cannot be read; `None` if it is
    /// the same. Owners are ignored.
    #[must_use]
    pub fn changed(&self, directory: &Path, reads: Reads) -> Option<Difference> {
        let mut files = Vec::new();
        let mut names: BTreeMap<PathBuf, BTreeSet<OsString>> = BTreeMap::new();
        for line in self.lines() {
            let Some((path, item)) = line.item() else {
                return Some(Difference { path: unescaped(line.path()), error: None });
            };
            let place = directory.join(path.strip_prefix("/").unwrap_or(&path));
            let found = fs::symlink_metadata(&place);
            let same = match (&item.kind, found) {
                // Only root can create devices; a device of the host is an empty file here.
                (Kind::Node(Node::Character(..) | Node::Block(..)), Err(_)) => Ok(true),
                (_, Err(error)) => Err(error),
                (Kind::Directory { opaque }, Ok(found)) => {
                    names.entry(path.clone()).or_default();
                    if found.is_dir() && looks(&found, &item) {
                        is_opaque(&place).map(|is_opaque| is_opaque == *opaque)
                    } else {
                        Ok(false)
                    }
                }
                (Kind::Symlink(says), Ok(found)) if found.is_symlink() => {
                    fs::read_link(&place).map(|found| found == *says)
                }
                (Kind::Symlink(_) | Kind::File { hash: None, .. }, Ok(_)) => Ok(false),
                (Kind::HardLink(_), Ok(found)) => Ok(found.is_file() && found.nlink() > 1),
                (Kind::File { size, hash: Some(hash) }, Ok(found)) => {
                    let same = found.is_file() && found.len() == *size && looks(&found, &item);
                    if same && reads.are_for(&found) {
                        files.push((path.clone(), place, *size, hash.clone()));
                    }
                    Ok(same)
                }
                (Kind::Node(Node::Fifo), Ok(found)) => Ok(found.file_type().is_fifo()),
                (Kind::Node(_), Ok(found)) => {
                    let kind = found.file_type();
                    Ok(kind.is_file() || kind.is_char_device() || kind.is_block_device())
                }
                (Kind::Gone, Ok(found)) => {
                    Ok(found.file_type().is_char_device() && found.rdev() == 0)
                }
            };
            match same {
                Ok(true) => {}
                Ok(false) => return Some(Difference { path, error: None }),
                Err(error) => return Some(Difference { path, error: Some(error) }),
            }
            if let (Some(parent), Some(name)) = (path.parent(), path.file_name()) {
                names.entry(parent.to_path_buf()).or_default().insert(name.to_owned());
            }
        }
        names.iter().find_map(|(path, names)| added(directory, path, names)).or_else(|| {
            let same = in_parallel(&files, &|(path, place, size, hash)| {
                let read = File::open(place).and_then(|file| read_hashed(&file, None));
                let is_same = read.as_ref().is_ok_and(|read| *read == (*size, hash.clone()));
                if is_same {
                    Ok(())
                } else {
                    Err(Difference { path: path.clone(), error: read.err() })
                }
            });
            same.err().map(|(_, difference)| difference)
        })
    }
}

/// Whether a directory is opaque to an overlay.
fn is_opaque(place: &Path) -> io::Result<bool> {
    Ok(sys::has_attribute(&File::open(place)?, OPAQUE, b"y")?)
}

/// The first unexpected path in a directory.
fn added(directory: &Path, path: &Path, names: &BTreeSet<OsString>) -> Option<Difference> {
    let place = directory.join(path.strip_prefix("/").unwrap_or(path));
    let look = || -> io::Result<Option<PathBuf>> {
        for entry in fs::read_dir(place)? {
            let name = entry?.file_name();
            if !names.contains(&name) {
                return Ok(Some(path.join(name)));
            }
        }
        Ok(None)
    };
    match look() {
        Ok(path) => path.map(|path| Difference { path, error: None }),
        Err(error) => Some(Difference { path: path.to_path_buf(), error: Some(error) }),
    }
}

/// Whether the permission bits match the entry; set-user-ID bits are not on the disk.
fn looks(found: &fs::Metadata, item: &Item) -> bool {
    found.mode() & 0o7777 == item.mode_on_disk()
}
