//! Process creation with clone3(2).

use std::arch::asm;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::raw::{c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use super::errno::Errno;
use super::fault_slot::FaultSlot;
use super::fork::{Copy, allow_tracing};
use super::kernel::{self, Answer, CallError, Syscall};
use super::perform::{self, Work};

/// The memory in which the new process runs until it executes a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// The memory of its parent, which is suspended meanwhile: nothing is copied.
    Shared,
    /// A copy of its parent's memory; the parent is suspended as well.
    Copied,
}

impl Style {
    fn flags(self) -> u64 {
        let vfork = libc::CLONE_VFORK as u64;
        match self {
            Self::Shared => vfork | libc::CLONE_VM as u64,
            Self::Copied => vfork,
        }
    }
}

/// struct clone_args of clone3(2), version 0: what Linux 5.3 knows.
#[repr(C)]
#[derive(Default)]
pub(super) struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
}

impl CloneArgs {
    /// Arguments for a process that shares memory and descriptors with this one, which is suspended
    /// meanwhile.
    pub fn beside() -> Self {
        Self {
            flags: Style::Shared.flags() | libc::CLONE_FILES as u64 | CLONE_CLEAR_SIGHAND,
            exit_signal: libc::SIGCHLD as u64,
            ..Self::default()
        }
    }
}

/// Calls clone3; the child calls `entry(argument)` and never returns.
///
/// # Safety
/// `args` are valid for clone3 with no stack given, and `CLONE_VM` only together with
/// `CLONE_VFORK`. `entry` does not return, and upholds what its `argument` asks for.
pub(super) unsafe fn clone3(
    args: &CloneArgs,
    entry: unsafe extern "C" fn(*const c_void) -> !,
    argument: *const c_void,
) -> Answer<c_int> {
    let returned: i64;
    // SAFETY: with a null stack the child goes on with this stack pointer. Under CLONE_VFORK this
    // thread is suspended until the child has left the memory, and the child only writes below the
    // stack pointer, where the block (not `nostack`) leaves no red zone; so every frame above is as
    // it was when this thread goes on. Registers are the child's own. The stack is aligned for a
    // call at the start of the block.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r13",
            "call r12",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone3 => returned,
            in("rdi") std::ptr::from_ref(args),
            in("rsi") size_of::<CloneArgs>(),
            in("r12") entry,
            in("r13") argument,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x30, xzr",
            "mov x0, x21",
            "blr x20",
            "brk 1",
            "2:",
            in("x8") libc::SYS_clone3,
            inlateout("x0") std::ptr::from_ref(args) => returned,
            in("x1") size_of::<CloneArgs>(),
            in("x20") entry,
            in("x21") argument,
        );
    }
    match c_int::try_from(returned) {
        Ok(pid @ 0..) => Ok(pid),
        Ok(negative) => Err(CallError { syscall: Syscall::Clone3, errno: Errno::new(-negative) }),
        Err(_) => Err(CallError { syscall: Syscall::Clone3, errno: Errno::new(libc::EIO) }),
    }
}

/// Blocks all signals during a clone. Afterwards it restores the mask, and the permission to be
/// traced, which a child that changes its ids removes from the shared memory.
pub(super) struct Quiet {
    mask: libc::sigset_t,
    /// Whether this process may be traced.
    dumpable: bool,
}

impl Quiet {
    pub fn begin() -> Self {
        let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        let mut mask = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
        // SAFETY: sigfillset fills `all`, pthread_sigmask reads it and fills `mask`.
        let mask = unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), mask.as_mut_ptr());
            mask.assume_init()
        };
        // SAFETY: prctl(2) with numbers.
        let found = unsafe { libc::prctl(libc::PR_GET_DUMPABLE) };
        // An error says nothing, and 2 is the restriction of set-user-ID programs.
        let dumpable = found == 1 || found < 0;
        Self { mask, dumpable }
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // A program that protects its memory from traces goes on to do so.
        if self.dumpable {
            allow_tracing();
        }
        // SAFETY: `mask` was filled by pthread_sigmask.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.mask, std::ptr::null_mut())
        };
    }
}

/// Resets the signal handlers of the child; libc has no 64-bit constant for it.
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;

