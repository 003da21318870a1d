//! Trees of files, made by descriptor: no path is followed out of them.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::sys::stat::{Mode, fchmod};
use nix::sys::time::TimeSpec;

use super::call::{Base, Create, Target};
use super::errno::Errno;
use super::kernel::Trouble;
use super::target;

/// A directory, and everything that is made beneath it.
#[derive(Debug)]
pub struct Beneath {
    root: OwnedFd,
}

/// What a file that is copied looks like: the metadata that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Permission bits.
    pub mode: u32,
    /// Time of the last change of the content, seconds and nanoseconds since 1970.
    pub modified: (i64, i64),
}

fn os(error: nix::Error) -> Errno {
    error.into()
}

fn because(trouble: Trouble) -> Errno {
    trouble.errno
}

fn c_string(path: &Path) -> Result<CString, Errno> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::new(libc::EINVAL))
}

impl Beneath {
    /// The directory at `path`, which must be one.
    ///
    /// # Errors
    /// open(2): it does not exist, is not a directory, may not be read.
    pub fn open(path: &Path) -> Result<Self, Errno> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_RDONLY;
        nix::fcntl::open(path, flags, Mode::empty()).map(|root| Self { root }).map_err(os)
    }

    /// A place beneath the root, by its path relative to the root.
    fn place(&self, path: &Path, create: Create) -> Result<OwnedFd, Errno> {
        let target = Target { base: Base::Root, path: c_string(path)?, create };
        let place = target::open(self.root.as_raw_fd(), &target).map_err(because)?;
        // SAFETY: `target::open` gave a new descriptor that nobody owns.
        Ok(unsafe { OwnedFd::from_raw_fd(place) })
    }

    /// The directory that holds `path`, and the last name of `path`.
    fn parent(&self, path: &Path) -> Result<(OwnedFd, CString), Errno> {
        let name = path.file_name().ok_or(Errno::new(libc::EISDIR))?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = self.place(parent.unwrap_or(Path::new(".")), Create::Directory)?;
        Ok((parent, c_string(Path::new(name))?))
    }

    /// Makes a directory with these permission bits, and those above it that are missing; one
    /// that is there keeps its content.
    ///
    /// # Errors
    /// Something that is not a directory is in the way, or the disk is full.
    pub fn directory(&self, path: &Path, mode: u32) -> Result<(), Errno> {
        let place = self.place(path, Create::Directory)?;
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = nix::fcntl::openat(&place, ".", flags, Mode::empty()).map_err(os)?;
        fchmod(&directory, Mode::from_bits_truncate(mode)).map_err(os)
    }

    /// Makes a file of this content in place of what is there.
    ///
    /// # Errors
    /// A directory is in the way, or the disk is full.
    pub fn file(&self, path: &Path, content: &[u8], mode: u32) -> Result<(), Errno> {
        let mut file = File::from(self.create(path)?);
        io::Write::write_all(&mut file, content).map_err(|error| Errno::from(&error))?;
        fchmod(&file, Mode::from_bits_truncate(mode)).map_err(os)
    }

    /// Makes a symbolic link in place of what is there.
    ///
    /// # Errors
    /// A directory is in the way, or the disk is full.
    pub fn symlink(&self, path: &Path, says: &Path) -> Result<(), Errno> {
        let (parent, name) = self.parent(path)?;
        remove(&parent, &name)?;
        nix::unistd::symlinkat(says, &parent, name.as_c_str()).map_err(os)
    }

    /// Copies a file in place of what is there: by sharing its blocks where the file system can
    /// (`FICLONE`), else within the kernel.
    ///
    /// # Errors
    /// A directory is in the way, the disk is full, or the source cannot be read.
    pub fn copy(&self, path: &Path, source: &File, entry: Entry) -> Result<(), Errno> {
        let target = File::from(self.create(path)?);
        copy_content(source, &target)?;
        fchmod(&target, Mode::from_bits_truncate(entry.mode)).map_err(os)?;
        let (seconds, nanoseconds) = entry.modified;
        let time = TimeSpec::new(seconds, nanoseconds);
        nix::sys::stat::futimens(&target, &time, &time).map_err(os)
    }

    fn create(&self, path: &Path) -> Result<OwnedFd, Errno> {
        let (parent, name) = self.parent(path)?;
        remove(&parent, &name)?;
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let mode = Mode::from_bits_truncate(0o600);
        nix::fcntl::openat(&parent, name.as_c_str(), flags | OFlag::O_NOFOLLOW, mode).map_err(os)
    }
}

