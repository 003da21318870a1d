//! Namespace files: ioctl_nsfs(2).

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::raw::c_ulong;
use std::path::Path;

use super::errno::Errno;
use super::kernel::{CallError, Syscall, call, descriptor};

/// The user namespace that owns a namespace, Linux 4.9.
const NS_GET_USERNS: c_ulong = 0xb701;
/// The namespace above a user or PID namespace, Linux 4.9.
const NS_GET_PARENT: c_ulong = 0xb702;
/// The kind, as a clone flag, Linux 4.11.
const NS_GET_NSTYPE: c_ulong = 0xb703;

/// Opens a namespace file, in `/proc/PID/ns` or pinned elsewhere, and returns its kind as a clone
/// flag; `None` if it is another kind of file.
///
/// # Errors
/// open(2) if it does not exist or may not be opened; `ENOTTY` before Linux 4.11.
pub fn open_namespace(path: &Path) -> Result<Option<(OwnedFd, u64)>, CallError> {
    use nix::fcntl::OFlag;
    let because = |errno: nix::Error| CallError { syscall: Syscall::Openat, errno: errno.into() };
    // It is opened with O_PATH first, because it could be a device or a FIFO.
    let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
    let place = nix::fcntl::open(path, flags, nix::sys::stat::Mode::empty()).map_err(because)?;
    let found = nix::sys::statfs::fstatfs(&place).map_err(because)?;
    if found.filesystem_type() != nix::sys::statfs::NSFS_MAGIC {
        return Ok(None);
    }
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let file = nix::fcntl::open(path, flags, nix::sys::stat::Mode::empty()).map_err(because)?;
    let kind = call!(Ioctl, SYS_ioctl, file.as_raw_fd(), NS_GET_NSTYPE)?;
    Ok(u64::try_from(kind).ok().map(|kind| (file, kind)))
}

fn related(file: BorrowedFd<'_>, request: c_ulong) -> Result<OwnedFd, Errno> {
    let found = call!(Ioctl, SYS_ioctl, file.as_raw_fd(), request);
    let found = found.map_err(|error| error.errno)?;
    // SAFETY: the request succeeded and gave a new descriptor that nobody owns.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor(found)) })
}

/// Opens the user namespace that owns the namespace of `file`.
///
/// # Errors
/// `EPERM` if it is outside the user namespace of this process.
pub fn owner_of(file: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    related(file, NS_GET_USERNS)
}

/// Opens the parent of the namespace of `file`.
///
/// # Errors
/// `EPERM` if it is outside the namespace of this process; `EINVAL` if the kind has no parents.
pub fn parent_of(file: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    related(file, NS_GET_PARENT)
}

/// The inode number of an open file, which identifies a namespace.
///
/// # Errors
/// fstat(2).
pub fn inode(file: BorrowedFd<'_>) -> Result<u64, Errno> {
    nix::sys::stat::fstat(file).map(|found| found.st_ino).map_err(Errno::from)
}
