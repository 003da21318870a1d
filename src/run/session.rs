//! The session: what keeps the raw layer from changing the host.
//!
//! Before the first raw call the process takes a mount namespace of its own, in which nothing
//! propagates to the host; for a user, in a user namespace of its own. All of it ends with the
//! process, however that ends. `--host` goes without.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

use super::idmap::{MapError, all_ids};
use super::namespace::Namespace;
use super::place;
use super::raw::{self, Trouble};
use super::runner::{Problem, Runner};
use crate::diag::{Origin, Report};
use crate::host::Host;
use crate::plan::{Maps, MountCall, RawAction};
use crate::spec::{IdMap, IdRange, Kind, MountFlags, Namespaces};
use crate::sys::{self, Raw, flags};

/// What a run knows of its session.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// Whether raw calls are made to the host itself: `--host`.
    pub on_host: Cell<bool>,
    /// What is known since it began; none before.
    begun: RefCell<Option<Begun>>,
    /// The kinds of namespaces that this process has left for new ones, as far as that is known
    /// without looking.
    pub left: Cell<Namespaces>,
    /// The kinds that it has entered, which may be any.
    entered: Cell<Namespaces>,
    /// The images that this recipe has made, by device and inode.
    pub images: RefCell<Vec<(u64, u64)>>,
    /// The private directory in memory.
    pub scratch: RefCell<Option<PathBuf>>,
    /// The environment of programs that are executed, where it is not nsscript's own.
    pub environment: RefCell<Option<Vec<(String, String)>>>,
}

/// What was found when the session began.
#[derive(Debug)]
struct Begun {
    /// The namespaces that nsscript was started in. They are held: the number of one that has
    /// ended, as nobody else was in it, may be that of a new one.
    initial: Vec<Namespace>,
    /// The devices of the file systems that were mounted.
    devices: Vec<u64>,
    /// The process that nsscript was started as.
    leader: u32,
    /// What the user namespace of the session maps, where it has one.
    maps: Option<Maps>,
}

