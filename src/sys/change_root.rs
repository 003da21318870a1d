//! Changes of the root and working directory in a new process: no allocation, lock or panic.

use std::ffi::CStr;
use std::os::raw::c_int;

use super::kernel::{self, Answer};
use super::{mount, mount_tree};

/// Binds the root on itself: pivot_root(2) cannot move a root that is mounted on nothing (rootfs).
pub(super) fn cover() -> Answer<()> {
    let root = mount_tree::copy_of_host(c"/", true, 0, None)?;
    mount::move_mount(root, libc::AT_FDCWD, c"/", mount_tree::MOVE_FROM_EMPTY)?;
    kernel::fchdir(root)?;
    kernel::close(root);
    kernel::chroot(c".")
}

/// Makes `root` the root and detaches the old one.
pub(super) fn pivot(root: c_int, stacked: u8) -> Answer<()> {
    kernel::fchdir(root)?;
    // With both names `.`, the old root is stacked on the new one: no directory is needed for it.
    mount::pivot_root(c".", c".")?;
    // Mounts that were stacked on the old root are still there and are detached first.
    for _ in 0..stacked {
        mount::umount2(c".", libc::MNT_DETACH)?;
    }
    kernel::chdir(c"/")
}

/// Changes to a directory of the root that this process has entered. Links of a process are not
/// followed, because `/proc/self/fd/N` would lead to files that the launcher has open
/// (CVE-2024-21626).
pub(super) fn go_to(path: &CStr) -> Answer<()> {
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    let root = kernel::openat(libc::AT_FDCWD, c"/", flags, 0)?;
    let place = kernel::open_beneath(root, path, flags, 0)?;
    let done = kernel::fchdir(place);
    kernel::close(place);
    kernel::close(root);
    done
}

/// Enters an open directory with chroot(2).
pub(super) fn change(root: c_int) -> Answer<()> {
    kernel::fchdir(root)?;
    kernel::chroot(c".")?;
    kernel::chdir(c"/")
}
