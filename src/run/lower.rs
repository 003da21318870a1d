//! From the actions of a plan to prepared system calls.
#![warn(clippy::wildcard_enum_match_arm)]

mod root;

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::stream::Given;
use crate::plan::{Action, Maps, Plan, Planned, Side};
use crate::spec::{
    BindOptions, FileOptions, GuestPath, IdMap, Kind, MountOptions, Namespaces, Streams,
};
use crate::sys::{
    self, Attributes, Base, CStrings, Call, Create, Identity, Program, Target, Tree, flags,
};

/// A program, and which action each of its calls belongs to.
#[derive(Debug)]
pub(super) struct Lowered {
    pub program: Program,
    pub actions: Vec<usize>,
}

impl Lowered {
    /// The index of the action that call number `call` belongs to.
    pub fn action_of(&self, call: usize) -> Option<usize> {
        self.actions.get(call).copied()
    }
}

/// A directory of our own that a root is made of. A new process cannot use the descriptor that it
/// is held by, as that is of another mount namespace: it looks for the path, and takes no other
/// directory that lies there by then.
#[derive(Clone, Debug)]
pub(super) struct OwnDirectory {
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

    fn tree(&self) -> Tree {
        Tree::Host(path(&self.path), Some(self.id))
    }
}

/// What is only known when a plan is carried out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prepared<'a> {
    /// Where the layers of the root are, the topmost first.
    pub layers: &'a [OwnDirectory],
    /// Where a copy of them is, where there is no overlay for them.
    pub copy: Option<&'a OwnDirectory>,
    /// Where the directory is that changes are kept in: an overlay's `upper` and `work`.
    pub changes: Option<&'a OwnDirectory>,
    /// The standard streams.
    pub streams: Given,
    /// The version of Linux.
    pub kernel: (u32, u32),
    /// The caller's own ids, which are others where the session has a user namespace.
    pub own: (u32, u32),
    /// Whether the program waits at a gate before it is executed.
    pub gated: bool,
}

/// The clone flags of a set of namespaces.
pub(super) fn clone_flags(namespaces: Namespaces) -> u64 {
    let flag = |kind| match kind {
        Kind::User => flags::USER,
        Kind::Mount => flags::MOUNT,
        Kind::Pid => flags::PID,
        Kind::Net => flags::NET,
        Kind::Uts => flags::UTS,
        Kind::Ipc => flags::IPC,
        Kind::Cgroup => flags::CGROUP,
        Kind::Time => flags::TIME,
    };
    namespaces.kinds().map(flag).fold(0, |all, flag| all | flag)
}

/// The program that carries out what `plan` has the new process do.
pub(super) fn lower(plan: &Plan, prepared: Prepared<'_>) -> Lowered {
    // Modes are those that the plan says, whatever the umask of who started nsscript.
    let is_umask = |planned: &Planned| matches!(planned.action, Action::SetUmask(_));
    let before = if plan.actions.iter().any(is_umask) { vec![Call::Umask(0)] } else { Vec::new() };
    let Lowered { mut program, actions } = lower_joining(plan, prepared, before);
    // A process that shares its parent's memory enters a new time namespace only when it executes
    // a program, and not at all on kernels like 6.1; one with a copy is in it from the start.
    program.share_memory = !plan.namespaces.has(Kind::Time) || prepared.kernel >= (6, 6);
    program.namespaces = clone_flags(plan.namespaces);
    Lowered { program, actions }
}

/// The program of a process that enters namespaces which are there, and performs `before` first.
pub(super) fn lower_joining(plan: &Plan, prepared: Prepared<'_>, before: Vec<Call>) -> Lowered {
    let mut lowerer = Lowerer {
        actions: vec![plan.start().unwrap_or(0); before.len()],
        calls: before,
        prepared,
        plan,
        fresh: None,
        links: Vec::new(),
        directories: root::directories(plan, prepared),
        rooted: false,
        bounded: false,
        init: false,
    };
    for (index, planned) in plan.actions.iter().enumerate() {
        if planned.side != Side::Parent {
            lowerer.action(&planned.action);
            lowerer.actions.resize(lowerer.calls.len(), index);
        }
    }
    let Lowerer { calls, actions, .. } = lowerer;
    Lowered { program: Program { calls, ..Program::default() }, actions }
}

pub(super) struct Lowerer<'a> {
    calls: Vec<Call>,
    actions: Vec<usize>,
    prepared: Prepared<'a>,
    plan: &'a Plan,
    /// Where the file system was attached that [`Base::Fresh`] is.
    fresh: Option<GuestPath>,
    /// The links that were made: what is mounted on one goes where it leads.
    links: Vec<GuestPath>,
    /// The directories that the root is made of, until they are opened.
    directories: Vec<Tree>,
    /// Whether there is a root; where the plan makes none it is that of nsscript.
    rooted: bool,
    /// Whether the bounding set is empty already.
    bounded: bool,
    /// Whether the new process becomes init, and does not execute the program itself.
    init: bool,
}

