//! The recipe language: its verbs, its words for what is wrong, its documentation.
//!
//! The only layer that names `rhai`. It reaches the kernel through [`crate::run`] alone.

mod addresses;
mod argument;
mod bracket;
mod call;
mod capture;
pub mod catalog;
mod check;
mod child;
mod closure;
mod codec;
mod context;
mod data;
mod discard;
mod engine;
mod error;
mod language;
mod method;
mod module;
mod named;
mod options;
mod reword;
mod signal;
mod stack;
mod syntax;
mod value;
mod variable;
mod verb;
mod verbs;

pub use check::{Checked, check};
pub use context::{Mode, Rehearsed};
pub use engine::{End, Recipe, Script};
