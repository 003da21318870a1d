//! Files that programs open at run time, and the reasons.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::diag::{bytes, count, escape};

/// The files that programs open at run time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data {
    /// The files found.
    pub pieces: Vec<Piece>,
    /// Files of the host that cannot be read.
    pub left_out: Vec<PathBuf>,
}

/// A file, or several, that a program opens at run time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its purpose.
    pub why: String,
    /// The program or library that opens it.
    pub by: PathBuf,
    /// The file.
    pub what: Opened,
}

/// The kind of file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// A file or directory of the host.
    Tree {
        /// Its path.
        path: PathBuf,
        /// Its path, and all paths below it.
        paths: Vec<PathBuf>,
        /// The number of files among them.
        files: usize,
        /// Their size in bytes.
        size: u64,
    },
    /// A program or library.
    Object {
        /// Its path.
        path: PathBuf,
        /// Its path, and the files that it needs in order to be loaded.
        files: Vec<PathBuf>,
    },
    /// A file with this content, if there is none.
    File {
        /// Its path.
        path: PathBuf,
        /// The content.
        content: String,
    },
}

impl Piece {
    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        match &self.what {
            Opened::Tree { path, .. } | Opened::Object { path, .. } | Opened::File { path, .. } => {
                path
            }
        }
    }
}

/// Lists the files below their purposes.
impl fmt::Display for Data {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for group in self.pieces.chunk_by(|one, two| one.why == two.why) {
            let by = &group[0].by;
            writeln!(out, "{}, for {}", group[0].why, escape(&by.to_string_lossy()))?;
            for piece in group {
                write!(out, "  {}", escape(&piece.path().to_string_lossy()))?;
                match &piece.what {
                    Opened::Tree { files, size, paths, .. } if paths.len() > 1 => {
                        write!(out, ": {}, {}", count(*files, "file"), bytes(*size))?;
                    }
                    Opened::File { .. } => write!(out, ", if there is none")?,
                    _ => {}
                }
                if piece.by != *by {
                    write!(out, ", for {}", escape(&piece.by.to_string_lossy()))?;
                }
                writeln!(out)?;
            }
        }
        for path in &self.left_out {
            writeln!(out, "{} cannot be read", escape(&path.to_string_lossy()))?;
        }
        Ok(())
    }
}
