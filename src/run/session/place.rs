//! Ownership of paths and namespaces: the file system of a path, and other processes in a
//! namespace.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::sys;

/// The file system of a path.
pub(in crate::run) struct Place {
    /// Its device. In some file systems, files have others, as in a subvolume of btrfs.
    pub device: u64,
    /// Its mount, as this process sees it.
    pub seen: Seen,
}

/// The mount of a path, as a process sees it.
pub(in crate::run) enum Seen {
    /// A mount in mountinfo, with this type of file system.
    Here(String),
    /// A mount that is not in mountinfo: in another mount namespace, or, after chroot(2), the mount
    /// of the root.
    Elsewhere,
    /// Unknown, for this reason.
    Unknown(String),
}

impl Place {
    /// Examines `path`.
    ///
    /// # Errors
    /// It does not exist, or cannot be accessed.
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

    /// Its type, if known.
    pub fn kind(&self) -> Option<&str> {
        match &self.seen {
            Seen::Here(kind) => Some(kind),
            Seen::Elsewhere | Seen::Unknown(_) => None,
        }
    }
}

/// The text of mountinfo, or the reason why it cannot be read.
fn mountinfo() -> Result<String, String> {
    const FILE: &str = "/proc/self/mountinfo";
    match fs::read(FILE) {
        Ok(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
        Err(error) => Err(format!("{FILE} cannot be read: {}", crate::diag::os_error(&error))),
    }
}

/// The devices of all mounted file systems, or the reason why they are unknown.
pub(in crate::run) fn mounted_devices() -> Result<Vec<u64>, String> {
    Ok(mountinfo()?.lines().filter_map(device).collect())
}

/// The device and type of the mount with this number.
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

/// The types with a single file system for the whole machine, wherever it is mounted.
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

/// Whether the whole machine has a single file system of this type.
pub(in crate::run) fn is_of_machine(kind: &str) -> bool {
    OF_MACHINE.contains(&kind)
}

/// Whether process `pid` is `ancestor` or its descendant, according to `proc`.
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

/// Whether a descendant of `leader` is in a namespace, which is then the recipe's own, as far as
/// /proc shows.
pub(in crate::run) fn is_of_recipe(file: &str, namespace: u64, leader: u32) -> bool {
    let (proc, leader) = (Path::new("/proc"), leader.to_string());
    let inode = |pid: &str| fs::metadata(proc.join(pid).join("ns").join(file)).map(|it| it.ino());
    let Ok(entries) = fs::read_dir(proc) else { return false };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).any(|pid| {
        inode(&pid).is_ok_and(|found| found == namespace) && descends(proc, &pid, &leader)
    })
}

/// Whether a process that does not descend from `leader` is in the namespace of `file` in
/// /proc/PID/ns; `None` if it is unknown, because some processes may not be read, or /proc does not
/// show the initial PID namespace.
pub(in crate::run) fn is_shared(file: &str, namespace: u64, leader: u32) -> Option<bool> {
    // On a busy machine, the kernel sometimes refuses a read that it allows a moment later.
    (0..LOOKS).find_map(|_| look_for_others(file, namespace, leader))
}

/// The number of attempts to read the processes.
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
            // It has ended, or is a zombie, which is no longer in a namespace.
            Err(error) if matches!(error.raw_os_error(), Some(ENOENT | ESRCH)) => {}
            Err(_) => all_seen = false,
        }
    }
    all_seen.then_some(false)
}

/// No such file or directory, no such process: errno(3).
const ENOENT: i32 = 2;
const ESRCH: i32 = 3;
