//! Sealed files in memory, which nobody can change: memfd_create(2).

use std::ffi::CStr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::raw::c_uint;

use super::errno::Errno;
use super::kernel::{self, Answer, CallError, Syscall};

/// Creates a sealed file with these bytes; `kind` is `MFD_EXEC` or `MFD_NOEXEC_SEAL`.
pub(super) fn sealed(name: &CStr, kind: c_uint, bytes: &[u8]) -> Answer<OwnedFd> {
    let failed = |syscall| CallError { syscall, errno: Errno::last() };
    let create = |flags| {
        // SAFETY: a C string and a number.
        unsafe { libc::memfd_create(name.as_ptr(), flags) }
    };
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // Linux before 6.3 does not know the kinds; later kernels may be configured to require one.
    let file = match create(flags | kind) {
        -1 if Errno::last().code() == libc::EINVAL => create(flags),
        file => file,
    };
    if file < 0 {
        return Err(failed(Syscall::MemfdCreate));
    }
    // SAFETY: memfd_create gave a new descriptor that nobody owns.
    let file = unsafe { OwnedFd::from_raw_fd(file) };
    kernel::write_all(file.as_raw_fd(), bytes)?;
    let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    // SAFETY: a descriptor that is open, and numbers.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) } != 0 {
        return Err(failed(Syscall::Fcntl));
    }
    Ok(file)
}

/// Creates a sealed file that other processes of the user read through this process's descriptors:
/// /proc/PID/fd shows it as `/memfd:NAME`.
///
/// # Errors
/// The process has no free descriptor, or the machine no memory.
pub fn shown_in_proc(name: &CStr, bytes: &[u8]) -> Result<OwnedFd, Errno> {
    sealed(name, libc::MFD_NOEXEC_SEAL, bytes).map_err(|error| error.errno)
}
