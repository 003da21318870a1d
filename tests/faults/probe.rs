//! The program in the sandboxes: it prints what it sees of the place that it is in.
//!
//! What differs from run to run though nothing is wrong is left out: numbers of mounts, of processes
//! outside and of devices, sizes and times.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, IsTerminal, Read, Write as _};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::unistd;

/// The status that the probe ends with, which a recipe can tell from that of anything else.
pub const STATUS: u8 = 7;

/// Prints the view. With the argument `tree`, what is in the root too.
pub fn main(arguments: &[String]) -> u8 {
    let mut view = View(String::new());
    view.names();
    view.identity();
    view.namespaces();
    view.descriptors();
    view.mounts();
    view.rights();
    view.devices();
    if arguments.iter().any(|argument| argument == "tree") {
        view.section("tree");
        view.tree(Path::new("/"), &mount_points());
    }
    view.input();
    let mut output = io::stdout().lock();
    let written = output.write_all(view.0.as_bytes()).and_then(|()| output.flush());
    written.map_or(1, |()| STATUS)
}

struct View(String);

impl View {
    fn section(&mut self, title: &str) {
        let _ = writeln!(self.0, "== {title}");
    }

    fn line(&mut self, line: &str) {
        let _ = writeln!(self.0, "{line}");
    }

    /// A file whole, or why it cannot be read.
    fn file(&mut self, path: &str) {
        let text = fs::read_to_string(path).unwrap_or_else(|error| said(&error));
        let _ = writeln!(self.0, "{path}: {}", text.trim_end());
    }

    fn input(&mut self) {
        self.section("input");
        let mut input = io::stdin();
        if input.is_terminal() {
            return self.line("a terminal");
        }
        let mut text = String::new();
        let read = input.read_to_string(&mut text).map_err(|error| said(&error));
        self.line(&format!("{read:?} {text:?}"));
    }

    fn names(&mut self) {
        self.section("names");
        for name in ["hostname", "domainname"] {
            self.file(&format!("/proc/sys/kernel/{name}"));
        }
        self.file("/proc/1/comm");
        let words = fs::read_to_string("/proc/1/cmdline").unwrap_or_else(|error| said(&error));
        self.line(&format!("process 1: {words:?}"));
        self.line(&format!("arguments: {:?}", std::env::args_os().collect::<Vec<_>>()));
        self.line(&format!("directory: {:?}", std::env::current_dir().map_err(|it| it.kind())));
        let environment: BTreeSet<_> = std::env::vars_os().collect();
        self.line(&format!("environment: {environment:?}"));
    }

    fn identity(&mut self) {
        wait_for_init();
        for process in ["self", "1"] {
            self.section(&format!("status of {process}"));
            let path = format!("/proc/{process}/status");
            let status = fs::read_to_string(path).unwrap_or_else(|error| said(&error));
            for line in status.lines().filter(|line| !changes(line, process)) {
                self.line(line);
            }
            let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
            // Parent, group, session and terminal, behind the name and the state.
            let rest = stat.rsplit(')').next().unwrap_or_default();
            let words: Vec<_> = rest.split_whitespace().skip(1).take(4).collect();
            self.line(&format!("parent, group, session, terminal: {words:?}"));
        }
        for name in ["uid_map", "gid_map", "setgroups", "limits", "oom_score_adj", "timerslack_ns"]
        {
            self.file(&format!("/proc/self/{name}"));
        }
        self.file("/proc/self/timens_offsets");
        self.file("/proc/self/cgroup");
    }

