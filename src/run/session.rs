//! The session, which prevents the raw layer from changing the host.
//!
//! Before the first raw call, the process enters a new mount namespace, from which nothing
//! propagates to the host; for a user, in a new user namespace. Both end with the process, however
//! that ends. `--host` works without a session.

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
use crate::ops::raw::Mount;
use crate::ops::{Effect, RawAction};
use crate::plan::Maps;
use crate::spec::{IdMap, IdRange, Kind, Namespaces};
use crate::sys::{self, SharedNumbers};

pub(super) use self::trail::Trail;

/// The state of a run's session.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// Whether raw calls act on the host itself: `--host`.
    pub on_host: Cell<bool>,
    /// The facts from its start; `None` before.
    pub begun: RefCell<Option<Begun>>,
    /// The trail of this process since then.
    trail: Cell<Trail>,
    /// The namespaces that this recipe created, in any of its processes: see [`numbered`].
    pub made: Cell<Option<SharedNumbers>>,
    /// The devices of the memory file systems that this recipe mounted.
    mounted: RefCell<Vec<u64>>,
    /// The reason why the session was entered only in part, so that nothing can run.
    pub broken: RefCell<Option<Report>>,
    /// The images that this recipe created, by device and inode.
    pub images: RefCell<Vec<(u64, u64)>>,
    /// The environment of executed programs, if it is not that of nsscript.
    pub environment: RefCell<Option<Vec<(String, String)>>>,
}

/// The facts from the start of the session.
#[derive(Debug)]
pub(super) struct Begun {
    /// The namespaces in which nsscript was started. They are held open, because a new namespace
    /// may get the number of one that has ended.
    initial: Vec<Namespace>,
    /// The kinds whose initial namespace could not be held: any namespace may be the initial one.
    unknown: Namespaces,
    /// The file systems of the host.
    devices: Devices,
    /// The first process of nsscript.
    leader: u32,
    /// The maps of the session's user namespace, if it has one.
    pub maps: Option<Maps>,
}

/// The devices of the host's file systems.
#[derive(Debug)]
enum Devices {
    /// The devices that were mounted at the start of the session, and all that the recipe cannot
    /// have created.
    Mounted(Vec<u64>),
    /// They are unknown, for this reason.
    Unknown(String),
    /// None, because the process is in a sandbox.
    Nothing,
}

/// Whether a file system is the recipe's own.
pub(super) enum Owned {
    /// It is the recipe's own.
    Own,
    /// It belongs to the host.
    Host,
    /// It is unknown, for this reason.
    Unknown(String),
}

/// The process of nsscript itself: its session, and the user namespaces that it created.
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

    /// The session.
    pub(in crate::run) fn session(&self) -> &Session {
        &self.session
    }

    /// Makes raw calls act on the host itself.
    pub fn work_on_host(&self) {
        self.session.on_host.set(true);
    }

    /// The user and group of this process in its user namespace.
    pub(in crate::run) fn own_ids(&self) -> (u32, u32) {
        if self.session.begun.borrow().is_none() {
            return (self.host().uid, self.host().gid);
        }
        let ids = sys::ids();
        (ids.uid, ids.gid)
    }

    /// Whether the session was entered only in part.
    #[must_use]
    pub fn has_broken_session(&self) -> bool {
        self.session.broken.borrow().is_some()
    }

    /// Whether this process is in a user namespace other than the machine's first, according to its
    /// map.
    #[must_use]
    pub fn in_user_namespace(&self) -> bool {
        let map = self.host().tree.read("/proc/self/uid_map".as_ref()).unwrap_or_default();
        let map = String::from_utf8_lossy(&map).into_owned();
        self.session.has_user_namespace() || !map.split_whitespace().eq(["0", "0", "4294967295"])
    }

    /// Kills processes that this one started by raw calls and did not wait for.
    pub(in crate::run) fn close_session(&self) {
        let begun = self.session.begun.borrow().is_some();
        if !begun || sys::is_copy() || self.session.on_host.get() {
            return;
        }
        sys::end_children();
    }

    /// Whether raw calls run in a session that has begun.
    #[must_use]
    pub fn is_in_session(&self) -> bool {
        !self.session().on_host.get() && self.session().has_begun()
    }

    /// Whether new objects are created on the host itself.
    #[must_use]
    pub fn on_host(&self) -> bool {
        self.session().on_host.get()
    }
}

