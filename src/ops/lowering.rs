//! Lowering of operations to prepared calls, with the facts that are only known at a launch.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::spec::GuestPath;
use crate::sys::{self, Attributes, Base, CStrings, Call, Create, Identity, Passed, Target, Tree};

/// A directory of nsscript's own from which a root is made. A new process cannot use its
/// descriptor, which belongs to another mount namespace. It looks the path up instead, and refuses
/// another directory there.
#[derive(Clone, Debug)]
pub struct OwnDirectory {
    path: PathBuf,
    id: Identity,
}

impl OwnDirectory {
    /// Examines the directory `path`, which may be a path by descriptor.
    ///
    /// # Errors
    /// stat(2).
    pub fn find(path: &Path) -> std::io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let found = std::fs::metadata(path)?;
        let id = Identity { device: found.dev(), inode: found.ino() };
        Ok(Self { path: sys::shown(path), id })
    }

    /// The tree that a new process copies.
    pub(super) fn tree(&self) -> Tree {
        Tree::Host(path(&self.path), Some(self.id))
    }
}

/// The facts that are only known at a launch.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Prepared<'a> {
    /// The layers of the root, the topmost first.
    pub layers: &'a [OwnDirectory],
    /// The copy of the layers, if this machine has no overlay for them.
    pub copy: Option<&'a OwnDirectory>,
    /// The directory for kept changes, with the `upper` and `work` of an overlay.
    pub changes: Option<&'a OwnDirectory>,
    /// The mounts of images, by descriptor.
    pub images: &'a [i32],
    /// The copies of mounts with mapped ids, by descriptor.
    pub mapped: &'a [i32],
    /// The call that connects the standard streams.
    pub streams: Call,
    /// The caller's ids, which differ if the session has a user namespace.
    pub own: (u32, u32),
    /// Whether the program waits at a gate before it is executed.
    pub gated: bool,
    /// Whether the user namespace is new.
    pub new_user: bool,
    /// Whether the program has its own terminal.
    pub terminal: bool,
    /// Whether the process runs a closure instead of a program.
    pub closure: bool,
}

/// The calls of a new process under construction.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Lowering<'a> {
    /// The calls so far.
    pub calls: Vec<Call>,
    /// The facts that are only known at a launch.
    pub prepared: Prepared<'a>,
    /// The directories of the root that are not opened yet, the topmost first.
    pub directories: Vec<Tree>,
    /// The place of the file system that [`Base::Fresh`] refers to.
    fresh: Option<GuestPath>,
    /// The links created so far: a mount on a link goes to its target.
    links: Vec<GuestPath>,
    /// Whether a root exists; if the plan makes none, it is that of nsscript.
    rooted: bool,
    /// Whether a time namespace was created for the program.
    pub(super) times: bool,
    /// Whether the new process becomes init instead of executing the program itself.
    pub(super) init: bool,
    /// The supplementary groups of programs.
    pub(super) groups: Vec<u32>,
    /// Whether the program keeps capabilities, which the carried program gives up as init.
    pub(super) capable: bool,
    /// Whether the program stays in the session of nsscript.
    pub(super) stays: bool,
    /// The descriptors that are passed to the program, and their numbers there.
    pub(super) passed: Vec<(i32, i32)>,
    /// The limits that the carried program sets only for the program.
    pub(super) limits: Vec<String>,
    /// The filter of system calls that the carried program sets right before the program.
    pub(super) filter: Option<String>,
}

impl<'a> Lowering<'a> {
    /// Starts lowering after the calls in `before`.
    #[must_use]
    pub fn new(prepared: Prepared<'a>, before: Vec<Call>) -> Self {
        Self {
            calls: before,
            prepared,
            directories: Vec::new(),
            fresh: None,
            links: Vec::new(),
            rooted: false,
            times: false,
            init: false,
            groups: Vec::new(),
            capable: false,
            stays: false,
            passed: Vec::new(),
            limits: Vec::new(),
            filter: None,
        }
    }

    pub(super) fn push(&mut self, call: Call) {
        self.calls.push(call);
    }

    /// Notes that the root exists.
    pub(super) fn has_root(&mut self) {
        self.rooted = true;
    }

    /// Opens nsscript's root for place look-ups, if the plan makes none.
    pub(super) fn begin_root(&mut self) {
        if !self.rooted {
            self.push(Call::OpenRoot(c("/")));
            self.rooted = true;
        }
    }

    /// Opens the directories of the root while the process has the caller's rights.
    pub(super) fn keep_directories(&mut self) {
        for tree in std::mem::take(&mut self.directories) {
            let set = Attributes::NO_SUID.and(Attributes::NO_DEVICES, true);
            self.push(Call::OpenTree { tree, recursive: true, set });
            self.push(Call::Keep);
        }
    }

