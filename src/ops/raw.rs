//! Operations of the raw layer: what a recipe does to its own process, at once.
//!
//! [`RawOperation`] is to them what [`Operation`] is to those of a sandbox, and has their path of
//! errors. What differs is asked for: a raw call has no turn in a launch, and it can change the
//! host. [`Effect`] says what it changes, and the session refuses by that alone.

mod attach_loop;
mod attributes;
mod capabilities;
mod clone;
mod execute;
mod ids;
mod map_ids;
mod metadata;
mod mkdir;
mod mknod;
mod mount;
mod names;
mod network;
mod no_new_privs;
mod pin;
mod remove;
mod rename;
mod results;
mod root;
mod session;
mod setns;
mod signal;
mod symlink;
mod umount;
mod unshare;
mod write_file;

use std::fmt::Debug;
use std::path::Path;

use super::strace::Called;
use super::words::c;
use super::{Facts, Leaves, Operation, Scope, Told, Turn};
use crate::spec::{Kind, Namespaces};
use crate::sys::Raw;

pub use attach_loop::*;
pub use attributes::*;
pub use capabilities::*;
pub use clone::*;
pub use execute::*;
pub use ids::*;
pub use map_ids::*;
pub use metadata::*;
pub use mkdir::*;
pub use mknod::*;
pub use mount::*;
pub use names::*;
pub use network::*;
pub use no_new_privs::*;
pub use pin::*;
pub use remove::*;
pub use rename::*;
pub use results::*;
pub use root::*;
pub use session::*;
pub use setns::*;
pub use signal::*;
pub use symlink::*;
pub use umount::*;
pub use unshare::*;
pub use write_file::*;

/// What an operation of the raw layer is asked about; nothing is allocated for it.
#[derive(Clone, Copy, Debug)]
pub struct RawFacts<'a> {
    /// What it is called by a `catch`, in JSON, and by `--explain`.
    pub name: &'static str,
    /// What it changes.
    pub effect: Effect<'a>,
}