impl Session {
    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        self.begun.borrow().is_some()
    }

    /// Whether a namespace may be the initial one of its kind.
    pub fn was_initial(&self, kind: Kind, inode: u64) -> bool {
        let begun = self.begun.borrow();
        let Some(begun) = &*begun else { return true };
        let is = |namespace: &Namespace| namespace.kind == kind && namespace.inode == inode;
        begun.unknown.has(kind) || begun.initial.iter().any(is)
    }

    /// The first process of nsscript.
    pub fn leader(&self) -> u32 {
        self.begun.borrow().as_ref().map_or(0, |begun| begun.leader)
    }

    /// Whether the process is, or may be, in its initial namespace of this kind, or in another one
    /// of the host.
    pub fn is_initial(&self, kind: Kind) -> bool {
        let begun = self.begun.borrow();
        let Some(begun) = &*begun else { return true };
        let trail = self.trail.get();
        // The recipe's own actions count, unless it has entered an existing namespace.
        if !trail.has_entered(kind) {
            return !trail.has_left(kind);
        }
        let Some(now) = sys::namespace_inode(kind.file()) else { return true };
        if begun.initial.iter().any(|first| first.kind == kind && first.inode == now) {
            return true;
        }
        // The namespace was entered: it is the recipe's own, or one of other processes on the host.
        begun.maps.is_none() && self.may_be_shared(kind, now)
    }

    /// Whether other processes on the host are, or may be, in a namespace. It is known to be the
    /// recipe's own only if one of its processes created it.
    pub fn may_be_shared(&self, kind: Kind, inode: u64) -> bool {
        let is_made = || self.made.get().is_some_and(|made| made.contains(numbered(kind, inode)));
        place::is_shared(kind.file(), inode, self.leader()).unwrap_or_else(|| !is_made())
    }

    /// Notes that this process is in a sandbox, where it cannot change the host by accident, and
    /// may not begin a session.
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

    /// Whether this process runs a closure in a sandbox.
    pub fn is_in_sandbox(&self) -> bool {
        self.environment.borrow().is_some()
    }

    /// Notes an action of this process on itself.
    pub fn moved(&self, action: &RawAction) {
        let effect = action.effect();
        self.change_trail(|trail| trail.act(effect));
        match effect {
            Effect::Session(namespaces) | Effect::Unshare(namespaces) => self.note_made(namespaces),
            Effect::Mount(mount) => self.note_mounted(mount),
            // A copy notes its namespaces itself, and images are noted by who makes them.
            Effect::Own
            | Effect::Enter(_)
            | Effect::Child(_)
            | Effect::Ids
            | Effect::Maps(_)
            | Effect::Held(_)
            | Effect::Pin(_)
            | Effect::Name(..)
            | Effect::Content(_)
            | Effect::Metadata(_)
            | Effect::Rename(..)
            | Effect::Image(_)
            | Effect::Process(_)
            | Effect::Network
            | Effect::Result(..) => {}
        }
    }

    /// Notes that this process is a copy, created by `action`.
    pub fn begin_copy(&self, action: &RawAction) {
        let effect = action.effect();
        self.change_trail(|trail| trail.begin_copy(effect));
        if let Effect::Child(namespaces) = effect {
            self.note_made(namespaces);
        }
    }

    /// The trail of this process.
    pub fn trail(&self) -> Trail {
        self.trail.get()
    }

    fn change_trail(&self, change: impl FnOnce(&mut Trail)) {
        let mut trail = self.trail.get();
        change(&mut trail);
        self.trail.set(trail);
    }

    /// Records the namespaces of this process as the recipe's own, if /proc shows them.
    fn note_made(&self, namespaces: Namespaces) {
        let Some(made) = self.made.get() else { return };
        for kind in namespaces.kinds().filter(|kind| self.trail.get().has_left(*kind)) {
            if let Some(inode) = sys::namespace_inode(kind.file()) {
                made.add(numbered(kind, inode));
            }
        }
    }

    /// Records a new memory file system, which only this recipe has.
    fn note_mounted(&self, mount: &Mount) {
        let is_new = matches!(mount.new_file_system(), Some("tmpfs" | "ramfs" | "overlay"));
        let device = std::fs::metadata(&mount.target).map(|found| found.dev());
        self.mounted.borrow_mut().extend(device.ok().filter(|_| is_new));
    }

    /// Whether a place is in one of the recipe's own file systems.
    pub fn owns(&self, place: &Place) -> Owned {
        let begun = self.begun.borrow();
        let Some(begun) = &*begun else { return Owned::Host };
        let is_mounted = self.mounted.borrow().contains(&place.device);
        match (&begun.devices, &place.seen) {
            (Devices::Mounted(devices), _) if devices.contains(&place.device) => Owned::Host,
            (Devices::Nothing, _) | (Devices::Mounted(_), Seen::Here(_)) => Owned::Own,
            _ if is_mounted => Owned::Own,
            // Files may have a device other than that of their mount.
            (Devices::Mounted(_), Seen::Elsewhere) => {
                Owned::Unknown("it is not mounted in this root".to_owned())
            }
            (Devices::Mounted(_), Seen::Unknown(why)) | (Devices::Unknown(why), _) => {
                Owned::Unknown(why.clone())
            }
        }
    }

    /// Whether the session has a user namespace; then the kernel itself protects the host.
    pub fn has_user_namespace(&self) -> bool {
        self.begun.borrow().as_ref().is_some_and(|begun| begun.maps.is_some())
    }

    /// Converts an id of the host to one of this process; `None` if the session's user namespace
    /// does not map it.
    pub fn inside(&self, outside: u32, users: bool) -> Option<u32> {
        let begun = self.begun.borrow();
        match begun.as_ref().and_then(|begun| begun.maps.as_ref()) {
            None => Some(outside),
            Some(maps) if users => maps.users.inside(outside),
            Some(maps) => maps.groups.inside(outside),
        }
    }

    /// Converts an id of this process to one of the host.
    pub fn outside(&self, inside: u32, users: bool) -> Option<u32> {
        let begun = self.begun.borrow();
        match begun.as_ref().and_then(|begun| begun.maps.as_ref()) {
            None => Some(inside),
            Some(maps) if users => maps.users.outside(inside),
            Some(maps) => maps.groups.outside(inside),
        }
    }

    /// Converts the outside ids of a map to ids of this process.
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
    /// Collects the facts.
    pub fn found() -> Self {
        let (mut initial, mut unknown) = (Vec::new(), Namespaces::NONE);
        let has_proc = Path::new("/proc/self/ns").is_dir();
        for kind in Kind::ALL {
            match Namespace::open(&Path::new("/proc/self/ns").join(kind.file())) {
                Ok(Some(namespace)) => initial.push(namespace),
                // The kernel does not support this kind.
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
