//! The terminal on which nsscript runs: its settings, its size and its signals.

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

/// The settings and size of a terminal: ioctl_tty(2).
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
    /// The state of a terminal; empty if it is not a terminal.
    #[must_use]
    pub fn of(terminal: BorrowedFd<'_>) -> Self {
        let terminal = terminal.as_raw_fd();
        let mut settings = MaybeUninit::<libc::termios2>::zeroed();
        let mut window = MaybeUninit::<libc::winsize>::zeroed();
        let got = call!(Ioctl, SYS_ioctl, terminal, libc::TCGETS2, settings.as_mut_ptr()).is_ok();
        // SAFETY: the kernel fills it on success, and zeroes are valid.
        let settings = got.then(|| unsafe { settings.assume_init() });
        let got = call!(Ioctl, SYS_ioctl, terminal, libc::TIOCGWINSZ, window.as_mut_ptr()).is_ok();
        // SAFETY: as above.
        let window = got.then(|| unsafe { window.assume_init() });
        Self { settings, window }
    }

    /// The settings of the standard input, and the size of the first standard stream that is a
    /// terminal.
    #[must_use]
    pub fn own() -> Self {
        let streams = [standard_input(), standard_output(), standard_error()];
        let [state, others @ ..] = streams.map(Self::of);
        let window = others.into_iter().fold(state.window, |window, it| window.or(it.window));
        Self { window, ..state }
    }

    /// Applies this state to a terminal. It may run between clone and execve.
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

    /// Gives another terminal the size of this one; its programs get SIGWINCH.
    pub fn resize(&self, other: BorrowedFd<'_>) {
        // A terminal without a size changes nothing.
        let _ = self.apply_window(other.as_raw_fd());
    }

    /// Restores the settings of a terminal, but not its size.
    pub fn restore(&self, terminal: BorrowedFd<'_>) {
        let Some(settings) = &self.settings else { return };
        let settings = std::ptr::from_ref(settings);
        // The terminal may be gone.
        let _ = call!(Ioctl, SYS_ioctl, terminal.as_raw_fd(), libc::TCSETS2, settings);
    }

    /// Switches the standard input, which is in this state, to raw mode. It is restored even if a
    /// signal ends this process.
    pub fn enter_raw_mode(&self) {
        if let Some(settings) = &self.settings {
            RAW_MODE.store(false, Ordering::Release);
            // SAFETY: while the flag is false nobody reads it, and only this thread writes.
            unsafe { (*BEFORE.0.get()).write(*settings) };
            RAW_MODE.store(true, Ordering::Release);
        }
        self.raw().restore(standard_input());
    }

    /// Restores the standard input to this state.
    pub fn leave_raw_mode(&self) {
        self.restore(standard_input());
        RAW_MODE.store(false, Ordering::Release);
    }

    /// Forgets the raw mode of the standard input, because another program has changed it by now.
    pub fn leave() {
        RAW_MODE.store(false, Ordering::Release);
    }

    /// The raw mode of this state, as of cfmakeraw(3).
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

    /// Whether the terminal adds a carriage return to line ends: `OPOST` and `ONLCR` of termios(3).
    /// False if it is not a terminal.
    #[must_use]
    pub fn ends_lines(&self) -> bool {
        let both = libc::OPOST | libc::ONLCR;
        self.settings.is_none_or(|it| it.c_oflag & both == both)
    }

    /// Disables output processing.
    #[must_use]
    pub fn writing_as_it_is(mut self) -> Self {
        if let Some(settings) = &mut self.settings {
            settings.c_oflag &= !libc::OPOST;
        }
        self
    }

    /// The character that interrupts a program, if enabled: Ctrl-C.
    #[must_use]
    pub fn interrupt(&self) -> Option<u8> {
        let settings = self.settings?;
        (settings.c_lflag & libc::ISIG != 0).then_some(settings.c_cc[libc::VINTR])
    }

    /// The character that ends the input: Ctrl-D by default.
    #[must_use]
    pub fn end_of_input(&self) -> u8 {
        self.settings.map_or(4, |settings| settings.c_cc[libc::VEOF])
    }
}

