//! The session: what keeps the raw layer from changing the host.
//!
//! Before the first raw call the process takes a mount namespace of its own, in which nothing
//! propagates to the host; for a user, in a user namespace of its own. All of it ends with the
//! process, however that ends. `--host` goes without.

pub(super) mod id_helper;
pub(super) mod idmap;
pub(super) mod namespace;
pub(super) mod place;
pub(super) mod refuse;
mod trail;

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use self::idmap::UserNamespaces;
use self::namespace::Namespace;
use self::place::{Place, Seen};
use super::base::Machine;
use crate::diag::Report;
use crate::plan::{Maps, MountCall, RawAction};
use crate::spec::{IdMap, IdRange, Kind, Namespaces};
use crate::sys::{self, SharedNumbers};

pub(super) use self::trail::Trail;

/// What a run knows of its session.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// Whether raw calls are made to the host itself: `--host`.
    pub on_host: Cell<bool>,
    /// What is known since it began; none before.
    pub begun: RefCell<Option<Begun>>,
    /// Where this process has gone since.
    trail: Cell<Trail>,
    /// The namespaces that this recipe has made, in any of its processes: see [`numbered`].
    pub made: Cell<Option<SharedNumbers>>,
    /// The devices of the file systems in memory that this recipe has mounted.
    mounted: RefCell<Vec<u64>>,
    /// Why a session was entered by half: nothing can be done in it, nor without it.
    pub broken: RefCell<Option<Report>>,
    /// The images that this recipe has made, by device and inode.
    pub images: RefCell<Vec<(u64, u64)>>,
    /// The environment of programs that are executed, where it is not nsscript's own.
    pub environment: RefCell<Option<Vec<(String, String)>>>,
}

/// What was found when the session began.
#[derive(Debug)]
pub(super) struct Begun {
    /// The namespaces that nsscript was started in. They are held: the number of one that has
    /// ended, as nobody else was in it, may be that of a new one.
    initial: Vec<Namespace>,
    /// The kinds of which that one could not be held: any may be it.
    unknown: Namespaces,
    /// The file systems of the host.
    devices: Devices,
    /// The process that nsscript was started as.
    leader: u32,
    /// What the user namespace of the session maps, where it has one.
    pub maps: Option<Maps>,
}

/// Which file systems are the host's, by their devices.
#[derive(Debug)]
enum Devices {
    /// Those that were mounted when the session began, and all that the recipe cannot have made.
    Mounted(Vec<u64>),
    /// Nothing tells which those are, and why.
    Unknown(String),
    /// None: the process is in a sandbox.
    Nothing,
}

/// Whether a file system is the recipe's own.
pub(super) enum Owned {
    /// It is.
    Own,
    /// It is the host's.
    Host,
    /// Nothing tells, and why.
    Unknown(String),
}

/// The process of nsscript itself: its session, and the user namespaces that it has made.
pub struct Caller {
    machine: Machine,
    session: Session,
    pub(super) users: RefCell<UserNamespaces>,
}

impl Deref for Caller {
    type Target = Machine;

    fn deref(&self) -> &Machine {
        &self.machine
    }
}

impl Caller {
    pub(super) fn new(machine: Machine) -> Self {
        Self { machine, session: Session::default(), users: RefCell::default() }
    }

    /// What keeps raw calls from changing the host.
    pub(in crate::run) fn session(&self) -> &Session {
        &self.session
    }

    /// Makes raw calls to the host itself from here on.
    pub fn work_on_host(&self) {
        self.session.on_host.set(true);
    }

    /// The user and the group that this process is where it is.
    pub(in crate::run) fn own_ids(&self) -> (u32, u32) {
        if self.session.begun.borrow().is_none() {
            return (self.host().uid, self.host().gid);
        }
        let ids = sys::ids();
        (ids.uid, ids.gid)
    }

    /// Whether the session was entered by half, so that nothing is as it was before.
    #[must_use]
    pub fn has_broken_session(&self) -> bool {
        self.session.broken.borrow().is_some()
    }

    /// Whether this process is in another user namespace than the machine's first one, as its map
    /// tells.
    #[must_use]
    pub fn in_user_namespace(&self) -> bool {
        let map = self.host().tree.read("/proc/self/uid_map".as_ref()).unwrap_or_default();
        let map = String::from_utf8_lossy(&map).into_owned();
        self.session.has_user_namespace() || !map.split_whitespace().eq(["0", "0", "4294967295"])
    }

