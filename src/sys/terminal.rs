//! Terminals: pseudo-terminals for programs, and the state of the one that nsscript runs on.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::raw::c_int;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::errno::Errno;
use super::kernel::{Answer, call};
use super::stdio::{standard_error, standard_input, standard_output, standard_stream};
use super::syscall::Syscall;

/// How a terminal treats what goes through it, and how large it is: ioctl_tty(2).
#[derive(Clone, Copy, Debug, Default)]
pub struct TerminalState {
    settings: Option<libc::termios2>,
    window: Option<libc::winsize>,
}

impl PartialEq for TerminalState {
    fn eq(&self, other: &Self) -> bool {
        let parts = |state: &Self| {
            let flags = |it: libc::termios2| (it.c_iflag, it.c_oflag, it.c_cflag, it.c_lflag);
            let settings = state.settings.map(|it| (flags(it), it.c_cc));
            (settings, state.window.map(|it| (it.ws_row, it.ws_col)))
        };
        parts(self) == parts(other)
    }
}

impl TerminalState {
    /// The state of a terminal; what is no terminal has none.
    #[must_use]
    pub fn of(terminal: BorrowedFd<'_>) -> Self {
        let terminal = terminal.as_raw_fd();
        let mut settings = MaybeUninit::<libc::termios2>::zeroed();
        let mut window = MaybeUninit::<libc::winsize>::zeroed();
        let got = call!(Ioctl, SYS_ioctl, terminal, libc::TCGETS2, settings.as_mut_ptr()).is_ok();
        // SAFETY: the kernel has filled it where it says so, and zeroes are valid.
        let settings = got.then(|| unsafe { settings.assume_init() });
        let got = call!(Ioctl, SYS_ioctl, terminal, libc::TIOCGWINSZ, window.as_mut_ptr()).is_ok();
        // SAFETY: as above.
        let window = got.then(|| unsafe { window.assume_init() });
        Self { settings, window }
    }

    /// How the standard input treats what goes through it, and how large the terminal is that a person
    /// sees: the first of the standard streams that is one.
    #[must_use]
    pub fn own() -> Self {
        let streams = [standard_input(), standard_output(), standard_error()];
        let [state, others @ ..] = streams.map(Self::of);
        let window = others.into_iter().fold(state.window, |window, it| window.or(it.window));
        Self { window, ..state }
    }

    /// Puts a terminal into this state. Runs between clone and execve, too.
    pub(super) fn apply(&self, terminal: c_int) -> Answer<()> {
        if let Some(settings) = &self.settings {
            let settings = std::ptr::from_ref(settings);
            call!(Ioctl, SYS_ioctl, terminal, libc::TCSETS2, settings)?;
        }
        self.apply_window(terminal)
    }

    fn apply_window(&self, terminal: c_int) -> Answer<()> {
        if let Some(window) = &self.window {
            let window = std::ptr::from_ref(window);
            call!(Ioctl, SYS_ioctl, terminal, libc::TIOCSWINSZ, window)?;
        }
        Ok(())
    }

    /// Gives another terminal the size of this one; its programs are told by SIGWINCH.
    pub fn resize(&self, other: BorrowedFd<'_>) {
        // What has no size keeps the one that it has.
        let _ = self.apply_window(other.as_raw_fd());
    }

    /// Puts a terminal back into this state. Its size is not this process's to set.
    pub fn restore(&self, terminal: BorrowedFd<'_>) {
        let Some(settings) = &self.settings else { return };
        let settings = std::ptr::from_ref(settings);
        // The terminal may be gone.
        let _ = call!(Ioctl, SYS_ioctl, terminal.as_raw_fd(), libc::TCSETS2, settings);
    }

    /// Has the standard input, which is in this state, pass every byte on. It is put back even where
    /// this process is made to end.
    pub fn pass_all(&self) {
        if let Some(settings) = &self.settings {
            PASSES_ALL.store(false, Ordering::Release);
            // SAFETY: while the flag is false nobody reads it, and only this thread writes.
            unsafe { (*BEFORE.0.get()).write(*settings) };
            PASSES_ALL.store(true, Ordering::Release);
        }
        self.raw().restore(standard_input());
    }

    /// Puts the standard input back into this state.
    pub fn pass_no_more(&self) {
        self.restore(standard_input());
        PASSES_ALL.store(false, Ordering::Release);
    }

