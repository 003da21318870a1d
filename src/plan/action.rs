//! The actions that a plan is made of.
#![warn(clippy::wildcard_enum_match_arm)]

use std::path::PathBuf;
use std::rc::Rc;

use super::identity::Maps;
use super::raw::RawAction;
use super::tree::RootTree;
use crate::diag::Origin;
use crate::spec::{
    BindOptions, Command, FileOptions, GuestPath, JoinedNetwork, MountOptions, Namespaces,
    Outbound, Streams,
};

/// Who performs an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// nsscript itself, before the new process exists.
    Parent,
    /// The new process: process 1 of the sandbox.
    Child,
    /// The process that becomes the program.
    Program,
}

/// Where a root that changes vanish from has its files from.
#[derive(Clone, Debug, PartialEq)]
pub enum Lower {
    /// Nothing.
    Empty,
    /// A directory of the host.
    Directory(PathBuf),
    /// The tree that the parent has built.
    Built,
}

/// How a root is made.
#[derive(Clone, Debug, PartialEq)]
pub enum RootKind {
    /// An empty tmpfs.
    Memory,
    /// A place for changes over trees that are only read.
    Overlay {
        /// The trees.
        lower: Lower,
        /// The directory of the host that changes are kept in; a tmpfs that vanishes without one.
        changes: Option<PathBuf>,
    },
    /// A copy of the trees, where this machine has no overlay for them: changes vanish with it.
    Copy,
    /// A directory of the host as it is, nothing mounted: the mount namespace is shared.
    Plain(PathBuf),
    /// A directory of the host with all its mounts, read-only.
    View {
        /// The directory.
        path: PathBuf,
        /// What was found there.
        id: Option<FileId>,
    },
}

/// What identifies a source: device and inode.
pub type FileId = (u64, u64);

/// One thing that is done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// The layer of the root with this number, the lowest is 0, is found in the store, or made.
    BuildLayer(Rc<RootTree>, usize),
    /// A directory of the host is made ready for what changes in the root.
    KeepChanges(PathBuf),
    /// A network is made, from which that of the host can be reached.
    ConnectOutside(Outbound),
    /// A network that exists is entered.
    EnterNetwork(JoinedNetwork),
    /// A user namespace with these maps is made ready.
    PrepareMaps(Maps),
    /// A process is started in new namespaces.
    Start(Namespaces),
    /// A process is started in the namespaces of a sandbox that runs already.
    Join(Namespaces),
    /// The new process maps its own ids.
    MapOwnIds(Maps),
    /// Mounts stop to propagate.
    MakePrivate,
    /// The root of the host is bound on itself and entered: pivot_root(2) cannot move a root that is
    /// mounted on nothing, as rootfs is.
    CoverRoot,
    /// The loopback device is set up.
    LoopbackUp,
    /// The root is made.
    MakeRoot(RootKind),
    /// A file or directory of the host appears at another place.
    Bind {
        /// The place on the host.
        source: PathBuf,
        /// The file that was found there.
        id: Option<FileId>,
        /// Whether it is a directory.
        directory: bool,
        /// The place inside.
        target: GuestPath,
        /// How it differs from its source.
        options: BindOptions,
        /// Whether the place is made where it is missing.
        create: bool,
    },
    /// A file system is mounted.
    Mount {
        /// Its type.
        kind: String,
        /// What it calls its source.
        source: String,
        /// The place inside.
        target: GuestPath,
        /// How it is mounted.
        options: MountOptions,
        /// Whether the place is made where it is missing.
        create: bool,
        /// What is bound there, read-only, if the kernel refuses the file system.
        instead: Option<PathBuf>,
    },
    /// A place becomes read-only.
    Protect {
        /// The place inside.
        target: GuestPath,
        /// Whether it may be missing.
        optional: bool,
    },
    /// A place is hidden.
    Mask(GuestPath),
    /// A directory is made.
    MakeDirectory(GuestPath, FileOptions),
    /// A file is made.
    MakeFile(GuestPath, Rc<[u8]>, FileOptions),
    /// A symbolic link is made.
    MakeSymlink {
        /// Where the link stands.
        path: GuestPath,
        /// What the link says.
        target: String,
    },
    /// The root becomes read-only.
    ProtectRoot,
    /// The root is entered by pivot_root(2).
    PivotRoot,
    /// The root is entered by chroot(2).
    Chroot,
    /// The host name is set.
    SetHostname(String),
    /// The NIS domain name is set.
    SetDomainname(String),
    /// A user that the map knows is taken on, to make files as: the caller may be none.
    BecomeMapped {
        /// The user inside.
        uid: u32,
        /// The group inside.
        gid: u32,
    },
    /// User and group are taken on; other groups are left.
    SetIds {
        /// The user inside.
        uid: u32,
        /// The group inside.
        gid: u32,
    },
    /// The process gets a session keyring of its own: the caller's is not for its programs.
    NewKeyring,
    /// Every capability is dropped.
    DropCapabilities,
    /// Executing programs gives no privileges.
    NoNewPrivileges,
    /// The process is killed when nsscript ends.
    DieWithParent,
    /// The process becomes init, and another goes on.
    StartInit,
    /// The process gets a session of its own.
    NewSession,
    /// The standard streams are connected.
    Connect(Streams),
    /// The file mode creation mask is set.
    SetUmask(u32),
    /// The working directory is entered.
    Enter(GuestPath),
    /// The program is executed.
    Execute {
        /// What is executed.
        command: Command,
        /// Where a program without `/` is looked for.
        search: Vec<String>,
        /// Its whole environment.
        environment: Vec<(String, String)>,
    },
    /// A closure of the recipe goes on in the process.
    Closure,
    /// Something that nsscript does to its own process.
    Raw(RawAction),
}

