//! The root of a sandbox: its layers, how it is made, and how it is entered.

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