    /// Leaves the standard input to others, who have set it up by now.
    pub fn leave() {
        PASSES_ALL.store(false, Ordering::Release);
    }

    /// Every byte goes through a terminal as it is, as cfmakeraw(3) has it.
    fn raw(&self) -> Self {
        let settings = self.settings.map(|mut raw| {
            raw.c_iflag &= !(libc::IGNBRK
                | libc::BRKINT
                | libc::PARMRK
                | libc::ISTRIP
                | libc::INLCR
                | libc::IGNCR
                | libc::ICRNL
                | libc::IXON);
            raw.c_oflag &= !libc::OPOST;
            raw.c_lflag &= !(libc::ECHO | libc::ECHONL | libc::ICANON | libc::ISIG | libc::IEXTEN);
            raw.c_cflag = raw.c_cflag & !(libc::CSIZE | libc::PARENB) | libc::CS8;
            (raw.c_cc[libc::VMIN], raw.c_cc[libc::VTIME]) = (1, 0);
            raw
        });
        Self { settings, window: self.window }
    }

    /// Whether it goes to the beginning of the next line at a line end by itself: `OPOST` and
    /// `ONLCR` of termios(3). What is no terminal does nothing.
    #[must_use]
    pub fn ends_lines(&self) -> bool {
        let both = libc::OPOST | libc::ONLCR;
        self.settings.is_none_or(|it| it.c_oflag & both == both)
    }

    /// Passes what is written on as it is.
    #[must_use]
    pub fn writing_as_it_is(mut self) -> Self {
        if let Some(settings) = &mut self.settings {
            settings.c_oflag &= !libc::OPOST;
        }
        self
    }

    /// What a person types to interrupt a program, where that means anything: Ctrl-C.
    #[must_use]
    pub fn interrupt(&self) -> Option<u8> {
        let settings = self.settings?;
        (settings.c_lflag & libc::ISIG != 0).then_some(settings.c_cc[libc::VINTR])
    }

    /// What a person types to end the input: Ctrl-D, where nothing else is set.
    #[must_use]
    pub fn end_of_input(&self) -> u8 {
        self.settings.map_or(4, |settings| settings.c_cc[libc::VEOF])
    }
}

/// Which terminal the standard stream with this number is, by the number of its device; none if it
/// is none.
#[must_use]
pub fn terminal_device(number: i32) -> Option<u64> {
    let stream = standard_stream(number);
    let status = is_terminal(stream).then(|| nix::sys::stat::fstat(stream).ok()).flatten();
    status.map(|status| status.st_rdev)
}

/// What is answered by what is no terminal.
const NO_TERMINAL: [i32; 5] =
    [libc::ENOTTY, libc::EINVAL, libc::EBADF, libc::ENODEV, libc::EOPNOTSUPP];

/// Whether a descriptor is of a terminal, as isatty(3) asks. One that does not answer, such as one
/// that was hung up (EIO), is one: it could still be set up and read.
#[must_use]
pub fn is_terminal(descriptor: BorrowedFd<'_>) -> bool {
    let mut settings = MaybeUninit::<libc::termios2>::zeroed();
    let asked =
        call!(Ioctl, SYS_ioctl, descriptor.as_raw_fd(), libc::TCGETS2, settings.as_mut_ptr());
    match asked {
        Ok(_) => true,
        Err(error) if NO_TERMINAL.contains(&error.errno.code()) => false,
        // Terminals are character devices.
        Err(_) => nix::sys::stat::fstat(descriptor)
            .is_ok_and(|found| found.st_mode & libc::S_IFMT == libc::S_IFCHR),
    }
}

/// What the standard input was like before it passed every byte on.
struct Before(UnsafeCell<MaybeUninit<libc::termios2>>);

// SAFETY: it is written only while `PASSES_ALL` is false, and read only while that is true.
unsafe impl Sync for Before {}

static BEFORE: Before = Before(UnsafeCell::new(MaybeUninit::zeroed()));
/// Whether the standard input passes every byte on.
static PASSES_ALL: AtomicBool = AtomicBool::new(false);

