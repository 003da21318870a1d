//! The recipe language: its verbs, its error messages, its documentation.
//!
//! The only layer that names `rhai`. It reaches the kernel only through [`crate::run`]. Its rooms
//! are listed from the lowest to the highest; tests/tidy.rs lists what each may name.

mod language;

mod binding;

mod builtins;
mod errors;

mod effects;

mod verbs;

mod analysis;
mod engine;

mod check;
pub mod manual;
mod prompt;

pub use binding::catalog;
pub use check::{Checked, check};
pub use effects::block::{Block, blocks};
pub use effects::dry_run::Effect;
pub use engine::{End, Mode, Script};
pub use language::recipe::Recipe;
pub use language::token::{KEYWORDS, Kind, Token, tokens};
pub use prompt::{Candidate, Completion, Left, Outcome, Prompt};
