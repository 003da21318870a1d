//! Ids and capabilities of processes, and signals to them, by the raw layer.

use super::RawCalls;
use crate::diag::Origin;
use crate::plan::RawAction;
use crate::run::base::error::RunError;
use crate::run::raw::{self, CallError};
use crate::spec::IdMap;
use crate::sys::{self, Raw, Syscall};

impl RawCalls {
    /// Writes the maps of the user namespace of process `pid`. Where the kernel wants that before
    /// it takes the map of groups, setgroups(2) is denied in it.
    ///
    /// # Errors
    /// The kernel refuses a map.
    pub fn map_ids(
        &self,
        pid: i32,
        users: Option<&IdMap>,
        groups: Option<&IdMap>,
        origin: Option<&Origin>,
    ) -> Result<(), RunError> {
        if let Some(users) = users {
            self.write_map(pid, "users", users, origin, &|_| false)?;
        }
        let Some(groups) = groups else { return Ok(()) };
        if self
            .write_map(pid, "groups", groups, origin, &|trouble| trouble.errno.name() == "EPERM")?
        {
            return Ok(());
        }
        let deny = RawAction::AllowSetgroups(pid, false);
        let file = format!("/proc/{pid}/setgroups");
        self.act_by(deny, origin, || raw::write(file.as_ref(), b"deny", false))?;
        self.write_map(pid, "groups", groups, origin, &|_| false).map(drop)
    }

    /// Writes a map; false where it was refused in a way that `again` knows.
    fn write_map(
        &self,
        pid: i32,
        what: &'static str,
        map: &IdMap,
        origin: Option<&Origin>,
        again: &dyn Fn(&CallError) -> bool,
    ) -> Result<bool, RunError> {
        let text = map.kernel_text();
        let name = if what == "users" { "uid_map" } else { "gid_map" };
        let file = format!("/proc/{pid}/{name}");
        let action = RawAction::MapIds { pid, what, map: text.clone() };
        self.begin_session(origin)?;
        match self.attempt(&action, origin, || raw::write(file.as_ref(), text.as_bytes(), false)) {
            Ok(()) => Ok(true),
            Err(trouble) if again(&trouble) => Ok(false),
            Err(trouble) => Err(self.raw_failure(action, origin, trouble).into()),
        }
    }

    /// Sends a signal to process `pid`.
    ///
    /// # Errors
    /// It is a process of the host, or the kernel's answer.
    pub fn kill(&self, pid: i32, signal: i32, origin: Option<&Origin>) -> Result<(), RunError> {
        let action = RawAction::Signal { pid, signal: sys::signal_name(signal) };
        self.act_by(action, origin, || {
            sys::kill(pid, signal).map_err(|errno| CallError { syscall: Syscall::Kill, errno })
        })
    }

    /// Leaves the capabilities of the set `kept`, one bit each.
    ///
    /// # Errors
    /// The process has one of them not.
    pub fn set_capabilities(
        &self,
        action: RawAction,
        kept: u64,
        bounding: bool,
        origin: Option<&Origin>,
    ) -> Result<(), RunError> {
        self.act_by(action, origin, || {
            if bounding {
                raw::done(&Raw::Bound(kept))?;
            }
            raw::done(&Raw::Capset([kept, kept, 0]))
        })
    }
}