fn remove(parent: &OwnedFd, name: &CString) -> Result<(), Errno> {
    match nix::unistd::unlinkat(parent, name.as_c_str(), nix::unistd::UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(nix::Error::ENOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// FICLONE of ioctl_ficlone(2).
const FICLONE: libc::c_ulong = 0x4004_9409;

fn copy_content(source: &File, target: &File) -> Result<(), Errno> {
    let (from, to) = (source.as_raw_fd(), target.as_raw_fd());
    // SAFETY: two descriptors that are open.
    if unsafe { libc::ioctl(to, FICLONE, from) } == 0 {
        return Ok(());
    }
    // std copies by copy_file_range(2), sendfile(2) or read and write, whichever works.
    let (mut source, mut target) = (source, target);
    io::copy(&mut source, &mut target).map(drop).map_err(|error| Errno::from(&error))
}

/// A directory that is held; it is free again when this is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    lock: Flock<File>,
}

impl Lock {
    /// From here on others may hold it, too, together with this process.
    ///
    /// # Errors
    /// flock(2): no memory.
    pub fn share(&self) -> Result<(), Errno> {
        self.lock.relock(FlockArg::LockSharedNonblock).map_err(os)
    }
}

/// Locks a directory for this process: none where another holds it.
///
/// # Errors
/// It cannot be opened as a directory (a link is none).
pub fn lock_directory(path: &Path) -> Result<Option<Lock>, Errno> {
    lock(path, OFlag::O_DIRECTORY | OFlag::O_RDONLY, FlockArg::LockExclusiveNonblock)
}

/// Locks a directory together with others that do so: none where another holds it for itself.
///
/// # Errors
/// It cannot be opened as a directory.
pub fn share_directory(path: &Path) -> Result<Option<Lock>, Errno> {
    lock(path, OFlag::O_DIRECTORY | OFlag::O_RDONLY, FlockArg::LockSharedNonblock)
}

/// Waits until the file at `path`, which is made where it is missing, is locked for this process.
///
/// # Errors
/// It cannot be made.
pub fn lock_file(path: &Path) -> Result<Lock, Errno> {
    loop {
        let flags = OFlag::O_RDWR | OFlag::O_CREAT;
        if let Some(lock) = lock(path, flags, FlockArg::LockExclusive)? {
            // Who held it before may have removed it: then others lock another file.
            let found = nix::sys::stat::stat(path);
            let held = nix::sys::stat::fstat(&*lock.lock).map_err(os)?;
            if found.is_ok_and(|found| found.st_ino == held.st_ino) {
                return Ok(lock);
            }
        }
    }
}

fn lock(path: &Path, flags: OFlag, how: FlockArg) -> Result<Option<Lock>, Errno> {
    let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mode = Mode::S_IRUSR | Mode::S_IWUSR;
    let mut file = File::from(nix::fcntl::open(path, flags, mode).map_err(os)?);
    loop {
        match Flock::lock(file, how) {
            Ok(lock) => return Ok(Some(Lock { lock })),
            Err((_, nix::Error::EWOULDBLOCK)) => return Ok(None),
            Err((again, nix::Error::EINTR)) => file = again,
            Err((_, errno)) => return Err(errno.into()),
        }
    }
}

/// Sets the times of a file to now.
///
/// # Errors
/// It does not exist, or belongs to somebody else.
pub fn touch(path: &Path) -> Result<(), Errno> {
    let now = TimeSpec::new(0, libc::UTIME_NOW);
    let follow = nix::sys::stat::UtimensatFlags::NoFollowSymlink;
    nix::sys::stat::utimensat(nix::fcntl::AT_FDCWD, path, &now, &now, follow).map_err(os)
}

/// Makes a new directory in `parent` that only this user can enter, with a name that begins with
/// `prefix` and that nobody can foretell.
///
/// # Errors
/// `parent` cannot be written to.
pub fn make_private_directory(parent: &Path, prefix: &str) -> Result<PathBuf, Errno> {
    loop {
        let mut random = [0_u8; 8];
        // SAFETY: getrandom fills the array that it is given the length of.
        let filled = unsafe { libc::getrandom(random.as_mut_ptr().cast(), random.len(), 0) };
        if filled != 8 {
            return Err(Errno::last());
        }
        let path = parent.join(format!("{prefix}{:016x}", u64::from_ne_bytes(random)));
        match nix::unistd::mkdir(&path, Mode::S_IRWXU) {
            Ok(()) => return Ok(path),
            Err(nix::Error::EEXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// The largest file that this process may make: `RLIMIT_FSIZE`. A signal ends it where it tries to
/// make a larger one.
#[must_use]
pub fn largest_file() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: getrlimit(2) fills the structure that it is given.
    unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) };
    limit.rlim_cur
}
