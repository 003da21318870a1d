//! Terminals: pseudo-terminals for programs, and the state of the one that nsscript runs on.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::raw::c_int;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::errno::Errno;
use super::kernel::{self, Answer, Trouble, call};
use super::process::ready;
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
        let mut settings = std::mem::MaybeUninit::<libc::termios2>::zeroed();
        let mut window = std::mem::MaybeUninit::<libc::winsize>::zeroed();
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

    /// Every byte goes through a terminal as it is, as cfmakeraw(3) has it.
    #[must_use]
    pub fn raw(&self) -> Self {
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

/// The magic number of devpts: statfs(2).
const DEVPTS: libc::__fsword_t = 0x1cd1;

/// A terminal that the new process makes in its own devpts, and sends through a socket.
#[derive(Clone, Copy, Debug)]
pub struct OwnTerminal {
    /// The socket.
    pub socket: RawFd,
    /// Whether errors are written to the terminal, too.
    pub errors: bool,
    /// What it is like.
    pub state: TerminalState,
}

impl OwnTerminal {
    /// Makes it, and connects the standard streams. Runs between clone and execve.
    pub(super) fn connect(&self) -> Answer<()> {
        // In a sandbox that is joined others may have put something else there: a link of a process
        // would lead to what nsscript has open.
        let top = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
        let root = kernel::openat(libc::AT_FDCWD, c"/", top, 0)?;
        let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_NONBLOCK | libc::O_NOFOLLOW;
        let main = kernel::open_beneath(root, c"/dev/pts/ptmx", flags, 0);
        kernel::close(root);
        let main = main?;
        kernel::require_file_system(main, DEVPTS)?;
        let program = unlocked(main)?;
        self.state.apply(program)?;
        for number in 0..2 + c_int::from(self.errors) {
            kernel::dup3(program, number, 0)?;
        }
        send(self.socket, main)?;
        kernel::close(main);
        kernel::close(program);
        Ok(())
    }
}

/// The end of a pseudo-terminal that a program gets: pty(7). It is opened by the other end and not
/// by a name, which leads elsewhere in another mount namespace (Linux 4.13).
fn unlocked(main: c_int) -> Answer<c_int> {
    let no = 0;
    call!(Ioctl, SYS_ioctl, main, libc::TIOCSPTLCK, &raw const no)?;
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    call!(Ioctl, SYS_ioctl, main, libc::TIOCGPTPEER, flags).map(kernel::descriptor)
}

/// Makes the terminal that standard input is the one that controls this session.
pub(super) fn take_control() -> Answer<()> {
    call!(Ioctl, SYS_ioctl, 0, libc::TIOCSCTTY, 0).map(drop)
}

/// A message of one descriptor: cmsg(3).
#[repr(C)]
struct Control {
    header: libc::cmsghdr,
    descriptor: c_int,
    padding: c_int,
}

fn send(socket: c_int, descriptor: c_int) -> Answer<()> {
    let length = size_of::<libc::cmsghdr>() + size_of::<c_int>();
    let header = libc::cmsghdr {
        cmsg_len: length,
        cmsg_level: libc::SOL_SOCKET,
        cmsg_type: libc::SCM_RIGHTS,
    };
    let mut control = Control { header, descriptor, padding: 0 };
    let mut byte = [0_u8];
    let mut part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    // SAFETY: a message header of zeroes is an empty one.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    (message.msg_iov, message.msg_iovlen) = (&raw mut part, 1);
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = size_of::<Control>();
    call!(Sendmsg, SYS_sendmsg, socket, &raw const message, 0).map(drop)
}

/// A new pseudo-terminal of the host in this state: the end that stays here, and the one that a
/// program gets.
///
/// # Errors
/// There is no /dev/ptmx, or no terminal is left: kernel.pty.max.
pub fn open_terminal(state: &TerminalState) -> Result<(OwnedFd, OwnedFd), Errno> {
    let open = || {
        let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
        let main = kernel::openat(libc::AT_FDCWD, c"/dev/ptmx", flags, 0)?;
        // SAFETY: the call has given a new descriptor that nobody owns.
        let main = unsafe { OwnedFd::from_raw_fd(main) };
        let program = unlocked(main.as_raw_fd())?;
        // SAFETY: as above.
        let program = unsafe { OwnedFd::from_raw_fd(program) };
        state.apply(program.as_raw_fd())?;
        Ok((main, program))
    };
    open().map_err(|trouble: Trouble| trouble.errno)
}

/// Two ends of a socket, through which a terminal is sent.
///
/// # Errors
/// No descriptor is left.
pub fn terminal_sockets() -> Result<(OwnedFd, OwnedFd), Errno> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    Ok(socketpair(AddressFamily::Unix, SockType::Stream, None, flags)?)
}

/// The descriptor that was sent through a socket; none where nothing was.
#[must_use]
pub fn receive(socket: BorrowedFd<'_>) -> Option<OwnedFd> {
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
    let mut byte = [0];
    let mut part = [std::io::IoSliceMut::new(&mut byte)];
    let mut space = nix::cmsg_space!(RawFd);
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let got = recvmsg::<()>(socket.as_raw_fd(), &mut part, Some(&mut space), flags).ok()?;
    let first = got.cmsgs().ok()?.find_map(|message| match message {
        ControlMessageOwned::ScmRights(all) => all.first().copied(),
        _ => None,
    })?;
    // SAFETY: the kernel has made it for this process, and nobody else owns it.
    Some(unsafe { OwnedFd::from_raw_fd(first) })
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
    state: TerminalState,
    group: Option<nix::unistd::Pid>,
}

