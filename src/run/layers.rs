//! Layers of roots: building them, keeping them in the store, packing and unpacking them.

pub(super) mod archive;
pub(super) mod build;
pub(super) mod changes;
pub(super) mod contents;
pub(super) mod copy;
pub(super) mod hash;
pub(super) mod left_out;
pub(super) mod manifest;
pub(super) mod mend;
pub(super) mod owners;
pub(super) mod pack;
pub(super) mod progress;
pub(super) mod root;
pub(super) mod store;
pub(super) mod tree;
pub(super) mod unpack;
pub(super) mod unwritable;

use std::ops::Deref;

use self::root::Roots;
use super::workspace::Directories;

/// The roots of this run.
pub struct Layers {
    directories: Directories,
    roots: Roots,
}

impl Deref for Layers {
    type Target = Directories;

    fn deref(&self) -> &Directories {
        &self.directories
    }
}

impl Drop for Layers {
    fn drop(&mut self) {
        // The private directory is removed later, without rights over other ids.
        self.clear_roots();
    }
}

impl Layers {
    pub(super) fn new(directories: Directories) -> Self {
        Self { directories, roots: Roots::default() }
    }
}
