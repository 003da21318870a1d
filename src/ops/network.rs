//! Networks: those that a sandbox has, and what a recipe does in one.

mod action;
mod sandbox;

pub use action::*;
pub use sandbox::*;
