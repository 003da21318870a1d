//! Sockets in network namespaces: netlink(7), and sockets that send packets.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::raw::{c_int, c_ulong};

use super::errno::Errno;
use super::fork::generation;
use super::kernel::{self, Answer, CallError, Syscall, call};
use super::netns_job::in_network;

/// The part of the kernel that a netlink socket talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Interfaces, addresses, routes, neighbours: rtnetlink(7).
    Route,
    /// Rules of nftables.
    Netfilter,
}

impl Protocol {
    fn number(self) -> c_int {
        match self {
            Self::Route => libc::NETLINK_ROUTE,
            Self::Netfilter => libc::NETLINK_NETFILTER,
        }
    }
}

/// The network namespace of a socket, Linux 4.10: ioctl(2).
const SIOCGSKNS: c_ulong = 0x894c;

/// A netlink socket. It stays in the network namespace in which it was created.
#[derive(Debug)]
pub struct Netlink {
    socket: OwnedFd,
    generation: u32,
}

/// The buffer size, in bytes, beyond which the kernel sends no larger messages.
const ROOM: usize = 32 << 10;

fn socket(family: c_int, kind: c_int, protocol: c_int) -> Answer<c_int> {
    let made = call!(Socket, SYS_socket, family, kind | libc::SOCK_CLOEXEC, protocol);
    made.map(kernel::descriptor)
}

impl Netlink {
    /// Opens a socket in a network namespace.
    ///
    /// # Errors
    /// setns(2) if this process has no rights over the namespace; socket(2) if the kernel lacks the
    /// protocol.
    pub fn open(namespace: BorrowedFd<'_>, protocol: Protocol) -> Result<Self, CallError> {
        let kind = libc::SOCK_RAW;
        let make = || socket(libc::AF_NETLINK, kind, protocol.number());
        Self::of(in_network(Some(namespace), &make)?)
    }

