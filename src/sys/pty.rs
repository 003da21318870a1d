//! Pseudo-terminals: those that programs get, pty(7).

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::raw::c_int;
use std::sync::OnceLock;

use super::errno::Errno;
use super::kernel::{self, Answer, CallError, call};
use super::stdio::{standard_input, standard_output};
use super::syscall::Syscall;
use super::terminal::{TerminalState, is_terminal};

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
    open().map_err(|error: CallError| error.errno)
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

/// The descriptor that was sent through a socket; none if nothing was.
///
/// # Errors
/// recvmsg(2): no descriptor, or no memory, is left.
pub fn receive(socket: BorrowedFd<'_>) -> Result<Option<OwnedFd>, Errno> {
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
    let mut byte = [0];
    let mut part = [std::io::IoSliceMut::new(&mut byte)];
    let mut space = nix::cmsg_space!(RawFd);
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let got = loop {
        match recvmsg::<()>(socket.as_raw_fd(), &mut part, Some(&mut space), flags) {
            Err(nix::Error::EINTR) => {}
            Err(nix::Error::EAGAIN) => return Ok(None),
            got => break got?,
        }
    };
    // The kernel has no descriptor left for what was sent: MSG_CTRUNC.
    let mut messages = got.cmsgs().map_err(|_| Errno::new(libc::EMFILE))?;
    let first = messages.find_map(|message| match message {
        ControlMessageOwned::ScmRights(all) => all.first().copied(),
        _ => None,
    });
    // SAFETY: the kernel has made it for this process, and nobody else owns it.
    Ok(first.map(|first| unsafe { OwnedFd::from_raw_fd(first) }))
}

/// Whether a person sits at a terminal that this process reads from and writes to, and others can be
/// made.
#[must_use]
pub fn has_terminal() -> bool {
    // Who starts with none gets none.
    static SITS: OnceLock<bool> = OnceLock::new();
    let sits =
        *SITS.get_or_init(|| is_terminal(standard_input()) && is_terminal(standard_output()));
    // Where there are no others: chroot(2) to a tree without devices, and pty(7) on the limit. What
    // fails otherwise is an error once a terminal is made for a program.
    let lacks = |errno: Errno| {
        matches!(
            errno.code(),
            libc::ENOENT | libc::ENOTDIR | libc::EACCES | libc::ENXIO | libc::ENOSPC
        )
    };
    sits && !open_terminal(&TerminalState::default()).is_err_and(lacks)
}
