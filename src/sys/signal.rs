//! Interruptions: Ctrl-C and similar signals end a recipe in good order.

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

/// A signal by its name and number: `SIGTERM (15)`. A real-time signal has only its number.
#[must_use]
pub fn signal_name(number: i32) -> String {
    match nix::sys::signal::Signal::try_from(number) {
        Ok(signal) => format!("{signal} ({number})"),
        Err(_) => format!("signal {number}"),
    }
}

/// The number of the signal called `name`, with or without `SIG`, in any case.
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
/// There is no such process, it is not permitted, or there is no such signal. No process has a
/// number below 1: kill(2) would send to many then, and so nothing is sent.
pub fn kill(pid: i32, signal: i32) -> Result<(), Errno> {
    if pid < 1 {
        return Err(Errno::new(libc::ESRCH));
    }
    // SAFETY: kill takes two numbers.
    if unsafe { libc::kill(pid, signal) } == 0 { Ok(()) } else { Err(Errno::last()) }
}

/// The last of them that came.
static LAST: AtomicI32 = AtomicI32::new(0);
/// How many came.
static COUNT: AtomicU32 = AtomicU32::new(0);
/// An eventfd that is readable once one came.
static WAKE: AtomicI32 = AtomicI32::new(-1);

/// When the last of them came, in milliseconds of CLOCK_MONOTONIC.
static WHEN: AtomicI64 = AtomicI64::new(0);

/// Whether this process ends at the next SIGALRM.
static INSISTED: AtomicBool = AtomicBool::new(false);

/// Whether a line is being read, which only Ctrl-C ends.
static READING: AtomicBool = AtomicBool::new(false);

/// Signals that come so soon after each other are one: `timeout` sends one to its program and then to
/// its group, the kernel and a shell both tell of a terminal that is gone. In milliseconds.
const ONE: i64 = 20;
/// A second one so soon after the first, in milliseconds, is of somebody who will not wait.
const SOON: i64 = 1000;
/// The time that is left then for an end in good order, in microseconds.
const LEFT: libc::suseconds_t = 250_000;

/// Ends the reading of a line: by SIGINT, again and again, as the line editor may be about to begin.
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
    // async-signal-safe. What interrupted code is told in errno stays what it was.
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
    let (one, wake) = (1_u64, WAKE.load(Ordering::Relaxed));
    // SAFETY: write(2) of eight bytes that live on this stack; it is async-signal-safe.
    unsafe {
        libc::syscall(libc::SYS_write, wake, &raw const one, 8);
        *libc::__errno_location() = errno;
    }
}

/// Has SIGALRM come in so many microseconds, or not at all.
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
    // Somebody has insisted, and this process has not ended by itself. It does as by SIGKILL: its
    // children die with it, and what it leaves in TMPDIR goes with the next run.
    super::terminal::put_back();
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

/// From here on the signals that ask to end are noted, and no longer end the process.
///
/// A signal that is ignored stays ignored: nohup(1) and background jobs of a shell mean that.
///
/// # Errors
/// eventfd(2) fails: no descriptor is left.
pub fn watch_interruptions() -> Result<(), Errno> {
    // SAFETY: eventfd takes two numbers.
    let wake: RawFd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if wake < 0 {
        return Err(Errno::last());
    }
    WAKE.store(wake, Ordering::Relaxed);
    // Ignored, as daemons and `trap '' CHLD` leave it, it has the kernel keep no exit status.
    // SAFETY: setting a default action touches no memory.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    handle(libc::SIGALRM, alarm);
    for signal in SIGNALS {
        handle(signal, note);
    }
    Ok(())
}

/// From here on a file that would grow beyond its limit is the error EFBIG, which says what is
/// wrong, and ends nobody by a signal.
pub fn fail_at_file_limits() {
    // SAFETY: ignoring a signal touches no memory.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// Has `handler` run when this signal comes, unless it is ignored.
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

/// Signals are as a program wants to find them until this is dropped: SIGPIPE, which the Rust
/// runtime ignores, and SIGXFSZ end it. Handlers end with execve(2) by themselves.
pub(super) struct AsProgramsWant(Vec<i32>);

/// `alone`, no signal is ignored, whatever has started nsscript had it so.
pub(super) fn as_programs_want(alone: bool) -> AsProgramsWant {
    let mut ignored = Vec::new();
    for signal in 1..=kernel::LAST_SIGNAL {
        let is_wanted = alone || matches!(signal, libc::SIGPIPE | libc::SIGXFSZ);
        if is_wanted && kernel::is_ignored(signal) && kernel::default_action(signal).is_ok() {
            ignored.push(signal);
        }
    }
    AsProgramsWant(ignored)
}

impl Drop for AsProgramsWant {
    fn drop(&mut self) {
        for signal in &self.0 {
            let _ = kernel::ignore(*signal);
        }
    }
}

/// Gives this process an eventfd of its own: it is a copy, and has that of its parent.
pub(super) fn renew() {
    if WAKE.load(Ordering::Relaxed) < 0 {
        return;
    }
    // SAFETY: eventfd takes two numbers.
    let wake: RawFd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    WAKE.store(wake, Ordering::Relaxed);
}

/// From here on no signal asks this process to end: it ends when its parent does.
pub fn ignore_interruptions() {
    for signal in SIGNALS {
        // SAFETY: ignoring a signal touches no memory.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// The signal that asked to end, if one came.
#[must_use]
pub fn interrupted() -> Option<i32> {
    (COUNT.load(Ordering::Acquire) > 0).then(|| LAST.load(Ordering::Relaxed))
}

/// A line editor reads, or not any more: it handles SIGINT itself as long, and no other signal.
pub fn reading_line(reads: bool) {
    READING.store(reads, Ordering::Relaxed);
}

/// What came until now asks for nothing any more: the program that it was for has ended.
pub fn forget_interruptions() {
    if INSISTED.swap(false, Ordering::Relaxed) {
        set_timer(0);
    }
    COUNT.store(0, Ordering::Release);
    let (mut value, wake) = (0_u64, WAKE.load(Ordering::Relaxed));
    // SAFETY: read(2) of eight bytes into a local; an eventfd that nothing was written to says so.
    unsafe { libc::read(wake, (&raw mut value).cast(), 8) };
}

/// Whether a signal has asked this process to end, one that is blocked too.
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

/// How many signals asked to end, and a descriptor that is readable once the first came (none
/// before [`watch_interruptions`]).
#[must_use]
pub fn interruption() -> (u32, Option<BorrowedFd<'static>>) {
    let wake = WAKE.load(Ordering::Relaxed);
    // SAFETY: once it is not negative, the descriptor stays open as long as the process lives.
    let wake = (wake >= 0).then(|| unsafe { BorrowedFd::borrow_raw(wake) });
    (COUNT.load(Ordering::Acquire), wake)
}

/// Waits for `time`, or until a signal asks to end: then false.
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
