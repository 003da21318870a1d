//! Makes Rust functions verbs: arguments, options, values, calls, and the catalog.

pub mod addresses;
pub mod argument;
pub mod call;
pub mod catalog;
pub mod context;
pub mod effects;
pub mod error;
pub mod key;
pub(in crate::script) mod memory;
pub mod method;
pub mod options;
pub mod shell_syntax;
pub mod signal;
pub mod value;
pub mod verb;