/// Creates a process in new `namespaces` that performs `work`, and waits until it has executed a
/// program or ended.
pub(super) fn spawn(namespaces: u64, style: Style, work: &Work<'_>) -> Answer<(c_int, OwnedFd)> {
    let mut pidfd: RawFd = -1;
    let args = CloneArgs {
        flags: namespaces | style.flags() | libc::CLONE_PIDFD as u64 | CLONE_CLEAR_SIGHAND,
        pidfd: (&raw mut pidfd) as u64,
        exit_signal: libc::SIGCHLD as u64,
        ..CloneArgs::default()
    };
    let quiet = Quiet::begin();
    // SAFETY: no stack, CLONE_VM only with CLONE_VFORK (`Style::flags`); `perform::entry` does not
    // return and is given the `Work` it expects, which outlives the call.
    let pid = unsafe { clone3(&args, perform::entry, std::ptr::from_ref(work).cast()) }?;
    drop(quiet);
    // SAFETY: clone3 succeeded with CLONE_PIDFD, so `pidfd` is a new descriptor that nobody owns.
    Ok((pid, unsafe { OwnedFd::from_raw_fd(pidfd) }))
}

/// Does the same from an intermediate process, which first enters the namespaces of `work`. The new
/// process is still a child of this one (`CLONE_PARENT`).
pub(super) fn spawn_within(
    namespaces: u64,
    style: Style,
    work: &Work<'_>,
    slot: &FaultSlot,
) -> Answer<(c_int, OwnedFd)> {
    let between = Intermediate { namespaces, style, work };
    let args = CloneArgs {
        flags: style.flags() | libc::CLONE_FILES as u64 | CLONE_CLEAR_SIGHAND,
        exit_signal: libc::SIGCHLD as u64,
        ..CloneArgs::default()
    };
    let quiet = Quiet::begin();
    // SAFETY: as in `spawn`; `enter_and_clone` does not return and is given a `Between`.
    let pid = unsafe { clone3(&args, enter_and_clone, (&raw const between).cast()) }?;
    drop(quiet);
    intermediate_result(pid, slot)
}

/// Waits until an intermediate process has ended.
pub(super) fn wait_for(pid: c_int) {
    // SAFETY: waiting for our own child, by its number, without asking for its status.
    while unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) } == -1
        && Errno::last().code() == libc::EINTR
    {}
}

/// The process that the intermediate process `pid` created before it ended.
fn intermediate_result(pid: c_int, slot: &FaultSlot) -> Answer<(c_int, OwnedFd)> {
    wait_for(pid);
    let pidfd = slot.pidfd.load(Ordering::SeqCst);
    if pidfd < 0 {
        return Err(CallError { syscall: Syscall::Clone3, errno: Errno::new(libc::ECHILD) });
    }
    // SAFETY: CLONE_PIDFD created the descriptor in the table that the intermediate process shared
    // with this one; nobody owns it.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    let made = slot.pid.load(Ordering::SeqCst);
    // If children start in another PID namespace, the intermediate process sees another number.
    let elsewhere = slot.intermediate.load(Ordering::SeqCst) != pid;
    let made = if elsewhere { number(&pidfd).ok().flatten().unwrap_or(made) } else { made };
    Ok((made, pidfd))
}

/// The number of a process in /proc; `None` if /proc shows another PID namespace, or the process
/// has ended.
///
/// # Errors
/// /proc is not mounted or cannot be read.
pub(super) fn number(pidfd: &OwnedFd) -> std::io::Result<Option<c_int>> {
    use std::os::fd::AsRawFd;
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd()))?;
    let pid = info.lines().find_map(|line| line.strip_prefix("Pid:"));
    Ok(pid.and_then(|pid| pid.trim().parse().ok()).filter(|pid| *pid > 0))
}

/// Notes the number of the intermediate process, and enters the namespaces of `work`. Processes
/// there must not trace this one (CVE-2016-9962).
fn enter(work: &Work<'_>) -> Answer<()> {
    // SAFETY: getpid takes nothing.
    let own = unsafe { libc::syscall(libc::SYS_getpid) };
    work.slot.intermediate.store(c_int::try_from(own).unwrap_or_default(), Ordering::SeqCst);
    if work.meets_others() {
        kernel::prctl(libc::PR_SET_DUMPABLE, 0)?;
    }
    work.enter()
}

/// Clone flags that make the new process a sibling of its creator.
const BESIDE: u64 =
    libc::CLONE_PARENT as u64 | libc::CLONE_PARENT_SETTID as u64 | libc::CLONE_PIDFD as u64;

/// The data of the intermediate process.
struct Intermediate<'a> {
    namespaces: u64,
    style: Style,
    work: &'a Work<'a>,
}

