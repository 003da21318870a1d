//! Copies of mounts, and files beneath the root: the longer steps of [`super::perform`].

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::raw::c_int;

use super::call::{Attributes, Base, Create, Identity, MountPropagation, Target, Tree};
use super::errno::Errno;
use super::kernel::{self, Answer, CallError, Syscall};
use super::mount::{self, MountAttr};
use super::target;

/// move_mount(2): the descriptor is the mount itself.
pub(super) const MOVE_FROM_EMPTY: u32 = 4;
/// move_mount(2): the descriptor is the target itself.
pub(super) const MOVE_TO_EMPTY: u32 = 0x40;
/// Read-only, without devices, programs and set-user-ID bits.
pub(super) const MASK_ATTRIBUTES: u64 = 1 | 2 | 4 | 8;

/// Nothing can be written.
const READ_ONLY: u64 = 1;
/// Neither set-user-ID bits nor devices.
pub(super) const PLAIN: u64 = 2 | 4;

/// An empty tmpfs that is not attached.
pub(super) fn plain_tmpfs() -> Answer<c_int> {
    let context = mount::fsopen(c"tmpfs")?;
    mount::fsconfig_set(context, c"mode", Some(c"0755"))?;
    mount::fsconfig_create(context)?;
    let mount = mount::fsmount(context, PLAIN)?;
    kernel::close(context);
    Ok(mount)
}

/// Creates a mount point in a file system of our own.
pub(super) fn make_in_fresh(fresh: c_int, target: &Target) -> Answer<()> {
    let made = match target.create {
        Create::Nothing => return Ok(()),
        Create::Directory => kernel::mkdirat(fresh, &target.path, 0o755),
        Create::File => kernel::mknodat(fresh, &target.path, libc::S_IFREG | 0o644),
    };
    match made {
        Err(error) if error.errno.code() != libc::EEXIST => Err(error),
        _ => Ok(()),
    }
}

/// open_tree(2): a copy, not the tree itself.
pub(super) const OPEN_TREE_CLONE: u32 = 1;

pub(super) fn open_tree(
    (root, fresh): (c_int, c_int),
    tree: &Tree,
    recursive: bool,
    set: u64,
) -> Answer<c_int> {
    match tree {
        Tree::Host(path, identity) => copy_of_host(path, recursive, set, *identity),
        Tree::Beneath(Base::Fresh, path) => copy(fresh, path, recursive, set),
        Tree::Beneath(Base::Root, path) => {
            let place = kernel::open_beneath(root, path, libc::O_PATH, 0)?;
            let mount = copy(place, c"", recursive, set);
            kernel::close(place);
            mount
        }
    }
}

pub(super) fn copy_of_host(
    path: &CStr,
    recursive: bool,
    set: u64,
    was: Option<Identity>,
) -> Answer<c_int> {
    let mount = copy(libc::AT_FDCWD, path, recursive, set)?;
    check_identity(mount, was)?;
    Ok(mount)
}

/// Refuses a copy of another file than the one that was examined before.
fn check_identity(mount: c_int, was: Option<Identity>) -> Answer<()> {
    let Some(was) = was else { return Ok(()) };
    let (device, inode, _) = kernel::identify(mount, c"")?;
    if (device, inode) == (was.device, was.inode) {
        return Ok(());
    }
    Err(CallError { syscall: Syscall::OpenTree, errno: Errno::new(libc::ESTALE) })
}

/// Copies the mounts at `path` without attaching them. Attributes are set on all of them at once,
/// before anybody can see them.
pub(super) fn copy(at: c_int, path: &CStr, recursive: bool, set: u64) -> Answer<c_int> {
    let recursion = if recursive { libc::AT_RECURSIVE } else { 0 };
    let flags = recursion | libc::AT_EMPTY_PATH | libc::O_CLOEXEC;
    let mount = mount::open_tree(at, path, OPEN_TREE_CLONE | flags.cast_unsigned())?;
    if set != 0 {
        let attr = MountAttr { set, ..MountAttr::default() };
        mount::mount_setattr(mount, c"", libc::AT_EMPTY_PATH | recursion, &attr)?;
    }
    Ok(mount)
}