impl Session {
    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        self.begun.borrow().is_some()
    }

    /// Whether a namespace is the one of its kind that nsscript was started in.
    pub fn was_initial(&self, kind: Kind, inode: u64) -> bool {
        let begun = self.begun.borrow();
        let mut initial = begun.iter().flat_map(|begun| &begun.initial);
        initial.any(|namespace| namespace.kind == kind && namespace.inode == inode)
    }

    /// The process that nsscript was started as.
    pub fn leader(&self) -> u32 {
        self.begun.borrow().as_ref().map_or(0, |begun| begun.leader)
    }

    /// Whether the process is in the namespace of this kind that it was started in, or in another
    /// one of the host.
    pub fn is_initial(&self, kind: Kind) -> bool {
        let begun = self.begun.borrow();
        let Some(begun) = &*begun else { return true };
        // What the recipe has done itself counts, as long as it has entered none.
        if !self.entered.get().has(kind) {
            return !self.left.get().has(kind);
        }
        let first = begun.initial.iter().find(|namespace| namespace.kind == kind);
        match (first, sys::namespace_inode(kind.file())) {
            (Some(first), Some(now)) if first.inode == now => true,
            // It was entered: one of the recipe's own, or one that others on the host are in.
            (Some(_), Some(now)) => {
                begun.maps.is_none() && place::is_shared(kind.file(), now, begun.leader)
            }
            // No /proc tells.
            _ => true,
        }
    }

    /// Notes that this process is in a sandbox: nothing there is the host's by accident, and the
    /// process has no right to a session of its own.
    pub fn in_sandbox(&self, environment: Vec<(String, String)>) {
        let (initial, devices) = (Vec::new(), Vec::new());
        *self.begun.borrow_mut() = Some(Begun { initial, devices, leader: 0, maps: None });
        self.left.set(Namespaces::ALL);
        self.entered.set(Namespaces::NONE);
        *self.environment.borrow_mut() = Some(environment);
    }

    /// Whether this process is in a sandbox of the recipe.
    pub fn is_in_sandbox(&self) -> bool {
        self.environment.borrow().is_some()
    }

    /// Notes that this process is in new namespaces, or has entered some that may be any.
    pub fn moved(&self, action: &RawAction) {
        let (left, entered) = (self.left.get(), self.entered.get());
        match action {
            RawAction::EnterSession { namespaces, .. }
            | RawAction::Unshare(namespaces)
            | RawAction::Clone(namespaces) => {
                self.left.set(left | *namespaces);
                self.entered.set(entered - *namespaces);
            }
            RawAction::Setns { namespaces, .. } => {
                self.left.set(left - *namespaces);
                self.entered.set(entered | *namespaces);
            }
            _ => {}
        }
    }

    /// Whether a device is that of a file system that was mounted when the session began.
    pub fn is_of_host(&self, device: u64) -> bool {
        self.begun.borrow().as_ref().is_none_or(|begun| begun.devices.contains(&device))
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

/// The device numbers of everything that is mounted.
fn devices(host: &Host) -> Vec<u64> {
    let text = host.tree.read("/proc/self/mountinfo".as_ref()).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    text.lines().filter_map(place::device).collect()
}

impl Runner {
    /// Makes raw calls to the host itself from here on.
    pub fn work_on_host(&self) {
        self.session.on_host.set(true);
    }

    /// The user and the group that this process is where it is.
    pub(super) fn own_ids(&self) -> (u32, u32) {
        if self.session.begun.borrow().is_none() {
            return (self.host().uid, self.host().gid);
        }
        let ids = sys::ids();
        (ids.uid, ids.gid)
    }

    /// Begins the session, where it has not begun.
    ///
    /// # Errors
    /// The machine has no user namespaces for users, or no room for more.
    pub fn begin_session(&self, origin: Option<&Origin>) -> Result<(), Problem> {
        if self.session.begun.borrow().is_some() {
            return Ok(());
        }
        let open = |kind: Kind| {
            let path = Path::new("/proc/self/ns").join(kind.file());
            Namespace::open(&path).ok().flatten()
        };
        let initial = Kind::ALL.into_iter().filter_map(open);
        let mut begun = Begun {
            initial: initial.collect(),
            devices: devices(self.host()),
            leader: std::process::id(),
            maps: None,
        };
        if !self.session.on_host.get() {
            begun.maps = self.enter_session(origin)?;
            // Children that lose their parent are this process's to end.
            sys::adopt_orphans();
        }
        *self.session.begun.borrow_mut() = Some(begun);
        Ok(())
    }

    fn enter_session(&self, origin: Option<&Origin>) -> Result<Option<Maps>, Problem> {
        let mount = Namespaces::from(Kind::Mount);
        let user = mount | Kind::User.into();
        if self.host().is_root() {
            let action = RawAction::EnterSession { namespaces: mount, maps: None };
            let entered = self.attempt(&action, origin, || {
                raw::done(&Raw::Unshare(flags::MOUNT))?;
                make_private()
            });
            match entered {
                // Root of a container may lack the capability; it has user namespaces like a user.
                Err(trouble) if trouble.errno.name() == "EPERM" => {}
                Err(trouble) => return Err(self.raw_failure(action, origin, trouble).into()),
                Ok(()) => return Ok(None),
            }
        }
        let wanted = all_ids(self.host());
        if !wanted.own && self.has_helpers() {
            let action = session_action(user, &wanted);
            let entered = self.attempt(&action, origin, || {
                self.enter_mapped(&wanted)?;
                raw::done(&Raw::Unshare(flags::MOUNT))?;
                make_private()
            });
            if entered.is_ok() {
                return Ok(Some(wanted));
            }
        }
        let (users, groups) = (self.host().uid, self.host().gid);
        let (users, groups) = (IdMap::single(0, users), IdMap::single(0, groups));
        let own = Maps { users, groups, uid: 0, gid: 0, own: true };
        let action = session_action(user, &own);
        let entered = self.attempt(&action, origin, || {
            raw::done(&Raw::Unshare(flags::USER | flags::MOUNT))?;
            raw::write("/proc/self/setgroups".as_ref(), b"deny", false)?;
            raw::write("/proc/self/uid_map".as_ref(), own.users.kernel_text().as_bytes(), false)?;
            raw::write("/proc/self/gid_map".as_ref(), own.groups.kernel_text().as_bytes(), false)?;
            make_private()
        });
        entered.map_err(|trouble| self.raw_failure(action, origin, trouble))?;
        Ok(Some(own))
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
    pub(super) fn close_session(&self) {
        let begun = self.session.begun.borrow().is_some();
        if !begun || sys::is_copy() || self.session.on_host.get() {
            return;
        }
        sys::end_children();
    }

    fn has_helpers(&self) -> bool {
        let helpers = ["newuidmap", "newgidmap"];
        helpers.iter().all(|helper| self.host().tree.which(helper, None).is_some())
    }

    fn enter_mapped(&self, maps: &Maps) -> Result<(), Trouble> {
        use std::os::fd::AsFd;
        let entered = self.users.borrow_mut().enter(maps, self.host(), self.session());
        let enter = entered.map_err(|error| match error {
            MapError::Call(trouble) => trouble,
            MapError::Helper(_) => Trouble::unknown(),
        })?;
        raw::done(&Raw::Setns(enter.descriptor.as_fd(), flags::USER))
    }

    /// A directory in memory that is this run's own: it is gone with it.
    ///
    /// # Errors
    /// The session cannot be entered, or nothing be mounted.
    pub fn scratch(&self, origin: Option<&Origin>) -> Result<PathBuf, Problem> {
        self.begin_session(origin)?;
        if let Some(path) = &*self.session.scratch.borrow() {
            return Ok(path.clone());
        }
        let above = self.workspace()?;
        let path = above.join("scratch");
        // Processes of the recipe may be other users. Roots lie in a closed directory beside.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o711);
        let made = std::fs::create_dir(&path);
        made.and_then(|()| std::fs::set_permissions(&above, open)).map_err(|error| {
            let path = crate::diag::quoted(path.to_string_lossy());
            let message = format!("cannot make {path}: {}", sys::Errno::from(&error));
            Report::error(message).at(origin.cloned())
        })?;
        if !self.session.on_host.get() {
            let mount = MountCall {
                source: Some("scratch".into()),
                target: path.clone(),
                kind: Some("tmpfs".into()),
                flags: MountFlags::default(),
                data: Some("mode=0755".into()),
            };
            self.act(RawAction::Mount(mount), origin)?;
            if let Some(workspace) = &mut *self.workspace.borrow_mut() {
                workspace.mounted(&path).map_err(|errno| {
                    let shown = crate::diag::quoted(path.to_string_lossy());
                    Report::error(format!("cannot hold {shown}: {errno}")).at(origin.cloned())
                })?;
            }
        }
        *self.session.scratch.borrow_mut() = Some(path.clone());
        Ok(path)
    }
}

fn session_action(namespaces: Namespaces, maps: &Maps) -> RawAction {
    RawAction::EnterSession { namespaces, maps: Some(maps.clone()) }
}

fn make_private() -> Result<(), Trouble> {
    let flags = MountFlags::PRIVATE.and(MountFlags::RECURSIVE).0;
    let target = c"/".to_owned();
    raw::done(&Raw::Mount { source: None, target, kind: None, flags, data: None })
}
