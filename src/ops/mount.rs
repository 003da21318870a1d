//! Mounts below the root, and what is done to places there.

mod bind;
mod file_system;
mod mask;
mod protect;

pub use bind::{Bound, FileId};
pub use file_system::Mounted;
pub use mask::Mask;
pub use protect::Protect;

use crate::spec::shell_word;

/// The `-o` of mount(8) with these words, if there are any.
fn options(words: &[String]) -> String {
    if words.is_empty() { String::new() } else { format!(" -o {}", shell_word(&words.join(","))) }
}

/// The words of mount(8) that are wanted.
fn words(wanted: [(bool, &str); 4]) -> Vec<String> {
    let wanted = wanted.iter().filter(|(wanted, _)| *wanted);
    wanted.map(|(_, word)| (*word).to_owned()).collect()
}
