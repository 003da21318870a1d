//! The steps a sandbox is described by.

use std::path::PathBuf;

use super::idmap::IdRange;
use super::namespace::Namespaces;
use super::network::NetworkChoice;
use super::path::GuestPath;
use super::rootfs::Rootfs;
use crate::diag::Origin;

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
    /// In a rehearsal: that the recipe would have made the source, and whether as a directory.
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

/// One thing that a sandbox is described by.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// These namespaces are new.
    Unshare(Namespaces),
    /// These namespaces are the caller's.
    Share(Namespaces),
    /// This is the root.
    Root(Root),
    /// The root is the host's, read-only, with the private places emptied.
    HostView,
    /// The root cannot be written to.
    ReadOnlyRoot,
    /// What changes in the root is kept in this directory of the host.
    KeepChanges(PathBuf),
    /// The root is entered by chroot(2), not pivot_root(2).
    Chroot,
    /// A file or directory of the host, at another place.
    Bind {
        /// The place on the host, absolute.
        source: PathBuf,
        /// The place inside.
        target: GuestPath,
        /// How it differs from its source.
        options: BindOptions,
    },
    /// An empty file system in memory.
    Tmpfs {
        /// The place inside.
        target: GuestPath,
        /// The most it holds, in bytes.
        size: Option<u64>,
        /// The permission bits of its root.
        mode: u32,
    },
    /// The processes of the sandbox.
    Proc {
        /// The place inside.
        target: GuestPath,
        /// What it shows.
        options: ProcOptions,
    },
    /// The kernel's objects, read-only.
    Sysfs(GuestPath),
    /// A small directory of harmless devices.
    Dev(GuestPath),
    /// Terminals of the sandbox's own.
    Devpts(GuestPath),
    /// A file system of any type.
    Mount {
        /// What the file system calls its source.
        source: String,
        /// The place inside.
        target: GuestPath,
        /// The type, as in /proc/filesystems.
        kind: String,
        /// How it is mounted.
        options: MountOptions,
    },
    /// A directory made in the root.
    Directory(GuestPath, FileOptions),
    /// A file made in the root, with its content.
    File(GuestPath, Vec<u8>, FileOptions),
    /// A symbolic link made in the root.
    Symlink {
        /// Where the link stands.
        path: GuestPath,
        /// What the link says.
        target: String,
    },
    /// A file or directory hidden by an empty one.
    Mask(GuestPath),
    /// A file or directory that cannot be written to.
    ReadOnly(GuestPath),
    /// The network.
    Network(NetworkChoice),
    /// The host name inside.
    Hostname(String),
    /// The NIS domain name inside.
    Domainname(String),
    /// The user that the program is.
    User(Id),
    /// The group that the program is in.
    Group(Id),
    /// More user ids.
    MapUser(IdRange),
    /// More group ids.
    MapGroup(IdRange),
    /// Environment variables.
    Env(Vec<(String, String)>),
    /// Environment variables taken from nsscript's own environment.
    KeepEnv(Vec<String>),
    /// The directory that the program starts in.
    Workdir(GuestPath),
    /// The permission bits that new files do not get.
    Umask(u32),
    /// The program is process 1, without an init.
    Pid1,
}

/// A step and the place that asked for it. Two steps are equal where they describe the same,
/// wherever that was asked for.
#[derive(Clone, Debug)]
pub struct Step {
    /// What is described.
    pub what: What,
    /// Where it was asked for.
    pub origin: Option<Origin>,
}

impl PartialEq for Step {
    fn eq(&self, other: &Self) -> bool {
        self.what == other.what
    }
}

impl What {
    /// The place inside that the step is about, where it is about one.
    #[must_use]
    pub fn target(&self) -> Option<&GuestPath> {
        match self {
            Self::Bind { target, .. }
            | Self::Tmpfs { target, .. }
            | Self::Proc { target, .. }
            | Self::Mount { target, .. }
            | Self::Sysfs(target)
            | Self::Dev(target)
            | Self::Devpts(target)
            | Self::Directory(target, _)
            | Self::File(target, ..)
            | Self::Symlink { path: target, .. }
            | Self::Mask(target)
            | Self::ReadOnly(target) => Some(target),
            _ => None,
        }
    }
}
