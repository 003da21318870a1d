//! The trace of a run: what is reported, action by action, and where a person stops it.

pub(super) mod explain;
pub(super) mod launched;
pub(super) mod stepping;
pub(super) mod whereabouts;
