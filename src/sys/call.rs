//! Prepared system calls of a new process, with nothing left to decide or to allocate.

use std::ffi::CString;

use super::program::CStrings;
use super::pty::OwnTerminal;

/// A slot of the new process that keeps a descriptor for a later call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The root under construction.
    Root = 0,
    /// A mount that is not attached yet.
    Mount = 1,
    /// The file system that was created and attached last. Only this process has put anything into
    /// it, so names in it are safe.
    Fresh = 2,
}

/// The number of slots.
pub(super) const SLOTS: usize = 3;

/// The maximum number of mounts that can be kept for a root.
pub const MOST_KEPT: usize = 128;

/// The identity of a file that was examined before, to detect a replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The device that holds it.
    pub device: u64,
    /// Its inode.
    pub inode: u64,
}

/// The kind of entry to create at a target that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Create {
    /// Nothing: it must exist.
    Nothing,
    /// A directory and its parents.
    Directory,
    /// An empty file and its parent directories.
    File,
}

/// The directory beneath which a place is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// The root under construction.
    Root,
    /// [`Slot::Fresh`]; the place is then a single name.
    Fresh,
}

/// A place beneath the root under construction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The base of the path.
    pub base: Base,
    /// The path, relative to the base; `.` is the base.
    pub path: CString,
    /// The kind of entry to create if the path does not exist.
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
    /// Set-user-ID bits and file capabilities have no effect.
    pub const NO_SUID: Self = Self { bits: 2 };
    /// Device files cannot be opened.
    pub const NO_DEVICES: Self = Self { bits: 4 };
    /// Nothing can be executed.
    pub const NO_EXEC: Self = Self { bits: 8 };
    /// Symbolic links are not followed: Linux 5.14.
    pub const NO_SYMLINKS: Self = Self { bits: 0x20_0000 };

    /// Returns these attributes, with those of `other` if `wanted`.
    #[must_use]
    pub const fn and(self, other: Self, wanted: bool) -> Self {
        Self { bits: if wanted { self.bits | other.bits } else { self.bits } }
    }

    /// Whether all attributes of `other` are set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.bits & other.bits == other.bits
    }

    pub(super) const fn bits(self) -> u64 {
        self.bits
    }
}

/// The source of a tree to mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// A path of the host, and the identity of the file that was found there before.
    Host(CString, Option<Identity>),
    /// A place beneath the root under construction.
    Beneath(Base, CString),
}

/// The propagation of mounts: mount_namespaces(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MountPropagation {
    /// No mount appears elsewhere.
    Private,
    /// Mounts of its master appear in it, but not the reverse.
    Slave,
    /// Mounts appear in all mounts of its peer group.
    Shared,
    /// It is private, and cannot be bound.
    Unbindable,
}

/// The maximum number of mounts that are set aside.
pub const MOST_ASIDE: usize = 32;

/// A directory of the host that was examined before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// Its path.
    pub path: CString,
    /// Its identity.
    pub identity: Identity,
}

/// The directories of the host for the changes in an overlay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpperWork {
    /// The directory that holds both, since they must be in one mount.
    pub above: Examined,
    /// The directory for changes, by its path from the stage.
    pub upper: Examined,
    /// The directory for work, by its path from the stage.
    pub work: Examined,
}

/// An overlay at a place beneath the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlay {
    /// The place.
    pub target: Target,
    /// The lower directories, the topmost first.
    pub lower: Vec<Examined>,
    /// The names that the stage has for them, and for directories of its own.
    pub names: Vec<CString>,
    /// The directories of the host for changes.
    pub changes: Option<UpperWork>,
    /// The options, in terms of names in the stage.
    pub options: Vec<(CString, Option<CString>)>,
    /// The attributes of the mount.
    pub attributes: Attributes,
}

/// Supplementary groups.
pub type Group = u32;

