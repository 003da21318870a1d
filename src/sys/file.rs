//! File trees that are created by descriptor, so that no path leads out of them.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, SFlag, fchmod};
use nix::sys::time::TimeSpec;

use super::errno::Errno;
use super::fork::generation;
use super::kernel::{self, CallError, Syscall, call};

/// A directory beneath which entries are created.
#[derive(Debug)]
pub struct Beneath {
    root: OwnedFd,
}

fn os(error: nix::Error) -> Errno {
    error.into()
}

fn because(error: CallError) -> Errno {
    error.errno
}

fn c_string(path: &Path) -> Result<CString, Errno> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::new(libc::EINVAL))
}

impl Beneath {
    /// Opens the directory `path`.
    ///
    /// # Errors
    /// open(2): it does not exist, is not a directory, or may not be read.
    pub fn open(path: &Path) -> Result<Self, Errno> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_RDONLY;
        nix::fcntl::open(path, flags, Mode::empty()).map(|root| Self { root }).map_err(os)
    }

    /// Opens `path` relative to the root, without following links or crossing mounts.
    fn at(&self, path: &Path, flags: libc::c_int, mode: u64) -> Result<OwnedFd, Errno> {
        let path = if path.as_os_str().is_empty() { c".".to_owned() } else { c_string(path)? };
        let resolve = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_XDEV;
        let how = [u64::from((flags | libc::O_CLOEXEC).cast_unsigned()), mode, resolve];
        let (root, size) = (self.root.as_raw_fd(), size_of_val(&how));
        let opened = call!(Openat2, SYS_openat2, root, path.as_ptr(), how.as_ptr(), size);
        let descriptor = kernel::descriptor(opened.map_err(because)?);
        // SAFETY: openat2 gave a new descriptor that nobody owns.
        Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
    }

    /// Opens the parent directory of `path`, and returns it with the last name of `path`.
    fn parent(&self, path: &Path) -> Result<(OwnedFd, CString), Errno> {
        let name = path.file_name().ok_or(Errno::new(libc::EISDIR))?;
        let parent = path.parent().unwrap_or(Path::new(""));
        let parent = self.at(parent, libc::O_PATH | libc::O_DIRECTORY, 0)?;
        Ok((parent, c_string(Path::new(name))?))
    }

    /// Creates a directory that only its owner can enter, in an existing one; an existing directory
    /// stays.
    ///
    /// # Errors
    /// Another kind of file exists there, or the disk is full.
    pub fn directory(&self, path: &Path) -> Result<(), Errno> {
        let (parent, name) = self.parent(path)?;
        match nix::sys::stat::mkdirat(&parent, name.as_c_str(), Mode::S_IRWXU) {
            Err(nix::Error::EEXIST) => self.at(path, libc::O_PATH | libc::O_DIRECTORY, 0).map(drop),
            made => made.map_err(os),
        }
    }

    /// Creates a directory or an empty file, and missing directories above it, for everybody to
    /// read, as far as the umask allows. An existing one stays.
    ///
    /// # Errors
    /// The path leads through a link or a mount, or this process may not write there.
    pub fn mount_point(&self, path: &Path, is_directory: bool) -> Result<(), Errno> {
        let mut above: Vec<&Path> = path.ancestors().skip(usize::from(!is_directory)).collect();
        above.retain(|path| !path.as_os_str().is_empty());
        for path in above.into_iter().rev() {
            let (parent, name) = self.parent(path)?;
            let mode = Mode::from_bits_truncate(0o755);
            match nix::sys::stat::mkdirat(&parent, name.as_c_str(), mode) {
                Ok(()) | Err(nix::Error::EEXIST) => {}
                Err(error) => return Err(os(error)),
            }
            self.at(path, libc::O_PATH | libc::O_DIRECTORY, 0)?;
        }
        if is_directory {
            return Ok(());
        }
        match self.at(path, libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL, 0o644) {
            Err(errno) if errno.code() != libc::EEXIST => Err(errno),
            _ => Ok(()),
        }
    }

    /// Device and inode of the directory itself.
    ///
    /// # Errors
    /// fstat(2).
    pub fn identity(&self) -> Result<(u64, u64), Errno> {
        let found = nix::sys::stat::fstat(&self.root).map_err(os)?;
        Ok((found.st_dev, found.st_ino))
    }

    /// Creates a new file in an existing directory, and opens it for writing.
    ///
    /// # Errors
    /// The path exists, it leads through a link, or the disk is full.
    pub fn create(&self, path: &Path) -> Result<File, Errno> {
        self.at(path, libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL, 0o600).map(File::from)
    }

    /// Opens the directory at `path`.
    ///
    /// # Errors
    /// openat2(2).
    pub fn open_directory(&self, path: &Path) -> Result<File, Errno> {
        self.at(path, libc::O_RDONLY | libc::O_DIRECTORY, 0).map(File::from)
    }

    /// Creates a symbolic link at a path that does not exist.
    ///
    /// # Errors
    /// The path exists, or the disk is full.
    pub fn symlink(&self, path: &Path, says: &Path) -> Result<(), Errno> {
        let (parent, name) = self.parent(path)?;
        nix::unistd::symlinkat(says, &parent, name.as_c_str()).map_err(os)
    }

    /// Creates a hard link to the file `first`, which is not a symbolic link.
    ///
    /// # Errors
    /// The path exists, or the file has too many links (`EMLINK`).
    pub fn hard_link(&self, first: &Path, path: &Path) -> Result<(), Errno> {
        let (from, old) = self.parent(first)?;
        let (to, new) = self.parent(path)?;
        let flags = nix::fcntl::AtFlags::empty();
        nix::unistd::linkat(&from, old.as_c_str(), &to, new.as_c_str(), flags).map_err(os)
    }

    /// Creates a FIFO or a device: mknod(2).
    ///
    /// # Errors
    /// The path exists, or only root may create a device.
    pub fn node(&self, path: &Path, node: Node, mode: u32) -> Result<(), Errno> {
        let (parent, name) = self.parent(path)?;
        let (kind, device) = match node {
            Node::Fifo => (SFlag::S_IFIFO, 0),
            Node::Character(major, minor) => (SFlag::S_IFCHR, libc::makedev(major, minor)),
            Node::Block(major, minor) => (SFlag::S_IFBLK, libc::makedev(major, minor)),
        };
        let mode = Mode::from_bits_truncate(mode);
        nix::sys::stat::mknodat(&parent, name.as_c_str(), kind, mode, device).map_err(os)?;
        // mknod(2) applies the umask.
        let follow = nix::sys::stat::FchmodatFlags::FollowSymlink;
        nix::sys::stat::fchmodat(&parent, name.as_c_str(), mode, follow).map_err(os)
    }

    /// Sets owner and group of `path`, or of a link itself.
    ///
    /// # Errors
    /// The path does not exist, or this process may not set these ids.
    pub fn give(&self, path: &Path, uid: u32, gid: u32) -> Result<(), Errno> {
        let flags = nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW;
        let (uid, gid) = (nix::unistd::Uid::from_raw(uid), nix::unistd::Gid::from_raw(gid));
        if path.as_os_str().is_empty() {
            return nix::unistd::fchown(&self.root, Some(uid), Some(gid)).map_err(os);
        }
        let (parent, name) = self.parent(path)?;
        nix::unistd::fchownat(&parent, name.as_c_str(), Some(uid), Some(gid), flags).map_err(os)
    }

    /// Removes a file or an empty directory.
    ///
    /// # Errors
    /// unlinkat(2).
    pub fn remove(&self, path: &Path) -> Result<(), Errno> {
        let (parent, name) = self.parent(path)?;
        match remove(&parent, &name) {
            Err(errno) if errno.code() == libc::EISDIR => {
                let flags = nix::unistd::UnlinkatFlags::RemoveDir;
                nix::unistd::unlinkat(&parent, name.as_c_str(), flags).map_err(os)
            }
            done => done,
        }
    }
}