/// Which processes of a sandbox an action is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The sandbox as a whole: done once, by the process that makes it.
    Sandbox,
    /// Every program in it: done again by each that joins.
    EveryProgram,
}

impl Action {
    /// Which processes of the sandbox it is about.
    #[must_use]
    pub fn scope(&self) -> Scope {
        match self {
            Self::BuildLayer(..)
            | Self::KeepChanges(_)
            | Self::ConnectOutside(_)
            | Self::EnterNetwork(_)
            | Self::PrepareMaps(_)
            | Self::MapOwnIds(_)
            | Self::MakePrivate
            | Self::CoverRoot
            | Self::LoopbackUp
            | Self::MakeRoot(_)
            | Self::Bind { .. }
            | Self::Mount { .. }
            | Self::Protect { .. }
            | Self::Mask(_)
            | Self::MakeDirectory(..)
            | Self::MakeFile(..)
            | Self::MakeSymlink { .. }
            | Self::ProtectRoot
            | Self::PivotRoot
            | Self::Chroot
            | Self::SetHostname(_)
            | Self::SetDomainname(_)
            | Self::BecomeMapped { .. }
            | Self::StartInit
            | Self::Raw(_) => Scope::Sandbox,
            Self::Start(_)
            | Self::Join(_)
            | Self::SetIds { .. }
            | Self::NewKeyring
            | Self::DropCapabilities
            | Self::NoNewPrivileges
            | Self::DieWithParent
            | Self::NewSession
            | Self::Connect(_)
            | Self::SetUmask(_)
            | Self::Enter(_)
            | Self::Execute { .. }
            | Self::Closure => Scope::EveryProgram,
        }
    }

    /// Whether it starts the new process.
    #[must_use]
    pub fn starts(&self) -> bool {
        matches!(self, Self::Start(_) | Self::Join(_))
    }
}

/// An action, who performs it, and which line asked for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// What is done.
    pub action: Action,
    /// Who does it.
    pub side: Side,
    /// Which line asked for it; none for what every sandbox does.
    pub origin: Option<Origin>,
}
