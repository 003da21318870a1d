//! Linux sandboxes as readable recipes: namespaces, mounts and roots in a small language.
//!
//! A recipe computes a [`ops::Sandbox`], an immutable value. With facts about the machine
//! ([`host::Host`]) it becomes a [`plan::Plan`], an ordered list of actions that print as
//! sentences. [`run::Runner`] lowers a plan to prepared system calls ([`sys::Program`]), which a
//! cloned process performs. If one fails, two numbers are enough to say what was attempted, on
//! which paths, and at which line of the recipe. See ARCHITECTURE.md for the rest.

pub mod cli;
pub mod diag;
pub mod host;
pub mod json;
pub mod ops;
pub mod plan;
pub mod repl;
pub mod run;
pub mod script;
pub mod spec;
pub mod sys;