/// A special file of mknod(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// A named pipe.
    Fifo,
    /// A character device, by major and minor number.
    Character(u32, u32),
    /// A block device, by major and minor number.
    Block(u32, u32),
}

/// Sets permission bits and modification time, in seconds and nanoseconds since 1970.
///
/// # Errors
/// fchmod(2), futimens(3).
pub fn finish(file: &File, mode: u32, modified: Option<(i64, i64)>) -> Result<(), Errno> {
    fchmod(file, Mode::from_bits_truncate(mode)).map_err(os)?;
    let Some((seconds, nanoseconds)) = modified else { return Ok(()) };
    let time = TimeSpec::new(seconds, nanoseconds);
    nix::sys::stat::futimens(file, &time, &time).map_err(os)
}

/// Sets owner and group of an open file.
///
/// # Errors
/// fchown(2).
pub fn own(file: &File, uid: u32, gid: u32) -> Result<(), Errno> {
    let (uid, gid) = (nix::unistd::Uid::from_raw(uid), nix::unistd::Gid::from_raw(gid));
    nix::unistd::fchown(file, Some(uid), Some(gid)).map_err(os)
}

/// Makes `target` share the blocks of `source`, if the file system supports it: ioctl_ficlone(2).
/// Returns whether it does.
#[must_use]
pub fn share_blocks(source: &File, target: &File) -> bool {
    let (from, to) = (source.as_raw_fd(), target.as_raw_fd());
    // SAFETY: both descriptors are open.
    unsafe { libc::ioctl(to, FICLONE, from) == 0 }
}

