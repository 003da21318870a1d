//! The standard streams of this process, without buffers, and a shell with other streams.

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use super::errno::Errno;
use super::kernel;
use super::process::ready;

/// The standard input of this process.
#[must_use]
pub fn standard_input() -> BorrowedFd<'static> {
    // SAFETY: nothing in this process closes descriptor 0; if it is closed, calls return EBADF.
    unsafe { BorrowedFd::borrow_raw(0) }
}

/// The standard output of this process.
#[must_use]
pub fn standard_output() -> BorrowedFd<'static> {
    // SAFETY: as for the standard input.
    unsafe { BorrowedFd::borrow_raw(1) }
}

pub(super) fn standard_error() -> BorrowedFd<'static> {
    standard_stream(2)
}

/// The standard stream of this process with this number, 0 to 2.
#[must_use]
pub fn standard_stream(number: RawFd) -> BorrowedFd<'static> {
    debug_assert!((0..=2).contains(&number), "{number} is no standard stream");
    // SAFETY: as for the standard input.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// The maximum number of bytes per write, small enough not to block long on a terminal with some
/// room.
const WRITTEN: usize = 1024;

/// Writes to the standard output without buffering, and returns the number of bytes written; `None`
/// if it would block.
///
/// # Errors
/// write(2) if the reader is gone.
#[must_use]
pub fn write_output(bytes: &[u8]) -> Option<Result<usize, Errno>> {
    write_stream(1, bytes)
}

/// Does the same for the standard stream with this number.
///
/// # Errors
/// As for [`write_output`].
#[must_use]
pub fn write_stream(number: RawFd, bytes: &[u8]) -> Option<Result<usize, Errno>> {
    if bytes.is_empty() {
        return None;
    }
    let output = standard_stream(number);
    let takes = ready(&[(output, true)], Some(std::time::Duration::ZERO));
    if !takes.is_ok_and(|it| it == [true]) {
        return None;
    }
    match nix::unistd::write(output, &bytes[..bytes.len().min(WRITTEN)]) {
        Err(nix::errno::Errno::EINTR | nix::errno::Errno::EAGAIN) => None,
        done => Some(done.map_err(Into::into)),
    }
}

/// Reads from the standard input without buffering; `None` if it would block.
///
/// # Errors
/// read(2) if the terminal is gone.
pub fn read_input(buffer: &mut [u8]) -> Option<Result<usize, Errno>> {
    let input = standard_input();
    let is_there = ready(&[(input, false)], Some(std::time::Duration::ZERO));
    if !is_there.is_ok_and(|it| it == [true]) {
        return None;
    }
    match nix::unistd::read(input, buffer) {
        Err(nix::errno::Errno::EINTR | nix::errno::Errno::EAGAIN) => None,
        done => Some(done.map_err(Into::into)),
    }
}

/// The number of unread bytes in a pipe: `FIONREAD` of pipe(7).
#[must_use]
pub fn unread(pipe: BorrowedFd<'_>) -> usize {
    let mut length: libc::c_int = 0;
    // SAFETY: a descriptor that is open, and a place for a number.
    unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &raw mut length) };
    usize::try_from(length).unwrap_or(0)
}

/// Whether the reader of a pipe is gone: poll(2).
#[must_use]
pub fn is_abandoned(pipe: BorrowedFd<'_>) -> bool {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let mut entry = [PollFd::new(pipe, PollFlags::empty())];
    poll(&mut entry, PollTimeout::ZERO).is_ok_and(|count| count > 0)
}

/// Runs a shell in the namespaces of this process, with these standard streams, and with the
/// directory `root` as its root, if given.
///
/// # Errors
/// /bin/sh does not exist.
pub fn shell(
    root: Option<RawFd>,
    input: BorrowedFd<'_>,
    output: BorrowedFd<'_>,
) -> std::io::Result<()> {
    let here = kernel::openat(libc::AT_FDCWD, c".", libc::O_PATH | libc::O_CLOEXEC, 0);
    if let Some(root) = root {
        let _ = kernel::fchdir(root);
    }
    let mut shell = std::process::Command::new("/bin/sh");
    // Without job control: it could not return the terminal to a group of another PID namespace.
    shell.args(["-i", "+m"]).env("PS1", "(half-built) # ");
    shell.stdin(input.try_clone_to_owned()?);
    shell.stdout(output.try_clone_to_owned()?).stderr(output.try_clone_to_owned()?);
    let done = shell.status();
    if let Ok(here) = here {
        let _ = kernel::fchdir(here);
        kernel::close(here);
    }
    done.map(drop)
}
