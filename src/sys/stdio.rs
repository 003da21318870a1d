//! The standard streams of this process, past all buffers, and a shell that is given others.

use std::os::fd::{BorrowedFd, RawFd};

use super::errno::Errno;
use super::kernel;
use super::process::ready;

/// The standard input of this process.
#[must_use]
pub fn standard_input() -> BorrowedFd<'static> {
    // SAFETY: nothing in this process closes descriptor 0; where it is closed, calls answer EBADF.
    unsafe { BorrowedFd::borrow_raw(0) }
}

/// The standard output of this process.
#[must_use]
pub fn standard_output() -> BorrowedFd<'static> {
    // SAFETY: as for the standard input.
    unsafe { BorrowedFd::borrow_raw(1) }
}

pub(super) fn standard_error() -> BorrowedFd<'static> {
    // SAFETY: as for the standard input.
    unsafe { BorrowedFd::borrow_raw(2) }
}

/// The most that is written at once: what does not let a terminal wait long that has some room.
const WRITTEN: usize = 1024;

/// Writes to the standard output, past all buffers, where it takes something: how much it has
/// taken. None where it takes nothing now.
///
/// # Errors
/// write(2): nobody is there to read it.
pub fn write_output(bytes: &[u8]) -> Option<Result<usize, Errno>> {
    if bytes.is_empty() {
        return None;
    }
    let output = standard_output();
    let takes = ready(&[(output, true)], Some(std::time::Duration::ZERO));
    if !takes.is_ok_and(|it| it == [true]) {
        return None;
    }
    match nix::unistd::write(output, &bytes[..bytes.len().min(WRITTEN)]) {
        Err(nix::errno::Errno::EINTR | nix::errno::Errno::EAGAIN) => None,
        done => Some(done.map_err(Into::into)),
    }
}

/// Reads what is there of the standard input, past all buffers; none where nothing is.
///
/// # Errors
/// read(2): the terminal is gone.
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

/// Runs a shell where this process is, with these as its standard streams and the directory that
/// `root` refers to as its own, where that is given; then this process is where it was.
///
/// # Errors
/// There is no /bin/sh.
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
    // Without jobs: it could not give the terminal back to a group of another PID namespace.
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