/// A prepared step of a new process: one system call, or a few that belong together.
#[derive(Clone, Debug)]
pub enum Call {
    /// Writes an existing file of procfs, such as an id map.
    WriteProc {
        /// The path below `/proc/self`.
        path: CString,
        /// The bytes to write, in one write(2).
        bytes: Vec<u8>,
    },
    /// Writes files in a directory of procfs, as far as the kernel lets it.
    TryWriteProc {
        /// The path of the directory.
        directory: CString,
        /// The names of the files, and what is written to each, in one write(2).
        files: Vec<(CString, Vec<u8>)>,
    },
    /// Ends mount propagation in the whole namespace.
    MakePrivate,
    /// Binds the root on itself with all mounts below it, and enters the bind with chroot(2).
    CoverRoot,
    /// Sets the offset of a clock in the time namespace of the program.
    SetClock {
        /// Whether the namespace is created first.
        first: bool,
        /// The line for `/proc/self/timens_offsets`.
        bytes: Vec<u8>,
    },
    /// Sets the loopback device up.
    LoopbackUp,
    /// Copies a tree of mounts into [`Slot::Mount`].
    OpenTree {
        /// The tree to copy.
        tree: Tree,
        /// Whether mounts below it are included.
        recursive: bool,
        /// The attributes of every copied mount.
        set: Attributes,
    },
    /// Creates a file system of the type `kind` in [`Slot::Mount`].
    NewMount {
        /// The type.
        kind: CString,
        /// Its options.
        options: Vec<(CString, Option<CString>)>,
        /// The attributes of the mount.
        attributes: Attributes,
    },
    /// Opens a directory of the host as [`Slot::Root`], without mounting anything.
    OpenRoot(CString),
    /// Attaches [`Slot::Mount`] on top of everything at `/` and makes it [`Slot::Root`].
    AttachRoot,
    /// Enters [`Slot::Root`] and creates these directories in it.
    Stage(Vec<CString>),
    /// Keeps [`Slot::Mount`] for a root that is made later; at most [`MOST_KEPT`] mounts.
    Keep,
    /// Attaches the next kept mount at a name in the current directory.
    AttachKept(CString),
    /// Moves the next kept mount to [`Slot::Mount`].
    UseKept,
    /// Attaches [`Slot::Mount`] at a place beneath the root.
    Attach(Target),
    /// Makes [`Slot::Mount`] a slave, and sets it aside while other mounts become private.
    SetAside {
        /// Its number, below [`MOST_ASIDE`].
        number: usize,
    },
    /// Moves a mount that was set aside to [`Slot::Mount`].
    TakeAside {
        /// Its number.
        number: usize,
    },
    /// Takes a mount that nsscript has created as [`Slot::Mount`].
    UseGiven {
        /// The descriptor of the mount.
        mount: i32,
    },
    /// Sets the propagation of a mount, and of all mounts below it.
    SetPropagation {
        /// The place beneath the root.
        path: CString,
        /// The propagation.
        kind: MountPropagation,
    },
    /// Mounts an overlay.
    Overlay(Box<Overlay>),
    /// Sets attributes of the mount that holds the root.
    SetRootAttributes(Attributes),
    /// Binds a place and all mounts below it on themselves, with further attributes.
    BindSelf {
        /// The base of the path.
        base: Base,
        /// The place.
        path: CString,
        /// Whether it may be missing.
        optional: bool,
        /// The attributes to set.
        set: Attributes,
    },
    /// Hides a place: a directory by an empty one, anything else by `/dev/null`.
    Mask {
        /// The place.
        path: CString,
        /// Whether it may be missing.
        optional: bool,
    },
    /// Creates a directory beneath the root, or sets mode and owner of an existing one.
    MakeDirectory {
        /// The place.
        path: CString,
        /// Permission bits.
        mode: u32,
        /// Owner and group inside; `u32::MAX` for those of the process itself.
        owner: (u32, u32),
    },
    /// Writes a file beneath the root, and replaces an existing one.
    MakeFile {
        /// The place.
        path: CString,
        /// The content.
        content: Vec<u8>,
        /// Permission bits.
        mode: u32,
        /// Owner and group inside; `u32::MAX` for those of the process itself.
        owner: (u32, u32),
    },
    /// Mounts a file of our own over a file beneath the root, read-only.
    CoverFile {
        /// The place.
        path: CString,
        /// The content.
        content: Vec<u8>,
        /// Permission bits.
        mode: u32,
        /// Owner and group inside; `u32::MAX` for those of the process itself.
        owner: (u32, u32),
    },
    /// Shows the entries of a directory beneath the root one by one in a tmpfs on top of it.
    ShowEntries(CString),
    /// Shows the entries of [`Slot::Root`] one by one in a tmpfs, and makes that [`Slot::Root`].
    ShowRootEntries,
    /// Creates a symbolic link beneath the root.
    MakeSymlink {
        /// The base of the path.
        base: Base,
        /// The path of the link.
        path: CString,
        /// The target of the link.
        target: CString,
    },
    /// Enters the root with pivot_root(2) and detaches the old one.
    PivotRoot,
    /// Enters the root with chroot(2).
    Chroot,
    /// Enters the root of a descriptor with chroot(2).
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
    /// Joins a new, empty session keyring.
    NewKeyring,
    /// Leaves these in the bounding set, while the other sets still have the capability that this
    /// needs.
    LimitBoundingSet {
        /// The capabilities that stay, one bit for each.
        kept: u64,
    },
    /// Leaves these in every other set of capabilities.
    LimitCapabilities {
        /// The capabilities that stay, one bit for each.
        kept: u64,
        /// Whether programs keep them although they are not user 0.
        ambient: bool,
    },
    /// Prevents programs that are executed later from gaining privileges.
    NoNewPrivileges,
    /// Sets a resource limit of the process and of the programs that it executes.
    Limit {
        /// The number of the resource.
        resource: u32,
        /// The soft limit.
        soft: u64,
        /// The hard limit.
        hard: u64,
    },
    /// Sets the file mode creation mask.
    Umask(u32),
    /// Sets the execution domain: personality(2).
    Personality(u32),
    /// Filters the system calls of the process from now on: seccomp(2), by instructions of
    /// `struct sock_filter`.
    Seccomp(Vec<[u8; 8]>),
    /// Connects the standard streams to these descriptors.
    Streams([i32; 3]),
    /// Connects the standard streams to a terminal that is created in the devpts inside.
    Terminal(OwnTerminal),
    /// Starts a session: setsid(2).
    NewSession,
    /// Makes the terminal on standard input the controlling terminal of the session: TIOCSCTTY.
    ControlTerminal,
    /// Changes to a directory inside, and checks that it is beneath the root.
    Workdir(CString),
    /// Asks the kernel to kill the process when its parent ends.
    DieWithParent,
    /// Executes the program that nsscript carries (`init/pid1.rs`), which starts a session and then
    /// the described program.
    Execute {
        /// Whether the carried program stays as the init of that program, or else becomes it.
        as_init: bool,
        /// The description of the program, in the form that the carried program reads. If it is
        /// empty, the carried program only holds its namespaces open until it is killed.
        told: CStrings,
        /// The descriptors that it passes to the program.
        passed: Passed,
    },
}

