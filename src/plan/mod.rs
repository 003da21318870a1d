//! From what a recipe describes to what will be done: an ordered list of actions that print as
//! sentences.
//!
//! Nothing here changes the machine, and all that is known of it comes from the [`Host`] that a
//! plan is made for.
//!
//! [`Host`]: crate::host::Host

mod action;
mod assemble;
mod below;
mod build;
mod check;
mod copy;
mod data;
mod describe;
mod devices;
mod fallback;
mod gather;
mod host_view;
mod identity;
mod install;
mod lookup;
mod mount_call;
mod mounts;
mod names;
mod network;
mod notation;
mod outline;
mod place;
mod planner;
mod raw;
mod settings;
mod shadow;
mod shell;
mod tree;
mod view;

pub use action::{Action, Lower, Planned, RootKind, Scope, Side};
pub use assemble::{assemble, no_program, unreadable};
pub use below::{Below, Found, Stop, Way, follow};
pub use build::{Plan, Request};
pub use data::{Data, Opened, Piece};
pub use devices::terminal_kind;
pub use gather::Gatherer;
pub use identity::Maps;
pub use lookup::{At, Holder, Lookup, Place, at_host, at_root_of};
pub use mount_call::MountCall;
pub use names::FORWARDED;
pub use network::{LinkChange, LinkKind, NetworkAction, Packets};
pub use notation::{Called, clone3, execve, make_mapped, write_proc};
pub use outline::{outline, raw_outline, raw_text};
pub use planner::{Keeper, Planner, unanswered};
pub use raw::RawAction;
pub use tree::{Assembled, Came, Entry, Kept, Layer, Made, Owner, RootTree};
pub use view::{Backing, View};
