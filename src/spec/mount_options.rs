//! Options of mounts in a sandbox, and of files in its root.

use super::MountAttributes;

/// The options of a bind mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct BindOptions {
    /// Its attributes.
    pub attributes: MountAttributes,
    /// A missing source is skipped.
    pub optional: bool,
    /// Mounts below the source are bound with it.
    pub recursive: bool,
    /// Files of id N on the host belong to id N of the sandbox.
    pub idmap: bool,
    /// A missing place is created on the host, if that is where it is missing.
    pub create: bool,
    /// In a dry run: whether the recipe would have created the source, and as a directory.
    pub made: Option<bool>,
}

impl Default for BindOptions {
    fn default() -> Self {
        let attributes = MountAttributes::default();
        let (recursive, made) = (true, None);
        Self { attributes, optional: false, recursive, idmap: false, create: false, made }
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

/// The options of `/proc`: proc(5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcOptions {
    /// `hidepid`: whose processes are visible.
    pub hidepid: Option<String>,
    /// `subset`: `pid` leaves only the processes.
    pub subset: Option<String>,
}

/// The attributes of a file or directory created in the root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileOptions {
    /// The permission bits; the default is `0o755` for directories and `0o644` for files.
    pub mode: Option<u32>,
    /// The owner inside, if it is not the creator.
    pub uid: Option<u32>,
    /// The group inside, if it is not the creator's.
    pub gid: Option<u32>,
}
