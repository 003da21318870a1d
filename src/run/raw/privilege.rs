//! Ids of processes, and signals to them, by the raw layer.

use super::{CallError, RawCalls, perform};
use crate::diag::Origin;
use crate::ops::RawAction;
use crate::ops::raw::{AllowSetgroups, MapIds, Signal};
use crate::run::base::error::RunError;
use crate::spec::IdMap;
use crate::sys;

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
        self.act(AllowSetgroups { pid, allow: false }.into(), origin)?;
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
        let action = RawAction::from(MapIds { pid, what, map: map.kernel_text() });
        self.begin_session(origin)?;
        match self.attempt(&action, origin, || perform(&action)) {
            Ok(()) => Ok(true),
            Err(trouble) if again(&trouble) => Ok(false),
            Err(trouble) => Err(self.raw_failure(action, origin, trouble).into()),
        }
    }

    /// Sends a signal to process `pid`.
    ///
    /// # Errors
    /// It is a process of the host, or the kernel's answer.
    pub fn kill(&self, pid: i32, number: i32, origin: Option<&Origin>) -> Result<(), RunError> {
        self.act(signal(pid, number).into(), origin)
    }
}

/// The operation of sending a signal.
#[must_use]
pub fn signal(pid: i32, number: i32) -> Signal {
    Signal { pid, number, signal: sys::signal_name(number) }
}
