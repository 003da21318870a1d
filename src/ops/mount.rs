//! Mounts below the root, and what is done to places there.

mod bind;
mod dev;
mod file_system;
mod mask;
mod proc;
mod protect;
mod sysfs;
mod tmpfs;

pub use bind::{Bind, Bound, FileId};
pub use dev::{Dev, Devpts, device};
pub use file_system::{Mount, Mounted};
pub use mask::Mask;
pub use proc::Proc;
pub use protect::{Protect, ReadOnly};
pub use sysfs::Sysfs;
pub use tmpfs::Tmpfs;
pub(super) use tmpfs::tmpfs;

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
