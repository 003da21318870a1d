//! Removal of trees, which spares mounts in them.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::dir::Dir;
use nix::fcntl::OFlag;
use nix::sys::stat::{FchmodatFlags, Mode, fchmod, fchmodat, fstat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::errno::Errno;
use super::held::Held;
use super::kernel::{self, Syscall, call};

impl Held {
    /// Removes the entry or tree `name`. Mounts in the tree stay, and so do the directories that
    /// lead to them.
    ///
    /// # Errors
    /// The first entry that could not be removed; all others are removed.
    pub fn remove(&self, name: &OsStr) -> Result<(), Errno> {
        let name = CString::new(name.as_bytes()).map_err(|_| Errno::new(libc::EINVAL))?;
        remove(self.as_fd(), &name)
    }

    /// Removes all entries, as [`Held::remove`] does.
    ///
    /// # Errors
    /// As for [`Held::remove`].
    pub fn clear(&self) -> Result<(), Errno> {
        empty(self.as_fd(), c".")
    }

    /// Lazily unmounts this directory and the mounts below it, if it is the root of a mount.
    ///
    /// If the process has entered a new mount namespace meanwhile, that has a copy of the mount at
    /// `path`, which is unmounted as well if it is still the same place.
    pub fn detach(&self, path: &Path) {
        let Ok(here) = Self::open(Path::new(".")) else { return };
        if !self.unmount()
            && let Ok(copy) = Self::open(path)
            && self.is(&copy)
        {
            copy.unmount();
        }
        let _ = kernel::fchdir(here.as_fd().as_raw_fd());
    }

    /// Unmounts; returns whether anything was mounted.
    fn unmount(&self) -> bool {
        if kernel::fchdir(self.as_fd().as_raw_fd()).is_err() {
            return false;
        }
        // "." is the topmost of the stacked mounts.
        let one = || call!(Umount2, SYS_umount2, c".".as_ptr(), libc::MNT_DETACH).is_ok();
        let any = one();
        while any && one() {}
        any
    }

    fn is(&self, other: &Self) -> bool {
        let identity = |one: &Self| fstat(one.as_fd()).map(|found| (found.st_dev, found.st_ino));
        identity(self).is_ok_and(|own| identity(other) == Ok(own))
    }
}

fn remove(parent: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    match unlinkat(parent, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(nix::Error::ENOENT) => return Ok(()),
        Err(nix::Error::EISDIR) => {}
        Err(error) => return Err(error.into()),
    }
    let emptied = empty(parent, name);
    let removed = unlinkat(parent, name, UnlinkatFlags::RemoveDir);
    emptied.and(removed.map_err(Errno::from))
}

/// Removes everything in a directory.
fn empty(parent: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    let directory = match open(parent, name, OFlag::O_RDONLY) {
        Err(errno) if errno.code() == libc::EACCES => {
            // If its owner may not read it, its mode can be changed through /proc.
            let place = open(parent, name, OFlag::O_PATH)?;
            let path = format!("/proc/self/fd/{}", place.as_raw_fd());
            let follow = FchmodatFlags::FollowSymlink;
            fchmodat(nix::fcntl::AT_FDCWD, path.as_str(), Mode::S_IRWXU, follow)?;
            open(parent, name, OFlag::O_RDONLY)?
        }
        opened => opened?,
    };
    // Entries cannot be removed from a directory that its owner may not write to.
    if fstat(&directory)?.st_mode & 0o700 != 0o700 {
        fchmod(&directory, Mode::S_IRWXU)?;
    }
    let mut entries = Dir::from_fd(directory.try_clone().map_err(|error| Errno::from(&error))?)?;
    let mut done = Ok(());
    for entry in entries.iter() {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            done = done.and(remove(directory.as_fd(), entry.file_name()));
        }
    }
    done
}

/// Opens a directory by name; fails with `EXDEV` if it is a mount point.
fn open(parent: BorrowedFd<'_>, name: &CStr, flags: OFlag) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let resolve = libc::RESOLVE_NO_XDEV | libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_BENEATH;
    let how = [u64::from(flags.bits().cast_unsigned()), 0, resolve];
    let (at, size) = (parent.as_raw_fd(), size_of_val(&how));
    let opened = call!(Openat2, SYS_openat2, at, name.as_ptr(), how.as_ptr(), size);
    let descriptor = kernel::descriptor(opened.map_err(|error| error.errno)?);
    // SAFETY: openat2 gave a new descriptor that nobody owns.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
