//! A process in the background: without the terminal, the descriptors and the directory of its
//! parent.

use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};

use super::errno::Errno;
use super::{init, kernel, signal};

/// Starts a session: no signal of a terminal reaches this process, and what it starts, any more.
///
/// # Errors
/// setsid(2): this process leads a group.
pub fn begin_session() -> Result<(), Errno> {
    kernel::setsid().map_err(|error| error.errno)
}

/// The descriptors of this process above the standard streams, except those that every process of
/// nsscript has for itself.
///
/// # Errors
/// /proc is not mounted, or cannot be read.
pub fn descriptors() -> Result<Vec<RawFd>, Errno> {
    let of = |error: std::io::Error| Errno::from(&error);
    let listing = std::fs::read_dir("/proc/self/fd").map_err(of)?;
    let mut found = Vec::new();
    for entry in listing {
        let name = entry.map_err(of)?.file_name();
        found.extend(name.to_str().and_then(|name| name.parse().ok()).filter(|it: &RawFd| *it > 2));
    }
    let own = [init::held(), signal::interruption().1.map(|wake| wake.as_raw_fd())];
    found.retain(|number| !own.contains(&Some(*number)));
    // That of the listing itself is closed by now, and its number may become another one's.
    // SAFETY: F_GETFD takes a number, which need not be a descriptor.
    found.retain(|number| unsafe { libc::fcntl(*number, libc::F_GETFD) } >= 0);
    Ok(found)
}

/// Has the standard streams of this process lead nowhere, and its working directory be `/`, so that
/// neither a pipe nor a mount is kept in use.
///
/// # Errors
/// /dev/null cannot be opened.
pub fn leave_streams_and_directory() -> Result<(), Errno> {
    let of = |error: std::io::Error| Errno::from(&error);
    let null = File::options().read(true).write(true).open("/dev/null").map_err(of)?;
    for number in 0..3 {
        kernel::dup3(null.as_raw_fd(), number, 0).map_err(|error| error.errno)?;
    }
    std::env::set_current_dir("/").map_err(of)
}

/// Has signals act on this process as on any other one, unless it is nsscript, which handles them.
/// Handlers of another program would act on its behalf.
pub fn forget_handlers() {
    if signal::interruption().1.is_some() {
        return;
    }
    for signal in 1..=kernel::LAST_SIGNAL {
        // SIGKILL and SIGSTOP return EINVAL.
        let _ = kernel::default_action(signal);
    }
    // A pipe without a reader is an error.
    let _ = kernel::ignore(libc::SIGPIPE);
}
