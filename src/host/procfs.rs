//! Files of /proc, as this process reads them: proc(5).

use std::io;
use std::path::{Path, PathBuf};

use super::tree::Tree;

/// A file of /proc that cannot be read.
#[derive(Debug)]
pub struct Unread {
    /// Its path.
    pub path: PathBuf,
    /// The cause.
    pub error: io::Error,
}

/// The text at `path`.
///
/// # Errors
/// It cannot be read: usually, no proc file system is mounted.
pub fn text(tree: &Tree, path: &str) -> Result<String, Unread> {
    let path = Path::new(path);
    let bytes = tree.read(path).map_err(|error| Unread { path: path.into(), error })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
