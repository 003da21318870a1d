//! Networks with names: files in /run/netns, as `ip netns` makes them.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::run::raw::{self, CallError};
use crate::run::session::namespace::Namespace;
use crate::spec::{Kind, MountFlags, NetworkName};
use crate::sys::{self, Errno, Raw, Syscall};

/// Where they are.
pub(super) const PLACE: &str = "/run/netns";

/// How often one that is not mounted is looked at again.
const PATIENCE: usize = 20;

/// The file of a name.
pub(super) fn path(name: &NetworkName) -> PathBuf {
    Path::new(PLACE).join(name.as_str())
}

fn mount(source: Option<&Path>, target: &Path, flags: MountFlags) -> Result<(), CallError> {
    let (source, target) = (source.map(raw::c), raw::c(target));
    raw::done(&Raw::Mount { source, target, kind: None, flags: flags.0, data: None })
}

fn because(syscall: Syscall) -> impl Fn(io::Error) -> CallError {
    move |error| CallError { syscall, errno: Errno::from(&error) }
}

/// The network of this name, where there is one; what is left of one that was made half is removed.
pub(super) fn open(name: &NetworkName) -> Result<Option<Namespace>, Errno> {
    let path = path(name);
    match Namespace::open(&path) {
        Ok(Some(namespace)) if namespace.kind == Kind::Net => Ok(Some(namespace)),
        // Of another kind: nobody's but its owner's to remove.
        Ok(Some(_)) => Err(Errno::EXISTS),
        Ok(None) => {
            let found = fs::symlink_metadata(&path).map_err(|error| Errno::from(&error))?;
            if !found.is_file() || found.len() > 0 {
                return Err(Errno::EXISTS);
            }
            // Somebody may be about to mount it.
            for _ in 0..PATIENCE {
                if !sys::pause(Duration::from_millis(10)) {
                    return Err(Errno::INTERRUPTED);
                }
                if let Ok(Some(namespace)) = Namespace::open(&path) {
                    return Ok(Some(namespace).filter(|found| found.kind == Kind::Net));
                }
            }
            let removed = fs::remove_file(&path);
            removed.map(|()| None).map_err(|error| Errno::from(&error))
        }
        Err(errno) if errno == Errno::MISSING => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Makes the directory a mount that tells its copies in other mount namespaces of what is mounted
/// there, as `ip netns add` does: so names can be removed everywhere.
fn prepare(place: &Path) -> Result<(), CallError> {
    match raw::done(&Raw::Mkdir(raw::c(place), 0o755)) {
        Err(trouble) if trouble.errno != Errno::EEXIST => return Err(trouble),
        _ => {}
    }
    let shared = MountFlags::SHARED.and(MountFlags::RECURSIVE);
    match mount(None, place, shared) {
        Err(trouble) if trouble.errno == Errno::INVALID => {
            mount(Some(place), place, MountFlags::BIND.and(MountFlags::RECURSIVE))?;
            mount(None, place, shared)
        }
        done => done,
    }
}

/// Gives a network a name.
pub(super) fn keep(name: &NetworkName, namespace: BorrowedFd<'_>) -> Result<(), CallError> {
    prepare(Path::new(PLACE))?;
    let path = path(name);
    let file = fs::File::options().read(true).write(true).create_new(true).mode(0o444).open(&path);
    file.map_err(because(Syscall::Openat))?;
    let source = format!("/proc/self/fd/{}", namespace.as_raw_fd());
    let kept = mount(Some(source.as_ref()), &path, MountFlags::BIND);
    if kept.is_err() {
        let _ = fs::remove_file(&path);
    }
    kept
}

/// Takes a name away.
pub(super) fn remove(name: &NetworkName) -> Result<(), CallError> {
    let path = path(name);
    match raw::done(&Raw::Umount(raw::c(&path), true)) {
        // It was made half.
        Err(trouble) if trouble.errno == Errno::INVALID => {}
        done => done?,
    }
    fs::remove_file(&path).map_err(because(Syscall::Unlink))
}

/// The names that there are.
pub(super) fn list() -> Result<Vec<String>, Errno> {
    let entries = match fs::read_dir(PLACE) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Errno::from(&error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| Errno::from(&error))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        match Namespace::open(&entry.path()) {
            Ok(Some(found)) if found.kind == Kind::Net => names.push(name),
            Ok(_) => {}
            // Somebody has just removed it.
            Err(errno) if errno == Errno::MISSING => {}
            Err(errno) => return Err(errno),
        }
    }
    names.sort_unstable();
    Ok(names)
}