    /// Ends what was started by raw calls and not waited for, where this process has started it.
    pub(in crate::run) fn close_session(&self) {
        let begun = self.session.begun.borrow().is_some();
        if !begun || sys::is_copy() || self.session.on_host.get() {
            return;
        }
        sys::end_children();
    }

    /// Whether raw calls are made in a session that has begun.
    #[must_use]
    pub fn is_in_session(&self) -> bool {
        !self.session().on_host.get() && self.session().has_begun()
    }

    /// Whether what is made is made on the host itself.
    pub(in crate::run) fn on_host(&self) -> bool {
        self.session().on_host.get()
    }
}

impl Session {
    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        self.begun.borrow().is_some()
    }

    /// Whether a namespace may be the one of its kind that nsscript was started in.
    pub fn was_initial(&self, kind: Kind, inode: u64) -> bool {
        let begun = self.begun.borrow();
        let Some(begun) = &*begun else { return true };
        let is = |namespace: &Namespace| namespace.kind == kind && namespace.inode == inode;
        begun.unknown.has(kind) || begun.initial.iter().any(is)
    }

    /// The process that nsscript was started as.
    pub fn leader(&self) -> u32 {
        self.begun.borrow().as_ref().map_or(0, |begun| begun.leader)
    }

    /// Whether the process is in the namespace of this kind that it was started in, or in another
    /// one of the host, or nothing tells.
    pub fn is_initial(&self, kind: Kind) -> bool {
        let begun = self.begun.borrow();
        let Some(begun) = &*begun else { return true };
        let trail = self.trail.get();
        // What the recipe has done itself counts, as long as it has entered none.
        if !trail.has_entered(kind) {
            return !trail.has_left(kind);
        }
        let Some(now) = sys::namespace_inode(kind.file()) else { return true };
        if begun.initial.iter().any(|first| first.kind == kind && first.inode == now) {
            return true;
        }
        // It was entered: one of the recipe's own, or one that others on the host are in.
        begun.maps.is_none() && self.may_be_shared(kind, now)
    }

    /// Whether others on the host are in a namespace, or may be: it is then known for the recipe's
    /// own if one of its processes has made it.
    pub fn may_be_shared(&self, kind: Kind, inode: u64) -> bool {
        let is_made = || self.made.get().is_some_and(|made| made.contains(numbered(kind, inode)));
        place::is_shared(kind.file(), inode, self.leader()).unwrap_or_else(|| !is_made())
    }

    /// Notes that this process is in a sandbox: nothing there is the host's by accident, and the
    /// process has no right to a session of its own.
    pub fn in_sandbox(&self, environment: Vec<(String, String)>) {
        *self.begun.borrow_mut() = Some(Begun {
            initial: Vec::new(),
            unknown: Namespaces::NONE,
            devices: Devices::Nothing,
            leader: 0,
            maps: None,
        });
        self.change_trail(Trail::enter_sandbox);
        *self.environment.borrow_mut() = Some(environment);
    }

    /// Whether this process is in a sandbox: it goes on with a closure there.
    pub fn is_in_sandbox(&self) -> bool {
        self.environment.borrow().is_some()
    }

    /// Notes what this process has done to itself.
    pub fn moved(&self, action: &RawAction) {
        self.change_trail(|trail| trail.act(action));
        match action {
            RawAction::EnterSession { namespaces, .. } | RawAction::Unshare(namespaces) => {
                self.note_made(*namespaces);
            }
            RawAction::Mount(mount) => self.note_mounted(mount),
            _ => {}
        }
    }

    /// Notes that this process is a copy, which was made by `action`.
    pub fn begin_copy(&self, action: &RawAction) {
        self.change_trail(|trail| trail.begin_copy(action));
        if let RawAction::Clone(namespaces) = action {
            self.note_made(*namespaces);
        }
    }

    /// Where this process has gone by now.
    pub fn trail(&self) -> Trail {
        self.trail.get()
    }

    fn change_trail(&self, change: impl FnOnce(&mut Trail)) {
        let mut trail = self.trail.get();
        change(&mut trail);
        self.trail.set(trail);
    }

    /// Remembers the namespaces that this process is in as its own, where /proc tells them.
    fn note_made(&self, namespaces: Namespaces) {
        let Some(made) = self.made.get() else { return };
        for kind in namespaces.kinds().filter(|kind| self.trail.get().has_left(*kind)) {
            if let Some(inode) = sys::namespace_inode(kind.file()) {
                made.add(numbered(kind, inode));
            }
        }
    }

    /// Remembers a file system that only this recipe has: a new one in memory.
    fn note_mounted(&self, mount: &MountCall) {
        let is_new = matches!(mount.new_file_system(), Some("tmpfs" | "ramfs" | "overlay"));
        let device = std::fs::metadata(&mount.target).map(|found| found.dev());
        self.mounted.borrow_mut().extend(device.ok().filter(|_| is_new));
    }

    /// Whether a place is in a file system of the recipe's own.
    pub fn owns(&self, place: &Place) -> Owned {
        let begun = self.begun.borrow();
        let Some(begun) = &*begun else { return Owned::Host };
        let is_mounted = self.mounted.borrow().contains(&place.device);
        match (&begun.devices, &place.seen) {
            (Devices::Mounted(devices), _) if devices.contains(&place.device) => Owned::Host,
            (Devices::Nothing, _) | (Devices::Mounted(_), Seen::Here(_)) => Owned::Own,
            _ if is_mounted => Owned::Own,
            // Its files may have other devices than its mount.
            (Devices::Mounted(_), Seen::Elsewhere) => {
                Owned::Unknown("it is not mounted in this root".to_owned())
            }
            (Devices::Mounted(_), Seen::Unknown(why)) | (Devices::Unknown(why), _) => {
                Owned::Unknown(why.clone())
            }
        }
    }

    /// Whether the session has a user namespace: then the kernel itself protects the host.
    pub fn has_user_namespace(&self) -> bool {
        self.begun.borrow().as_ref().is_some_and(|begun| begun.maps.is_some())
    }

    /// What this process calls the id `outside` of the host; none where the session's user namespace
    /// does not map it.
    pub fn inside(&self, outside: u32, users: bool) -> Option<u32> {
        let begun = self.begun.borrow();
        match begun.as_ref().and_then(|begun| begun.maps.as_ref()) {
            None => Some(outside),
            Some(maps) if users => maps.users.inside(outside),
            Some(maps) => maps.groups.inside(outside),
        }
    }

    /// The id of the host that this process calls `inside`.
    pub fn outside(&self, inside: u32, users: bool) -> Option<u32> {
        let begun = self.begun.borrow();
        match begun.as_ref().and_then(|begun| begun.maps.as_ref()) {
            None => Some(inside),
            Some(maps) if users => maps.users.outside(inside),
            Some(maps) => maps.groups.outside(inside),
        }
    }

    /// The id that this process calls `outside`, which is one of the host.
    pub fn translate(&self, map: &IdMap, users: bool) -> IdMap {
        let begun = self.begun.borrow();
        let Some(maps) = begun.as_ref().and_then(|begun| begun.maps.as_ref()) else {
            return map.clone();
        };
        let own = if users { &maps.users } else { &maps.groups };
        let range = |range: &IdRange| IdRange {
            outside: own.inside(range.outside).unwrap_or(range.outside),
            ..*range
        };
        IdMap { ranges: map.ranges.iter().map(range).collect() }
    }
}

impl Begun {
    /// What can be found now.
    pub fn found() -> Self {
        let (mut initial, mut unknown) = (Vec::new(), Namespaces::NONE);
        let has_proc = Path::new("/proc/self/ns").is_dir();
        for kind in Kind::ALL {
            match Namespace::open(&Path::new("/proc/self/ns").join(kind.file())) {
                Ok(Some(namespace)) => initial.push(namespace),
                // The kernel was built without this kind.
                Err(errno) if has_proc && errno.name() == "ENOENT" => {}
                Ok(None) | Err(_) => unknown = unknown | kind.into(),
            }
        }
        let devices = place::mounted_devices().map_or_else(Devices::Unknown, Devices::Mounted);
        Self { initial, unknown, devices, leader: std::process::id(), maps: None }
    }
}

/// A namespace as a number: inodes of namespaces have 32 bits.
fn numbered(kind: Kind, inode: u64) -> u64 {
    (kind as u64 + 1) << 32 | inode
}