    fn namespaces(&mut self) {
        self.section("namespaces");
        for kind in ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"] {
            let link = fs::read_link(format!("/proc/self/ns/{kind}"));
            self.line(&link.map_or_else(|error| said(&error), |it| it.display().to_string()));
        }
        let interfaces = fs::read_to_string("/proc/self/net/dev").unwrap_or_default();
        let names = interfaces.lines().filter_map(|line| line.split_once(':'));
        let names: BTreeSet<_> = names.map(|(name, _)| name.trim()).collect();
        self.line(&format!("interfaces: {names:?}"));
        let addresses = fs::read_to_string("/proc/self/net/if_inet6").unwrap_or_default();
        let addresses = addresses.lines().filter(|line| !line.starts_with("fe80"));
        self.line(&format!("addresses: {:?}", addresses.collect::<BTreeSet<_>>()));
        let processes = names_in(Path::new("/proc"));
        let numbers: Vec<_> =
            processes.iter().filter_map(|name| name.parse::<u32>().ok()).collect();
        self.line(&format!("processes: {numbers:?}"));
        let others: Vec<_> = processes.iter().filter(|name| name.parse::<u32>().is_err()).collect();
        self.line(&format!("proc: {others:?}"));
    }

    fn descriptors(&mut self) {
        for process in ["self", "1"] {
            self.section(&format!("descriptors of {process}"));
            let directory = format!("/proc/{process}/fd");
            let Ok(entries) = fs::read_dir(&directory) else {
                self.line("closed");
                continue;
            };
            let mut found = BTreeSet::new();
            for entry in entries.flatten() {
                // The listing itself is gone by now.
                let Ok(link) = fs::read_link(entry.path()) else { continue };
                let link = link.display().to_string();
                let kind = link.split_once(':').map_or(link.as_str(), |(kind, _)| kind);
                if !kind.ends_with("/fd") {
                    found.insert(format!("{} {kind}", entry.file_name().display()));
                }
            }
            self.line(&format!("{found:?}"));
        }
    }

    fn mounts(&mut self) {
        self.section("mounts");
        let mounts =
            fs::read_to_string("/proc/self/mountinfo").unwrap_or_else(|error| said(&error));
        for line in mounts.lines() {
            let words: Vec<_> = line.split(' ').collect();
            let [_, _, _, root, target, options, rest @ ..] = &words[..] else {
                self.line(line);
                continue;
            };
            let propagation = rest.iter().take_while(|word| **word != "-");
            let propagation = propagation.map(|word| word.split(':').next().unwrap_or_default());
            let propagation: Vec<_> = propagation.collect();
            let kind = rest.iter().skip_while(|word| **word != "-").skip(1);
            let kind: Vec<_> = kind.copied().collect();
            self.line(&format!("{target} {root} {options} {propagation:?} {}", kind.join(" ")));
        }
    }

    /// What can be written to, and what else the program has no right to.
    fn rights(&mut self) {
        self.section("rights");
        let places = [
            "/x",
            "/etc/hostname",
            "/etc/x",
            "/tmp/x",
            "/dev/x",
            "/dev/shm/x",
            "/var/x",
            "/run/x",
            "/home/x",
            "/sys/x",
            "/proc/sys/kernel/hostname",
            "/proc/sys/kernel/core_pattern",
            "/proc/sys/vm/swappiness",
            "/proc/sysrq-trigger",
            "/proc/self/uid_map",
        ];
        for place in places {
            let opened = OpenOptions::new().append(true).create(true).open(place);
            self.line(&format!(
                "{place}: {}",
                opened.map_or_else(|error| said(&error), |_| "written to".into())
            ));
        }
        for place in ["/etc/shadow", "/proc/kcore", "/proc/1/root", "/proc/1/environ"] {
            let opened = File::open(place).and_then(|mut file| file.read(&mut [0; 1]));
            self.line(&format!(
                "{place}: {}",
                opened.map_or_else(|error| said(&error), |_| "read".into())
            ));
        }
        let rooted = unistd::chroot("/").map_err(io::Error::from);
        self.line(&format!("chroot: {:?}", rooted.map_err(|error| said(&error))));
        let named = fs::write("/proc/sys/kernel/hostname", "other");
        self.line(&format!("hostname: {:?}", named.map_err(|error| said(&error))));
    }

    fn devices(&mut self) {
        for directory in ["/dev", "/dev/pts", "/dev/shm", "/tmp"] {
            self.section(directory);
            for name in names_in(Path::new(directory)) {
                self.entry(&Path::new(directory).join(name), false);
            }
        }
        for device in
            ["/dev/null", "/dev/zero", "/dev/full", "/dev/urandom", "/dev/tty", "/dev/ptmx"]
        {
            let opened = OpenOptions::new().read(true).write(true).open(device);
            self.line(&format!("{device}: {:?}", opened.map(drop).map_err(|error| said(&error))));
        }
    }

    /// One line about a file: with what is in it, if that is of interest.
    fn entry(&mut self, path: &Path, is_read: bool) {
        let shown = path.display();
        let found = match path.symlink_metadata() {
            Ok(found) => found,
            Err(error) => return self.line(&format!("{shown}: {}", said(&error))),
        };
        let kind = found.file_type();
        let what = if kind.is_dir() {
            String::from("directory")
        } else if kind.is_symlink() {
            let target = fs::read_link(path);
            format!("link to {}", target.map_or_else(|it| said(&it), |it| it.display().to_string()))
        } else if kind.is_file() && !is_read {
            String::from("file")
        } else if kind.is_file() {
            let links = found.nlink();
            let content = fs::read(path).map(|bytes| sum(&bytes));
            let content = content.map_or_else(|error| said(&error), |sum| format!("{sum:x}"));
            format!("file of {} bytes, {content}, {links} links", found.len())
        } else if kind.is_char_device() || kind.is_block_device() {
            format!("device {:x}", found.rdev())
        } else {
            String::from("pipe or socket")
        };
        let owner = format!("{}:{}", found.uid(), found.gid());
        self.line(&format!("{shown} {:o} {owner} {what}", found.mode() & 0o7777));
    }

    /// Everything below a directory that is no mount of its own.
    fn tree(&mut self, directory: &Path, mounted: &BTreeSet<String>) {
        for name in names_in(directory) {
            let path = directory.join(name);
            if mounted.contains(path.to_string_lossy().as_ref()) {
                continue;
            }
            self.entry(&path, true);
            if path.symlink_metadata().is_ok_and(|found| found.is_dir()) {
                self.tree(&path, mounted);
            }
        }
    }
}

fn said(error: &io::Error) -> String {
    let errno = nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or_default());
    format!("{errno:?}")
}

fn sum(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

fn names_in(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let own = std::process::id().to_string();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| *name != own).collect()
}

fn mount_points() -> BTreeSet<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let targets = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    targets.map(str::to_owned).collect()
}

/// Lines of a status that chance has a part in.
fn changes(line: &str, process: &str) -> bool {
    let name = line.split(':').next().unwrap_or_default();
    let of_chance = ["State", "TracerPid", "FDSize", "SigQ", "SigPnd", "ShdPnd", "Threads"];
    let of_memory = ["Vm", "Rss", "Hugetlb", "nonvoluntary", "voluntary", "Cpus_", "Mems_"];
    let is_of_init = process == "1" && std::process::id() != 1;
    of_chance.contains(&name)
        || of_memory.iter().any(|prefix| name.starts_with(prefix))
        // While init waits for a signal, its mask is another one.
        || (is_of_init && name == "SigBlk")
        || (name == "NSpid" || name == "Pid" || name == "Tgid") && process == "self"
}

/// Waits until init waits: before, it still holds what it closes then.
fn wait_for_init() {
    let end = Instant::now() + Duration::from_secs(1);
    let waits = || {
        let status = fs::read_to_string("/proc/1/status").unwrap_or_default();
        status.lines().any(|line| line.starts_with("State:") && line.contains("S (sleeping)"))
    };
    while std::process::id() != 1 && !waits() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
}
