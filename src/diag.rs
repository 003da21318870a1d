//! Diagnostics: places in recipes, errors and warnings, hints.
//!
//! This layer knows text and positions. It does not know what a sandbox is.

mod layout;
mod origin;
mod render;
mod report;
mod source;
mod streams;
mod suggest;
mod words;

pub use layout::{Column, heading, paragraphs, table, wrapped};
pub use origin::{Caller, Origin};
pub use render::{Format, render};
pub use report::{Ended, Facts, Report, Severity, messages};
pub use source::Sources;
pub use streams::{print, say};
pub use suggest::closest;
pub use words::{bytes, c_literal, count, escape, list, os_error, quoted, shortened, size};
