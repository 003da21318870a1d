//! What a sandbox is described with: its root, ids, and options of what is mounted or made.

use std::fmt;
use std::path::PathBuf;

use super::rootfs::Rootfs;

/// What the root of a sandbox is.
#[derive(Clone, Debug, PartialEq)]
pub enum Root {
    /// An empty directory in memory.
    Empty,
    /// A directory of the host, by its absolute path.
    Directory(PathBuf),
    /// A tree that is assembled.
    Rootfs(Rootfs),
}

/// A user or group: by number, or by the name it has in the root's passwd or group file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Id {
    /// By number.
    Number(u32),
    /// By name.
    Name(String),
}

/// How a bind mount differs from its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a mount attribute of its own")]
pub struct BindOptions {
    /// Writing fails with EROFS, in mounts below the source too.
    pub read_only: bool,
    /// A source that does not exist is passed over.
    pub optional: bool,
    /// Mounts below the source are bound with it.
    pub recursive: bool,
    /// Device files work.
    pub devices: bool,
    /// Programs can be executed.
    pub exec: bool,
    /// Set-user-ID bits and file capabilities work.
    pub suid: bool,
    /// In a dry run: that the recipe would have made the source, and whether as a directory.
    pub made: Option<bool>,
}

impl Default for BindOptions {
    fn default() -> Self {
        let (read_only, optional, devices, suid) = (false, false, false, false);
        Self { read_only, optional, recursive: true, devices, exec: true, suid, made: None }
    }
}

/// A mount of a file system by its type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a mount attribute of its own")]
pub struct MountOptions {
    /// The file system's own options: `size=1M` is `("size", Some("1M"))`.
    pub data: Vec<(String, Option<String>)>,
    /// Writing fails with EROFS.
    pub read_only: bool,
    /// Device files work.
    pub devices: bool,
    /// Programs can be executed.
    pub exec: bool,
    /// Set-user-ID bits and file capabilities work.
    pub suid: bool,
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

impl fmt::Display for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(out, "{number}"),
            Self::Name(name) => write!(out, "{name}"),
        }
    }
}