impl KeptTerminal {
    /// That of standard input; none where that is no terminal.
    #[must_use]
    pub fn of_input() -> Option<Self> {
        let input = std::io::stdin();
        let state = TerminalState::of(input.as_fd());
        state.settings?;
        Some(Self { state, group: nix::unistd::tcgetpgrp(input.as_fd()).ok() })
    }

    /// Puts back what a program has left otherwise.
    pub fn restore(&self) {
        let input = std::io::stdin();
        // Who is in the background is stopped when it changes a terminal, unless it does not care.
        let signals: SigSet = std::iter::once(Signal::SIGTTOU).collect();
        let before = SigSet::thread_get_mask();
        let blocked = signals.thread_block();
        let own = self.group == Some(nix::unistd::getpgrp());
        if own && nix::unistd::tcgetpgrp(input.as_fd()).ok() != self.group {
            let _ = nix::unistd::tcsetpgrp(input.as_fd(), nix::unistd::getpgrp());
        }
        let now = TerminalState::of(input.as_fd());
        if own && (TerminalState { window: self.state.window, ..now }) != self.state {
            self.state.restore(input.as_fd());
        }
        if let (Ok(before), Ok(())) = (before, blocked) {
            let _ = before.thread_set_mask();
        }
    }
}

/// The standard input of this process.
#[must_use]
pub fn standard_input() -> BorrowedFd<'static> {
    // SAFETY: nothing in this process closes descriptor 0; where it is closed, calls answer EBADF.
    unsafe { BorrowedFd::borrow_raw(0) }
}

/// The standard output of this process.
#[must_use]
pub fn standard_output() -> BorrowedFd<'static> {
    // SAFETY: as for the standard input.
    unsafe { BorrowedFd::borrow_raw(1) }
}

fn standard_error() -> BorrowedFd<'static> {
    // SAFETY: as for the standard input.
    unsafe { BorrowedFd::borrow_raw(2) }
}

/// The most that is written at once: what does not let a terminal wait long that has some room.
const WRITTEN: usize = 1024;

/// Writes to the standard output, past all buffers, where it takes something: how much it has
/// taken. None where it takes nothing now.
///
/// # Errors
/// write(2): nobody is there to read it.
pub fn write_output(bytes: &[u8]) -> Option<Result<usize, Errno>> {
    if bytes.is_empty() {
        return None;
    }
    let output = standard_output();
    let takes = ready(&[(output, true)], Some(std::time::Duration::ZERO));
    if !takes.is_ok_and(|it| it == [true]) {
        return None;
    }
    match nix::unistd::write(output, &bytes[..bytes.len().min(WRITTEN)]) {
        Err(nix::errno::Errno::EINTR | nix::errno::Errno::EAGAIN) => None,
        done => Some(done.map_err(Into::into)),
    }
}

/// Reads what is there of the standard input, past all buffers; none where nothing is.
///
/// # Errors
/// read(2): the terminal is gone.
pub fn read_input(buffer: &mut [u8]) -> Option<Result<usize, Errno>> {
    let input = standard_input();
    let is_there = ready(&[(input, false)], Some(std::time::Duration::ZERO));
    if !is_there.is_ok_and(|it| it == [true]) {
        return None;
    }
    match nix::unistd::read(input, buffer) {
        Err(nix::errno::Errno::EINTR | nix::errno::Errno::EAGAIN) => None,
        done => Some(done.map_err(Into::into)),
    }
}

/// Whether a person sits at a terminal that this process reads from and writes to, and others can be
/// made.
#[must_use]
pub fn has_terminal() -> bool {
    use std::io::{IsTerminal, stdin, stdout};
    let made = || open_terminal(&TerminalState::default()).is_ok();
    stdin().is_terminal() && stdout().is_terminal() && made()
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
    waits || super::signal::interrupted().is_some()
}

/// Runs a shell where this process is, with these as its standard streams and the directory that
/// `root` refers to as its own, where that is given; then this process is where it was.
///
/// # Errors
/// There is no /bin/sh.
pub fn shell(
    root: Option<RawFd>,
    input: BorrowedFd<'_>,
    output: BorrowedFd<'_>,
) -> std::io::Result<()> {
    let here = kernel::openat(libc::AT_FDCWD, c".", libc::O_PATH | libc::O_CLOEXEC, 0);
    if let Some(root) = root {
        let _ = kernel::fchdir(root);
    }
    let mut shell = std::process::Command::new("/bin/sh");
    // Without jobs: it could not give the terminal back to a group of another PID namespace.
    shell.args(["-i", "+m"]).env("PS1", "(half-built) # ");
    shell.stdin(input.try_clone_to_owned()?);
    shell.stdout(output.try_clone_to_owned()?).stderr(output.try_clone_to_owned()?);
    let done = shell.status();
    if let Ok(here) = here {
        let _ = kernel::fchdir(here);
        kernel::close(here);
    }
    done.map(drop)
}
