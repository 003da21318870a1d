//! Entry into the session, and the private directory of a run in one.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

use crate::diag::{Origin, Report};
use crate::host::mountinfo;
use crate::ops::RawAction;
use crate::ops::raw::{Chroot, EnterSession, Mount};
use crate::plan::{Maps, unanswered};
use crate::run::base::error::{Interrupted, RunError};
use crate::run::layers::store::Store;
use crate::run::raw::{self, CallError, RawCalls};
use crate::run::session::Begun;
use crate::run::session::idmap::{MapError, all_ids};
use crate::spec::{IdMap, Kind, MountFlags, Namespaces};
use crate::sys::{self, Errno, Raw, SharedNumbers, Syscall, flags};

impl RawCalls {
    /// Begins the session, where it has not begun.
    ///
    /// # Errors
    /// The machine has no user namespaces for users, or no room for more.
    pub fn begin_session(&self, origin: Option<&Origin>) -> Result<(), RunError> {
        if sys::keeps_threads() {
            // unshare(2) and setns(2) refuse it, or move one of the threads alone.
            let message = "cannot make raw calls in a process that has several threads";
            let hint = "make them before other threads start, or in a process of their own";
            return Err(Report::error(message).hint(hint).at(origin.cloned()).into());
        }
        if self.session().has_begun() {
            return Ok(());
        }
        if let Some(report) = &*self.session().broken.borrow() {
            return Err(report.clone().into());
        }
        let mut begun = Begun::found();
        if !self.session().on_host.get() {
            if !self.host().is_root() {
                // In a user namespace other users cannot be told from root.
                let store = Store::place(self.host());
                self.look_at_ways(store.and_then(|it| Some(it.path.parent()?.to_path_buf())));
            }
            begun.maps = self.enter_session(origin)?;
            if begun.maps.is_none() {
                self.session().made.set(SharedNumbers::new());
            }
            // Children that lose their parent are this process's to end.
            sys::adopt_orphans();
        }
        *self.session().begun.borrow_mut() = Some(begun);
        if self.session().on_host.get() {
            return Ok(());
        }
        self.cover_root(origin).inspect_err(|problem| {
            if let RunError::Reports(reports) = problem {
                *self.session().broken.borrow_mut() = reports.first().cloned();
            }
        })
    }

    /// Binds the session's root on itself if it is mounted on nothing, so that pivot_root(2) works
    /// in raw calls.
    ///
    /// # Errors
    /// The kernel's answer.
    fn cover_root(&self, origin: Option<&Origin>) -> Result<(), RunError> {
        let root = Path::new("/");
        if !sys::is_in_memory(root) || !mountinfo::root_is_on_nothing(&self.host().tree) {
            return Ok(());
        }
        let here = sys::working_directory();
        let flags = MountFlags::BIND.and(MountFlags::RECURSIVE);
        let (source, target) = (Some("/".into()), root.to_path_buf());
        self.act(Mount { source, target, kind: None, flags, data: None }.into(), origin)?;
        // `..` of the root leads onto what is mounted on it.
        self.act(Chroot("/..".into()).into(), origin)?;
        if let Ok(here) = here {
            let _ = std::env::set_current_dir(here);
        }
        Ok(())
    }
    fn enter_session(&self, origin: Option<&Origin>) -> Result<Option<Maps>, RunError> {
        let mount = Namespaces::from(Kind::Mount);
        let user = mount | Kind::User.into();
        if self.host().is_root() {
            let action = RawAction::from(EnterSession { namespaces: mount, maps: None });
            let unshare = || raw::done(&Raw::Unshare(flags::MOUNT));
            match self.enter_by(&action, origin, unshare, make_private)? {
                // Root of a container may lack the capability; it has user namespaces like a user.
                Err(trouble) if trouble.errno.name() == "EPERM" => {}
                Err(trouble) => return Err(self.raw_failure(action, origin, trouble).into()),
                Ok(()) => return Ok(None),
            }
        }
        let wanted = all_ids(self.host()).map_err(|report| report.at(origin.cloned()))?;
        let has_helpers = self.has_helpers();
        if let Some(report) = unanswered(self.host()) {
            return Err(report.at(origin.cloned()).into());
        }
        if !wanted.own && has_helpers {
            let action = session_action(user, &wanted);
            let why = RefCell::new(None);
            let enter = || self.enter_mapped(&wanted, &why);
            let rest = || raw::done(&Raw::Unshare(flags::MOUNT)).and_then(|()| make_private());
            match self.enter_by(&action, origin, enter, rest)? {
                Ok(()) => return Ok(Some(wanted)),
                Err(trouble) => {
                    // The other way would be left halfway for the same reason.
                    if let Some(signal) = sys::interrupted() {
                        return Err(Interrupted { signal }.into());
                    }
                    let message = "only your own user and group are mapped in this session: ";
                    let why = why.take().unwrap_or_else(|| trouble.errno.to_string());
                    self.warn(&Report::warning(format!("{message}{why}")).at(origin.cloned()));
                }
            }
        }
        let (users, groups) = (self.host().uid, self.host().gid);
        let (users, groups) = (IdMap::single(0, users), IdMap::single(0, groups));
        let own = Maps { users, groups, uid: 0, gid: 0, own: true };
        let action = session_action(user, &own);
        let unshare = || raw::done(&Raw::Unshare(flags::USER | flags::MOUNT));
        let map = || {
            let write = |file: &str, text: &str| raw::write(file.as_ref(), text.as_bytes(), false);
            write("/proc/self/setgroups", "deny")?;
            write("/proc/self/uid_map", &own.users.kernel_text())?;
            write("/proc/self/gid_map", &own.groups.kernel_text())?;
            make_private()
        };
        let entered = self.enter_by(&action, origin, unshare, map)?;
        entered.map_err(|trouble| self.raw_failure(action, origin, trouble))?;
        Ok(Some(own))
    }

