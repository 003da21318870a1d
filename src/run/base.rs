//! The types and functions that every room of `run` uses.

pub(super) mod flags;
pub(super) mod problem;
