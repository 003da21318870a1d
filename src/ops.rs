//! Operations: the parts of launches, raw calls and networks, each in one place.
//!
//! An operation is a value. [`Operation`] describes it; [`Lower`] turns it into prepared calls.
//! Work that only nsscript itself can do is matched by [`Own`]. No method has a default, so the
//! compiler demands all of them for a new operation.

#[macro_use]
mod asked;
mod capabilities;
mod flags;
mod identity;
mod lookup;
mod lowering;
mod maps;
mod mount;
mod name_files;
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
pub use capabilities::*;
pub use flags::*;
pub use identity::*;
pub use lookup::*;
pub use lowering::*;
pub use maps::*;
pub use mount::*;
pub use name_files::*;
pub use network::{
    ConnectOutside, EnterNetwork, FORWARDED, LoopbackUp, NetworkAction, NetworkWay, OpenPorts,
    Packets, own_groups,
};
pub use planning::*;
pub use process::*;
pub use raw::{Becomes, Effect, Performed, Performer, RawAction};
pub use root::*;
pub use sandbox::*;
pub use strace::*;
pub use tree::*;
pub use view::*;

/// The facts about an operation, without allocation.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Its name in a `catch`, in JSON, and in `--explain`.
    pub name: &'static str,
    /// Its turn in a launch.
    pub turn: Turn,
    /// The processes that it concerns.
    pub scope: Scope,
    /// The kinds of namespaces in which it separates the sandbox from nsscript.
    pub apart: Namespaces,
    /// The file or mount that it leaves at a place inside.
    pub leaves: Leaves<'a>,
}

/// The text of an operation.
#[derive(Clone, Debug)]
pub struct Told {
    /// A sentence without a subject, such as "bind `/srv` on `/data`, read-only". An error adds
    /// "cannot" before it.
    pub sentence: String,
    /// Its source: a path on the host, or what the kernel calls a source.
    pub source: Option<String>,
    /// Its target: usually a place inside.
    pub target: Option<String>,
    /// The equivalent shell command, if one exists.
    pub shell: Option<String>,
}

/// The turns of a launch, in order. Operations of one turn keep the order of the recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// Layers of the root are prepared. nsscript itself performs this turn and those up to `Start`.
    Layer,
    /// The keeper starts, which does the rest of a launch.
    Keeper,
    /// The directory for changes is prepared.
    Changes,
    /// Mount points are made on the host.
    OnHost,
    /// Images are attached to loop devices.
    Images,
    /// Networks are prepared.
    Network,
    /// A user namespace is prepared.
    Maps,
    /// The name of the sandbox is noted.
    Listing,
    /// The new process starts.
    Start,
    /// It sets the offsets of clocks, while it has the ids of the caller.
    Clocks,
    /// It maps its own ids.
    OwnMaps,
    /// It becomes a user who may create files.
    FirstUser,
    /// The loopback device is set up.
    Loopback,
    /// Settings of the new namespaces are written.
    Sysctls,
    /// Mounts that stay slaves of the host's are set aside.
    Slaves,
    /// Mount propagation ends.
    Propagation,
    /// The host's root becomes a mount.
    CoverRoot,
    /// The root is created.
    Root,
    /// Mounts and files in the root, in declared order.
    InRoot,
    /// The root becomes read-only.
    ProtectRoot,
    /// The root is entered.
    EnterRoot,
    /// Host and domain name.
    Names,
    /// Supplementary groups are chosen.
    Groups,
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
    /// The execution domain.
    Personality,
    /// The working directory.
    Workdir,
    /// The filter against user namespaces, which the init has as well.
    UserNamespaces,
    /// The init that stays.
    Init,
    /// The session of a program. The process that becomes the program performs this turn and those
    /// that follow.
    Session,
    /// Descriptors of the caller that are passed.
    Passing,
    /// Resource limits, which apply to the program but not to the init.
    Limits,
    /// The filter of system calls: the last step, so that nothing before it needs allowing.
    SystemCalls,
    /// The program, or the closure.
    Program,
    /// Not a part of a launch.
    Never,
}

/// The processes of a sandbox that an operation concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The sandbox as a whole: performed once, by the process that creates it.
    Sandbox,
    /// Every program in it: performed again by each program that joins.
    EveryProgram,
}

/// The file or mount that an operation leaves at a place inside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Leaves<'a> {
    /// Nothing.
    Nothing,
    /// A file or directory of the host.
    Bound {
        /// Its path on the host.
        source: &'a Path,
        /// Whether it is a directory.
        directory: bool,
        /// The place.
        target: &'a GuestPath,
        /// The attributes of the mount.
        attributes: MountAttributes,
    },
    /// A private file system of the sandbox.
    FileSystem {
        /// Its type.
        kind: &'a str,
        /// The place.
        target: &'a GuestPath,
        /// The attributes of the mount.
        attributes: MountAttributes,
    },
    /// An empty file or directory that hides the earlier one.
    Hidden(&'a GuestPath),
    /// The earlier file, read-only.
    ReadOnly(&'a GuestPath),
    /// A directory.
    Directory(&'a GuestPath),
    /// A file.
    File(&'a GuestPath),
    /// A symbolic link.
    Symlink {
        /// The path of the link.
        path: &'a GuestPath,
        /// The target of the link.
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

    /// The place that is covered, so that the earlier file is not visible.
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

    /// The place of the mount.
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

/// An operation.
pub trait Operation: Debug {
    /// Returns its facts.
    fn facts(&self) -> Facts<'_>;

    /// Returns its text.
    fn told(&self) -> Told;
}

/// An operation of the new process.
pub trait Lower: Operation {
    /// Adds its prepared calls.
    fn lower(&self, to: &mut Lowering<'_>);
}

/// An operation that the carried program performs, in the process that becomes the program.
pub trait Carried: Lower {
    /// The system calls of the carried program.
    fn calls(&self) -> Vec<Called>;
}

macro_rules! operations {
    (lowered { $($lowered:ident)* } carried { $($carried:ident)* } own { $($own:ident)* }) => {
        /// All operations.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs, reason = "each is the type of that name")]
        pub enum Op {
            $($lowered($lowered),)*
            $($carried($carried),)*
            $($own($own),)*
        }

        /// The operations that nsscript itself performs: `run` has an arm for each.
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

            /// The operation, if nsscript itself performs it.
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
    Bind Tmpfs Proc Sysfs Dev Devpts Mqueue Cgroupfs Mount Directory File Symlink Mask ReadOnly
    NameFiles Hostname Domainname Workdir Umask Personality Limit Sysctl Overlay Propagation ClockOffset
    Groups Image KeepCapabilities Name KeepSession OutliveParent PassFd Pin
    Seccomp ForbidUserNamespaces
}

operations! {
    lowered {
        MapOwnIds BecomeMapped LoopbackUp OpenPorts MakePrivate CoverRoot MakeRoot Extend Bound Mounted
        Protect KeepName Mask KeepSlave BindSlave SetPropagation Overlaid Imaged ClockOffset Groups
        Directory File FileOver Symlink ProtectRoot PivotRoot Chroot Hostname Domainname
        SetIds NewKeyring DropCapabilities LimitCapabilities NoNewPrivileges DieWithParent Connect Umask
        Personality Workdir Sysctl LimitUserNamespaces FilterUserNamespaces StartInit Closure
    }
    carried { NewSession KeepSession PassFd Limit Seccomp Execute }
    own {
        BuildLayer KeepChanges MakeOnHost AttachImage EnterNetwork EnterSandbox ConnectOutside PrepareMaps
        MapMount Name OutliveParent Start Join RawAction
    }
}
