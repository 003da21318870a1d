//! Planned operations: what is done, who does it, and which line asked for it.

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
    /// Who performs operations of a turn; with `init` the new process stays as the init of the
    /// program.
    #[must_use]
    pub fn of(turn: Turn, init: bool) -> Self {
        match turn {
            Turn::Session | Turn::Limits | Turn::Program if init => Self::Program,
            _ if turn <= Turn::Start => Self::Parent,
            _ => Self::Child,
        }
    }
}

/// An operation, who performs it, and which line asked for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// What is done.
    pub action: Op,
    /// Who does it.
    pub side: Side,
    /// Which line asked for it; none for what every sandbox does.
    pub origin: Option<Origin>,
}