/// Enters namespaces, creates the process that performs the work, and exits.
///
/// # Safety
/// `argument` points to an [`Intermediate`].
unsafe extern "C" fn enter_and_clone(argument: *const c_void) -> ! {
    // SAFETY: what the caller promises.
    let between = unsafe { &*argument.cast::<Intermediate<'_>>() };
    let Intermediate { namespaces, style, work } = between;
    let made = enter(work).and_then(|()| {
        let args = CloneArgs {
            flags: namespaces | style.flags() | BESIDE,
            pidfd: work.slot.pidfd.as_ptr() as u64,
            parent_tid: work.slot.pid.as_ptr() as u64,
            ..CloneArgs::default()
        };
        // SAFETY: as in `spawn`.
        unsafe { clone3(&args, perform::entry, std::ptr::from_ref(*work).cast()) }
    });
    if let Err(error) = made {
        work.slot.report(None, error);
    }
    kernel::exit(0)
}

/// Creates a copy of this process in new `namespaces`: see [`mod@super::fork`]. If namespaces are
/// entered first, an intermediate process does that, as in [`spawn_within`].
pub(super) fn copy(namespaces: u64, copy: &Copy<'_>, slot: &FaultSlot) -> Answer<(c_int, OwnedFd)> {
    let mut pidfd: RawFd = -1;
    let entering = copy.work.enters();
    let quiet = Quiet::begin();
    let argument = Copying { namespaces, copy };
    if has_threads() {
        return copy_of_threads(&argument, slot);
    }
    let args = CloneArgs {
        flags: if entering {
            libc::CLONE_VFORK as u64 | libc::CLONE_FILES as u64
        } else {
            namespaces | libc::CLONE_PIDFD as u64
        },
        pidfd: if entering { 0 } else { (&raw mut pidfd) as u64 },
        exit_signal: libc::SIGCHLD as u64,
        ..CloneArgs::default()
    };
    let entry = if entering { enter_and_copy } else { go_on };
    // SAFETY: no stack and no CLONE_VM: the process has a copy of this memory. The functions do
    // not return and are given a `Copying`.
    let pid = unsafe { clone3(&args, entry, (&raw const argument).cast()) }?;
    drop(quiet);
    if !entering {
        // SAFETY: clone3 succeeded with CLONE_PIDFD: a new descriptor that nobody owns.
        return Ok((pid, unsafe { OwnedFd::from_raw_fd(pidfd) }));
    }
    intermediate_result(pid, slot)
}

/// Whether this process has more than one thread, of which one may just be ending.
fn has_threads() -> bool {
    // unshare(2): nothing happens if there is one thread, and EINVAL says that there are more.
    // SAFETY: unshare takes a number.
    let done = unsafe { libc::unshare(libc::CLONE_THREAD) };
    done != 0 && Errno::last().code() == libc::EINVAL
}

/// Whether this process has more than one thread. Waits up to a second for threads that are ending:
/// one that was joined may still be there, on a busy machine for a while.
#[must_use]
pub fn keeps_threads() -> bool {
    (0..44).all(|turn: u64| {
        std::thread::sleep(std::time::Duration::from_millis(turn));
        has_threads()
    })
}

/// The same in a program with threads. The C library's fork(2) makes the intermediate process: it
/// takes the locks of the allocator first, which another thread may hold, so a copy of that process
/// can allocate.
fn copy_of_threads(copying: &Copying<'_, '_>, slot: &FaultSlot) -> Answer<(c_int, OwnedFd)> {
    let refused = |errno| CallError { syscall: Syscall::Clone3, errno: Errno::new(errno) };
    // The number of the copy would be that of another PID namespace.
    let of = |file: &str| std::fs::read_link(format!("/proc/thread-self/ns/{file}")).ok();
    if of("pid").is_none_or(|own| of("pid_for_children") != Some(own)) {
        return Err(refused(libc::EINVAL));
    }
    FORKING.store(true, Ordering::SeqCst);
    // SAFETY: fork takes nothing; the child ends in `copy_and_end`, and never comes back here.
    let intermediate = unsafe { libc::fork() };
    if intermediate == 0 {
        copy_and_end(copying);
    }
    FORKING.store(false, Ordering::SeqCst);
    if intermediate < 0 {
        return Err(CallError { syscall: Syscall::Clone3, errno: Errno::last() });
    }
    wait_for(intermediate);
    match slot.pid.load(Ordering::SeqCst) {
        pid @ 1.. => {
            let pidfd = pidfd_open(pid).inspect_err(|_| {
                // SAFETY: the number of a child that nobody has waited for.
                unsafe { libc::kill(pid, libc::SIGKILL) };
                wait_for(pid);
            });
            Ok((pid, pidfd?))
        }
        _ => Err(refused(libc::ECHILD)),
    }
}

/// Whether the fork(2) under way is that of [`copy_of_threads`].
static FORKING: AtomicBool = AtomicBool::new(false);

/// Has children that the program itself forks begin without the state of this process: the page for
/// failures, which they would share, and the pidfd of their parent.
pub(super) fn forget_in_forks() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    extern "C" fn forget() {
        if !FORKING.load(Ordering::SeqCst) {
            FaultSlot::unmap();
            let own = OWN.swap(-1, Ordering::SeqCst);
            if own >= 0 {
                kernel::close(own);
            }
        }
    }
    ONCE.call_once(|| {
        let forget: unsafe extern "C" fn() = forget;
        // SAFETY: the function only changes atomics and makes two system calls.
        let _ = unsafe { libc::pthread_atfork(None, None, Some(forget)) };
    });
}

