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

#[cfg(feature = "cli")]
mod check;
#[cfg(feature = "cli")]
pub mod manual;
#[cfg(feature = "cli")]
mod prompt;

mod package;

pub use binding::catalog;
pub use binding::effects::Dependence;
pub use binding::error::End;
#[cfg(feature = "cli")]
pub use check::{Checked, check};
pub use effects::block::{Block, blocks};
pub use effects::dry_run::Effect;
pub use engine::{Mode, Script};
pub use language::recipe::Recipe;
pub use language::token::{KEYWORDS, Kind, Token, tokens};
pub use package::Package;
#[cfg(feature = "cli")]
pub use prompt::{Candidate, Completion, Left, Outcome, Prompt};

/// The table of what programs open while they run, if it is wanted.
pub(crate) fn program_data(wanted: bool) -> Option<std::sync::Arc<crate::spec::DataTable>> {
    verbs::rootfs::data::table(Some(wanted))
}