/// What an operation changes: what the session may have to refuse, and what it has to remember.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effect<'a> {
    /// This process and those that come from it, and nothing else.
    Own,
    /// The session begins, in new namespaces of these kinds.
    Session(Namespaces),
    /// This process is in new namespaces, or those that it starts are.
    Unshare(Namespaces),
    /// This process is in namespaces that existed.
    Enter(Namespaces),
    /// A new process is in new namespaces.
    Child(Namespaces),
    /// The ids of this process.
    Ids,
    /// The ids in the user namespace of a process, which the kernel lets be set once.
    Maps(i32),
    /// What everybody sees who is in the same namespace of this kind.
    Held(Kind),
    /// The mounts of the mount namespace, and possibly settings of a file system.
    Mount(&'a Mount),
    /// A mount on a file that is made for it.
    Pin(&'a Path),
    /// A name in a directory: what is there afterwards.
    Name(&'a Path, Becomes),
    /// The content of a file, which is made if it is missing.
    Content(&'a Path),
    /// Mode or owner of what exists.
    Metadata(&'a Path),
    /// The name of what exists, which is at the second name afterwards.
    Rename(&'a Path, &'a Path),
    /// The content of an image, as long as its device is there.
    Image(&'a Path),
    /// Another process.
    Process(i32),
    /// A network, which is looked at with its handle.
    Network,
    /// A file or directory for results, which is the caller's to make: what is there afterwards.
    Result(&'a Path, Becomes),
}

/// What is at a name after an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Becomes {
    /// Nothing.
    Nothing,
    /// A directory.
    Directory,
    /// A file, or what can stand for one.
    File,
    /// A symbolic link.
    Link,
}

impl Effect<'_> {
    /// The namespaces that a process is in afterwards, and was not before.
    #[must_use]
    pub fn namespaces(self) -> Namespaces {
        match self {
            Self::Session(namespaces)
            | Self::Unshare(namespaces)
            | Self::Enter(namespaces)
            | Self::Child(namespaces) => namespaces,
            Self::Own
            | Self::Ids
            | Self::Maps(_)
            | Self::Held(_)
            | Self::Mount(_)
            | Self::Pin(_)
            | Self::Name(..)
            | Self::Content(_)
            | Self::Metadata(_)
            | Self::Rename(..)
            | Self::Image(_)
            | Self::Process(_)
            | Self::Network
            | Self::Result(..) => Namespaces::NONE,
        }
    }
}

/// One operation of the raw layer.
pub trait RawOperation: Debug {
    /// What it is.
    fn facts(&self) -> RawFacts<'_>;

    /// How it reads.
    fn told(&self) -> Told;

    /// The system calls, as strace(1) writes them.
    fn calls(&self) -> Vec<Called>;
}

/// An operation that is one prepared call.
pub trait Prepare: RawOperation {
    /// The call.
    fn prepare(&self) -> Raw<'static>;
}

macro_rules! raw_operations {
    (
        prepared { $($prepared:ident)* }
        performed { $($performed:ident)* }
        held { $($held:ident)* }
    ) => {
        /// One thing that a recipe does to its own process.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs, reason = "each is the type of that name")]
        pub enum RawAction {
            $($prepared($prepared),)*
            $($performed($performed),)*
            $($held($held),)*
        }

        /// What is more than one call, or answers something: `run/raw` has an arm for each.
        #[derive(Clone, Copy, Debug)]
        #[allow(missing_docs, reason = "each is the type of that name")]
        pub enum Performed<'a> {
            $($performed(&'a $performed),)*
        }

        $(impl From<$prepared> for RawAction {
            fn from(one: $prepared) -> Self { Self::$prepared(one) }
        })*
        $(impl From<$performed> for RawAction {
            fn from(one: $performed) -> Self { Self::$performed(one) }
        })*
        $(impl From<$held> for RawAction {
            fn from(one: $held) -> Self { Self::$held(one) }
        })*

        impl RawAction {
            fn operation(&self) -> &dyn RawOperation {
                match self {
                    $(Self::$prepared(one) => one,)*
                    $(Self::$performed(one) => one,)*
                    $(Self::$held(one) => one,)*
                }
            }

            /// Who performs it.
            #[must_use]
            pub fn performer(&self) -> Performer<'_> {
                match self {
                    $(Self::$prepared(one) => Performer::Call(Prepare::prepare(one)),)*
                    $(Self::$performed(one) => Performer::Own(Performed::$performed(one)),)*
                    $(Self::$held(_) => Performer::Holder,)*
                }
            }
        }
    };
}

raw_operations! {
    prepared {
        Unshare Mount SetAttributes Umount PivotRoot Chroot Chdir SetHostname SetDomainname
        Mkdir Mknod Symlink HardLink Rename Chmod Chown SetUser SetGroup SetGroups NoNewPrivs
    }
    performed {
        Remove MapIds AllowSetgroups SetCapabilities Signal
    }
    held {
        EnterSession Setns Clone3 AttachLoop WriteFile Pin DiskImage Pack Build Save OpenOutput
        InNetwork Execute
    }
}

/// Who performs an operation.
#[derive(Debug)]
pub enum Performer<'a> {
    /// The kernel, by one prepared call.
    Call(Raw<'static>),
    /// nsscript, from the operation alone.
    Own(Performed<'a>),
    /// The function that holds what it is about and it does not: a descriptor, a content, a root.
    Holder,
}

impl RawAction {
    /// What it is called by a `catch`, in JSON, and by `--explain`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.operation().facts().name
    }

    /// What it changes.
    #[must_use]
    pub fn effect(&self) -> Effect<'_> {
        self.operation().facts().effect
    }

    /// The namespaces that a process is in afterwards.
    #[must_use]
    pub fn namespaces(&self) -> Namespaces {
        self.effect().namespaces()
    }

    /// How it reads.
    #[must_use]
    pub fn told(&self) -> Told {
        self.operation().told()
    }

    /// The system calls, as strace(1) writes them.
    #[must_use]
    pub fn calls(&self) -> Vec<Called> {
        self.operation().calls()
    }
}

impl Operation for RawAction {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: self.name(),
            turn: Turn::Never,
            scope: Scope::Sandbox,
            apart: self.namespaces(),
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        self.operation().told()
    }
}

/// A path of this process, as a source or target.
fn own(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// chmod(2), as the umask takes bits away that were asked for.
fn exactly(path: &Path, mode: u32) -> Called {
    Called::new(format!("fchmodat(AT_FDCWD, {}, 0{mode:03o})", c(path)))
}
