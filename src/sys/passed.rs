//! Descriptors that nsscript has from its caller.

use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use super::errno::Errno;
use super::terminal::NO_TERMINAL;

/// What a descriptor refers to, as far as it matters who gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Referred {
    /// A directory, from which every path leads on.
    Directory,
    /// A terminal.
    Terminal,
    /// A place that was not opened: `O_PATH`.
    Place,
    /// Anything else.
    Other,
}

/// Duplicates a descriptor that nsscript has from its caller; `None` if it is one of its own.
///
/// Every descriptor that this process opens closes itself when a program is executed. One that it
/// has from its caller does not, or it would not be here.
///
/// # Errors
/// `EBADF`: it is not open. No descriptor is left.
pub fn of_caller(number: i32) -> Result<Option<OwnedFd>, Errno> {
    let last = |answer: i32| if answer < 0 { Err(Errno::last()) } else { Ok(answer) };
    // SAFETY: fcntl takes any number, and only reads here.
    let flags = last(unsafe { libc::fcntl(number, libc::F_GETFD) })?;
    if flags & libc::FD_CLOEXEC != 0 {
        return Ok(None);
    }
    // SAFETY: as above.
    let made = last(unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) })?;
    // SAFETY: fcntl gave a new descriptor that nobody owns.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(made) }))
}

/// What a descriptor refers to.
///
/// # Errors
/// fstat(2), fcntl(2).
pub fn referred(descriptor: BorrowedFd<'_>) -> Result<Referred, Errno> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let found = nix::sys::stat::fstat(descriptor.as_fd())?;
    if found.st_mode & libc::S_IFMT == libc::S_IFDIR {
        return Ok(Referred::Directory);
    }
    let flags = OFlag::from_bits_retain(fcntl(descriptor, FcntlArg::F_GETFL)?);
    if flags.contains(OFlag::O_PATH) {
        return Ok(Referred::Place);
    }
    match nix::sys::termios::tcgetattr(descriptor) {
        Ok(_) => Ok(Referred::Terminal),
        Err(error) if NO_TERMINAL.contains(&(error as i32)) => Ok(Referred::Other),
        // A terminal that has hung up answers EIO.
        Err(error) => Err(error.into()),
    }
}