/// Enters the namespaces of a copy, makes it as a child of the parent of this process, and ends.
fn copy_and_end(copying: &Copying<'_, '_>) -> ! {
    let Copying { namespaces, copy } = copying;
    let entered = if copy.work.enters() { enter(&copy.work) } else { Ok(()) };
    let made = entered.and_then(|()| {
        let beside = libc::CLONE_PARENT as u64 | libc::CLONE_PARENT_SETTID as u64;
        let args = CloneArgs {
            flags: namespaces | beside,
            parent_tid: copy.work.slot.pid.as_ptr() as u64,
            ..CloneArgs::default()
        };
        // SAFETY: no stack and no CLONE_VM, and `go_on` does not return and is given a `Copying`.
        unsafe { clone3(&args, go_on, std::ptr::from_ref(copying).cast()) }
    });
    if let Err(trouble) = made {
        copy.work.slot.report(None, trouble);
    }
    kernel::exit(0)
}

/// The data of a copy, or of the intermediate process.
struct Copying<'a, 'b> {
    namespaces: u64,
    copy: &'a Copy<'b>,
}

/// # Safety
/// `argument` points to a [`Copying`].
unsafe extern "C" fn go_on(argument: *const c_void) -> ! {
    // SAFETY: what the caller promises.
    let copying = unsafe { &*argument.cast::<Copying<'_, '_>>() };
    copying.copy.run()
}

/// Enters namespaces, creates the copy, and exits.
///
/// # Safety
/// `argument` points to a [`Copying`].
unsafe extern "C" fn enter_and_copy(argument: *const c_void) -> ! {
    // SAFETY: what the caller promises.
    let copying = unsafe { &*argument.cast::<Copying<'_, '_>>() };
    let Copying { namespaces, copy } = copying;
    let made = enter(&copy.work).and_then(|()| {
        let args = CloneArgs {
            flags: namespaces | BESIDE,
            pidfd: copy.work.slot.pidfd.as_ptr() as u64,
            parent_tid: copy.work.slot.pid.as_ptr() as u64,
            ..CloneArgs::default()
        };
        // SAFETY: as in `copy`.
        unsafe { clone3(&args, go_on, argument) }
    });
    if let Err(error) = made {
        copy.work.slot.report(None, error);
    }
    kernel::exit(0)
}

/// Opens a descriptor of the process `pid`: pidfd_open(2), Linux 5.3.
///
/// # Errors
/// No such process exists.
pub fn pidfd_open(pid: c_int) -> Result<OwnedFd, CallError> {
    // SAFETY: pidfd_open takes two numbers.
    let returned = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    match c_int::try_from(returned) {
        // SAFETY: the call gave a new descriptor that nobody owns.
        Ok(descriptor @ 0..) => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        _ => Err(CallError { syscall: Syscall::PidfdOpen, errno: Errno::last() }),
    }
}

/// The pidfd of this process; negative until it is opened.
static OWN: AtomicI32 = AtomicI32::new(-1);

/// The pidfd of this process, with which a child detects that its parent has ended.
pub(super) fn own_pidfd() -> Answer<RawFd> {
    use std::os::fd::IntoRawFd;
    let known = OWN.load(Ordering::Relaxed);
    if known >= 0 {
        return Ok(known);
    }
    let pid = c_int::try_from(std::process::id()).unwrap_or_default();
    let own = pidfd_open(pid)?.into_raw_fd();
    OWN.store(own, Ordering::Relaxed);
    Ok(own)
}

/// Forgets the pidfd, because this process is a copy: the next use opens a new one.
pub(super) fn forget_own_pidfd() {
    OWN.store(-1, Ordering::Relaxed);
}
