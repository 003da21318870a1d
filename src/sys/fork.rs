//! Copies of this process, in new namespaces, that run closures.
//!
//! A copy has the thread that created it and no other, so it can use everything in its memory
//! except locks that other threads held: those of the allocator (see [`super::clone`]) and of this
//! layer are taken first. It renews what belongs to a single process.

use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::raw::c_int;
use std::path::PathBuf;
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::clone;
use super::errno::Errno;
use super::fault_slot::FaultSlot;
use super::held::lock_names;
use super::kernel::{self, Answer, CallError, Syscall};
use super::perform;
use super::process::Child;
use super::program::{LaunchError, Program, one_at_a_time};
use super::{init, signal};

/// Whether this process has entered namespaces of other processes, which must not trace it.
static GUARDED: AtomicBool = AtomicBool::new(false);
/// Whether this process is a copy that goes on after its parent.
static DETACHED: AtomicBool = AtomicBool::new(false);
/// The number of copies between the first process of nsscript and this one.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// Whether `fork` created this process.
#[must_use]
pub fn is_copy() -> bool {
    generation() > 0
}

/// The generation of this process, which differs from that of the process it was copied from.
pub(super) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// The locks of this layer: that of a launch, and that of the names of held directories.
type Locks = (MutexGuard<'static, ()>, MutexGuard<'static, Vec<(PathBuf, PathBuf)>>);

/// The work of a copy.
pub(super) struct Copy<'a> {
    pub work: perform::Work<'a>,
    /// The descriptor that is closed after the calls.
    pub ready: c_int,
    /// Whether tracing the copy is forbidden: before its calls, and after them.
    pub guarded: (bool, bool),
    pub mask: libc::sigset_t,
    /// The locks that the copy holds as well, because it has them from its parent.
    pub locks: std::cell::Cell<Option<Locks>>,
    pub body: std::cell::RefCell<&'a mut dyn FnMut() -> i32>,
}

/// Creates a copy of this process that performs `program`, whose calls execute nothing, and then
/// runs `body`. The copy exits with the status that `body` returns. Waits until the calls are
/// performed. With `guard`, no process in the namespaces of the copy may trace it.
///
/// # Errors
/// The call that failed. The process has then ended.
pub fn fork(
    program: &Program,
    guard: bool,
    body: &mut dyn FnMut() -> i32,
) -> Result<Child, LaunchError> {
    let launch = |error: CallError| LaunchError { call: None, error };
    let one = one_at_a_time();
    let slot = FaultSlot::of_this_process().map_err(launch)?;
    let init = init::prepare().map_err(launch)?;
    let parent = clone::own_pidfd().map_err(launch)?;
    let (performed, ready) = pipe().map_err(launch)?;
    slot.reset();
    let mut mask = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: pthread_sigmask changes nothing without a new mask, and fills the old one.
    let mask = unsafe {
        libc::pthread_sigmask(libc::SIG_SETMASK, std::ptr::null(), mask.as_mut_ptr());
        mask.assume_init()
    };
    let copy = Copy {
        work: perform::Work::new(program, slot, &init, parent),
        ready: ready.as_raw_fd(),
        guarded: (program.meets_others(), guard),
        mask,
        locks: std::cell::Cell::new(Some((one, lock_names()))),
        body: std::cell::RefCell::new(body),
    };
    let made = clone::copy(program.namespaces, &copy, slot);
    drop(ready);
    let (pid, pidfd) = made.map_err(|error| slot.fault().unwrap_or(launch(error)))?;
    let mut child = Child::new(pid, pidfd, init.answers, false);
    wait_for_end(performed);
    if let Some(error) = slot.fault() {
        child.kill_and_reap();
        return Err(error);
    }
    Ok(child)
}

pub(super) fn pipe() -> Answer<(OwnedFd, OwnedFd)> {
    let made = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC);
    made.map_err(|errno| CallError { syscall: Syscall::Pipe2, errno: errno.into() })
}

