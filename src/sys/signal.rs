//! Signals that ask nsscript to end, such as Ctrl-C, and an orderly exit.

use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::errno::Errno;
use super::kernel;
use super::process::ready;

/// The signals that ask nsscript to end.
const SIGNALS: [i32; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

/// The signals that a program gets while nsscript waits for it. At other times, they ask nsscript
/// to end, as their default action would.
const PASSED: [i32; 2] = [libc::SIGUSR1, libc::SIGUSR2];

/// The name and number of a signal, such as `SIGTERM (15)`; a real-time signal has only a number.
#[must_use]
pub fn signal_name(number: i32) -> String {
    match nix::sys::signal::Signal::try_from(number) {
        Ok(signal) => format!("{signal} ({number})"),
        Err(_) => format!("signal {number}"),
    }
}

/// The number of the signal `name`, with or without `SIG`, in upper or lower case.
#[must_use]
pub fn signal_number(name: &str) -> Option<i32> {
    let upper = name.to_uppercase();
    let upper = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
    upper.parse::<nix::sys::signal::Signal>().ok().map(|signal| signal as i32)
}

/// The names of all signals, without `SIG`.
#[must_use]
pub fn signal_names() -> Vec<&'static str> {
    let names = nix::sys::signal::Signal::iterator().map(nix::sys::signal::Signal::as_str);
    names.filter_map(|name| name.strip_prefix("SIG")).collect()
}

/// Sends a signal to the process with this number: kill(2).
///
/// # Errors
/// The process or the signal does not exist, or it is not permitted. Numbers below 1 are refused,
/// because kill(2) would signal many processes.
pub fn kill(pid: i32, signal: i32) -> Result<(), Errno> {
    if pid < 1 {
        return Err(Errno::new(libc::ESRCH));
    }
    // SAFETY: kill takes two numbers.
    if unsafe { libc::kill(pid, signal) } == 0 { Ok(()) } else { Err(Errno::last()) }
}

/// The last signal that arrived.
static LAST: AtomicI32 = AtomicI32::new(0);
/// The number of signals that arrived.
static COUNT: AtomicU32 = AtomicU32::new(0);
/// An eventfd that is readable after the first signal.
static WAKE: AtomicI32 = AtomicI32::new(-1);

/// The time of the last signal, in milliseconds of CLOCK_MONOTONIC.
static WHEN: AtomicI64 = AtomicI64::new(0);

/// Whether this process exits at the next SIGALRM.
static INSISTED: AtomicBool = AtomicBool::new(false);

/// Whether a line is being read, which only Ctrl-C ends.
static READING: AtomicBool = AtomicBool::new(false);

/// The number of waits for programs under way.
static WAITS: AtomicU32 = AtomicU32::new(0);

/// The signals to pass on to the program, as bits.
static PENDING: AtomicU32 = AtomicU32::new(0);

/// The interval, in milliseconds, in which signals count as one: `timeout` signals its program and
/// then its group, and both the kernel and a shell report a lost terminal.
const ONE: i64 = 20;
/// The interval, in milliseconds, in which a second signal means that somebody does not want to
/// wait.
const SOON: i64 = 1000;
/// The time that is then left for an orderly exit, in microseconds.
const LEFT: libc::suseconds_t = 250_000;

/// Interrupts the line editor by SIGINT, repeatedly, because it may just be starting.
fn wake_reader() {
    if READING.load(Ordering::Relaxed) {
        // SAFETY: kill(2) of this process and alarm(2), which take numbers; both are
        // async-signal-safe.
        unsafe {
            libc::kill(libc::getpid(), libc::SIGINT);
            libc::alarm(1);
        }
    }
}

extern "C" fn note(signal: i32) {
    let mut now = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: clock_gettime(2) fills the local, which all zero is valid for, and is
    // async-signal-safe. The errno of the interrupted code is restored.
    let (errno, now) = unsafe {
        let errno = *libc::__errno_location();
        libc::clock_gettime(libc::CLOCK_MONOTONIC, now.as_mut_ptr());
        (errno, now.assume_init())
    };
    let now = now.tv_sec * 1000 + now.tv_nsec / 1_000_000;
    let since = now - WHEN.swap(now, Ordering::Relaxed);
    let comes_again = COUNT.load(Ordering::Relaxed) > 0;
    let fatal = comes_again && LAST.load(Ordering::Relaxed) != libc::SIGINT;
    if signal != libc::SIGINT || !fatal {
        LAST.store(signal, Ordering::Relaxed);
    }
    if signal != libc::SIGINT {
        wake_reader();
    }
    if !comes_again || since >= ONE {
        COUNT.fetch_add(1, Ordering::Release);
    }
    let insists = matches!(signal, libc::SIGINT | libc::SIGTERM) && (ONE..SOON).contains(&since);
    if comes_again && insists && !READING.load(Ordering::Relaxed) {
        INSISTED.store(true, Ordering::Relaxed);
        set_timer(LEFT);
    }
    wake_waits();
    // SAFETY: this thread's errno has an address of its own.
    unsafe { *libc::__errno_location() = errno };
}

