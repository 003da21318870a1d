//! The trace of a run: reports of actions, and stepping through them.

pub(super) mod explain;
pub(super) mod launch_trace;
pub(super) mod stepping;
pub(super) mod whereabouts;

use std::cell::{Cell, RefCell};
use std::ops::Deref;

use self::explain::Tell;
use self::stepping::Stepping;
use super::session::Caller;

/// The trace of this run: its receiver, and the numbers of processes.
pub struct Trace {
    caller: Caller,
    tell: RefCell<Option<Tell>>,
    /// The number of this process: see [`explain::Explained::process`].
    process: RefCell<Vec<usize>>,
    /// The number of processes that this one has started.
    started: Cell<usize>,
    stepping: Stepping,
}

impl Deref for Trace {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl Trace {
    pub(super) fn new(caller: Caller) -> Self {
        Self {
            caller,
            tell: RefCell::default(),
            process: RefCell::default(),
            started: Cell::default(),
            stepping: Stepping::default(),
        }
    }
}
