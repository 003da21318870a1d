//! The owner of a path or namespace, as far as it matters: the file system that holds it, and who
//! else is in the namespace.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::sys;

/// The file system that a path leads to.
pub(in crate::run) struct Place {
    /// Its device. Of some file systems files have others, as those of a subvolume of btrfs.
    pub device: u64,
    /// What this process sees of its mount.
    pub seen: Seen,
}

/// What a process sees of the mount that a path leads to.
pub(in crate::run) enum Seen {
    /// It is one of its own mounts, of a file system of this type.
    Here(String),
    /// It is none of those that mountinfo shows: in another mount namespace, or, after chroot(2),
    /// the one that the root is in.
    Elsewhere,
    /// Nothing tells, and why.
    Unknown(String),
}

impl Place {
    /// Where `path` leads.
    ///
    /// # Errors
    /// Nothing is there, or it cannot be looked at.
    pub fn of(path: &Path) -> io::Result<Self> {
        let device = fs::metadata(path)?.dev();
        let mounts = match mountinfo() {
            Ok(mounts) => mounts,
            Err(why) => return Ok(Self { device, seen: Seen::Unknown(why) }),
        };
        let Some(id) = sys::mount_id(path) else {
            let why = "the kernel does not report which mount it is in".to_owned();
            return Ok(Self { device, seen: Seen::Unknown(why) });
        };
        Ok(match mount(&mounts, id) {
            Some((device, kind)) => Self { device, seen: Seen::Here(kind) },
            None => Self { device, seen: Seen::Elsewhere },
        })
    }

    /// Its type, if that is known.
    pub fn kind(&self) -> Option<&str> {
        match &self.seen {
            Seen::Here(kind) => Some(kind),
            Seen::Elsewhere | Seen::Unknown(_) => None,
        }
    }
}

/// What mountinfo says, or why it cannot be read.
fn mountinfo() -> Result<String, String> {
    const FILE: &str = "/proc/self/mountinfo";
    match fs::read(FILE) {
        Ok(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
        Err(error) => Err(format!("{FILE} cannot be read: {}", crate::diag::os_error(&error))),
    }
}

/// The devices of all file systems that are mounted, or why nothing tells.
pub(in crate::run) fn mounted_devices() -> Result<Vec<u64>, String> {
    Ok(mountinfo()?.lines().filter_map(device).collect())
}

/// The device and the type of what is mounted by this number.
fn mount(mounts: &str, id: u64) -> Option<(u64, String)> {
    let id = id.to_string();
    let line = mounts.lines().find(|line| line.split(' ').next() == Some(&*id))?;
    let kind = line.split_once(" - ")?.1.split(' ').next()?;
    Some((device(line)?, kind.to_owned()))
}

/// The device in a line of mountinfo.
fn device(line: &str) -> Option<u64> {
    let (major, minor) = line.split(' ').nth(2)?.split_once(':')?;
    Some(sys::device(major.parse().ok()?, minor.parse().ok()?))
}

/// The types of which there is one file system in the whole machine, wherever it is mounted.
const OF_MACHINE: [&str; 17] = [
    "binfmt_misc",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "nfsd",
    "pstore",
    "resctrl",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "smackfs",
    "sysfs",
    "tracefs",
];

/// Whether there is one file system of this type in the machine.
pub(in crate::run) fn is_of_machine(kind: &str) -> bool {
    OF_MACHINE.contains(&kind)
}

/// Whether process `pid` is `ancestor` or has come from it, as `proc` shows them.
pub(in crate::run) fn descends(proc: &Path, pid: &str, ancestor: &str) -> bool {
    let mut pid = pid.to_owned();
    for _ in 0..64 {
        if pid == ancestor {
            return true;
        }
        let status = fs::read_to_string(proc.join(&pid).join("status")).unwrap_or_default();
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        match parent.map(str::trim) {
            Some(parent) if parent != "0" => parent.clone_into(&mut pid),
            _ => return false,
        }
    }
    false
}

/// Whether a process that comes from `leader` is in a namespace that was not its own: as far as /proc
/// shows, it is one that the recipe has made.
pub(in crate::run) fn is_of_recipe(file: &str, namespace: u64, leader: u32) -> bool {
    let (proc, leader) = (Path::new("/proc"), leader.to_string());
    let inode = |pid: &str| fs::metadata(proc.join(pid).join("ns").join(file)).map(|it| it.ino());
    let Ok(entries) = fs::read_dir(proc) else { return false };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).any(|pid| {
        inode(&pid).is_ok_and(|found| found == namespace) && descends(proc, &pid, &leader)
    })
}

/// Whether a process that does not come from `leader` is in the namespace whose file is `file` in
/// /proc/PID/ns; none where nothing tells, as there are processes that may not be looked at, or no
/// /proc shows those of the PID namespace that the recipe was started in.
pub(in crate::run) fn is_shared(file: &str, namespace: u64, leader: u32) -> Option<bool> {
    // On a machine with much to do the kernel refuses a look at a process now and then that it
    // allows a moment later.
    (0..LOOKS).find_map(|_| look_for_others(file, namespace, leader))
}

/// How often it is looked again where something could not be seen.
const LOOKS: u8 = 3;

fn look_for_others(file: &str, namespace: u64, leader: u32) -> Option<bool> {
    let (proc, leader) = (Path::new("/proc"), leader.to_string());
    let own = fs::read_link(proc.join("self")).ok()?;
    if !descends(proc, &own.to_string_lossy(), &leader) {
        return None;
    }
    let mut all_seen = true;
    for entry in fs::read_dir(proc).ok()? {
        let Ok(pid) = entry.ok()?.file_name().into_string() else { continue };
        if !pid.bytes().all(|byte| byte.is_ascii_digit()) || descends(proc, &pid, &leader) {
            continue;
        }
        match fs::metadata(proc.join(&pid).join("ns").join(file)) {
            Ok(found) if found.ino() == namespace => return Some(true),
            Ok(_) => {}
            // It has ended, or is a zombie, which is in no namespace any more.
            Err(error) if matches!(error.raw_os_error(), Some(ENOENT | ESRCH)) => {}
            Err(_) => all_seen = false,
        }
    }
    all_seen.then_some(false)
}

/// No such file or directory, no such process: errno(3).
const ENOENT: i32 = 2;
const ESRCH: i32 = 3;
