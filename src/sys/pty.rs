//! Pseudo-terminals for programs: pty(7).

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

/// A terminal that the new process creates in its own devpts and sends through a socket.
#[derive(Clone, Copy, Debug)]
pub struct OwnTerminal {
    /// The socket.
    pub socket: RawFd,
    /// Whether standard error is the terminal, too.
    pub errors: bool,
    /// Its settings and size.
    pub state: TerminalState,
}

impl OwnTerminal {
    /// Creates it and connects the standard streams. Runs between clone and execve.
    pub(super) fn connect(&self) -> Answer<()> {
        // Other programs in a joined sandbox may have replaced the file: a link of a process would
        // lead to files that nsscript has open.
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

/// Opens the program's end of a pseudo-terminal: pty(7). It is opened through the other end,
/// because a name leads elsewhere in another mount namespace (Linux 4.13).
fn unlocked(main: c_int) -> Answer<c_int> {
    let no = 0;
    call!(Ioctl, SYS_ioctl, main, libc::TIOCSPTLCK, &raw const no)?;
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    call!(Ioctl, SYS_ioctl, main, libc::TIOCGPTPEER, flags).map(kernel::descriptor)
}

/// Makes the terminal on standard input the controlling terminal of this session.
pub(super) fn take_control() -> Answer<()> {
    call!(Ioctl, SYS_ioctl, 0, libc::TIOCSCTTY, 0).map(drop)
}

/// A message with one descriptor: cmsg(3).
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

/// Opens a pseudo-terminal of the host in this state, and returns nsscript's end and the program's
/// end.
///
/// # Errors
/// /dev/ptmx does not exist, or the limit `kernel.pty.max` is reached.
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

/// Creates a socket pair that sends a terminal.
///
/// # Errors
/// No descriptor is left.
pub fn terminal_sockets() -> Result<(OwnedFd, OwnedFd), Errno> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    Ok(socketpair(AddressFamily::Unix, SockType::Stream, None, flags)?)
}

/// Receives a descriptor from a socket; `None` if none was sent.
///
/// # Errors
/// recvmsg(2) if no descriptor or no memory is left.
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
    // The process had no descriptor left: MSG_CTRUNC.
    let mut messages = got.cmsgs().map_err(|_| Errno::new(libc::EMFILE))?;
    let first = messages.find_map(|message| match message {
        ControlMessageOwned::ScmRights(all) => all.first().copied(),
        _ => None,
    });
    // SAFETY: the kernel has made it for this process, and nobody else owns it.
    Ok(first.map(|first| unsafe { OwnedFd::from_raw_fd(first) }))
}

/// Whether this process reads from and writes to a terminal, and new ones can be created.
#[must_use]
pub fn has_terminal() -> bool {
    // A process that started without one gets none.
    static SITS: OnceLock<bool> = OnceLock::new();
    let sits =
        *SITS.get_or_init(|| is_terminal(standard_input()) && is_terminal(standard_output()));
    // These mean that no terminal can be created: after chroot(2) to a tree without devices, or at
    // the limit of pty(7). Other failures are reported when a program gets its terminal.
    let lacks = |errno: Errno| {
        matches!(
            errno.code(),
            libc::ENOENT | libc::ENOTDIR | libc::EACCES | libc::ENXIO | libc::ENOSPC
        )
    };
    sits && !open_terminal(&TerminalState::default()).is_err_and(lacks)
}
