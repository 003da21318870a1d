//! Functions of the language in versions of our own: bounded, sorted in time, printed with care.

pub mod bounded;
pub mod printing;
pub mod sorting;