/// Descriptors that the carried program passes to the program. It gets them with other numbers,
/// because the numbers that the program knows may be those of its own pipes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Each descriptor of this process, and its number in the program.
    pairs: Vec<(i32, i32)>,
    /// The number that the first one has in the carried program, above all others.
    first: i32,
}

impl Passed {
    /// Descriptors of this process, each with its number in the program.
    #[must_use]
    pub fn new(pairs: Vec<(i32, i32)>) -> Self {
        let most = pairs.iter().map(|(from, to)| *from.max(to)).max().unwrap_or_default();
        // The numbers up to 5 are those of the carried program's own descriptors.
        Self { first: most.max(5) + 1, pairs }
    }

    /// The descriptors of this process.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = i32> {
        self.pairs.iter().map(|(from, _)| *from)
    }

    /// The numbers in the carried program, which follow each other.
    pub fn numbers(&self) -> impl Iterator<Item = i32> + Clone {
        (self.first..).take(self.pairs.len())
    }

    /// The first of these numbers, and the one after the last.
    pub(super) fn range(&self) -> (i32, i32) {
        (self.first, self.numbers().last().unwrap_or(self.first - 1) + 1)
    }

    /// What the carried program reads of them: see `init/pid1.rs`.
    pub fn told(&self) -> impl Iterator<Item = String> {
        self.numbers().zip(&self.pairs).map(|(number, (_, to))| format!("p{number} {to}"))
    }
}
