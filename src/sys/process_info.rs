//! Information about this process from the kernel.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use super::errno::Errno;
use super::kernel::{Syscall, call};

/// The data of uname(2): the names of the UTS namespace, kernel and processor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uname {
    /// The host name.
    pub host_name: String,
    /// The NIS domain name.
    pub domain_name: String,
    /// The version of Linux, as `uname -r` prints it.
    pub release: String,
    /// The kind of processor.
    pub machine: String,
}

/// Calls uname(2).
#[must_use]
pub fn uname() -> Uname {
    let text = |name: &OsStr| name.to_string_lossy().into_owned();
    let Ok(names) = nix::sys::utsname::uname() else { return Uname::default() };
    Uname {
        host_name: text(names.nodename()),
        domain_name: text(names.domainname()),
        release: text(names.release()),
        machine: text(names.machine()),
    }
}

/// The working directory as the kernel names it: getcwd(3) of glibc hides one that is not reachable
/// from the root.
///
/// # Errors
/// getcwd(2) if it was removed.
pub fn working_directory() -> Result<PathBuf, Errno> {
    // The kernel does not return longer paths.
    let mut buffer = vec![0_u8; 4096];
    let length = call!(Getcwd, SYS_getcwd, buffer.as_mut_ptr(), buffer.len());
    let length = length.map_err(|error| error.errno)?;
    buffer.truncate(usize::try_from(length).unwrap_or(1).saturating_sub(1));
    Ok(OsString::from_vec(buffer).into())
}

/// The number of this process in its PID namespace.
#[must_use]
pub fn process_id() -> i32 {
    nix::unistd::getpid().as_raw()
}

/// The number of the parent; 0 if it is outside the PID namespace.
#[must_use]
pub fn parent_id() -> i32 {
    nix::unistd::getppid().as_raw()
}

/// The number of this thread.
#[must_use]
pub fn thread_id() -> i32 {
    nix::unistd::gettid().as_raw()
}

/// The supplementary groups of this process.
///
/// # Errors
/// getgroups(2) fails only if it is called incorrectly.
pub fn groups() -> Result<Vec<u32>, Errno> {
    Ok(nix::unistd::getgroups()?.into_iter().map(nix::unistd::Gid::as_raw).collect())
}

/// The capability sets of a thread, one bit per capability: capabilities(7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapabilitySets {
    /// The capabilities in effect.
    pub effective: u64,
    /// The capabilities that it may add to its effective set.
    pub permitted: u64,
    /// The capabilities that it keeps through execve(2) of a file that allows it.
    pub inheritable: u64,
    /// The limit of capabilities that execve(2) can grant.
    pub bounding: u64,
    /// The capabilities that it keeps through execve(2).
    pub ambient: u64,
}

/// Calls capget(2) and prctl(2).
///
/// # Errors
/// capget(2) fails only if it is called incorrectly.
pub fn capabilities() -> Result<CapabilitySets, Errno> {
    const VERSION_3: u32 = 0x2008_0522;
    let mut header = [VERSION_3, 0];
    // Effective, permitted, inheritable of the first 32, then of the other 32.
    let mut data = [0_u32; 6];
    // SAFETY: a header and two structures of three numbers each, as version 3 has them, that live
    // through the call.
    let done = unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), data.as_mut_ptr()) };
    if done != 0 {
        return Err(Errno::last());
    }
    let set = |at: usize| u64::from(data[at]) | u64::from(data[at + 3]) << 32;
    let collect = |has: &dyn Fn(libc::c_ulong) -> bool| {
        (0..64).filter(|bit| has(*bit)).fold(0, |set, bit| set | 1 << bit)
    };
    Ok(CapabilitySets {
        effective: set(0),
        permitted: set(1),
        inheritable: set(2),
        bounding: collect(&|bit| is_set(libc::PR_CAPBSET_READ, bit, 0)),
        ambient: collect(&|bit| is_set(libc::PR_CAP_AMBIENT, AMBIENT_IS_SET, bit)),
    })
}

/// The prctl(2) operation that queries the ambient set.
const AMBIENT_IS_SET: libc::c_ulong = 1;

/// Whether prctl(2) returns 1. All of its arguments are long, even unused ones.
fn is_set(operation: libc::c_int, one: libc::c_ulong, two: libc::c_ulong) -> bool {
    let none: libc::c_ulong = 0;
    // SAFETY: prctl with the operations that ask for capabilities takes numbers.
    unsafe { libc::prctl(operation, one, two, none, none) == 1 }
}

/// The columns of the terminal on standard error; `None` if it is not a terminal.
#[must_use]
pub fn terminal_width() -> Option<usize> {
    let mut size = std::mem::MaybeUninit::<libc::winsize>::zeroed();
    // SAFETY: TIOCGWINSZ fills a `winsize`, which lives through the call.
    let done = unsafe { libc::ioctl(libc::STDERR_FILENO, libc::TIOCGWINSZ, size.as_mut_ptr()) };
    // SAFETY: zeroes are a valid `winsize`, and the kernel fills it on success.
    let size = unsafe { size.assume_init() };
    (done == 0 && size.ws_col > 0).then_some(size.ws_col.into())
}

/// A clock of the kernel: clock_gettime(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The time of day, since 1970.
    Realtime,
    /// Time since an arbitrary start, without suspended time.
    Monotonic,
    /// Time since an arbitrary start, with suspended time.
    Boottime,
}

/// Returns the time of a clock in the time namespace of this process.
///
/// # Errors
/// The kernel does not support the clock.
pub fn clock(clock: Clock) -> Result<Duration, Errno> {
    let id = match clock {
        Clock::Realtime => libc::CLOCK_REALTIME,
        Clock::Monotonic => libc::CLOCK_MONOTONIC,
        Clock::Boottime => libc::CLOCK_BOOTTIME,
    };
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a number, and a place that lives through the call.
    if unsafe { libc::clock_gettime(id, &raw mut time) } != 0 {
        return Err(Errno::last());
    }
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Ok(Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::{Clock, clock};

    #[test]
    fn clocks_go() {
        let told = |kind| clock(kind).unwrap_or_default();
        let before = told(Clock::Monotonic);
        assert!(!before.is_zero() && before <= told(Clock::Monotonic));
        assert!(told(Clock::Monotonic) <= told(Clock::Boottime));
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        let told = told(Clock::Realtime);
        assert!(told.abs_diff(now).as_secs() < 60, "{told:?} and {now:?}");
    }
}
