//! The host before and after a run: what nsscript may not leave behind.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// The mounts of the tests' own mount namespace, as the kernel tells them.
pub fn mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").expect("/proc is mounted")
}

/// What a run could leave on the host beside processes and files.
#[derive(Debug, PartialEq, Eq)]
pub struct Host {
    mounts: String,
    networks: BTreeSet<String>,
    cgroups: BTreeSet<String>,
}

impl Host {
    /// The host as it is now. Of networks and cgroups, which others on this machine make too, only
    /// those that are named after nsscript.
    pub fn snapshot() -> Self {
        let mut cgroups = BTreeSet::new();
        directories(Path::new("/sys/fs/cgroup"), 6, &mut cgroups);
        let networks = names(Path::new("/run/netns")).into_iter();
        let networks = networks.filter(|name| name.contains("nsscript")).collect();
        Self { mounts: mounts(), networks, cgroups }
    }

    /// Fails where something is left of the run of process `pid`.
    #[track_caller]
    pub fn assert_unchanged(&self, pid: u32) {
        let now = Self::snapshot();
        assert_eq!(self.mounts, now.mounts, "the host's mounts have changed");
        assert_eq!(self.networks, now.networks, "named networks are left");
        let own = |name: &&String| name.split(['-', '.', '/']).any(|word| word == pid.to_string());
        let left: Vec<_> = now.cgroups.difference(&self.cgroups).filter(own).collect();
        assert!(left.is_empty(), "cgroups are left: {left:?}");
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Adds the directories below `top` that are named after nsscript.
fn directories(top: &Path, depth: usize, found: &mut BTreeSet<String>) {
    let entries = fs::read_dir(top).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        if entry.file_name().to_string_lossy().contains("nsscript") {
            found.insert(entry.path().to_string_lossy().into_owned());
        }
        if depth > 0 {
            directories(&entry.path(), depth - 1, found);
        }
    }
}

/// The processes that descend from a run, wherever they are by now: a resource limit that nobody
/// else has, and that nothing in a sandbox changes, marks them. Zombies that only wait for the
/// machine's process 1 do not count.
pub fn marked_processes(marker: u64) -> Vec<(u32, String)> {
    let marker = marker.to_string();
    let numbers = names(Path::new("/proc")).into_iter().filter_map(|name| name.parse().ok());
    numbers.filter_map(|pid| Some((pid, marked(pid, &marker)?))).collect()
}

fn marked(pid: u32, marker: &str) -> Option<String> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find(|line| line.starts_with("Max realtime timeout"))?;
    let is_marked = line.split_whitespace().any(|word| word == marker);
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let is_gone = stat.contains(") Z 1 ");
    (is_marked && !is_gone).then_some(stat)
}

/// Waits until nothing is left of a run, where its end is the kernel's doing and not nsscript's.
pub fn wait_until_gone(marker: u64, time: Duration) {
    let end = Instant::now() + time;
    while !marked_processes(marker).is_empty() && Instant::now() < end {
        // The processes are not ours, so there is no event to wait for.
        std::thread::sleep(Duration::from_millis(1));
    }
}