/// The device number of the terminal on the standard stream with this number; `None` if it is not a
/// terminal.
#[must_use]
pub fn terminal_device(number: i32) -> Option<u64> {
    let stream = standard_stream(number);
    let status = is_terminal(stream).then(|| nix::sys::stat::fstat(stream).ok()).flatten();
    status.map(|status| status.st_rdev)
}

/// The errors of files that are not terminals.
pub(super) const NO_TERMINAL: [i32; 5] =
    [libc::ENOTTY, libc::EINVAL, libc::EBADF, libc::ENODEV, libc::EOPNOTSUPP];

/// Whether a descriptor is a terminal, as isatty(3). A terminal that does not respond, such as
/// after a hangup (EIO), counts as one.
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

/// The state of the standard input before raw mode.
struct Before(UnsafeCell<MaybeUninit<libc::termios2>>);

// SAFETY: it is written only while `RAW_MODE` is false, and read only while that is true.
unsafe impl Sync for Before {}

static BEFORE: Before = Before(UnsafeCell::new(MaybeUninit::zeroed()));
/// Whether the standard input is in raw mode.
static RAW_MODE: AtomicBool = AtomicBool::new(false);

/// Restores the standard input from raw mode, unless another program uses it by now. Signal
/// handlers may call this.
pub(super) fn restore_input() {
    if !RAW_MODE.load(Ordering::Acquire) {
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
/// that the terminal controls. A terminal of another session may always be used.
#[must_use]
pub fn is_foreground(terminal: BorrowedFd<'_>) -> bool {
    nix::unistd::tcgetpgrp(terminal).is_ok_and(|group| group == nix::unistd::getpgrp())
        || nix::unistd::tcgetpgrp(terminal).is_err()
}

/// Events of nsscript's terminal while a program uses another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TerminalEvent {
    /// Its size changed.
    Resized,
    /// nsscript must stop.
    Stop,
    /// nsscript continues.
    Continued,
}

/// The signals of these events, received here until this is dropped: signalfd(2).
#[derive(Debug)]
pub struct TerminalEvents {
    descriptor: SignalFd,
    before: SigSet,
}

impl TerminalEvents {
    /// Starts receiving them.
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

    /// The events that occurred.
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

/// Stops this process until it is continued, as SIGTSTP does, unless nobody could continue it.
pub fn stop() {
    let signal: SigSet = std::iter::once(Signal::SIGTSTP).collect();
    // The signal is blocked, and is delivered when it is unblocked.
    let _ = nix::sys::signal::raise(Signal::SIGTSTP);
    let _ = signal.thread_unblock();
    let _ = signal.thread_block();
}

/// Interrupts this process, as Ctrl-C does.
pub fn interrupt() {
    let _ = nix::sys::signal::raise(Signal::SIGINT);
}

/// The state and foreground process group of a terminal, to be restored.
#[derive(Debug)]
pub struct KeptTerminal {
    /// The number of the standard stream.
    number: i32,
    state: TerminalState,
    group: Option<nix::unistd::Pid>,
}

impl KeptTerminal {
    /// Saves the terminal of nsscript: the first standard stream that is a terminal.
    #[must_use]
    pub fn own() -> Option<Self> {
        (0..3).find_map(|number| {
            let terminal = standard_stream(number);
            let state = TerminalState::of(terminal);
            state.settings?;
            Some(Self { number, state, group: nix::unistd::tcgetpgrp(terminal).ok() })
        })
    }

    /// Restores what a program has changed.
    pub fn restore(&self) {
        let terminal = standard_stream(self.number);
        // A background process is stopped when it changes a terminal, unless it ignores SIGTTOU.
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
