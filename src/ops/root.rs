//! The root of a sandbox: its layers, its creation and its entry.

mod below;
mod enter;
mod layers;
mod make;
mod tree;

pub use below::*;
pub use enter::*;
pub use layers::*;
pub use make::*;
pub use tree::*;
