//! The host before and after a run: what nsscript may not leave behind.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The mounts of the tests' own mount namespace, as the kernel tells them.
pub fn mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").expect("/proc is mounted")
}

/// What a run could leave on the host beside processes and files.
#[derive(Debug, PartialEq, Eq)]
pub struct Host {
    /// Where the run has its files.
    place: PathBuf,
    mounts: String,
    networks: BTreeSet<String>,
    interfaces: BTreeSet<String>,
    cgroups: BTreeSet<String>,
    /// Host name and domain name.
    names: [String; 2],
    /// The keys of shared memory, semaphores and queues.
    ipc: BTreeSet<String>,
    /// Settings that tests try to change.
    settings: Vec<String>,
}

/// Files below /proc/sys.
const SETTINGS: [&str; 4] =
    ["vm/swappiness", "net/ipv4/ip_forward", "user/max_user_namespaces", "kernel/msgmax"];

impl Host {
    /// The host as it is now. Of networks and cgroups, which others on this machine make too, only
    /// those that are named after nsscript; of loop devices those of files below `place`.
    pub fn snapshot(place: &Path) -> Self {
        let mut cgroups = BTreeSet::new();
        directories(Path::new("/sys/fs/cgroup"), 6, &mut cgroups);
        let networks = names(Path::new("/run/netns")).into_iter();
        let networks = networks.filter(|name| name.contains("nsscript")).collect();
        let text = |name: &str| fs::read_to_string(name).unwrap_or_default();
        let names = ["hostname", "domainname"].map(|it| text(&format!("/proc/sys/kernel/{it}")));
        let settings = SETTINGS.map(|name| text(&format!("/proc/sys/{name}"))).to_vec();
        let interfaces = text("/proc/self/net/dev");
        let interfaces = interfaces.lines().filter_map(|line| line.split_once(':'));
        let interfaces = interfaces.map(|(name, _)| name.trim().to_owned()).collect();
        let place = place.to_path_buf();
        Self { place, mounts: mounts(), networks, interfaces, cgroups, names, ipc: ipc(), settings }
    }

    /// Fails where something is left of the run of process `pid`.
    #[track_caller]
    pub fn assert_unchanged(&self, pid: u32) {
        let changes = self.changes(&Self::snapshot(&self.place), pid);
        assert!(changes.is_empty(), "{}", changes.join("\n"));
    }

    /// What the run of process `pid` has changed until `now`.
    pub fn changes(&self, now: &Self, pid: u32) -> Vec<String> {
        let mut changes = Vec::new();
        let mut compare = |what: &str, one: &dyn Debug, other: &dyn Debug| {
            let (one, other) = (format!("{one:?}"), format!("{other:?}"));
            if one != other {
                changes.push(format!("{what}: {one}\nand now: {other}"));
            }
        };
        let gone = lines_but(&self.mounts, &now.mounts);
        compare("the host's mounts have changed", &gone, &lines_but(&now.mounts, &self.mounts));
        compare("named networks are left", &self.networks, &now.networks);
        compare("interfaces are left", &self.interfaces, &now.interfaces);
        compare("the host's name has changed", &self.names, &now.names);
        compare("settings have changed", &self.settings, &now.settings);
        let left: Vec<_> = now.ipc.difference(&self.ipc).collect();
        compare("System V IPC is left", &Vec::<&String>::new(), &left);
        compare("loop devices are left", &Vec::<String>::new(), &attached(&self.place));
        let own = |name: &&String| name.split(['-', '.', '/']).any(|word| word == pid.to_string());
        let left: Vec<_> = now.cgroups.difference(&self.cgroups).filter(own).collect();
        compare("cgroups are left", &Vec::<&String>::new(), &left);
        changes
    }
}

/// The lines of a text that another one does not have.
fn lines_but<'a>(text: &'a str, other: &str) -> Vec<&'a str> {
    text.lines().filter(|line| !other.lines().any(|it| it == *line)).collect()
}

/// Kind, key and number of what is in the IPC namespace.
fn ipc() -> BTreeSet<String> {
    let kinds = ["shm", "sem", "msg"];
    let lines = |kind: &str| {
        let text = fs::read_to_string(format!("/proc/sysvipc/{kind}")).unwrap_or_default();
        let short = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
        text.lines().skip(1).map(|line| format!("{kind} {}", short(line))).collect::<Vec<_>>()
    };
    kinds.into_iter().flat_map(lines).collect()
}

/// The files below `place` that are still loop devices. A device goes when nobody has it open,
/// which may be something of the machine that looks at every new device.
fn attached(place: &Path) -> Vec<String> {
    let now = || -> Vec<String> {
        let devices = names(Path::new("/sys/block")).into_iter();
        let files = devices.filter_map(|device| {
            fs::read_to_string(format!("/sys/block/{device}/loop/backing_file")).ok()
        });
        files.filter(|file| Path::new(file.trim_end()).starts_with(place)).collect()
    };
    let end = Instant::now() + Duration::from_secs(10);
    while !now().is_empty() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
    now()
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
