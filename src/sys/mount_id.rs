//! Mount numbers of paths.

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The number of the mount that contains a path, with links followed, as in /proc/self/mountinfo;
/// `None` if the path does not exist, or before Linux 5.8.
#[must_use]
pub fn mount_id(path: &Path) -> Option<u64> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    let mut found = MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: `path` is a text with a NUL at its end, and `found` has room for what is told.
    let answer = unsafe {
        libc::statx(libc::AT_FDCWD, path.as_ptr(), 0, libc::STATX_MNT_ID, found.as_mut_ptr())
    };
    // SAFETY: all of it is zero where the kernel has written nothing, which is a value.
    let found = unsafe { found.assume_init() };
    (answer == 0 && found.stx_mask & libc::STATX_MNT_ID != 0).then_some(found.stx_mnt_id)
}