    /// Creates a network namespace, and a socket in it for its interfaces. Before that, the files
    /// `settings` of /proc/sys are written, unless that is read-only, as in containers.
    ///
    /// # Errors
    /// unshare(2) if this process may not create one, or the limit is reached.
    pub fn in_new_network(settings: &[(CString, Vec<u8>)]) -> Result<(OwnedFd, Self), CallError> {
        let make = || {
            for (path, value) in settings {
                set(path, value);
            }
            socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)
        };
        let netlink = Self::of(in_network(None, &make)?)?;
        let namespace = call!(Ioctl, SYS_ioctl, netlink.socket.as_raw_fd(), SIOCGSKNS)?;
        // SAFETY: the request succeeded and gave a new descriptor that nobody owns.
        Ok((unsafe { OwnedFd::from_raw_fd(kernel::descriptor(namespace)) }, netlink))
    }

    fn of(socket: OwnedFd) -> Result<Self, CallError> {
        let netlink = Self { socket, generation: generation() };
        // The kernel then explains errors in words, and does not repeat the request.
        netlink.set(libc::NETLINK_EXT_ACK)?;
        netlink.set(libc::NETLINK_CAP_ACK)?;
        Ok(netlink)
    }

    fn set(&self, option: c_int) -> Answer<()> {
        let (on, size) = (1 as c_int, size_of::<c_int>());
        let (socket, level) = (self.socket.as_raw_fd(), libc::SOL_NETLINK);
        call!(Setsockopt, SYS_setsockopt, socket, level, option, &raw const on, size).map(drop)
    }

    /// Whether this process opened the socket, rather than one that it is a copy of: two readers
    /// would take each other's answers.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.generation == generation()
    }

    /// Sends a request.
    ///
    /// # Errors
    /// sendto(2) if memory runs out, or the request is too large.
    pub fn send(&self, request: &[u8]) -> Result<(), CallError> {
        let (start, length, none) = (request.as_ptr(), request.len(), kernel::NULL);
        let socket = self.socket.as_raw_fd();
        call!(Sendto, SYS_sendto, socket, start, length, 0, none, 0).map(drop)
    }

    /// Receives the next answer, or a part of it.
    ///
    /// # Errors
    /// recvfrom(2) if the receive buffer overflowed.
    pub fn receive(&self) -> Result<Vec<u8>, CallError> {
        let mut buffer = vec![0_u8; ROOM];
        let (start, length, none) = (buffer.as_mut_ptr(), buffer.len(), kernel::NULL);
        let socket = self.socket.as_raw_fd();
        loop {
            match call!(Recvfrom, SYS_recvfrom, socket, start, length, 0, none, none) {
                Ok(received) => {
                    buffer.truncate(usize::try_from(received).unwrap_or_default());
                    return Ok(buffer);
                }
                Err(error) if error.errno == Errno::INTERRUPTED => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Writes a setting of the network that this process is in, if it may.
fn set(path: &CStr, value: &[u8]) {
    let opened = kernel::openat(libc::AT_FDCWD, path, libc::O_WRONLY | libc::O_CLOEXEC, 0);
    if let Ok(file) = opened {
        let _ = kernel::write_all(file, value);
        kernel::close(file);
    }
}

/// Creates a socket in a network namespace: socket(2).
///
/// # Errors
/// setns(2), socket(2).
pub fn socket_in(
    namespace: BorrowedFd<'_>,
    family: c_int,
    kind: c_int,
    protocol: c_int,
) -> Result<OwnedFd, CallError> {
    in_network(Some(namespace), &|| socket(family, kind, protocol))
}

/// Opens a file of /proc as a network namespace shows it: /proc/thread-self/net for reading,
/// /proc/sys/net for writing.
///
/// # Errors
/// setns(2); openat(2) if the file does not exist, or /proc is read-only.
pub fn open_in(namespace: BorrowedFd<'_>, path: &CStr, write: bool) -> Result<File, CallError> {
    let flags = if write { libc::O_WRONLY } else { libc::O_RDONLY } | libc::O_CLOEXEC;
    let open = || kernel::openat(libc::AT_FDCWD, path, flags, 0);
    in_network(Some(namespace), &open).map(File::from)
}

/// Creates a socket in a network namespace that listens at an address and port.
///
/// # Errors
/// bind(2) if the port is in use, or no interface has the address.
pub fn listen_in(
    namespace: BorrowedFd<'_>,
    address: std::net::SocketAddr,
    kind: c_int,
) -> Result<OwnedFd, CallError> {
    use nix::sys::socket::{Backlog, SockaddrStorage, bind, listen, setsockopt, sockopt};
    let because = |syscall| move |errno: nix::Error| CallError { syscall, errno: errno.into() };
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let socket = socket_in(namespace, family, kind, 0)?;
    let _ = setsockopt(&socket, sockopt::ReuseAddr, &true);
    if kind == libc::SOCK_DGRAM && address.is_ipv6() {
        let _ = setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true);
    }
    let storage = SockaddrStorage::from(address);
    bind(socket.as_raw_fd(), &storage).map_err(because(Syscall::Bind))?;
    if kind == libc::SOCK_STREAM {
        listen(&socket, Backlog::MAXCONN).map_err(because(Syscall::Listen))?;
    }
    Ok(socket)
}

/// Waits for a datagram and replies from the address to which it was sent, with `answer` or the
/// same data. The socket is an IPv6 socket that reports destination addresses.
///
/// # Errors
/// recvmsg(2), sendmsg(2).
pub fn answer_datagram(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    answer: Option<&[u8]>,
) -> Result<(), Errno> {
    use nix::sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg,
    };
    use std::io::{IoSlice, IoSliceMut};
    let mut space = nix::cmsg_space!(libc::in6_pktinfo);
    let descriptor = socket.as_raw_fd();
    let (length, from, mut asked) = {
        let mut parts = [IoSliceMut::new(buffer)];
        let flags = MsgFlags::empty();
        let received = recvmsg::<SockaddrStorage>(descriptor, &mut parts, Some(&mut space), flags)?;
        let asked = received.cmsgs()?.find_map(|message| match message {
            ControlMessageOwned::Ipv6PacketInfo(info) => Some(info),
            _ => None,
        });
        (received.bytes, received.address, asked)
    };
    if let Some(info) = &mut asked {
        // Any route may lead back.
        info.ipi6_ifindex = 0;
    }
    let parts = [IoSlice::new(answer.unwrap_or(&buffer[..length]))];
    let control: Vec<_> = asked.iter().map(ControlMessage::Ipv6PacketInfo).collect();
    sendmsg(descriptor, &parts, &control, MsgFlags::empty(), from.as_ref())?;
    Ok(())
}

/// The kinds of sockets that a probe needs: socket(2).
pub mod sockets {
    /// `SOCK_STREAM`.
    pub const STREAM: i32 = libc::SOCK_STREAM;
    /// `SOCK_DGRAM`.
    pub const DATAGRAM: i32 = libc::SOCK_DGRAM;
    /// `SOCK_NONBLOCK`, besides one of these.
    pub const NONBLOCKING: i32 = libc::SOCK_NONBLOCK;
    /// `SOCK_RAW`.
    pub const RAW: i32 = libc::SOCK_RAW;
    /// `AF_INET`.
    pub const FOUR: i32 = libc::AF_INET;
    /// `AF_INET6`.
    pub const SIX: i32 = libc::AF_INET6;
    /// `IPPROTO_ICMP`.
    pub const ICMP: i32 = libc::IPPROTO_ICMP;
    /// `IPPROTO_ICMPV6`.
    pub const ICMP_SIX: i32 = libc::IPPROTO_ICMPV6;
}
