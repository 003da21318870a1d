//! Mistakes that the syntax tree of a text shows before it runs.

pub mod capture;
pub mod closure;
pub mod depends;
pub mod discard;
pub mod session_ids;