fn remove(parent: &OwnedFd, name: &CString) -> Result<(), Errno> {
    match nix::unistd::unlinkat(parent, name.as_c_str(), nix::unistd::UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(nix::Error::ENOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// FICLONE of ioctl_ficlone(2).
const FICLONE: libc::c_ulong = 0x4004_9409;

/// The lock of a directory or file, released when this is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
    /// The process that locked it. A copy of that process has the lock, too, and must not release
    /// it.
    generation: u32,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A surviving copy of this process has the file open, too, and would keep the lock. A copy
        // only closes the file. Some file systems cannot unlock.
        if self.is_own() {
            let _ = flock(&self.file, libc::LOCK_UN);
        }
    }
}

impl Lock {
    /// Whether this process took the lock, rather than one that it is a copy of.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.generation == generation()
    }

    /// Turns the lock into a shared one.
    ///
    /// # Errors
    /// flock(2): no memory.
    pub fn share(&self) -> Result<(), Errno> {
        flock(&self.file, libc::LOCK_SH | libc::LOCK_NB)
    }
}

/// Locks a directory exclusively; `None` if another process holds a lock.
///
/// # Errors
/// The path cannot be opened as a directory, or is a link.
pub fn lock_directory(path: &Path) -> Result<Option<Lock>, Errno> {
    lock(path, OFlag::O_DIRECTORY | OFlag::O_RDONLY, libc::LOCK_EX)
}

/// Takes a shared lock of a directory; `None` if another process holds it exclusively.
///
/// # Errors
/// The path cannot be opened as a directory.
pub fn share_directory(path: &Path) -> Result<Option<Lock>, Errno> {
    lock(path, OFlag::O_DIRECTORY | OFlag::O_RDONLY, libc::LOCK_SH)
}

/// Locks the file `path`, creating it if it is missing; `None` if another process holds a lock.
///
/// # Errors
/// The file cannot be created.
pub fn lock_file(path: &Path) -> Result<Option<Lock>, Errno> {
    let flags = OFlag::O_RDWR | OFlag::O_CREAT;
    let Some(lock) = lock(path, flags, libc::LOCK_EX)? else { return Ok(None) };
    // A previous holder may have removed the file; others then lock a new one.
    let found = nix::sys::stat::lstat(path);
    let held = nix::sys::stat::fstat(&lock.file).map_err(os)?;
    Ok(found.is_ok_and(|found| found.st_ino == held.st_ino).then_some(lock))
}

/// Calls `lock` until it returns a lock. flock(2) could wait by itself, but would miss a signal
/// that arrives just before.
///
/// # Errors
/// The error of `lock`, or EINTR if a signal asks nsscript to end.
pub fn wait_for_lock(mut lock: impl FnMut() -> Result<Option<Lock>, Errno>) -> Result<Lock, Errno> {
    loop {
        if let Some(lock) = lock()? {
            return Ok(lock);
        }
        if !super::pause(Duration::from_millis(10)) {
            return Err(Errno::INTERRUPTED);
        }
    }
}

/// flock(2).
fn flock(file: &File, how: libc::c_int) -> Result<(), Errno> {
    // SAFETY: flock takes two numbers.
    match unsafe { libc::flock(file.as_raw_fd(), how) } {
        0 => Ok(()),
        _ => Err(Errno::last()),
    }
}