/// Puts the standard input back, where it passes every byte on and is not another's by now. A
/// handler of signals may do this.
pub(super) fn put_back() {
    if !PASSES_ALL.load(Ordering::Acquire) {
        return;
    }
    let mut group: libc::pid_t = 0;
    // SAFETY: ioctl(2) writes to the local, and reads what was written before the flag was set.
    unsafe {
        libc::syscall(libc::SYS_ioctl, 0, libc::TIOCGPGRP, &raw mut group);
        if group == libc::getpgrp() {
            libc::syscall(libc::SYS_ioctl, 0, libc::TCSETS2, BEFORE.0.get());
        }
    }
}

/// Whether this process may change and read a terminal: it is not in the background of the session
/// that the terminal controls. One that controls another session asks nobody.
#[must_use]
pub fn is_foreground(terminal: BorrowedFd<'_>) -> bool {
    nix::unistd::tcgetpgrp(terminal).is_ok_and(|group| group == nix::unistd::getpgrp())
        || nix::unistd::tcgetpgrp(terminal).is_err()
}

/// What happens to the terminal of nsscript while a program uses another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TerminalEvent {
    /// It has another size.
    Resized,
    /// nsscript is to stop.
    Stop,
    /// nsscript goes on.
    Continued,
}

/// The signals that tell of it, which come here until this is dropped: signalfd(2).
#[derive(Debug)]
pub struct TerminalEvents {
    descriptor: SignalFd,
    before: SigSet,
}

impl TerminalEvents {
    /// From here on they come here.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn watch() -> Result<Self, Errno> {
        let signals: SigSet =
            [Signal::SIGWINCH, Signal::SIGTSTP, Signal::SIGCONT].into_iter().collect();
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let descriptor = SignalFd::with_flags(&signals, flags)?;
        let before = SigSet::thread_get_mask()?;
        signals.thread_block()?;
        Ok(Self { descriptor, before })
    }

    /// What has happened.
    #[must_use]
    pub fn next(&self) -> Option<TerminalEvent> {
        let signal = self.descriptor.read_signal().ok()??;
        Some(match Signal::try_from(signal.ssi_signo.cast_signed()) {
            Ok(Signal::SIGTSTP) => TerminalEvent::Stop,
            Ok(Signal::SIGCONT) => TerminalEvent::Continued,
            _ => TerminalEvent::Resized,
        })
    }
}

impl AsFd for TerminalEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Drop for TerminalEvents {
    fn drop(&mut self) {
        let _ = self.before.thread_set_mask();
    }
}

/// Stops this process until somebody has it go on, as SIGTSTP does: not where nobody could.
pub fn stop() {
    let signal: SigSet = std::iter::once(Signal::SIGTSTP).collect();
    // It is blocked, and so comes when it no longer is.
    let _ = nix::sys::signal::raise(Signal::SIGTSTP);
    let _ = signal.thread_unblock();
    let _ = signal.thread_block();
}

/// Asks this process to end, as Ctrl-C does.
pub fn interrupt() {
    let _ = nix::sys::signal::raise(Signal::SIGINT);
}

/// What a terminal is like, and which processes are in its foreground, to be put back.
#[derive(Debug)]
pub struct KeptTerminal {
    /// Which of the standard streams it is.
    number: i32,
    state: TerminalState,
    group: Option<nix::unistd::Pid>,
}

impl KeptTerminal {
    /// That of nsscript: the first of the standard streams that is one.
    #[must_use]
    pub fn own() -> Option<Self> {
        (0..3).find_map(|number| {
            let terminal = standard_stream(number);
            let state = TerminalState::of(terminal);
            state.settings?;
            Some(Self { number, state, group: nix::unistd::tcgetpgrp(terminal).ok() })
        })
    }

    /// Puts back what a program has left otherwise.
    pub fn restore(&self) {
        let terminal = standard_stream(self.number);
        // Who is in the background is stopped when it changes a terminal, unless it does not care.
        let signals: SigSet = std::iter::once(Signal::SIGTTOU).collect();
        let before = SigSet::thread_get_mask();
        let blocked = signals.thread_block();
        let own = self.group == Some(nix::unistd::getpgrp());
        if own && nix::unistd::tcgetpgrp(terminal).ok() != self.group {
            let _ = nix::unistd::tcsetpgrp(terminal, nix::unistd::getpgrp());
        }
        let now = TerminalState::of(terminal);
        if own && (TerminalState { window: self.state.window, ..now }) != self.state {
            self.state.restore(terminal);
        }
        if let (Ok(before), Ok(())) = (before, blocked) {
            let _ = before.thread_set_mask();
        }
    }
}
