//! Planned operations: each with the process that performs it and its recipe line.

use crate::diag::Origin;
use crate::ops::{Op, Turn};

/// Who performs an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// nsscript itself, before the new process exists.
    Parent,
    /// The new process: process 1 of the sandbox.
    Child,
    /// The process that becomes the program.
    Program,
}

impl Side {
    /// The performer of the operations of a turn; with `init`, the new process stays as the init of
    /// the program.
    #[must_use]
    pub fn of(turn: Turn, init: bool) -> Self {
        if turn >= Turn::Session && init {
            Self::Program
        } else if turn <= Turn::Start {
            Self::Parent
        } else {
            Self::Child
        }
    }
}

/// An operation, its performer, and the line that asked for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The operation.
    pub action: Op,
    /// The performer.
    pub side: Side,
    /// The line that asked for it; `None` for operations of every sandbox.
    pub origin: Option<Origin>,
}
