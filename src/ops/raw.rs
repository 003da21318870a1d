//! The actions of the raw layer: what a recipe does to its own process, at once.
//!
//! Each prints as a sentence, as the system call, and as the command of a shell that does the
//! same; they fail and are explained like the actions of a sandbox.

mod mount_call;
mod notation;

use std::path::{Path, PathBuf};

use super::network::NetworkAction;
use super::words::{names, shown};
use super::{Facts, Leaves, Maps, Operation, Scope, Told, Turn};
use crate::diag::{count, list, quoted};
use crate::spec::{Command, MountFlags, Namespaces};
pub use mount_call::MountCall;
use mount_call::attribute_words;

/// One thing that a recipe does to its own process.
#[derive(Clone, Debug, PartialEq)]
pub enum RawAction {
    /// The session: a private mount namespace, for a user in a user namespace.
    EnterSession {
        /// The namespaces that are new.
        namespaces: Namespaces,
        /// The maps of its user namespace, where it has one.
        maps: Option<Maps>,
    },
    /// New namespaces.
    Unshare(Namespaces),
    /// Namespaces that exist are entered.
    Setns {
        /// Whose or which, in words.
        what: String,
        /// The descriptor's file, for a shell.
        file: String,
        /// Which kinds.
        namespaces: Namespaces,
    },
    /// A copy of this process is started, in new namespaces.
    Clone(Namespaces),
    /// Something is mounted, moved or changed.
    Mount(MountCall),
    /// The attributes of a mount are changed.
    SetAttributes {
        /// The mount.
        target: PathBuf,
        /// Mounts below it too.
        recursive: bool,
        /// The flags that are set.
        set: MountFlags,
        /// The flags that are taken away.
        clear: MountFlags,
    },
    /// A file becomes a loop device.
    AttachLoop {
        /// The file.
        file: PathBuf,
        /// Nothing can be written.
        read_only: bool,
        /// Where in the file it begins.
        offset: u64,
        /// How much of the file it is; 0 for all.
        size_limit: u64,
    },
    /// A mount is taken away.
    Umount {
        /// The place.
        target: PathBuf,
        /// At once from the tree, from the kernel when nobody uses it.
        lazy: bool,
    },
    /// The root of the mount namespace is changed.
    PivotRoot(PathBuf, PathBuf),
    /// The root directory is changed.
    Chroot(PathBuf),
    /// The working directory is changed.
    Chdir(PathBuf),
    /// The host name is set.
    SetHostname(String),
    /// The NIS domain name is set.
    SetDomainname(String),
    /// A directory is made.
    Mkdir(PathBuf, u32),
    /// A device, fifo, socket or file is made.
    Mknod {
        /// Where.
        path: PathBuf,
        /// What: `c`, `b`, `p`, `s` or `f`.
        kind: char,
        /// Permission bits.
        mode: u32,
        /// Major and minor number.
        device: (u32, u32),
    },
    /// A symbolic link is made.
    Symlink {
        /// What it says.
        says: String,
        /// Where it stands.
        path: PathBuf,
    },
    /// A file is written.
    WriteFile {
        /// Which.
        path: PathBuf,
        /// How much, in bytes.
        size: usize,
        /// After what is there.
        append: bool,
    },
    /// A file or an empty directory is removed.
    Remove(PathBuf),
    /// The ids of a process in a new user namespace are mapped.
    MapIds {
        /// The process.
        pid: i32,
        /// `users` or `groups`.
        what: &'static str,
        /// The map as the kernel takes it.
        map: String,
    },
    /// Whether setgroups(2) may be used in the user namespace of a process.
    AllowSetgroups(i32, bool),
    /// The user is changed.
    SetUser(u32),
    /// The group is changed.
    SetGroup(u32),
    /// The other groups are changed.
    SetGroups(Vec<u32>),
    /// The capabilities are changed.
    SetCapabilities {
        /// The names of those in the effective and permitted sets.
        names: Vec<String>,
        /// Others leave the bounding set, too.
        bounding: bool,
    },
    /// A namespace is kept by a bind mount of its file.
    Pin {
        /// The namespace: `net:[4026532240]`.
        namespace: String,
        /// Where.
        path: PathBuf,
    },
    /// A file is made that holds an empty file system.
    DiskImage {
        /// The file.
        path: PathBuf,
        /// How large, in bytes.
        size: u64,
        /// The type of the file system.
        kind: String,
    },
    /// A root is packed into an archive.
    Pack(PathBuf),
    /// A root is built into a directory.
    Build(PathBuf),
    /// A signal is sent to a process.
    Signal {
        /// The process.
        pid: i32,
        /// The signal, by its name and number: `SIGTERM (15)`.
        signal: String,
    },
    /// Something is done in a network namespace.
    Network {
        /// What that is called.
        network: String,
        /// What is done.
        action: Box<NetworkAction>,
    },
    /// This process becomes a program.
    Execute(Command),
}

