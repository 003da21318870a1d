//! What programs open while they run, and why.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::diag::{bytes, count, escape};

/// What programs open while they run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data {
    /// What there is.
    pub pieces: Vec<Piece>,
    /// What is on the host and cannot be read.
    pub left_out: Vec<PathBuf>,
}

/// A part of what programs open while they run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What it is for.
    pub why: String,
    /// The program or library that opens it.
    pub by: PathBuf,
    /// What it is.
    pub what: Opened,
}

/// What is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// A file or directory of the host.
    Tree {
        /// Its path.
        path: PathBuf,
        /// It, and all that is below it.
        paths: Vec<PathBuf>,
        /// How many of those are files.
        files: usize,
        /// The bytes in them.
        size: u64,
    },
    /// A program or library.
    Object {
        /// Its path.
        path: PathBuf,
        /// It, and all that it needs to be loaded.
        files: Vec<PathBuf>,
    },
    /// A file with this content, where there is none.
    File {
        /// Its path.
        path: PathBuf,
        /// The content.
        content: String,
    },
}

impl Piece {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        match &self.what {
            Opened::Tree { path, .. } | Opened::Object { path, .. } | Opened::File { path, .. } => {
                path
            }
        }
    }
}

/// What is opened, below what it is for.
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
