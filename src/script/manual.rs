//! Texts that are made of the catalog: pages for a prompt, manual pages, files for editors.
//!
//! Nothing here is touched while a recipe runs.

mod definitions;
mod index;
mod recipe_page;
mod roff;
mod topic;

pub use crate::script::language::library::{Library, libraries};
pub use definitions::{Definition, definitions};
pub use index::{index, snippets};
pub use recipe_page::recipe_page;
pub use roff::{PageName, roff};
pub use topic::{Topic, near_topic, topic, topics};

/// A short guide to the language, in Markdown.
pub const GUIDE: &str = include_str!("manual/guide.md");