/// Makes [`WAKE`] readable.
fn wake_waits() {
    let (one, wake) = (1_u64, WAKE.load(Ordering::Relaxed));
    // SAFETY: write(2) of eight bytes that live on this stack; it is async-signal-safe.
    unsafe { libc::syscall(libc::SYS_write, wake, &raw const one, 8) };
}

extern "C" fn pass(signal: i32) {
    if WAITS.load(Ordering::Relaxed) == 0 {
        return note(signal);
    }
    PENDING.fetch_or(1 << signal, Ordering::Relaxed);
    // SAFETY: as above; the errno of the interrupted code is restored.
    unsafe {
        let errno = *libc::__errno_location();
        wake_waits();
        *libc::__errno_location() = errno;
    }
}

/// A wait for a program, which gets the signals that are passed on meanwhile.
#[derive(Debug)]
pub struct Waiting(());

impl Waiting {
    /// Begins a wait.
    #[must_use]
    pub fn begin() -> Self {
        WAITS.fetch_add(1, Ordering::Relaxed);
        Self(())
    }

    /// The signals that arrived for the program since the last call.
    pub fn signals(&self) -> impl Iterator<Item = i32> + use<> {
        let Self(()) = self;
        let pending = PENDING.swap(0, Ordering::Relaxed);
        if pending != 0 && interrupted().is_none() {
            drain_wake();
        }
        PASSED.into_iter().filter(move |signal| pending >> signal & 1 == 1)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // A signal for a program that has just ended is for nobody.
        if WAITS.fetch_sub(1, Ordering::Relaxed) == 1 {
            let _ = self.signals();
        }
    }
}

/// Makes [`WAKE`] wait for the next signal.
fn drain_wake() {
    let (mut value, wake) = (0_u64, WAKE.load(Ordering::Relaxed));
    // SAFETY: read(2) of eight bytes into a local; an eventfd without a value returns an error.
    unsafe { libc::read(wake, (&raw mut value).cast(), 8) };
}

/// Sets a timer for SIGALRM in microseconds; 0 disables it.
fn set_timer(microseconds: libc::suseconds_t) {
    let never = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let then = libc::timeval { tv_sec: 0, tv_usec: microseconds };
    let timer = libc::itimerval { it_interval: never, it_value: then };
    // SAFETY: setitimer(2) reads the local; it is one system call, and so async-signal-safe.
    unsafe { libc::syscall(libc::SYS_setitimer, libc::ITIMER_REAL, &raw const timer, 0) };
}

extern "C" fn alarm(_: i32) {
    if !INSISTED.load(Ordering::Relaxed) {
        return wake_reader();
    }
    // Somebody insisted, and this process has not exited in time. It dies as by SIGKILL: its
    // children die with it, and the next run removes its directory in TMPDIR.
    super::terminal::restore_input();
    let signal = LAST.load(Ordering::Relaxed);
    // SAFETY: the set is valid once it is emptied, and the default action of a signal that is not
    // blocked ends this process; all of it is async-signal-safe.
    unsafe {
        let mut set = MaybeUninit::<libc::sigset_t>::zeroed().assume_init();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::signal(signal, libc::SIG_DFL);
        libc::kill(libc::getpid(), signal);
        libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut());
    }
}

/// Makes the signals that ask nsscript to end set a note instead of ending the process.
///
/// Ignored signals stay ignored, as nohup(1) and background jobs of a shell expect.
///
/// # Errors
/// eventfd(2) if no descriptor is left.
pub fn watch_interruptions() -> Result<(), Errno> {
    // SAFETY: eventfd takes two numbers.
    let wake: RawFd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if wake < 0 {
        return Err(Errno::last());
    }
    WAKE.store(wake, Ordering::Relaxed);
    // If SIGCHLD is ignored, as after `trap '' CHLD`, the kernel keeps no exit status. SAFETY:
    // setting a default action touches no memory.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    handle(libc::SIGALRM, alarm);
    for signal in SIGNALS {
        handle(signal, note);
    }
    for signal in PASSED {
        handle(signal, pass);
    }
    Ok(())
}