/// A C string; the layers above let no NUL through.
fn c(bytes: impl AsRef<[u8]>) -> CString {
    let bytes = bytes.as_ref();
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    CString::new(&bytes[..end]).unwrap_or_default()
}

fn path(path: &Path) -> CString {
    c(path.as_os_str().as_bytes())
}

fn guest(path: &GuestPath) -> CString {
    c(path.relative())
}

impl Lowerer<'_> {
    fn push(&mut self, call: Call) {
        self.calls.push(call);
    }

    fn action(&mut self, action: &Action) {
        match action {
            Action::NewSession if self.plan.command.is_closure() => self.begin_session(),
            Action::MapOwnIds(maps) => self.map_own_ids(maps),
            Action::MakePrivate => self.push(Call::MakePrivate),
            Action::CoverRoot => self.push(Call::CoverRoot),
            Action::LoopbackUp => self.push(Call::LoopbackUp),
            Action::MakeRoot(kind) => self.root(kind),
            Action::Bind { source, id, directory, target, options, create } => {
                let id = id.map(|(device, inode)| Identity { device, inode });
                self.push(Call::OpenTree {
                    tree: Tree::Host(path(source), id),
                    recursive: options.recursive,
                    set: bound(*options),
                });
                let made = if *directory { Create::Directory } else { Create::File };
                self.attach(target, if *create { made } else { Create::Nothing });
            }
            Action::Mount { kind, source, target, options, create, .. } => {
                self.new_mount(kind, source, options);
                let create = if *create { Create::Directory } else { Create::Nothing };
                let (base, _) = self.place(target);
                self.attach(target, create);
                if base == Base::Root {
                    self.fresh = Some(target.clone());
                }
            }
            Action::Protect { target, optional } => {
                self.begin_root();
                let (base, path) = self.place(target);
                if base == Base::Root {
                    self.fresh = None;
                }
                self.push(Call::Protect { base, path, optional: *optional });
            }
            Action::Mask(place) => self.push(Call::Mask(guest(place))),
            Action::MakeDirectory(place, options) => self.push(Call::MakeDirectory {
                path: guest(place),
                mode: options.mode.unwrap_or(0o755),
                owner: owner(*options),
            }),
            Action::MakeFile(place, content, options) => self.push(Call::MakeFile {
                path: guest(place),
                content: content.to_vec(),
                mode: options.mode.unwrap_or(0o644),
                owner: owner(*options),
            }),
            Action::MakeSymlink { path, target } => {
                let (base, place) = self.place(path);
                self.links.push(path.clone());
                self.push(Call::MakeSymlink { base, path: place, target: c(target) });
            }
            Action::ProtectRoot => self.push(Call::SetRootAttributes(Attributes::READ_ONLY)),
            Action::PivotRoot => self.push(Call::PivotRoot),
            Action::Chroot => self.push(Call::Chroot),
            Action::SetHostname(name) => self.push(Call::SetHostname(name.as_bytes().to_vec())),
            Action::SetDomainname(name) => {
                self.push(Call::SetDomainname(name.as_bytes().to_vec()));
            }
            Action::BecomeMapped { uid, gid } => {
                // The store is closed to everybody but the caller, who this is until now.
                self.keep_directories();
                self.push(Call::SetGroups(Vec::new()));
                self.push(Call::SetGroup(*gid));
                self.push(Call::SetUser(*uid));
            }
            Action::SetIds { uid, gid } => {
                self.push(Call::DropBoundingSet);
                self.bounded = true;
                self.push(Call::SetGroups(Vec::new()));
                self.push(Call::SetGroup(*gid));
                self.push(Call::SetUser(*uid));
            }
            Action::NewKeyring => self.push(Call::NewKeyring),
            Action::DropCapabilities => {
                if !self.bounded {
                    self.push(Call::DropBoundingSet);
                }
                self.push(Call::DropCapabilities);
            }
            Action::NoNewPrivileges => self.push(Call::NoNewPrivileges),
            Action::DieWithParent => self.push(Call::DieWithParent),
            Action::StartInit => self.init = true,
            // The first three are done before there is a new process, the last one by the program
            // that nsscript carries.
            Action::BuildLayer(..)
            | Action::KeepChanges(_)
            | Action::PrepareMaps(_)
            | Action::ConnectOutside(_)
            | Action::EnterNetwork(_)
            | Action::Start(_)
            | Action::Join(_)
            | Action::NewSession
            | Action::Closure
            | Action::Raw(_) => {}
            Action::Connect(_) => self.push(self.prepared.streams.call()),
            Action::SetUmask(mode) => self.push(Call::Umask(*mode)),
            Action::Enter(place) => self.push(Call::Workdir(c(place.as_str()))),
            Action::Execute { command, search, environment } => {
                let waits = (self.prepared.gated, self.has_terminal());
                let told = told(command.words(), search, environment, waits);
                self.push(Call::Execute { as_init: self.init, told });
            }
        }
    }

    /// Whether the program has a terminal of its own.
    fn has_terminal(&self) -> bool {
        let connects = Action::Connect(Streams::Terminal);
        self.plan.actions.iter().any(|planned| planned.action == connects)
    }

    fn begin_session(&mut self) {
        self.push(Call::NewSession);
        if self.has_terminal() {
            self.push(Call::ControlTerminal);
        }
    }

    fn map_own_ids(&mut self, maps: &Maps) {
        // Without this the kernel lets nobody but the privileged map groups: a group that is
        // dropped may be one that access is refused to (CVE-2014-8989).
        let (uid, gid) = self.prepared.own;
        let own = |map: &IdMap, id| {
            IdMap::single(map.one().map_or(0, |range| range.inside), id).kernel_text()
        };
        let files = [
            ("setgroups", "deny".to_owned()),
            ("uid_map", own(&maps.users, uid)),
            ("gid_map", own(&maps.groups, gid)),
        ];
        for (name, text) in files {
            let path = c(format!("/proc/self/{name}"));
            self.push(Call::WriteProc { path, bytes: text.into_bytes() });
        }
    }

    fn new_mount(&mut self, kind: &str, source: &str, options: &MountOptions) {
        let mut data = vec![option("source", source)];
        let given = options.data.iter();
        data.extend(given.map(|(key, value)| (c(key), value.as_ref().map(c))));
        let attributes = Attributes::NONE
            .and(Attributes::READ_ONLY, options.read_only)
            .and(Attributes::NO_SUID, !options.suid)
            .and(Attributes::NO_DEVICES, !options.devices)
            .and(Attributes::NO_EXEC, !options.exec);
        self.push(Call::NewMount { kind: c(kind), options: data, attributes });
    }

    /// Has a root to look for places in: where the plan makes none, that of nsscript.
    fn begin_root(&mut self) {
        if !self.rooted {
            self.push(Call::OpenRoot(c("/")));
            self.rooted = true;
        }
    }

    fn attach(&mut self, target: &GuestPath, create: Create) {
        let (base, path) = self.place(target);
        self.begin_root();
        // What is attached elsewhere takes the place of the last one.
        if base == Base::Root {
            self.fresh = None;
        }
        self.push(Call::Attach(Target { base, path, create }));
    }

    /// A place as the new process looks for it: by one name, directly in the file system that was
    /// made last, or beneath the root.
    fn place(&self, path: &GuestPath) -> (Base, CString) {
        let name = self.fresh.as_ref().and_then(|fresh| path.below(fresh)?.to_str());
        match name.filter(|name| !name.is_empty() && !name.contains('/')) {
            Some(_) if self.links.contains(path) => (Base::Root, guest(path)),
            Some(name) => (Base::Fresh, c(name)),
            None => (Base::Root, guest(path)),
        }
    }
}

