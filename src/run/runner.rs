//! The runner: the rooms of this layer, each on top of the one that it uses.

use std::ops::Deref;

use super::base::{Machine, this_host};
use super::launch::launcher::Launcher;
use super::layers::Layers;
use super::network::Networks;
use super::raw::RawCalls;
use super::session::Caller;
use super::trace::Trace;
use super::workspace::Directories;
use crate::host::Host;

/// Executes plans. Dropping it removes everything that it created.
///
/// It only holds the rooms. Each of them derefs to the one below, so it has the methods of all
/// rooms below it, and the compiler refuses a call of a room above.
pub struct Runner {
    launcher: Launcher,
}

impl Deref for Runner {
    type Target = Launcher;

    fn deref(&self) -> &Launcher {
        &self.launcher
    }
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Runner").field("planner", &self.planner).finish_non_exhaustive()
    }
}

impl Default for Runner {
    fn default() -> Self {
        Self::new()
    }
}

impl Runner {
    /// Creates a runner on this machine, for the current user.
    #[must_use]
    pub fn new() -> Self {
        Self::on(this_host())
    }

    /// Creates a runner on a machine with these facts.
    #[must_use]
    pub fn on(host: Host) -> Self {
        let layers = Layers::new(Directories::new(Trace::new(Caller::new(Machine::new(host)))));
        Self { launcher: Launcher::new(Networks::new(RawCalls::new(layers))) }
    }
}
