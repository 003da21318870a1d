//! Layers of roots: building them, keeping them in the store, packing and unpacking them.

pub(super) mod archive;
pub(super) mod build;
pub(super) mod changes;
pub(super) mod contents;
pub(super) mod copy;
pub(super) mod hash;
pub(super) mod manifest;
pub(super) mod mend;
pub(super) mod missed;
pub(super) mod owners;
pub(super) mod pack;
pub(super) mod progress;
pub(super) mod root;
pub(super) mod store;
pub(super) mod tree;
pub(super) mod unpack;
pub(super) mod unwritable;
pub(super) mod workspace;

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::path::PathBuf;

use self::root::Roots;
use self::workspace::Workspace;
use super::trace::Trace;
use crate::sys::Distrust;

/// The roots of this run and the directories in which it keeps them.
pub struct Layers {
    trace: Trace,
    workspace: RefCell<Option<Workspace>>,
    /// Whether what killed runs have left was removed.
    swept: Cell<bool>,
    roots: Roots,
    /// Ways to directories of our own that others can change, as was noted before a session.
    distrusted: RefCell<Vec<(PathBuf, Distrust)>>,
}

impl Deref for Layers {
    type Target = Trace;

    fn deref(&self) -> &Trace {
        &self.trace
    }
}

impl Drop for Layers {
    fn drop(&mut self) {
        // The private directory goes after this, without the rights over other ids.
        self.clear_roots();
    }
}

impl Layers {
    pub(super) fn new(trace: Trace) -> Self {
        Self {
            trace,
            workspace: RefCell::default(),
            swept: Cell::default(),
            roots: Roots::default(),
            distrusted: RefCell::default(),
        }
    }
}
