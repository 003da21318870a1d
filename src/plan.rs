//! Plans: from the description in a recipe to an ordered list of actions, which print as sentences.
//!
//! Nothing here changes the machine, and all facts about it come from the [`Host`] of the plan.
//!
//! [`Host`]: crate::host::Host

mod action;
mod assemble;
mod build;
mod check;
mod copy;
mod data;
mod fallback;
mod gather;
mod identity;
mod install;
mod names;
mod outline;
mod planner;
mod settings;
mod shadow;

pub use action::{Planned, Side};
pub use assemble::{assemble, no_program, unreadable};
pub use build::{Plan, Request, terminal_kind};
pub use data::{Data, Opened, Piece};
pub use gather::Gatherer;
pub use outline::{document, raw_document, raw_text};
pub use planner::{Keeper, Planner};

pub use crate::ops::{raw, unanswered};

pub use crate::ops::{
    Assembled, At, Backing, Below, Called, Came, Entry, FORWARDED, Found, Holder, Kept, Layer,
    Lookup, LowerDir, Made, Maps, NetworkAction, Op, Own, Owner, Packets, Place, Presence,
    RawAction, RootKind, RootTree, Scope, View, Way, at_host, at_root_of, clone3, execve, follow,
    make_mapped, write_proc,
};
