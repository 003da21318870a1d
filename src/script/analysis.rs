//! Mistakes that the tree of a text shows before it runs.

pub mod capture;
pub mod closure;
pub mod discard;
