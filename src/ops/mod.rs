//! Operations: what a launch, a raw call or a network consists of, each in one place.
//!
//! An operation is a value. [`Operation`] says what it is and how it reads; [`Lower`] makes prepared
//! calls of it. What only nsscript itself can do is matched by [`Own`]. No answer has a default, so
//! the compiler demands all of them of a new operation.

#[macro_use]
mod asked;
mod flags;
mod identity;
mod lookup;
mod lowering;
mod maps;
mod mount;
pub mod network;
mod planning;
mod process;
pub mod raw;
mod root;
mod sandbox;
mod strace;
mod tree;
mod view;
mod words;

use std::fmt::Debug;
use std::ops::Deref;
use std::path::Path;

use crate::spec::{GuestPath, MountAttributes, Namespaces};

pub use asked::*;
pub use flags::*;
pub use identity::*;
pub use lookup::*;
pub use lowering::*;
pub use maps::*;
pub use mount::*;
pub use network::{
    ConnectOutside, EnterNetwork, FORWARDED, LoopbackUp, NetworkAction, NetworkWay, Packets,
};
pub use planning::*;
pub use process::*;
pub use raw::{Becomes, Effect, Performed, Performer, RawAction};
pub use root::*;
pub use sandbox::*;
pub use strace::*;
pub use tree::*;
pub use view::*;

/// What every operation is asked about; nothing is allocated for it.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// What it is called by a `catch`, in JSON, and by `--explain`.
    pub name: &'static str,
    /// When it is done.
    pub turn: Turn,
    /// Which processes it is about.
    pub scope: Scope,
    /// The kinds of namespaces in which it puts the sandbox apart from nsscript.
    pub apart: Namespaces,
    /// What it leaves at a place inside.
    pub leaves: Leaves<'a>,
}

/// How an operation reads.
#[derive(Clone, Debug)]
pub struct Told {
    /// A sentence without a subject: "bind `/srv` on `/data`, read-only". After "cannot" it is the
    /// sentence of an error.
    pub sentence: String,
    /// What it reads: a place on the host, or what the kernel calls a source.
    pub source: Option<String>,
    /// What it is about: mostly a place inside.
    pub target: Option<String>,
    /// The shell command that does the same, if there is one.
    pub shell: Option<String>,
}

/// When an operation is done: the order of a launch. Operations of one turn keep the order in which
/// they were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// A layer of the root is made ready. This turn and those up to `Start` are nsscript's own.
    Layer,
    /// The directory for changes is made ready.
    Changes,
    /// Networks are made ready.
    Network,
    /// A user namespace is made ready.
    Maps,
    /// The new process is started.
    Start,
    /// It maps its own ids.
    OwnMaps,
    /// It becomes a user who may make files.
    FirstUser,
    /// The loopback device is set up.
    Loopback,
    /// Settings of the new namespaces are written.
    Sysctls,
    /// Mounts stop to propagate.
    Propagation,
    /// The host's root is made a mount.
    CoverRoot,
    /// The root is made.
    Root,
    /// Mounts and files in the root, in declared order.
    InRoot,
    /// The root becomes read-only.
    ProtectRoot,
    /// The root is entered.
    EnterRoot,
    /// Host and domain name.
    Names,
    /// User and groups.
    User,
    /// The keyring, which then belongs to that user.
    Keyring,
    /// Capabilities.
    Capabilities,
    /// No new privileges.
    Privileges,
    /// The tie to nsscript.
    Parent,
    /// The standard streams.
    Streams,
    /// The session of a closure.
    ClosureSession,
    /// The file mode creation mask.
    Umask,
    /// The working directory.
    Workdir,
    /// The init that stays.
    Init,
    /// The session of a program. This turn and those that follow are done by the process that
    /// becomes the program.
    Session,
    /// Resource limits, which bind the program alone and not the init.
    Limits,
    /// The program, or the closure.
    Program,
    /// It is no part of a launch.
    Never,
}

/// Which processes of a sandbox an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The sandbox as a whole: done once, by the process that makes it.
    Sandbox,
    /// Every program in it: done again by each that joins.
    EveryProgram,
}

