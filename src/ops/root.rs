//! The root of a sandbox: its layers, how it is made, and how it is entered.

mod below;
mod enter;
mod layers;
mod make;
mod tree;

pub use below::{Below, Found, MOST_LINKS, Stop, Way, components, follow};
pub use enter::{Chroot, CoverRoot, MakePrivate, PivotRoot, ProtectRoot};
pub use layers::{BuildLayer, KeepChanges};
pub use make::{LowerDir, MakeRoot, RootKind};
pub use tree::{Assembled, Came, Entry, Kept, Layer, Made, Owner, RootTree};
