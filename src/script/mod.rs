//! The recipe language: its verbs, its words for what is wrong, its documentation.
//!
//! The only layer that names `rhai`. It reaches the kernel through [`crate::run`] alone.

mod addresses;
mod argument;
mod block;
mod bounded;
mod bracket;
mod breakpoint;
mod call;
mod capture;
pub mod catalog;
mod catch_names;
mod caught;
mod check;
mod child;
mod closure;
mod codec;
mod context;
mod data;
mod dialog;
mod discard;
mod effects;
mod engine;
mod error;
mod key;
mod language;
mod library;
pub mod manual;
mod method;
mod module;
mod named;
mod options;
mod printing;
mod recipe;
mod reword;
mod signal;
mod sorting;
mod stack;
mod statement_starts;
mod syntax;
mod token;
mod value;
mod variable;
mod verb;
mod verbs;

pub use block::{Block, blocks};
pub use check::{Checked, check};
pub use dialog::{Candidate, Completion, Dialog, Left, Outcome};
pub use effects::Effect;
pub use engine::{End, Mode, Script};
pub use recipe::Recipe;
pub use token::{KEYWORDS, Kind, Token, tokens};
