//! Directories whose entries are shown one by one in a tmpfs, so that further entries can be made
//! there: no allocation, lock or panic.

use std::ffi::CStr;
use std::os::raw::c_int;

use super::kernel::{self, Answer, Syscall, call};
use super::mount_tree::{self, MOVE_FROM_EMPTY, MOVE_TO_EMPTY};
use super::{errno::Errno, kernel::CallError, mount};

/// The place of the tmpfs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// On top of everything at `/`.
    Root,
    /// The directory itself.
    Directory,
}

/// The size of the buffer for names, in bytes.
const BUFFER: usize = 4096;

/// A buffer with the alignment of struct `linux_dirent64`.
#[repr(C, align(8))]
struct Names([u8; BUFFER]);

/// Mounts a tmpfs with the entries of the directory `path` beneath `root`, and returns it. Mounts
/// below the entries are included, with their attributes. Links are made again.
pub(super) fn show(root: c_int, path: &CStr, at: At) -> Answer<c_int> {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY;
    let below = kernel::open_beneath(root, path, flags, 0)?;
    let made = mount_tree::plain_tmpfs()?;
    match at {
        At::Root => mount::move_mount(made, libc::AT_FDCWD, c"/", MOVE_FROM_EMPTY)?,
        // The descriptor still leads to the directory under the tmpfs.
        At::Directory => {
            mount::move_mount(made, below, c"", MOVE_FROM_EMPTY | MOVE_TO_EMPTY)?;
        }
    }
    let mut names = Names([0; BUFFER]);
    loop {
        let place = names.0.as_mut_ptr();
        let filled = call!(Getdents64, SYS_getdents64, below, place, BUFFER)?;
        let filled = usize::try_from(filled).unwrap_or(0);
        if filled == 0 {
            break;
        }
        show_each(below, made, names.0.get(..filled).unwrap_or_default())?;
    }
    kernel::close(below);
    Ok(made)
}

/// The offsets of the length, type and name in struct `linux_dirent64`: getdents(2).
const LENGTH: usize = 16;
const KIND: usize = 18;
const NAME: usize = 19;

fn show_each(below: c_int, made: c_int, mut entries: &[u8]) -> Answer<()> {
    let cut = || CallError { syscall: Syscall::Getdents64, errno: Errno::new(libc::EIO) };
    while let Some(&[low, high]) = entries.get(LENGTH..LENGTH + 2) {
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let entry = entries.get(..length).filter(|entry| entry.len() > NAME).ok_or_else(cut)?;
        let name = CStr::from_bytes_until_nul(&entry[NAME..]).map_err(|_| cut())?;
        if name != c"." && name != c".." {
            match show_one(below, made, name, entry[KIND]) {
                // It was removed meanwhile.
                Err(error) if error.errno.code() == libc::ENOENT => {}
                done => done?,
            }
        }
        entries = entries.get(length..).unwrap_or_default();
    }
    Ok(())
}

fn show_one(below: c_int, made: c_int, name: &CStr, kind: u8) -> Answer<()> {
    let kind = match kind {
        libc::DT_LNK => libc::S_IFLNK,
        libc::DT_DIR => libc::S_IFDIR,
        libc::DT_UNKNOWN => kernel::identify(below, name)?.2 & libc::S_IFMT,
        _ => libc::S_IFREG,
    };
    if kind == libc::S_IFLNK {
        return copy_link(below, made, name);
    }
    let flags =
        libc::AT_RECURSIVE | libc::AT_SYMLINK_NOFOLLOW | libc::AT_NO_AUTOMOUNT | libc::O_CLOEXEC;
    let entry = mount::open_tree(below, name, mount_tree::OPEN_TREE_CLONE | flags.cast_unsigned())?;
    if kind == libc::S_IFDIR {
        kernel::mkdirat(made, name, 0o755)?;
    } else {
        kernel::mknodat(made, name, libc::S_IFREG | 0o644)?;
    }
    mount::move_mount(entry, made, name, MOVE_FROM_EMPTY)?;
    kernel::close(entry);
    Ok(())
}

fn copy_link(below: c_int, made: c_int, name: &CStr) -> Answer<()> {
    let mut says = [0; BUFFER];
    // A byte stays for the end of the text.
    let length = kernel::readlinkat(below, name, &mut says[..BUFFER - 1])?;
    let says = says.get(..=length).unwrap_or_default();
    kernel::symlinkat(CStr::from_bytes_until_nul(says).unwrap_or(c""), made, name)
}
