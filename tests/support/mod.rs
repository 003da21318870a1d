//! What the tests on a real kernel share: running the compiled binary as root and as a user, and
//! making sure, around every run, that the host is as it was.
//!
//! A test is a closure that is given a [`Bench`], a place of one user's own, once for each user:
//!
//! ```ignore
//! as_each_user(|bench| {
//!     assert_eq!(bench.seen(HOST, "pwd"), "/\n");
//! });
//! ```

mod bench;
pub mod host;
mod launch;
mod need;
mod running;
pub mod schema;
mod screen;
mod start;
mod user;

pub use bench::Bench;
pub use host::{marked_processes, mounts};
pub use launch::{Launch, may_mount, may_mount_as_root};
pub use need::{have, have_clock_offsets, maps_ids, missing, which};
pub use running::{Ended, Running};
pub use screen::Screen;
pub use user::{User, as_each_user};

/// A sandbox whose root is the host's system, with user 0.
pub const HOST: &str = r#"sandbox("/").user(0).proc("/proc").dev("/dev")"#;

/// A sandbox whose root is put together from a few programs.
pub const TREE: &str = r#"sandbox(rootfs()
    .binaries(["sh", "cat", "chmod", "id", "env", "ls", "mkdir", "ps", "readlink", "rm",
        "sleep", "stat", "touch", "true"], #{ into: "/bin" })
    .directory("/tmp", #{ mode: 0o1777 }))
    .proc("/proc").dev("/dev")"#;

/// Both, with names for messages.
pub const GUESTS: [(&str, &str); 2] = [("host", HOST), ("tree", TREE)];

/// The lines of a text, as words.
pub fn fields(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split_whitespace().collect()).collect()
}

/// The value of a line `Name: value` as /proc/PID/status has them, words parted by one space.
pub fn field(text: &str, name: &str) -> String {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let value = value.unwrap_or_else(|| panic!("no line {name} in:\n{text}"));
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}
