//! Functions of the language that nsscript replaces: bounded, interruptible, or printed by our own
//! code.

pub mod bounded;
pub mod printing;
pub mod sorting;
