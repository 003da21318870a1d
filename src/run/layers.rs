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
