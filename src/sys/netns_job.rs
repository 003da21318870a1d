//! Jobs in another network namespace, each in a short-lived process.

use std::cell::Cell;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::raw::{c_int, c_void};

use super::clone::{CloneArgs, Quiet, clone3, wait_for};
use super::errno::Errno;
use super::kernel::{self, Answer, CallError, Syscall};

/// A short job of a process in another network namespace.
struct Job<'a> {
    /// The descriptor of the namespace; negative for a new one.
    namespace: c_int,
    work: &'a dyn Fn() -> Answer<c_int>,
    done: Cell<Answer<c_int>>,
}

/// Runs `work`, a few system calls, in an existing or a new network namespace. A process that
/// shares memory and descriptors with this one runs it, while this one is suspended and stays in
/// its namespace.
pub(super) fn in_network(
    namespace: Option<BorrowedFd<'_>>,
    work: &dyn Fn() -> Answer<c_int>,
) -> Answer<OwnedFd> {
    let unknown = CallError { syscall: Syscall::Clone3, errno: Errno::new(libc::ECHILD) };
    let job = Job {
        namespace: namespace.map_or(-1, |namespace| namespace.as_raw_fd()),
        work,
        done: Cell::new(Err(unknown)),
    };
    let args = CloneArgs::beside();
    let quiet = Quiet::begin();
    // SAFETY: as in `spawn`; `run_job` does not return and is given a `Job`.
    let pid = unsafe { clone3(&args, run_job, (&raw const job).cast()) }?;
    drop(quiet);
    wait_for(pid);
    // SAFETY: the descriptor was created in the table that both share; nobody owns it.
    job.done.get().map(|descriptor| unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// # Safety
/// `argument` points to a [`Job`].
unsafe extern "C" fn run_job(argument: *const c_void) -> ! {
    // SAFETY: what the caller promises.
    let job = unsafe { &*argument.cast::<Job<'_>>() };
    let net = libc::CLONE_NEWNET as u64;
    let moved = match job.namespace {
        namespace @ 0.. => kernel::setns(namespace, net),
        _ => kernel::call!(Unshare, SYS_unshare, net).map(drop),
    };
    job.done.set(moved.and_then(|()| (job.work)()));
    kernel::exit(0)
}
