//! Prepared calls in the making: the place that they are made for, and what is only known at a launch.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::spec::GuestPath;
use crate::sys::{self, Attributes, Base, CStrings, Call, Create, Identity, Target, Tree};

/// A directory of our own that a root is made of. A new process cannot use the descriptor that it
/// is held by, as that is of another mount namespace: it looks for the path, and takes no other
/// directory that lies there by then.
#[derive(Clone, Debug)]
pub struct OwnDirectory {
    path: PathBuf,
    id: Identity,
}

impl OwnDirectory {
    /// The directory that `path`, which can be by descriptor, leads to.
    ///
    /// # Errors
    /// stat(2).
    pub fn find(path: &Path) -> std::io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let found = std::fs::metadata(path)?;
        let id = Identity { device: found.dev(), inode: found.ino() };
        Ok(Self { path: sys::shown(path), id })
    }

    /// What a new process copies.
    pub(super) fn tree(&self) -> Tree {
        Tree::Host(path(&self.path), Some(self.id))
    }
}

/// What is only known when a plan is carried out.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Prepared<'a> {
    /// Where the layers of the root are, the topmost first.
    pub layers: &'a [OwnDirectory],
    /// Where a copy of them is, if there is no overlay for them.
    pub copy: Option<&'a OwnDirectory>,
    /// Where the directory is that changes are kept in: an overlay's `upper` and `work`.
    pub changes: Option<&'a OwnDirectory>,
    /// The call that connects the standard streams.
    pub streams: Call,
    /// The caller's own ids, which are others if the session has a user namespace.
    pub own: (u32, u32),
    /// Whether the program waits at a gate before it is executed.
    pub gated: bool,
    /// Whether the user namespace is new.
    pub new_user: bool,
    /// Whether the program has a terminal of its own.
    pub terminal: bool,
    /// Whether a closure goes on in the process, and no program.
    pub closure: bool,
}

/// The calls of a new process in the making.
#[derive(Debug)]
pub struct Lowering<'a> {
    /// The calls so far.
    pub calls: Vec<Call>,
    /// What is only known at a launch.
    pub prepared: Prepared<'a>,
    /// The directories that the root is made of, the topmost first, until they are opened.
    pub directories: Vec<Tree>,
    /// Where the file system was attached that [`Base::Fresh`] is.
    fresh: Option<GuestPath>,
    /// The links that were made: what is mounted on one goes where it leads.
    links: Vec<GuestPath>,
    /// Whether there is a root; if the plan makes none it is that of nsscript.
    rooted: bool,
    /// Whether the bounding set is empty already.
    pub(super) bounded: bool,
    /// Whether the new process becomes init, and does not execute the program itself.
    pub(super) init: bool,
    /// The limits that the carried program sets for the program alone.
    pub(super) limits: Vec<String>,
}

impl<'a> Lowering<'a> {
    /// Calls that follow those of `before`.
    #[must_use]
    pub fn new(prepared: Prepared<'a>, before: Vec<Call>) -> Self {
        Self {
            calls: before,
            prepared,
            directories: Vec::new(),
            fresh: None,
            links: Vec::new(),
            rooted: false,
            bounded: false,
            init: false,
            limits: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, call: Call) {
        self.calls.push(call);
    }

    /// Notes that the root is there.
    pub(super) fn has_root(&mut self) {
        self.rooted = true;
    }

    /// Has a root to look for places in: if the plan makes none, that of nsscript.
    pub(super) fn begin_root(&mut self) {
        if !self.rooted {
            self.push(Call::OpenRoot(c("/")));
            self.rooted = true;
        }
    }

    /// Opens the directories that the root is made of, while the caller's rights lead to them.
    pub(super) fn keep_directories(&mut self) {
        for tree in std::mem::take(&mut self.directories) {
            let set = Attributes::NO_SUID.and(Attributes::NO_DEVICES, true);
            self.push(Call::OpenTree { tree, recursive: true, set });
            self.push(Call::Keep);
        }
    }

    /// Attaches the mount that was made last.
    pub(super) fn attach(&mut self, target: &GuestPath, create: Create) {
        let (base, path) = self.place(target);
        self.begin_root();
        self.leave_fresh(base);
        self.push(Call::Attach(Target { base, path, create }));
    }

    /// The same for a file system that nobody else has put anything into.
    pub(super) fn attach_fresh(&mut self, target: &GuestPath, create: Create) {
        let (base, _) = self.place(target);
        self.attach(target, create);
        if base == Base::Root {
            self.fresh = Some(target.clone());
        }
    }

    /// What is attached beneath the root takes the place of the file system made last.
    pub(super) fn leave_fresh(&mut self, base: Base) {
        if base == Base::Root {
            self.fresh = None;
        }
    }

    /// Has a limit set for what is executed; for a closure, for the process that it goes on in.
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

    /// A place as the new process looks for it: by one name, directly in the file system that was
    /// made last, or beneath the root.
    pub(super) fn place(&self, path: &GuestPath) -> (Base, CString) {
        let name = self.fresh.as_ref().and_then(|fresh| path.below(fresh)?.to_str());
        match name.filter(|name| !name.is_empty() && !name.contains('/')) {
            Some(_) if self.links.contains(path) => (Base::Root, guest(path)),
            Some(name) => (Base::Fresh, c(name)),
            None => (Base::Root, guest(path)),
        }
    }
}

/// A C string; the layers above let no NUL through.
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

/// A command in the form that the carried program reads, which may have to wait at a gate first and
/// have a terminal for the command: see `sys/init/pid1.rs`.
#[must_use]
pub fn command(
    words: &[String],
    search: &[String],
    environment: &[(String, String)],
    (gated, terminal): (bool, bool),
    limits: &[String],
) -> CStrings {
    let candidates = candidates(words, search);
    let numbers = [candidates.len(), words.len()].map(|number| number.to_string().into_bytes());
    let mut told = vec![Vec::new(); usize::from(gated)];
    told.extend(terminal.then(|| b"t".to_vec()));
    told.extend(limits.iter().map(|limit| limit.clone().into_bytes()));
    told.extend(numbers);
    told.extend(candidates.into_iter().map(CString::into_bytes));
    told.extend(words.iter().map(|word| word.clone().into_bytes()));
    told.push(Vec::new());
    told.extend(environment.iter().map(|(name, value)| format!("{name}={value}").into_bytes()));
    // `Command` and the verbs of the environment refuse words with a NUL.
    CStrings::new(told).unwrap_or_default()
}