/// What an operation leaves at a place inside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Leaves<'a> {
    /// Nothing.
    Nothing,
    /// A file or directory of the host.
    Bound {
        /// Where it is on the host.
        source: &'a Path,
        /// Whether it is a directory.
        directory: bool,
        /// The place.
        target: &'a GuestPath,
        /// The attributes of the mount.
        attributes: MountAttributes,
    },
    /// A file system of the sandbox's own.
    FileSystem {
        /// Its type.
        kind: &'a str,
        /// The place.
        target: &'a GuestPath,
        /// The attributes of the mount.
        attributes: MountAttributes,
    },
    /// Something empty that hides what was there.
    Hidden(&'a GuestPath),
    /// What was there, read-only.
    ReadOnly(&'a GuestPath),
    /// A directory.
    Directory(&'a GuestPath),
    /// A file.
    File(&'a GuestPath),
    /// A symbolic link.
    Symlink {
        /// Where the link stands.
        path: &'a GuestPath,
        /// What the link says.
        says: &'a str,
    },
}

impl<'a> Leaves<'a> {
    /// The place.
    #[must_use]
    pub fn place(self) -> Option<&'a GuestPath> {
        match self {
            Self::Nothing => None,
            Self::Bound { target: place, .. }
            | Self::FileSystem { target: place, .. }
            | Self::Hidden(place)
            | Self::ReadOnly(place)
            | Self::Directory(place)
            | Self::File(place)
            | Self::Symlink { path: place, .. } => Some(place),
        }
    }

    /// The place that is covered: what was there before cannot be seen.
    #[must_use]
    pub fn covers(self) -> Option<&'a GuestPath> {
        match self {
            Self::Bound { target, .. } | Self::FileSystem { target, .. } | Self::Hidden(target) => {
                Some(target)
            }
            Self::Nothing
            | Self::ReadOnly(_)
            | Self::Directory(_)
            | Self::File(_)
            | Self::Symlink { .. } => None,
        }
    }

    /// The attributes of the mount.
    #[must_use]
    pub fn attributes(self) -> Option<MountAttributes> {
        match self {
            Self::Bound { attributes, .. } | Self::FileSystem { attributes, .. } => {
                Some(attributes)
            }
            Self::Nothing
            | Self::Hidden(_)
            | Self::ReadOnly(_)
            | Self::Directory(_)
            | Self::File(_)
            | Self::Symlink { .. } => None,
        }
    }

    /// The place that something is mounted on.
    #[must_use]
    pub fn mounted_on(self) -> Option<&'a GuestPath> {
        match self {
            Self::Bound { target, .. } | Self::FileSystem { target, .. } => Some(target),
            Self::Nothing
            | Self::Hidden(_)
            | Self::ReadOnly(_)
            | Self::Directory(_)
            | Self::File(_)
            | Self::Symlink { .. } => None,
        }
    }
}

/// One operation.
pub trait Operation: Debug {
    /// What it is.
    fn facts(&self) -> Facts<'_>;

    /// How it reads.
    fn told(&self) -> Told;
}

/// An operation of the new process.
pub trait Lower: Operation {
    /// Adds its prepared calls.
    fn lower(&self, to: &mut Lowering<'_>);
}

/// An operation of the process that becomes the program: the carried program performs it.
pub trait Carried: Lower {
    /// The system calls of the carried program.
    fn calls(&self) -> Vec<Called>;
}

macro_rules! operations {
    (lowered { $($lowered:ident)* } carried { $($carried:ident)* } own { $($own:ident)* }) => {
        /// Everything that is done.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs, reason = "each is the type of that name")]
        pub enum Op {
            $($lowered($lowered),)*
            $($carried($carried),)*
            $($own($own),)*
        }

        /// What nsscript itself does: `run` has an arm for each.
        #[derive(Clone, Copy, Debug)]
        #[allow(missing_docs, reason = "each is the type of that name")]
        pub enum Own<'a> {
            $($own(&'a $own),)*
        }

        $(impl From<$lowered> for Op {
            fn from(one: $lowered) -> Self { Self::$lowered(one) }
        })*
        $(impl From<$carried> for Op {
            fn from(one: $carried) -> Self { Self::$carried(one) }
        })*
        $(impl From<$own> for Op {
            fn from(one: $own) -> Self { Self::$own(one) }
        })*

        impl Deref for Op {
            type Target = dyn Operation;

            fn deref(&self) -> &Self::Target {
                match self {
                    $(Self::$lowered(one) => one,)*
                    $(Self::$carried(one) => one,)*
                    $(Self::$own(one) => one,)*
                }
            }
        }

        impl Op {
            /// Adds the prepared calls of an operation of the new process.
            pub fn lower(&self, to: &mut Lowering<'_>) {
                match self {
                    $(Self::$lowered(one) => Lower::lower(one, to),)*
                    $(Self::$carried(one) => Lower::lower(one, to),)*
                    $(Self::$own(_) => {})*
                }
            }

            /// The operation, if nsscript itself does it.
            #[must_use]
            pub fn own(&self) -> Option<Own<'_>> {
                match self {
                    $(Self::$lowered(_) => None,)*
                    $(Self::$carried(_) => None,)*
                    $(Self::$own(one) => Some(Own::$own(one)),)*
                }
            }

            /// The system calls that the carried program makes for it.
            #[must_use]
            pub fn carried_calls(&self) -> Vec<Called> {
                match self {
                    $(Self::$lowered(_) => Vec::new(),)*
                    $(Self::$carried(one) => Carried::calls(one),)*
                    $(Self::$own(_) => Vec::new(),)*
                }
            }
        }
    };
}

asked! {
    Bind Tmpfs Proc Sysfs Dev Devpts Mount Directory File Symlink Mask ReadOnly
    Hostname Domainname Workdir Umask Limit Sysctl
}

operations! {
    lowered {
        MapOwnIds BecomeMapped LoopbackUp MakePrivate CoverRoot MakeRoot Bound Mounted Protect Mask
        Directory File Symlink ProtectRoot PivotRoot Chroot Hostname Domainname
        SetIds NewKeyring DropCapabilities NoNewPrivileges DieWithParent Connect Umask Workdir
        Sysctl StartInit Closure
    }
    carried { NewSession Limit Execute }
    own {
        BuildLayer KeepChanges EnterNetwork ConnectOutside PrepareMaps Start Join RawAction
    }
}