fn lock(path: &Path, flags: OFlag, how: libc::c_int) -> Result<Option<Lock>, Errno> {
    let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mode = Mode::S_IRUSR | Mode::S_IWUSR;
    let file = File::from(nix::fcntl::open(path, flags, mode).map_err(os)?);
    match flock(&file, how | libc::LOCK_NB) {
        Ok(()) => Ok(Some(Lock { file, generation: generation() })),
        Err(errno) if errno.code() == libc::EWOULDBLOCK => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Sets access and modification time of a file to now.
///
/// # Errors
/// The file does not exist, or belongs to another user.
pub fn touch(path: &Path) -> Result<(), Errno> {
    let now = TimeSpec::new(0, libc::UTIME_NOW);
    let follow = nix::sys::stat::UtimensatFlags::NoFollowSymlink;
    nix::sys::stat::utimensat(nix::fcntl::AT_FDCWD, path, &now, &now, follow).map_err(os)
}

/// Creates a directory in `parent` that only this user can enter, with an unpredictable name that
/// starts with `prefix`.
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

/// Fills `bytes` with random ones: getrandom(2).
///
/// # Errors
/// A signal asks nsscript to end before the kernel has any.
pub fn random(bytes: &mut [u8]) -> Result<(), Errno> {
    // At most 256 bytes come at once, whatever the signals.
    for piece in bytes.chunks_mut(256) {
        // SAFETY: getrandom fills the slice that it is given the length of.
        let filled = unsafe { libc::getrandom(piece.as_mut_ptr().cast(), piece.len(), 0) };
        if usize::try_from(filled).ok() != Some(piece.len()) {
            return Err(Errno::last());
        }
    }
    Ok(())
}

/// Moves a file to a name that nothing has: renameat2(2).
///
/// # Errors
/// The name is taken (`EEXIST`), or the kernel refuses it.
pub fn rename_new(from: &Path, to: &Path) -> Result<(), Errno> {
    kernel::rename(&c_string(from)?, &c_string(to)?, libc::RENAME_NOREPLACE).map_err(because)
}

/// Checks that this process may create files in a directory.
///
/// # Errors
/// It may not, or nothing is there.
pub fn may_write(directory: &Path) -> Result<(), Errno> {
    let flags = nix::unistd::AccessFlags::W_OK | nix::unistd::AccessFlags::X_OK;
    nix::unistd::eaccess(directory, flags).map_err(os)
}

/// Checks that this process may write to an existing file.
///
/// # Errors
/// access(2).
pub fn may_write_to(file: &Path) -> Result<(), Errno> {
    nix::unistd::eaccess(file, nix::unistd::AccessFlags::W_OK).map_err(os)
}

/// Opens a file for a program to write to, as the `>` of a shell does, or `>>`. It never waits for
/// the reader of a FIFO, and a terminal does not become that of this process.
///
/// # Errors
/// open(2); `ENXIO` for a FIFO that nobody reads.
pub fn open_output(path: &Path, append: bool) -> Result<OwnedFd, Errno> {
    let how = if append { OFlag::O_APPEND } else { OFlag::O_TRUNC };
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_NOCTTY | OFlag::O_NONBLOCK;
    let mode = Mode::from_bits_truncate(0o666);
    let file = nix::fcntl::open(path, flags | how | OFlag::O_CLOEXEC, mode).map_err(os)?;
    // The program writes in the usual way.
    let kept = how & OFlag::O_APPEND;
    nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_SETFL(kept)).map_err(os)?;
    Ok(file)
}

/// The size limit of files that this process writes, in bytes: `RLIMIT_FSIZE`. Exceeding it raises
/// a signal.
#[must_use]
pub fn largest_file() -> u64 {
    limit(libc::RLIMIT_FSIZE)
}

/// The maximum number of open descriptors of this process: `RLIMIT_NOFILE`.
#[must_use]
pub fn most_descriptors() -> u64 {
    limit(libc::RLIMIT_NOFILE)
}

/// A soft limit of this process: getrlimit(2).
fn limit(of: libc::__rlimit_resource_t) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: getrlimit(2) fills the structure that it is given.
    unsafe { libc::getrlimit(of, &raw mut limit) };
    limit.rlim_cur
}
