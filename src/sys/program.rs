//! Programs of prepared calls, and their launch.

use std::error::Error;
use std::ffi::{CString, NulError};
use std::fmt;
use std::os::fd::{OwnedFd, RawFd};
use std::os::raw::c_char;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::call::Call;
use super::clone::{self, Style};
use super::fault_slot::FaultSlot;
use super::kernel::CallError;
use super::process::Child;
use super::watch::Watch;
use super::{init, perform};

/// Clone flags of namespaces: clone(2), clone3(2).
pub mod flags {
    /// A new user namespace.
    pub const USER: u64 = libc::CLONE_NEWUSER as u64;
    /// A new mount namespace.
    pub const MOUNT: u64 = libc::CLONE_NEWNS as u64;
    /// A new PID namespace.
    pub const PID: u64 = libc::CLONE_NEWPID as u64;
    /// A new network namespace.
    pub const NET: u64 = libc::CLONE_NEWNET as u64;
    /// A new UTS namespace.
    pub const UTS: u64 = libc::CLONE_NEWUTS as u64;
    /// A new IPC namespace.
    pub const IPC: u64 = libc::CLONE_NEWIPC as u64;
    /// A new cgroup namespace.
    pub const CGROUP: u64 = libc::CLONE_NEWCGROUP as u64;
    /// A new time namespace.
    pub const TIME: u64 = 0x80;
    /// The table of file descriptors.
    pub const FILES: u64 = libc::CLONE_FILES as u64;
    /// The root directory, the working directory and the umask.
    pub const FS: u64 = libc::CLONE_FS as u64;
    /// The semaphore adjustments.
    pub const SYSVSEM: u64 = libc::CLONE_SYSVSEM as u64;
}

/// A null-terminated array of C strings for execve(2).
#[derive(Debug)]
pub struct CStrings {
    strings: Vec<CString>,
    pointers: Vec<*const c_char>,
}

impl CStrings {
    /// Creates the array of these strings.
    ///
    /// # Errors
    /// One of them contains a NUL byte.
    pub fn new<T: Into<Vec<u8>>>(strings: impl IntoIterator<Item = T>) -> Result<Self, NulError> {
        let strings: Vec<CString> =
            strings.into_iter().map(CString::new).collect::<Result<_, _>>()?;
        Ok(Self::of(strings))
    }

    fn of(strings: Vec<CString>) -> Self {
        let ends = std::iter::once(std::ptr::null());
        let pointers = strings.iter().map(|string| string.as_ptr()).chain(ends).collect();
        Self { strings, pointers }
    }

    pub(super) fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }
}

impl Default for CStrings {
    fn default() -> Self {
        Self::of(Vec::new())
    }
}

impl Clone for CStrings {
    fn clone(&self) -> Self {
        Self::of(self.strings.clone())
    }
}

/// Namespaces that a new process enters before new ones are created.
#[derive(Debug)]
pub struct Enter {
    /// A pidfd, or a descriptor of one namespace.
    pub descriptor: OwnedFd,
    /// Which kinds, as clone flags.
    pub namespaces: u64,
}

/// A function that a new process calls before each of its calls, with the number of the call and
/// the descriptor of the root under construction, or -1. If it returns false, the process exits.
pub struct Step(Box<dyn Fn(usize, RawFd) -> bool>);

impl Step {
    /// Wraps the function.
    #[must_use]
    pub fn new(ask: impl Fn(usize, RawFd) -> bool + 'static) -> Self {
        Self(Box::new(ask))
    }

    pub(super) fn may(&self, call: usize, root: RawFd) -> bool {
        (self.0)(call, root)
    }
}

impl std::fmt::Debug for Step {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Step")
    }
}

/// The work of a new process.
#[derive(Debug, Default)]
pub struct Program {
    /// The new namespaces, as clone flags.
    pub namespaces: u64,
    /// The namespaces to enter before those are created, in this order.
    pub enter: Vec<Enter>,
    /// The control groups to enter first: files that move the process that writes `0` to them.
    pub groups: Vec<OwnedFd>,
    /// Descriptors that the calls use.
    pub given: Vec<OwnedFd>,
    /// Whether the new process may use the memory of this one until it executes a program.
    ///
    /// This is unsafe if it enters namespaces of other processes, which could trace it.
    pub share_memory: bool,
    /// The calls, in order. The last one executes a program.
    pub calls: Vec<Call>,
    /// The notes of the new process on the duration of its calls, if somebody wants them.
    pub watch: Option<Watch>,
    /// The function that the new process calls before each call. It then has a copy of the memory.
    pub step: Option<Step>,
    /// The pipe that the carried program reads to its end before it executes anything; the last
    /// call must request it.
    pub gate: Option<OwnedFd>,
}

impl Program {
    /// Whether it enters namespaces whose processes could trace the new one: all kinds except
    /// network namespaces.
    pub(super) fn meets_others(&self) -> bool {
        self.enter.iter().any(|enter| enter.namespaces & !flags::NET != 0)
    }
}

/// A call of a program that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaunchError {
    /// The index of the call in the program; `None` if no process could be created.
    pub call: Option<usize>,
    /// The system call that failed.
    pub error: CallError,
}

impl fmt::Display for LaunchError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(out)
    }
}

impl Error for LaunchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

/// Locked while a process is created: all threads share one fault slot, and a launch suspends only
/// its own thread.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Waits until no other thread creates a process.
pub(super) fn one_at_a_time() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a process that performs `program`, and waits until it has executed the program of the
/// last call, or an init that then executes it ([`Child::confirm`] waits for that).
///
/// # Errors
/// The call that failed. The process has then ended.
pub fn spawn(program: &Program) -> Result<Child, LaunchError> {
    let _one = one_at_a_time();
    let launch = |error: CallError| LaunchError { call: None, error };
    let slot = FaultSlot::of_this_process().map_err(launch)?;
    let init = init::prepare().map_err(launch)?;
    let parent = clone::own_pidfd().map_err(launch)?;
    slot.reset();
    let work = perform::Work::new(program, slot, &init, parent);
    let shares = program.share_memory && program.step.is_none();
    let style = if shares { Style::Shared } else { Style::Copied };
    let cloned = if program.enter.is_empty() {
        clone::spawn(program.namespaces, style, &work)
    } else {
        clone::spawn_within(program.namespaces, style, &work, slot)
    };
    let failure = slot.fault();
    let (pid, pidfd) = match cloned {
        Ok(made) => made,
        Err(error) => return Err(failure.unwrap_or(launch(error))),
    };
    let mut child = Child::new(pid, pidfd, init.answers, has_init(program));
    if let Some(failure) = failure {
        child.kill_and_reap();
        return Err(failure);
    }
    Ok(child)
}

/// Whether the new process stays as the init of the program.
fn has_init(program: &Program) -> bool {
    matches!(program.calls.last(), Some(Call::Execute { as_init: true, .. }))
}