/// A copy of the mounts at `path` that is attached nowhere, in which the ids of files are mapped
/// like those of the user namespace `users`. It is private: its mounts are no peers of the host's.
///
/// # Errors
/// The caller is not root of the user namespace that a file system was mounted in, the file system
/// cannot map ids (EINVAL), or its ids are mapped already (EPERM). ESTALE if another file than `was`
/// is at `path`.
pub fn id_mapped(
    path: &CStr,
    was: Option<Identity>,
    recursive: bool,
    set: Attributes,
    users: BorrowedFd<'_>,
) -> Result<OwnedFd, CallError> {
    const MOUNT_ATTR_IDMAP: u64 = 0x10_0000;
    let mount = copy(libc::AT_FDCWD, path, recursive, 0)?;
    // SAFETY: open_tree has given a new descriptor that nobody owns.
    let mount = unsafe { OwnedFd::from_raw_fd(mount) };
    check_identity(mount.as_raw_fd(), was)?;
    let recursion = if recursive { libc::AT_RECURSIVE } else { 0 };
    let attr = MountAttr {
        set: set.bits() | MOUNT_ATTR_IDMAP,
        propagation: libc::MS_PRIVATE,
        userns: u64::from(users.as_raw_fd().cast_unsigned()),
        ..MountAttr::default()
    };
    mount::mount_setattr(mount.as_raw_fd(), c"", libc::AT_EMPTY_PATH | recursion, &attr)?;
    Ok(mount)
}

/// Makes a copy of mounts a slave of the mounts that were copied.
pub(super) fn make_slave(mount: c_int) -> Answer<()> {
    propagate(mount, MountPropagation::Slave)
}

/// Sets the propagation of the mount at `path`, and of those below it.
pub(super) fn set_propagation(root: c_int, path: &CStr, kind: MountPropagation) -> Answer<()> {
    let place = kernel::open_beneath(root, path, libc::O_PATH, 0)?;
    let done = propagate(place, kind);
    kernel::close(place);
    done
}

fn propagate(mount: c_int, kind: MountPropagation) -> Answer<()> {
    let propagation = match kind {
        MountPropagation::Private => libc::MS_PRIVATE,
        MountPropagation::Slave => libc::MS_SLAVE,
        MountPropagation::Shared => libc::MS_SHARED,
        MountPropagation::Unbindable => libc::MS_UNBINDABLE,
    };
    let attr = MountAttr { propagation, ..MountAttr::default() };
    mount::mount_setattr(mount, c"", libc::AT_EMPTY_PATH | libc::AT_RECURSIVE, &attr)
}

fn change_owner(place: c_int, owner: (u32, u32)) -> Answer<()> {
    if owner == (u32::MAX, u32::MAX) {
        return Ok(());
    }
    kernel::fchownat(place, owner.0, owner.1)
}

pub(super) fn make_directory(root: c_int, path: &CStr, mode: u32, owner: (u32, u32)) -> Answer<()> {
    let place = target::open_directory(root, path)?;
    change_owner(place, owner)?;
    let file = kernel::open_beneath(place, c".", libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
    let done = kernel::fchmod(file, mode);
    kernel::close(file);
    kernel::close(place);
    done
}

pub(super) fn make_file(
    root: c_int,
    path: &CStr,
    content: &[u8],
    mode: u32,
    owner: (u32, u32),
) -> Answer<()> {
    // O_NONBLOCK: an existing FIFO is an error instead of an endless wait.
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC | libc::O_NONBLOCK;
    target::in_parent(root, path, |_, _| Ok(()))?;
    let file = kernel::open_beneath(root, path, flags, 0o600)?;
    kernel::write_all(file, content)?;
    change_owner(file, owner)?;
    let done = kernel::fchmod(file, mode);
    kernel::close(file);
    done
}

/// Mounts a file with this content over the file at `path`, read-only. It lies in a tmpfs of its
/// own, which is attached on the root until the file is copied, because the kernel copies mounts
/// of this namespace only.
pub(super) fn cover_file(
    root: c_int,
    path: &CStr,
    content: &[u8],
    mode: u32,
    owner: (u32, u32),
) -> Answer<()> {
    const NAME: &CStr = c"file";
    let place = kernel::open_beneath(root, path, libc::O_PATH, 0)?;
    let stage = plain_tmpfs()?;
    mount::move_mount(stage, root, c"", MOVE_FROM_EMPTY | MOVE_TO_EMPTY)?;
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_CLOEXEC;
    let file = kernel::openat(stage, NAME, flags, 0o600)?;
    kernel::write_all(file, content)?;
    change_owner(file, owner)?;
    kernel::fchmod(file, mode)?;
    kernel::close(file);
    let mount = copy(stage, NAME, false, PLAIN | READ_ONLY)?;
    kernel::fchdir(stage)?;
    mount::umount2(c".", libc::MNT_DETACH)?;
    kernel::fchdir(root)?;
    mount::move_mount(mount, place, c"", MOVE_FROM_EMPTY | MOVE_TO_EMPTY)?;
    kernel::close(mount);
    kernel::close(stage);
    kernel::close(place);
    Ok(())
}