    /// Does `first`, after which the process is elsewhere, and then `rest`. Where that fails, there
    /// is no way back: that is the outer error, for now and for all that comes.
    fn enter_by(
        &self,
        action: &RawAction,
        origin: Option<&Origin>,
        first: impl FnOnce() -> Result<(), CallError>,
        rest: impl FnOnce() -> Result<(), CallError>,
    ) -> Result<Result<(), CallError>, RunError> {
        let is_elsewhere = Cell::new(false);
        let entered = self.attempt(action, origin, || {
            first()?;
            is_elsewhere.set(true);
            rest()
        });
        match entered {
            Err(trouble) if is_elsewhere.get() => {
                let report = self.raw_failure(action.clone(), origin, trouble);
                *self.session().broken.borrow_mut() = Some(report.clone());
                Err(report.into())
            }
            entered => Ok(entered),
        }
    }

    fn has_helpers(&self) -> bool {
        let helpers = ["newuidmap", "newgidmap"];
        helpers.iter().all(|helper| self.host().tree.which(helper, None).is_some())
    }

    fn enter_mapped(&self, maps: &Maps, why: &RefCell<Option<String>>) -> Result<(), CallError> {
        use std::os::fd::AsFd;
        let entered = self.users.borrow_mut().enter(maps, false, self.host(), self.session());
        let enter = entered.map_err(|error| match error {
            MapError::Call(trouble) => trouble,
            MapError::Helper(report) => {
                *why.borrow_mut() = Some(report.message);
                CallError { syscall: Syscall::Execve, errno: Errno::PERMISSION }
            }
        })?;
        raw::done(&Raw::Setns(enter.descriptor.as_fd(), flags::USER))?;
        self.users.borrow_mut().forget();
        Ok(())
    }

    /// A directory in memory that is this run's own: it is gone with it.
    ///
    /// # Errors
    /// The session cannot be entered, or nothing be mounted.
    pub fn scratch(&self, origin: Option<&Origin>) -> Result<PathBuf, RunError> {
        self.begin_session(origin)?;
        if let Some(path) = &*self.scratch.borrow() {
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
        if !self.session().on_host.get() {
            let mount = Mount {
                source: Some("scratch".into()),
                target: path.clone(),
                kind: Some("tmpfs".into()),
                flags: MountFlags::default(),
                data: Some("mode=0755".into()),
            };
            self.act(mount.into(), origin)?;
            self.note_mounted(&path).map_err(|errno| {
                let _ = raw::done(&Raw::Umount(raw::c(&path), true));
                let shown = crate::diag::quoted(path.to_string_lossy());
                Report::error(format!("cannot hold {shown}: {errno}")).at(origin.cloned())
            })?;
        }
        *self.scratch.borrow_mut() = Some(path.clone());
        Ok(path)
    }
}

fn session_action(namespaces: Namespaces, maps: &Maps) -> RawAction {
    EnterSession { namespaces, maps: Some(maps.clone()) }.into()
}

fn make_private() -> Result<(), CallError> {
    let flags = MountFlags::PRIVATE.and(MountFlags::RECURSIVE).0;
    let target = c"/".to_owned();
    raw::done(&Raw::Mount { source: None, target, kind: None, flags, data: None })
}
