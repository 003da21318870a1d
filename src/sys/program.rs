//! A program of prepared calls, and the launch that performs it.

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
}

/// An array of C strings as execve(2) takes it: it ends with a null pointer.
#[derive(Debug)]
pub struct CStrings {
    strings: Vec<CString>,
    pointers: Vec<*const c_char>,
}

impl CStrings {
    /// The array of these strings.
    ///
    /// # Errors
    /// A NUL byte in one of them.
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

/// Namespaces that are entered before the new ones are made.
#[derive(Debug)]
pub struct Enter {
    /// A pidfd, or a descriptor of one namespace.
    pub descriptor: OwnedFd,
    /// Which kinds, as clone flags.
    pub namespaces: u64,
}

/// What a new process asks before each of its calls: it is given the number of the call, and the
/// descriptor of the root that is being built, or -1. Where it says no, the process ends.
pub struct Step(Box<dyn Fn(usize, RawFd) -> bool>);

impl Step {
    /// It asks this.
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

/// What a new process does.
#[derive(Debug, Default)]
pub struct Program {
    /// The namespaces it starts in, as clone flags.
    pub namespaces: u64,
    /// Namespaces entered before those are made, in this order.
    pub enter: Vec<Enter>,
    /// Control groups entered before that: files that move who writes `0` to them.
    pub groups: Vec<OwnedFd>,
    /// Whether the new process may use the memory of this one until it executes a program.
    ///
    /// Not where it enters namespaces in which others already run: they could trace it.
    pub share_memory: bool,
    /// The calls, in order. The last one executes a program.
    pub calls: Vec<Call>,
    /// Where the new process notes how long its calls take; none where nobody wants to know.
    pub watch: Option<Watch>,
    /// What the new process asks before each call. It has a copy of the memory then.
    pub step: Option<Step>,
    /// What the carried program reads to its end before it executes anything: the last call was
    /// told so.
    pub gate: Option<OwnedFd>,
}

impl Program {
    /// Whether it enters namespaces by which processes that are there could trace the new one: not
    /// those of networks.
    pub(super) fn meets_others(&self) -> bool {
        self.enter.iter().any(|enter| enter.namespaces & !flags::NET != 0)
    }
}

/// A call of a program that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaunchError {
    /// Which call of the program; none where no process could be made to perform it.
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

/// Held while a process is made: the fault slot is one for all threads, and a launch stops only the
/// thread that makes it.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Waits until no other thread makes a process.
pub(super) fn one_at_a_time() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a process that performs `program`, and waits until it has executed a program: the last
/// one, or the init that then executes that ([`Child::confirm`] waits for it).
///
/// # Errors
/// The call that failed. Nothing is left of the process then.
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
