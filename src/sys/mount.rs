//! Mount system calls of Linux 5.2 and later, as in [`super::kernel`].

use std::ffi::CStr;
use std::os::raw::{c_char, c_int};

use super::kernel::{Answer, NULL, Syscall, call, descriptor};

pub(super) fn open_tree(at: c_int, path: &CStr, flags: u32) -> Answer<c_int> {
    call!(OpenTree, SYS_open_tree, at, path.as_ptr(), flags).map(descriptor)
}

pub(super) fn move_mount(from: c_int, to: c_int, path: &CStr, flags: u32) -> Answer<()> {
    let empty = c"".as_ptr();
    call!(MoveMount, SYS_move_mount, from, empty, to, path.as_ptr(), flags).map(drop)
}

pub(super) fn fsopen(kind: &CStr) -> Answer<c_int> {
    const FSOPEN_CLOEXEC: u32 = 1;
    call!(Fsopen, SYS_fsopen, kind.as_ptr(), FSOPEN_CLOEXEC).map(descriptor)
}

/// Sets the option `key` of a new file system to `value`, or as a flag.
pub(super) fn fsconfig_set(context: c_int, key: &CStr, value: Option<&CStr>) -> Answer<()> {
    const FSCONFIG_SET_FLAG: u32 = 0;
    const FSCONFIG_SET_STRING: u32 = 1;
    let command = if value.is_some() { FSCONFIG_SET_STRING } else { FSCONFIG_SET_FLAG };
    let value: *const c_char = value.map_or(std::ptr::null(), CStr::as_ptr);
    call!(Fsconfig, SYS_fsconfig, context, command, key.as_ptr(), value, 0).map(drop)
}

pub(super) fn fsconfig_create(context: c_int) -> Answer<()> {
    const FSCONFIG_CMD_CREATE: u32 = 6;
    call!(Fsconfig, SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0).map(drop)
}

pub(super) fn fsmount(context: c_int, attributes: u64) -> Answer<c_int> {
    const FSMOUNT_CLOEXEC: u32 = 1;
    call!(Fsmount, SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes).map(descriptor)
}

/// struct mount_attr of mount_setattr(2).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MountAttr {
    pub set: u64,
    pub clear: u64,
    pub propagation: u64,
    pub userns: u64,
}

pub(super) fn mount_setattr(at: c_int, path: &CStr, flags: c_int, attr: &MountAttr) -> Answer<()> {
    let size = size_of::<MountAttr>();
    let attr = std::ptr::from_ref(attr);
    call!(MountSetattr, SYS_mount_setattr, at, path.as_ptr(), flags, attr, size).map(drop)
}

pub(super) fn umount2(path: &CStr, flags: c_int) -> Answer<()> {
    call!(Umount2, SYS_umount2, path.as_ptr(), flags).map(drop)
}

pub(super) fn pivot_root(new: &CStr, old: &CStr) -> Answer<()> {
    call!(PivotRoot, SYS_pivot_root, new.as_ptr(), old.as_ptr()).map(drop)
}