/// Makes writing beyond the file size limit fail with EFBIG, instead of raising a signal.
pub fn fail_at_file_limits() {
    // SAFETY: ignoring a signal touches no memory.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// Installs `handler` for a signal, unless the signal is ignored.
fn handle(signal: i32, handler: extern "C" fn(i32)) {
    // SAFETY: all zero is a valid sigaction; the handlers only do what a handler may do, and both
    // pointers are of locals.
    unsafe {
        let mut old = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
        libc::sigaction(signal, ptr::null(), &raw mut old);
        if old.sa_sigaction == libc::SIG_IGN && signal != libc::SIGALRM {
            return;
        }
        let mut new = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
        new.sa_sigaction = handler as usize;
        libc::sigaction(signal, &raw const new, ptr::null_mut());
    }
}

/// Signal actions for a program that is executed, restored on drop: SIGPIPE, which the Rust runtime
/// ignores, and SIGXFSZ have their defaults. execve(2) resets handlers.
pub(super) struct ProgramSignals(Vec<i32>);

/// Sets signal actions for a program. With `alone`, no signal is ignored, even if one was when
/// nsscript started.
pub(super) fn program_signals(alone: bool) -> ProgramSignals {
    let mut ignored = Vec::new();
    for signal in 1..=kernel::LAST_SIGNAL {
        let is_wanted = alone || matches!(signal, libc::SIGPIPE | libc::SIGXFSZ);
        if is_wanted && kernel::is_ignored(signal) && kernel::default_action(signal).is_ok() {
            ignored.push(signal);
        }
    }
    ProgramSignals(ignored)
}

impl Drop for ProgramSignals {
    fn drop(&mut self) {
        for signal in &self.0 {
            let _ = kernel::ignore(*signal);
        }
    }
}

/// Opens a new eventfd for this process, which is a copy and has its parent's.
pub(super) fn renew() {
    WAITS.store(0, Ordering::Relaxed);
    PENDING.store(0, Ordering::Relaxed);
    if WAKE.load(Ordering::Relaxed) < 0 {
        return;
    }
    // SAFETY: eventfd takes two numbers.
    let wake: RawFd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    WAKE.store(wake, Ordering::Relaxed);
}

/// Ignores the signals that ask nsscript to end: this process ends with its parent.
pub fn ignore_interruptions() {
    for signal in SIGNALS.into_iter().chain(PASSED) {
        // SAFETY: ignoring a signal touches no memory.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// The signal that asked nsscript to end, if any.
#[must_use]
pub fn interrupted() -> Option<i32> {
    (COUNT.load(Ordering::Acquire) > 0).then(|| LAST.load(Ordering::Relaxed))
}

/// Notes whether the line editor is reading: it handles SIGINT itself meanwhile, but no other
/// signal.
pub fn reading_line(reads: bool) {
    READING.store(reads, Ordering::Relaxed);
}

/// Forgets the signals so far, because the program that they were for has ended.
pub fn forget_interruptions() {
    if INSISTED.swap(false, Ordering::Relaxed) {
        set_timer(0);
    }
    COUNT.store(0, Ordering::Release);
    drain_wake();
}

/// Whether a signal has asked nsscript to end, including blocked signals.
#[must_use]
pub fn is_asked_to_end() -> bool {
    const SIGNALS: [i32; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];
    let mut pending = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: sigpending fills the set, which all zero is a valid one; sigismember reads it.
    let waits = unsafe {
        libc::sigpending(pending.as_mut_ptr());
        SIGNALS.iter().any(|signal| libc::sigismember(pending.as_ptr(), *signal) == 1)
    };
    waits || interrupted().is_some()
}

/// The number of signals that asked nsscript to end, and a descriptor that is readable after the
/// first; `None` before [`watch_interruptions`].
#[must_use]
pub fn interruption() -> (u32, Option<BorrowedFd<'static>>) {
    let wake = WAKE.load(Ordering::Relaxed);
    // SAFETY: once it is not negative, the descriptor stays open as long as the process lives.
    let wake = (wake >= 0).then(|| unsafe { BorrowedFd::borrow_raw(wake) });
    (COUNT.load(Ordering::Acquire), wake)
}

/// Waits for `time`; returns false early if a signal asks nsscript to end.
#[must_use]
pub fn pause(time: Duration) -> bool {
    let end = Instant::now() + time;
    loop {
        if interrupted().is_some() {
            return false;
        }
        let Some(left) = end.checked_duration_since(Instant::now()) else { return true };
        let wake: Vec<_> = interruption().1.iter().map(|wake| (*wake, false)).collect();
        // Rounded up, so that the wait does not end a moment early and spin.
        if ready(&wake, Some(left + Duration::from_millis(1))).is_err() {
            return true;
        }
    }
}
