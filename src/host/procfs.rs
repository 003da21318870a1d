//! Files of /proc, as this process reads them: proc(5).

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::tree::Tree;
use crate::diag::{os_error, quoted};

/// A file of /proc that cannot be read.
#[derive(Debug)]
pub struct ProcError {
    /// Its path.
    pub path: PathBuf,
    /// The cause.
    pub error: io::Error,
}

impl fmt::Display for ProcError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = quoted(self.path.to_string_lossy());
        write!(out, "cannot read {path}: {}", os_error(&self.error))
    }
}

impl Error for ProcError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

/// The text at `path`.
///
/// # Errors
/// It cannot be read: usually, no proc file system is mounted.
pub fn text(tree: &Tree, path: &str) -> Result<String, ProcError> {
    let path = Path::new(path);
    let bytes = tree.read(path).map_err(|error| ProcError { path: path.into(), error })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