fn option(key: &str, value: &str) -> (CString, Option<CString>) {
    (c(key), Some(c(value)))
}

fn bound(options: BindOptions) -> Attributes {
    Attributes::NONE
        .and(Attributes::READ_ONLY, options.read_only)
        .and(Attributes::NO_SUID, !options.suid)
        .and(Attributes::NO_DEVICES, !options.devices)
        .and(Attributes::NO_EXEC, !options.exec)
}

/// Owner and group; `u32::MAX` leaves one as it is.
fn owner(options: FileOptions) -> (u32, u32) {
    (options.uid.unwrap_or(u32::MAX), options.gid.unwrap_or(u32::MAX))
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
pub(super) fn told(
    words: &[String],
    search: &[String],
    environment: &[(String, String)],
    (gated, terminal): (bool, bool),
) -> CStrings {
    let candidates = candidates(words, search);
    let numbers = [candidates.len(), words.len()].map(|number| number.to_string().into_bytes());
    let mut told = vec![Vec::new(); usize::from(gated)];
    told.extend(terminal.then(|| b"t".to_vec()));
    told.extend(numbers);
    told.extend(candidates.into_iter().map(CString::into_bytes));
    told.extend(words.iter().map(|word| word.clone().into_bytes()));
    told.push(Vec::new());
    told.extend(environment.iter().map(|(name, value)| format!("{name}={value}").into_bytes()));
    // `Command` and the verbs of the environment refuse words with a NUL.
    CStrings::new(told).unwrap_or_default()
}
