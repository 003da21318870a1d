//! Texts that are made of the catalog: pages for a prompt, manual pages, files for editors.
//!
//! Nothing here is touched while a recipe runs.

mod library;
mod topic;

pub use library::{Library, libraries};
pub use topic::{Topic, near_topic, topic, topics};

/// A short guide to the language, in Markdown.
pub const GUIDE: &str = include_str!("guide.md");
