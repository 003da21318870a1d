//! Where a path leads, as far as it matters whose that is: the file system, and who shares a
//! namespace.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::sys;

/// The file system that a path leads to.
pub(super) struct Place {
    /// Its device. Of some file systems files have others, as those of a subvolume of btrfs.
    pub device: u64,
    /// Its type; unknown where no /proc tells.
    pub kind: Option<String>,
}

impl Place {
    /// Where `path` leads.
    ///
    /// # Errors
    /// Nothing is there.
    pub fn of(path: &Path) -> io::Result<Self> {
        let device = fs::metadata(path)?.dev();
        let mount = sys::mount_id(path).and_then(mount);
        let (device, kind) = mount.map_or((device, None), |(device, kind)| (device, Some(kind)));
        Ok(Self { device, kind })
    }
}

/// The device and the type of what is mounted by this number.
fn mount(id: u64) -> Option<(u64, String)> {
    let text = fs::read("/proc/self/mountinfo").ok()?;
    let text = String::from_utf8_lossy(&text);
    let id = id.to_string();
    let line = text.lines().find(|line| line.split(' ').next() == Some(&*id))?;
    let kind = line.split_once(" - ")?.1.split(' ').next()?;
    Some((device(line)?, kind.to_owned()))
}

/// The device in a line of mountinfo.
pub(super) fn device(line: &str) -> Option<u64> {
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
pub(super) fn is_of_machine(kind: &str) -> bool {
    OF_MACHINE.contains(&kind)
}

/// Whether process `pid` is `ancestor` or has come from it, as `proc` shows them.
pub(super) fn descends(proc: &Path, pid: &str, ancestor: &str) -> bool {
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
pub(super) fn is_of_recipe(file: &str, namespace: u64, leader: u32) -> bool {
    let (proc, leader) = (Path::new("/proc"), leader.to_string());
    let inode = |pid: &str| fs::metadata(proc.join(pid).join("ns").join(file)).map(|it| it.ino());
    let Ok(entries) = fs::read_dir(proc) else { return false };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).any(|pid| {
        inode(&pid).is_ok_and(|found| found == namespace) && descends(proc, &pid, &leader)
    })
}

/// Whether a process that does not come from `leader` is in the namespace whose file is `file` in
/// /proc/PID/ns, as far as /proc shows such processes: in a PID namespace of the recipe's own it
/// shows none.
pub(super) fn is_shared(file: &str, namespace: u64, leader: u32) -> bool {
    let (proc, leader) = (Path::new("/proc"), leader.to_string());
    let Ok(own) = fs::read_link(proc.join("self")) else { return false };
    let Ok(entries) = fs::read_dir(proc) else { return false };
    if !descends(proc, &own.to_string_lossy(), &leader) {
        return false;
    }
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).any(|pid| {
        let found = fs::metadata(proc.join(&pid).join("ns").join(file));
        found.is_ok_and(|found| found.ino() == namespace) && !descends(proc, &pid, &leader)
    })
}
