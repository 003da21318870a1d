//! Documentation from the catalog: help pages, manual pages, files for editors.
//!
//! Running a recipe uses none of this.

mod definitions;
mod index;
mod recipe_page;
mod roff;
mod topic;

pub use crate::script::language::described::FUNCTIONS;
pub use crate::script::language::foreign;
pub use crate::script::language::library::{Library, libraries};
pub use definitions::{Definition, definitions};
pub use index::{index, snippets};
pub use recipe_page::recipe_page;
pub use roff::{PageName, roff};
pub use topic::{Topic, near_topic, topic, topics};

/// A short guide to the language, in Markdown.
pub const GUIDE: &str = include_str!("manual/guide.md");
