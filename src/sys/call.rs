//! Prepared system calls: what a new process does, with nothing left to decide or to allocate.

use std::ffi::CString;

use super::program::CStrings;
use super::pty::OwnTerminal;

/// A place of the new process for a descriptor that a later call uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The root of the tree that is being built.
    Root = 0,
    /// A mount that is not attached yet.
    Mount = 1,
    /// The file system that was made and attached last: nobody but this process has put anything
    /// into it, so names in it need no care.
    Fresh = 2,
}

/// How many slots there are.
pub(super) const SLOTS: usize = 3;

/// How many mounts can be kept for a root.
pub const MOST_KEPT: usize = 128;

/// A file that was looked at before, so that another one in its place is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The device that holds it.
    pub device: u64,
    /// Its inode.
    pub inode: u64,
}

/// What is made at a target that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Create {
    /// Nothing: it must exist.
    Nothing,
    /// A directory, and those above it.
    Directory,
    /// An empty file, and the directories above it.
    File,
}

/// What a place is looked for beneath.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// The root that is being built.
    Root,
    /// [`Slot::Fresh`], in which the place is one name.
    Fresh,
}

/// A place beneath the root that is being built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What the path is relative to.
    pub base: Base,
    /// The path, relative to the base; `.` is the base.
    pub path: CString,
    /// What is made where nothing is.
    pub create: Create,
}

/// The attributes of a mount: mount_setattr(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    bits: u64,
}

impl Attributes {
    /// No attribute.
    pub const NONE: Self = Self { bits: 0 };
    /// Nothing can be written.
    pub const READ_ONLY: Self = Self { bits: 1 };
    /// Set-user-ID bits and file capabilities mean nothing.
    pub const NO_SUID: Self = Self { bits: 2 };
    /// Device files cannot be opened.
    pub const NO_DEVICES: Self = Self { bits: 4 };
    /// Nothing can be executed.
    pub const NO_EXEC: Self = Self { bits: 8 };

    /// These attributes and `other`, where `wanted`.
    #[must_use]
    pub const fn and(self, other: Self, wanted: bool) -> Self {
        Self { bits: if wanted { self.bits | other.bits } else { self.bits } }
    }

    /// Whether it has all of `other`.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.bits & other.bits == other.bits
    }

    pub(super) const fn bits(self) -> u64 {
        self.bits
    }
}

/// Where a tree that is to be mounted comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// A path of the host, and the file that was found there before.
    Host(CString, Option<Identity>),
    /// A place beneath the root that is being built.
    Beneath(Base, CString),
}

/// Supplementary groups.
pub type Group = u32;

/// One prepared step of a new process: one system call, or a few that belong together.
#[derive(Clone, Debug)]
pub enum Call {
    /// Writes to an existing file of procfs: id maps.
    WriteProc {
        /// The path below `/proc/self`.
        path: CString,
        /// What is written, in one write(2).
        bytes: Vec<u8>,
    },
    /// Ends the propagation of mounts, all over the namespace.
    MakePrivate,
    /// Binds the root, with all mounts below it, on itself and enters that with chroot(2).
    CoverRoot,
    /// Sets the loopback device up.
    LoopbackUp,
    /// Copies a tree of mounts into [`Slot::Mount`].
    OpenTree {
        /// What is copied.
        tree: Tree,
        /// With the mounts below it.
        recursive: bool,
        /// Attributes that every copied mount gets.
        set: Attributes,
    },
    /// Makes a file system of the type `kind` into [`Slot::Mount`].
    NewMount {
        /// The type.
        kind: CString,
        /// Its options.
        options: Vec<(CString, Option<CString>)>,
        /// The attributes of the mount.
        attributes: Attributes,
    },
    /// Makes a directory of the host [`Slot::Root`], where nothing is mounted.
    OpenRoot(CString),
    /// Attaches [`Slot::Mount`] on top of everything at `/` and makes it [`Slot::Root`].
    AttachRoot,
    /// Enters [`Slot::Root`] and makes these directories in it.
    Stage(Vec<CString>),
    /// Keeps [`Slot::Mount`] for the root that is made later: [`MOST_KEPT`] at the most.
    Keep,
    /// Attaches the next of those that were kept at a name of the current directory.
    AttachKept(CString),
    /// Takes the next of those that were kept as [`Slot::Mount`].
    UseKept,
    /// Attaches [`Slot::Mount`] at a place beneath the root.
    Attach(Target),
    /// Sets attributes of the mount that holds the root.
    SetRootAttributes(Attributes),
    /// Makes a place read-only, with everything that is mounted below it.
    Protect {
        /// What the path is relative to.
        base: Base,
        /// The place.
        path: CString,
        /// Whether it may be missing.
        optional: bool,
    },
    /// Hides what is at a place: a directory by an empty one, anything else by `/dev/null`.
    Mask(CString),
    /// Makes a directory beneath the root, or sets the look of the one that is there.
    MakeDirectory {
        /// The place.
        path: CString,
        /// Permission bits.
        mode: u32,
        /// Owner and group inside; `u32::MAX` for the one who makes it.
        owner: (u32, u32),
    },
    /// Makes a file beneath the root, in place of what is there.
    MakeFile {
        /// The place.
        path: CString,
        /// The content.
        content: Vec<u8>,
        /// Permission bits.
        mode: u32,
        /// Owner and group inside; `u32::MAX` for the one who makes it.
        owner: (u32, u32),
    },
    /// Makes a symbolic link beneath the root.
    MakeSymlink {
        /// What the path is relative to.
        base: Base,
        /// Where the link stands.
        path: CString,
        /// What the link says.
        target: CString,
    },
    /// Enters the root with pivot_root(2) and detaches the old one.
    PivotRoot,
    /// Enters the root with chroot(2).
    Chroot,
    /// Enters the root that a descriptor refers to with chroot(2).
    ChrootInto(i32),
    /// Sets the host name.
    SetHostname(Vec<u8>),
    /// Sets the NIS domain name.
    SetDomainname(Vec<u8>),
    /// Sets the supplementary groups.
    SetGroups(Vec<Group>),
    /// Sets real, effective and saved group.
    SetGroup(u32),
    /// Sets real, effective and saved user.
    SetUser(u32),
    /// Gets a session keyring of its own, which holds nothing.
    NewKeyring,
    /// Empties the bounding set, which needs a capability that the other sets still have.
    DropBoundingSet,
    /// Empties every other set of capabilities.
    DropCapabilities,
    /// Programs executed from here on gain nothing.
    NoNewPrivileges,
    /// Sets a resource limit of the process, and of what it executes.
    Limit {
        /// The number of the resource.
        resource: u32,
        /// The limit.
        soft: u64,
        /// How far it may be raised.
        hard: u64,
    },
    /// Sets the file mode creation mask.
    Umask(u32),
    /// Connects the standard streams to these descriptors.
    Streams([i32; 3]),
    /// Connects them to a terminal that is made in the devpts inside.
    Terminal(OwnTerminal),
    /// Starts a session: setsid(2).
    NewSession,
    /// Makes the terminal that is the standard input the one of the session: TIOCSCTTY.
    ControlTerminal,
    /// Goes to a directory inside, and checks that it lies beneath the root.
    Workdir(CString),
    /// Is killed when the parent ends.
    DieWithParent,
    /// Executes the program that nsscript carries (`init/pid1.rs`), which starts a session and the
    /// program that this tells of.
    Execute {
        /// Whether it stays, as the init of that program; else it becomes it.
        as_init: bool,
        /// What is executed, in the form that it reads. Where it is empty, it only holds its
        /// namespaces open until it is killed.
        told: CStrings,
    },
}
