//! The types and functions that every room of `run` uses.

pub(super) mod error;
pub(super) mod report_json;

use std::cell::RefCell;

use self::error::Warn;
use crate::diag::Report;
use crate::host::{Host, Tree};
use crate::plan::Planner;
use crate::sys;

/// The machine, and the receiver of warnings.
pub struct Machine {
    /// The planner.
    pub planner: Planner,
    warn: RefCell<Option<Warn>>,
}

impl Machine {
    pub(super) fn new(host: Host) -> Self {
        Self { planner: Planner::new(host), warn: RefCell::default() }
    }

    /// Sets the receiver of warnings that arise during execution.
    pub fn on_warning(&self, warn: Warn) {
        *self.warn.borrow_mut() = Some(warn);
    }

    pub(super) fn warn(&self, warning: &Report) {
        if let Some(warn) = &*self.warn.borrow() {
            warn(warning);
        }
    }

    /// The machine.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.planner.host
    }
}

/// The facts of this machine, for the current user.
pub(super) fn this_host() -> Host {
    let ids = sys::ids();
    let variable = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    Host {
        tree: Tree::host(),
        uid: ids.uid,
        gid: ids.gid,
        kernel: sys::kernel_version(),
        environment: std::env::vars_os().filter_map(variable).collect(),
    }
}
