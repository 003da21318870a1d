//! Options of what is mounted in a sandbox, or made in its root.

use super::MountAttributes;

/// How a bind mount differs from its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindOptions {
    /// Its attributes.
    pub attributes: MountAttributes,
    /// A source that does not exist is passed over.
    pub optional: bool,
    /// Mounts below the source are bound with it.
    pub recursive: bool,
    /// In a dry run: that the recipe would have made the source, and whether as a directory.
    pub made: Option<bool>,
}

impl Default for BindOptions {
    fn default() -> Self {
        let attributes = MountAttributes::default();
        Self { attributes, optional: false, recursive: true, made: None }
    }
}

/// A mount of a file system by its type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MountOptions {
    /// The file system's own options: `size=1M` is `("size", Some("1M"))`.
    pub data: Vec<(String, Option<String>)>,
    /// The attributes of the mount.
    pub attributes: MountAttributes,
}

/// What `/proc` shows: proc(5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcOptions {
    /// `hidepid`: whose processes are visible.
    pub hidepid: Option<String>,
    /// `subset`: `pid` leaves only the processes.
    pub subset: Option<String>,
}

/// The look of a file or directory that is made in the root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileOptions {
    /// The permission bits; `0o755` for directories and `0o644` for files where none are given.
    pub mode: Option<u32>,
    /// The owner inside, where it is not the one who makes it.
    pub uid: Option<u32>,
    /// The group inside, where it is not the one of who makes it.
    pub gid: Option<u32>,
}