fn path(path: &Path) -> String {
    quoted(path.to_string_lossy())
}

impl RawAction {
    /// What is done, as a sentence without a subject; after "cannot" that of an error.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::EnterSession { maps: None, .. } => "work in a private mount namespace".into(),
            Self::EnterSession { maps: Some(maps), .. } => {
                format!("work in a private user and mount namespace that maps {maps}")
            }
            Self::Unshare(namespaces) => format!("make new {}", names(*namespaces)),
            Self::Setns { what, namespaces, .. } if what.starts_with("process") => {
                format!("enter the {} of {what}", names(*namespaces))
            }
            Self::Setns { what, .. } => format!("enter the namespace {what}"),
            Self::Clone(namespaces) if namespaces.is_empty() => "start a child process".into(),
            Self::Clone(namespaces) => {
                format!("start a child process in new {}", names(*namespaces))
            }
            Self::Mount(mount) => mount.describe(),
            Self::SetAttributes { target, recursive, set, clear } => {
                let all = if *recursive { " and everything below it" } else { "" };
                let words = attribute_words(*set, *clear);
                format!("make {}{all} {}", path(target), list(&words, "and"))
            }
            Self::AttachLoop { file, read_only, .. } => {
                let read_only = if *read_only { ", read-only" } else { "" };
                format!("attach {} to a loop device{read_only}", path(file))
            }
            Self::Umount { target, lazy: false } => format!("unmount {}", path(target)),
            Self::Umount { target, lazy: true } => {
                format!("detach {}, which ends when nobody uses it", path(target))
            }
            Self::PivotRoot(new, old) => {
                format!("make {} the root, and put the old one at {}", path(new), path(old))
            }
            Self::Chroot(root) => format!("make {} the root directory", path(root)),
            Self::Chdir(directory) => format!("go to {}", path(directory)),
            Self::SetHostname(name) => format!("set the host name to {}", quoted(name)),
            Self::SetDomainname(name) => format!("set the domain name to {}", quoted(name)),
            Self::Mkdir(directory, mode) => {
                format!("make the directory {} with mode {mode:04o}", path(directory))
            }
            Self::Mknod { path: place, kind, device: (major, minor), .. } => match kind {
                'p' => format!("make the fifo {}", path(place)),
                's' => format!("make the socket {}", path(place)),
                'f' => format!("make the empty file {}", path(place)),
                _ => format!("make the device {} ({kind} {major}:{minor})", path(place)),
            },
            Self::Symlink { says, path: place } => {
                format!("make the link {} to {}", path(place), quoted(says))
            }
            Self::WriteFile { path: place, size, append } => {
                let verb = if *append { "append" } else { "write" };
                format!("{verb} {} to {}", count(*size, "byte"), path(place))
            }
            Self::Remove(place) => format!("remove {}", path(place)),
            Self::MapIds { pid, what, map } => {
                let map = map.trim_end().replace('\n', ", ");
                format!("map the {what} of process {pid}: {}", quoted(map))
            }
            Self::AllowSetgroups(pid, allow) => {
                let word = if *allow { "allow" } else { "deny" };
                format!("{word} setgroups(2) in the user namespace of process {pid}")
            }
            Self::SetUser(uid) => format!("become user {uid}"),
            Self::SetGroup(gid) => format!("become group {gid}"),
            Self::SetGroups(groups) if groups.is_empty() => "leave all other groups".into(),
            Self::SetGroups(groups) => {
                let groups: Vec<_> = groups.iter().map(ToString::to_string).collect();
                format!("take part in the groups {}", list(&groups, "and"))
            }
            Self::SetCapabilities { names, .. } if names.is_empty() => {
                "drop every capability".into()
            }
            Self::SetCapabilities { names, .. } => {
                format!("drop every capability but {}", list(names, "and"))
            }
            Self::Pin { namespace, path: place } => {
                format!("pin {namespace} at {}", path(place))
            }
            Self::DiskImage { path: place, size, kind } => {
                format!(
                    "make {} an image of {} with {kind}",
                    path(place),
                    crate::diag::bytes(*size)
                )
            }
            Self::Pack(archive) => format!("pack the root into {}", path(archive)),
            Self::Build(directory) => format!("build the root into {}", path(directory)),
            Self::Signal { pid, signal } => format!("send {signal} to process {pid}"),
            Self::Network { network, action } => action.describe(network),
            Self::Execute(command) => {
                format!("execute {}", shown(command))
            }
        }
    }

    /// What is done, in one word.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        match self {
            Self::EnterSession { .. } => "session",
            Self::Unshare(_) => "unshare",
            Self::Setns { .. } => "setns",
            Self::Clone(_) => "clone",
            Self::Mount(_) | Self::SetAttributes { .. } => "mount",
            Self::AttachLoop { .. } => "loop",
            Self::Umount { .. } => "umount",
            Self::PivotRoot(..) => "pivot_root",
            Self::Chroot(_) => "chroot",
            Self::Chdir(_) => "chdir",
            Self::SetHostname(_) => "sethostname",
            Self::SetDomainname(_) => "setdomainname",
            Self::Mkdir(..) => "mkdir",
            Self::Mknod { .. } => "mknod",
            Self::Symlink { .. } => "symlink",
            Self::WriteFile { .. } => "write_file",
            Self::Remove(_) => "remove",
            Self::MapIds { .. } | Self::AllowSetgroups(..) => "map_ids",
            Self::SetUser(_) => "setuid",
            Self::SetGroup(_) => "setgid",
            Self::SetGroups(_) => "setgroups",
            Self::SetCapabilities { .. } => "set_capabilities",
            Self::Pin { .. } => "pin",
            Self::DiskImage { .. } => "disk_image",
            Self::Pack(_) => "pack",
            Self::Build(_) => "build",
            Self::Signal { .. } => "kill",
            Self::Network { action, .. } => action.operation(),
            Self::Execute(_) => "execute",
        }
    }

    /// The namespaces that a new process is in.
    #[must_use]
    pub fn namespaces(&self) -> Namespaces {
        match self {
            Self::Clone(namespaces)
            | Self::Unshare(namespaces)
            | Self::EnterSession { namespaces, .. }
            | Self::Setns { namespaces, .. } => *namespaces,
            Self::Mount(_)
            | Self::SetAttributes { .. }
            | Self::AttachLoop { .. }
            | Self::Umount { .. }
            | Self::PivotRoot(..)
            | Self::Chroot(_)
            | Self::Chdir(_)
            | Self::SetHostname(_)
            | Self::SetDomainname(_)
            | Self::Mkdir(..)
            | Self::Mknod { .. }
            | Self::Symlink { .. }
            | Self::WriteFile { .. }
            | Self::Remove(_)
            | Self::MapIds { .. }
            | Self::AllowSetgroups(..)
            | Self::SetUser(_)
            | Self::SetGroup(_)
            | Self::SetGroups(_)
            | Self::SetCapabilities { .. }
            | Self::Pin { .. }
            | Self::DiskImage { .. }
            | Self::Pack(_)
            | Self::Build(_)
            | Self::Signal { .. }
            | Self::Network { .. }
            | Self::Execute(_) => Namespaces::NONE,
        }
    }

    /// The source and the target.
    #[must_use]
    pub fn paths(&self) -> (Option<String>, Option<String>) {
        let own = |path: &Path| Some(path.to_string_lossy().into_owned());
        match self {
            Self::Mount(mount) => (mount.source.clone(), own(&mount.target)),
            Self::AttachLoop { file, .. } => (own(file), None),
            Self::PivotRoot(new, old) => (own(old), own(new)),
            Self::Pin { namespace, path } => (Some(namespace.clone()), own(path)),
            Self::SetAttributes { target: path, .. }
            | Self::Umount { target: path, .. }
            | Self::Chroot(path)
            | Self::Chdir(path)
            | Self::Mkdir(path, _)
            | Self::Mknod { path, .. }
            | Self::Symlink { path, .. }
            | Self::WriteFile { path, .. }
            | Self::DiskImage { path, .. }
            | Self::Pack(path)
            | Self::Build(path)
            | Self::Remove(path) => (None, own(path)),
            Self::Network { action, .. } => (None, action.target()),
            Self::Execute(command) => (None, Some(command.program().to_owned())),
            Self::EnterSession { .. }
            | Self::Unshare(_)
            | Self::Setns { .. }
            | Self::Clone(_)
            | Self::SetHostname(_)
            | Self::SetDomainname(_)
            | Self::MapIds { .. }
            | Self::AllowSetgroups(..)
            | Self::SetUser(_)
            | Self::SetGroup(_)
            | Self::SetGroups(_)
            | Self::SetCapabilities { .. }
            | Self::Signal { .. } => (None, None),
        }
    }
}

impl Operation for RawAction {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: self.operation(),
            turn: Turn::Never,
            scope: Scope::Sandbox,
            apart: self.namespaces(),
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        let (source, target) = self.paths();
        Told { sentence: self.describe(), source, target, shell: self.shell() }
    }
}
