//! The private directory of one run: made when it is first needed, gone with the process, and
//! swept by a later run where a SIGKILL has left it.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::sys::{Beneath, Errno, Lock, ids, lock_directory, make_private_directory};

/// A directory that only this user can enter, locked as long as this process lives.
#[derive(Debug)]
pub(super) struct Workspace {
    path: PathBuf,
    /// The directory that holds it: the path leads elsewhere once the root is another one.
    parent: Option<Beneath>,
    _lock: Lock,
}

/// What stands before the random part of its name, and the user's number.
const PREFIX: &str = "nsscript-";

impl Workspace {
    /// Makes a workspace, and removes those that others have left.
    ///
    /// # Errors
    /// The directory for temporary files cannot be written to; it is named.
    pub fn make() -> Result<Self, (PathBuf, Errno)> {
        let parent = std::env::temp_dir();
        let prefix = format!("{PREFIX}{}-", ids().uid);
        sweep(&parent, &prefix);
        let fails = |errno| (parent.clone(), errno);
        loop {
            let path = make_private_directory(&parent, &prefix).map_err(fails)?;
            // Between the two calls another run may take it for one that was left.
            match lock_directory(&path) {
                Ok(Some(lock)) if path.is_dir() => {
                    let parent = Beneath::open(&parent).ok();
                    return Ok(Self { path, parent, _lock: lock });
                }
                Ok(_) => {}
                Err(errno) if errno.name() == "ENOENT" => {}
                Err(errno) => return Err(fails(errno)),
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        if remove(&self.path).is_err()
            && let (Some(parent), Some(name)) = (&self.parent, self.path.file_name())
        {
            let _ = parent.remove_tree(name);
        }
    }
}

/// Refuses, where root runs nsscript, a text that every user can write to: what it says would be
/// done as root.
///
/// # Errors
/// Why it is refused.
pub fn refuse_writable(found: &std::fs::Metadata) -> Result<(), &'static str> {
    if ids().uid == 0 && found.mode() & 0o002 != 0 {
        return Err("can be written to by every user, and would run as root");
    }
    Ok(())
}

/// Removes a tree, also where it holds directories that their owner may not write to.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(path)?;
            std::fs::remove_dir_all(path)
        }
        done => done,
    }
}

fn open_up(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700))?;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes the directories of this user that nobody holds a lock on.
fn sweep(parent: &Path, prefix: &str) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix));
        let Ok(metadata) = std::fs::symlink_metadata(entry.path()) else { continue };
        if !ours || !metadata.is_dir() || metadata.uid() != ids().uid {
            continue;
        }
        if let Ok(Some(_lock)) = lock_directory(&entry.path()) {
            let _ = remove(&entry.path());
        }
    }
}