    /// Attaches the latest mount.
    pub(super) fn attach(&mut self, target: &GuestPath, create: Create) {
        let (base, path) = self.place(target);
        self.begin_root();
        self.leave_fresh(base);
        self.push(Call::Attach(Target { base, path, create }));
    }

    /// Does the same for a file system that nobody else has put anything into.
    pub(super) fn attach_fresh(&mut self, target: &GuestPath, create: Create) {
        let (base, _) = self.place(target);
        self.attach(target, create);
        if base == Base::Root {
            self.fresh = Some(target.clone());
        }
    }

    /// Forgets the latest file system if the next mount replaces it in its slot.
    pub(super) fn leave_fresh(&mut self, base: Base) {
        if base == Base::Root {
            self.fresh = None;
        }
    }

    /// Adds a limit for the program, or for the process of a closure.
    pub(super) fn limit(&mut self, call: Call) {
        match call {
            Call::Limit { resource, soft, hard } if !self.prepared.closure => {
                self.limits.push(format!("l{resource} {soft} {hard}"));
            }
            call => self.push(call),
        }
    }

    /// Notes a link.
    pub(super) fn link(&mut self, path: &GuestPath) {
        self.links.push(path.clone());
    }

    /// The base and path of a place: one name directly in the latest file system, or a path beneath
    /// the root.
    pub(super) fn place(&self, path: &GuestPath) -> (Base, CString) {
        let name = self.fresh.as_ref().and_then(|fresh| path.below(fresh)?.to_str());
        match name.filter(|name| !name.is_empty() && !name.contains('/')) {
            Some(_) if self.links.contains(path) => (Base::Root, guest(path)),
            Some(name) => (Base::Fresh, c(name)),
            None => (Base::Root, guest(path)),
        }
    }
}

/// Converts to a C string; the layers above refuse NUL bytes.
pub(super) fn c(bytes: impl AsRef<[u8]>) -> CString {
    let bytes = bytes.as_ref();
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    CString::new(&bytes[..end]).unwrap_or_default()
}

pub(super) fn path(path: &Path) -> CString {
    c(path.as_os_str().as_bytes())
}

/// A place inside, relative to the root.
pub(super) fn guest(path: &GuestPath) -> CString {
    c(path.relative())
}

/// An option of a file system.
pub(super) fn option(key: &str, value: &str) -> (CString, Option<CString>) {
    (c(key), Some(c(value)))
}

/// The paths to try for a program.
fn candidates(words: &[String], search: &[String]) -> Vec<CString> {
    let program = words.first().map_or("", String::as_str);
    if program.contains('/') {
        return vec![c(program)];
    }
    search.iter().map(|directory| c(format!("{directory}/{program}"))).collect()
}

/// What the carried program does before and around the program.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Around {
    /// Whether it waits at a gate.
    pub gated: bool,
    /// Whether it makes the standard input the terminal of the program's session.
    pub terminal: bool,
    /// Whether it has capabilities for the program, which it gives up as init.
    pub capable: bool,
    /// Whether the program stays in the session of nsscript.
    pub stays: bool,
}

/// What the process that becomes the program does before that.
#[derive(Clone, Copy, Debug, Default)]
pub struct Before<'a> {
    /// The descriptors that it has.
    pub passed: Option<&'a Passed>,
    /// Its limits, as text.
    pub limits: &'a [String],
    /// Its filter of system calls, as text.
    pub filter: Option<&'a str>,
}

/// A command in the form that the carried program reads: see `sys/init/pid1.rs`.
#[must_use]
pub fn command(
    words: &[String],
    search: &[String],
    environment: &[(String, String)],
    around: Around,
    before: Before<'_>,
) -> CStrings {
    let Before { passed, limits, filter } = before;
    let candidates = candidates(words, search);
    let numbers = [candidates.len(), words.len()].map(|number| number.to_string().into_bytes());
    let mut told = vec![Vec::new(); usize::from(around.gated)];
    told.extend(around.terminal.then(|| b"t".to_vec()));
    told.extend(around.capable.then(|| b"c".to_vec()));
    told.extend(around.stays.then(|| b"s".to_vec()));
    told.extend(passed.into_iter().flat_map(Passed::told).map(String::into_bytes));
    told.extend(limits.iter().map(|limit| limit.clone().into_bytes()));
    told.extend(filter.map(|filter| filter.as_bytes().to_vec()));
    told.extend(numbers);
    told.extend(candidates.into_iter().map(CString::into_bytes));
    told.extend(words.iter().map(|word| word.clone().into_bytes()));
    told.push(Vec::new());
    told.extend(environment.iter().map(|(name, value)| format!("{name}={value}").into_bytes()));
    // `Command` and the verbs of the environment refuse NUL bytes.
    CStrings::new(told).unwrap_or_default()
}