/// Reads until the other end is closed: the calls are performed, or the process has ended.
fn wait_for_end(pipe: OwnedFd) {
    let mut pipe = std::fs::File::from(pipe);
    let mut byte = [0];
    while matches!(pipe.read(&mut byte), Err(error) if error.kind() == std::io::ErrorKind::Interrupted)
    {
    }
}

impl Copy<'_> {
    /// Runs the copy. Its memory is its own, so it may allocate.
    pub(super) fn run(&self) -> ! {
        GENERATION.fetch_add(1, Ordering::Relaxed);
        DETACHED.store(false, Ordering::Relaxed);
        drop(self.locks.take());
        GUARDED.fetch_or(self.guarded.0, Ordering::Relaxed);
        allow_tracing();
        if !self.work.calls() {
            kernel::exit(127);
        }
        GUARDED.fetch_or(self.guarded.1, Ordering::Relaxed);
        allow_tracing();
        kernel::close(self.ready);
        // Slot, pidfd and eventfd belong to the process that was copied.
        FaultSlot::forget();
        super::wait::forget();
        clone::forget_own_pidfd();
        signal::renew();
        // SAFETY: the mask was filled before the copy was made.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.mask, std::ptr::null_mut())
        };
        let code = self.body.try_borrow_mut().map_or(127, |mut body| body());
        kernel::exit(code)
    }
}

/// Restores what a change of credentials resets: files of this process in /proc belong to it, and a
/// copy dies with its parent.
pub(super) fn allow_tracing() {
    let guarded = GUARDED.load(Ordering::Relaxed);
    let _ = kernel::prctl(libc::PR_SET_DUMPABLE, i64::from(!guarded));
    if is_copy() && !DETACHED.load(Ordering::Relaxed) {
        let _ = kernel::prctl(libc::PR_SET_PDEATHSIG, i64::from(libc::SIGKILL));
    }
}

/// Has this process, a copy, go on when its parent ends.
///
/// # Errors
/// prctl(2).
pub fn detach() -> Result<(), Errno> {
    DETACHED.store(true, Ordering::Relaxed);
    kernel::prctl(libc::PR_SET_PDEATHSIG, 0).map_err(|error| error.errno)
}

/// The kinds of namespaces, as clone flags, in which process `pid` differs from this one, according
/// to /proc.
///
/// # Errors
/// The process has ended, or this process may not see its namespaces.
pub fn differing(pid: i32, kinds: &[(&str, u64)]) -> Result<u64, Errno> {
    let mut flags = 0;
    for (file, flag) in kinds {
        let of = |who: &str| std::fs::read_link(format!("/proc/{who}/ns/{file}"));
        let (own, other) = (of("self"), of(&pid.to_string()));
        let other = other.map_err(|error| Errno::from(&error))?;
        if own.ok() != Some(other) {
            flags |= flag;
        }
    }
    Ok(flags)
}

/// Duplicates a descriptor, such as that of a process.
///
/// # Errors
/// No descriptor is left.
pub fn duplicate(descriptor: std::os::fd::BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    descriptor.as_fd().try_clone_to_owned().map_err(|error| Errno::from(&error))
}

/// Closes all descriptors except these and the standard streams, in a copy that has those of its
/// parent.
pub fn keep_only(kept: impl Iterator<Item = i32>) {
    let mut kept: Vec<u32> = kept.filter_map(|number| number.try_into().ok()).collect();
    kept.sort_unstable();
    let mut first = 3;
    for number in kept.into_iter().chain([u32::MAX]) {
        if first < number {
            // Closing numbers cannot fail.
            let _ = kernel::close_range(first, number - 1, 0);
        }
        first = first.max(number.saturating_add(1));
    }
}

/// Closes a descriptor by its number, which this process inherited as a copy.
pub fn close(descriptor: i32) {
    kernel::close(descriptor);
}
