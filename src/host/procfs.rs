//! Texts of /proc: proc(5). What they say is of the process that reads them.

use std::io;
use std::path::{Path, PathBuf};

use super::tree::Tree;

/// Something of /proc that cannot be read.
#[derive(Debug)]
pub struct Unread {
    /// Its path.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

/// The text at `path`.
///
/// # Errors
/// It cannot be read: most often no proc filesystem is mounted.
pub fn text(tree: &Tree, path: &str) -> Result<String, Unread> {
    let path = Path::new(path);
    let bytes = tree.read(path).map_err(|error| Unread { path: path.into(), error })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
