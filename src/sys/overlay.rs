//! Overlays in a new process: no allocation, lock or panic.

use std::os::raw::c_int;

use super::call::{Base, Examined, Overlay, UpperWork};
use super::errno::Errno;
use super::kernel::{self, Answer, CallError, Syscall};
use super::mount_tree::{self, MOVE_FROM_EMPTY, MOVE_TO_EMPTY, PLAIN};
use super::{mount, target};

/// No links: nobody can lead the kernel out of the directory that was examined.
const NO_LINKS: u64 = 0x20_0000;
/// The name of the directory that holds the directories of the host for changes.
const CHANGES: &std::ffi::CStr = c"changes";

/// Mounts the overlay, and returns the mount.
///
/// Its directories are attached in a stage, a tmpfs at its own place, and are named from there. So
/// no path has to be escaped, and no directory but those that were examined is used. The overlay
/// keeps them when the stage is gone.
pub(super) fn mount(root: c_int, fresh: c_int, wanted: &Overlay) -> Answer<c_int> {
    let at_root = wanted.target.base == Base::Root;
    let place = if at_root {
        target::open(root, &wanted.target)?
    } else {
        mount_tree::make_in_fresh(fresh, &wanted.target)?;
        kernel::openat(fresh, &wanted.target.path, libc::O_PATH | libc::O_CLOEXEC, 0)?
    };
    let stage = mount_tree::plain_tmpfs()?;
    mount::move_mount(stage, place, c"", MOVE_FROM_EMPTY | MOVE_TO_EMPTY)?;
    kernel::fchdir(stage)?;
    kernel::close(stage);
    for name in &wanted.names {
        kernel::mkdirat(libc::AT_FDCWD, name, 0o755)?;
    }
    for (directory, name) in wanted.lower.iter().zip(&wanted.names) {
        attach(directory, name, PLAIN)?;
    }
    if let Some(UpperWork { above, upper, work }) = &wanted.changes {
        attach(above, CHANGES, PLAIN | NO_LINKS)?;
        is_same(upper)?;
        is_same(work)?;
    }
    let made = create(wanted)?;
    if let Some(UpperWork { upper, work, .. }) = &wanted.changes {
        is_same(upper)?;
        is_same(work)?;
    }
    mount::umount2(c".", libc::MNT_DETACH)?;
    kernel::fchdir(root)?;
    mount::move_mount(made, place, c"", MOVE_FROM_EMPTY | MOVE_TO_EMPTY)?;
    kernel::close(place);
    Ok(made)
}

/// Attaches a copy of a directory of the host at a name in the stage.
fn attach(directory: &Examined, name: &std::ffi::CStr, set: u64) -> Answer<()> {
    let mount = mount_tree::copy_of_host(&directory.path, true, set, Some(directory.identity))?;
    mount::move_mount(mount, libc::AT_FDCWD, name, MOVE_FROM_EMPTY)?;
    kernel::close(mount);
    Ok(())
}

/// Checks that a path from the stage still leads to the directory that was examined.
fn is_same(directory: &Examined) -> Answer<()> {
    let (device, inode, _) = kernel::identify(libc::AT_FDCWD, &directory.path)?;
    if (device, inode) == (directory.identity.device, directory.identity.inode) {
        return Ok(());
    }
    Err(CallError { syscall: Syscall::Fstat, errno: Errno::new(libc::ESTALE) })
}

fn create(wanted: &Overlay) -> Answer<c_int> {
    let context = mount::fsopen(c"overlay")?;
    for (key, value) in &wanted.options {
        mount::fsconfig_set(context, key, value.as_deref())?;
    }
    mount::fsconfig_create(context)?;
    let made = mount::fsmount(context, wanted.attributes.bits())?;
    kernel::close(context);
    Ok(made)
}
