//! Attacks that others have suffered from, one file for each of their kinds.
//!
//! Outside of every root stands a canary, a directory with a secret: nothing that a test does may
//! change it, and no program inside may read it.

mod archives;
mod capabilities;
mod cleanup;
mod descriptors;
mod exchanged;
mod identity;
mod keyrings;
mod mounts;
mod paths;
mod renames;
mod shared_places;

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::support::{Bench, Ended};

/// What the file of the canary holds.
const SECRET: &str = "the secret of the host";

/// A directory `host` that holds one file, `secret`, beside the root of the sandbox.
struct Canary<'b> {
    bench: &'b Bench,
    before: String,
}

impl<'b> Canary<'b> {
    fn new(bench: &'b Bench) -> Self {
        bench.file("host/secret", SECRET);
        let before = look(bench);
        Self { bench, before }
    }

    /// Makes sure that a run has neither changed the canary nor read it.
    #[track_caller]
    fn holds(&self, what: &str, ended: &Ended) {
        assert_eq!(look(self.bench), self.before, "the canary was changed by {what}");
        let seen = format!("{}{}", ended.stdout, ended.stderr);
        assert!(!seen.contains(SECRET), "the canary was read by {what}:\n{seen}");
        println!("held, as {}: {what}", self.bench.user);
    }
}

/// All that can be told of the canary: what the directory holds, and content, mode, owner and time
/// of the last change of both.
fn look(bench: &Bench) -> String {
    let names: Vec<_> =
        fs::read_dir(bench.path("host")).unwrap().map(|it| it.unwrap().file_name()).collect();
    let of = |name: &str| {
        let found = fs::symlink_metadata(bench.path(name)).unwrap();
        let time = (found.mtime(), found.mtime_nsec());
        format!("{name} {:o} {}:{} {time:?}\n", found.mode(), found.uid(), found.gid())
    };
    format!("{names:?}\n{}{}{}", of("host"), of("host/secret"), bench.content("host/secret"))
}

/// Makes a directory to be a root, with a few programs.
fn make_root(bench: &Bench) {
    let recipe =
        r#"rootfs().binaries(["sh", "cat", "ls", "chmod"], #{ into: "/bin" }).build("root");"#;
    bench.recipe(recipe).end().succeeded();
}
