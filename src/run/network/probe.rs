//! Probes: whether something answers in a network, without any program.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use super::{Network, Networks};
use crate::diag::{Origin, Report};
use crate::run::base::error::{Interrupted, RunError};
use crate::sys::{self, CallError, Errno, sockets};

/// What is asked for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A machine: by ICMP, as ping(8) does.
    Ping(IpAddr),
    /// A port that connections can be made to.
    Tcp(SocketAddr),
    /// A port that answers to a datagram.
    Udp(SocketAddr),
}

impl Probe {
    /// Whom it asks.
    fn address(self) -> IpAddr {
        match self {
            Self::Ping(address) => address,
            Self::Tcp(address) | Self::Udp(address) => address.ip(),
        }
    }
}

/// How long one request is waited for before the next is sent.
const AGAIN: Duration = Duration::from_millis(200);

/// The socket of a probe. The functions of `UdpSocket` are system calls that every socket takes.
fn socket(namespace: BorrowedFd<'_>, probe: Probe) -> Result<UdpSocket, CallError> {
    let (address, kind) = match probe {
        Probe::Ping(address) => (address, sockets::RAW),
        Probe::Tcp(address) => (address.ip(), sockets::STREAM),
        Probe::Udp(address) => (address.ip(), sockets::DATAGRAM),
    };
    let family = if address.is_ipv4() { sockets::FOUR } else { sockets::SIX };
    let protocol = match probe {
        Probe::Ping(IpAddr::V4(_)) => sockets::ICMP,
        Probe::Ping(IpAddr::V6(_)) => sockets::ICMP_SIX,
        Probe::Tcp(_) | Probe::Udp(_) => 0,
    };
    sys::socket_in(namespace, family, kind | sockets::NONBLOCKING, protocol).map(UdpSocket::from)
}

/// An echo request: RFC 792, RFC 4443.
fn request(address: IpAddr, number: u16) -> Vec<u8> {
    let kind = if address.is_ipv4() { 8 } else { 128 };
    let mut packet = vec![kind, 0, 0, 0];
    packet.extend(own_number().to_be_bytes());
    packet.extend(number.to_be_bytes());
    packet.extend(b"nsscript");
    if address.is_ipv4() {
        let words = packet.chunks(2).map(|two| u32::from(two[0]) << 8 | u32::from(two[1]));
        let mut sum: u32 = words.sum();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        let sum = !u16::try_from(sum).unwrap_or_default();
        packet[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    packet
}

/// What tells the answers to this process from others.
fn own_number() -> u16 {
    (std::process::id() & 0xffff) as u16
}

/// Whether a packet answers to one of our requests.
fn is_answer(address: IpAddr, packet: &[u8]) -> bool {
    let (packet, kind) = match address {
        // Before it stands the header of the packet, as many words as it says.
        IpAddr::V4(_) => {
            let header = packet.first().map_or(0, |first| usize::from(first & 0xf) * 4);
            (packet.get(header..).unwrap_or_default(), 0)
        }
        IpAddr::V6(_) => (packet, 129),
    };
    packet.first() == Some(&kind) && packet.get(4..6) == Some(&own_number().to_be_bytes()[..])
}

/// How long the answer took; none where none came in time.
fn answer(socket: &UdpSocket, probe: Probe, time: Duration) -> io::Result<Option<Duration>> {
    let started = Instant::now();
    let address = match probe {
        Probe::Ping(address) => SocketAddr::new(address, 0),
        Probe::Tcp(address) | Probe::Udp(address) => address,
    };
    match again(|| socket.connect(address)) {
        Err(error) if Errno::from(&error).name() == "EINPROGRESS" => {}
        done => done?,
    }
    let end = started + time;
    if let Probe::Tcp(_) = probe {
        let is_done = wait(socket, true, end)?;
        let refused = if is_done { socket.take_error()? } else { None };
        return refused.map_or(Ok(is_done.then(|| started.elapsed())), Err);
    }
    let mut number = 0;
    while sys::interrupted().is_none() && Instant::now() < end {
        match probe {
            Probe::Ping(address) => again(|| socket.send(&request(address, number)))?,
            _ => again(|| socket.send(b"nsscript"))?,
        };
        number += 1;
        let next = end.min(Instant::now() + AGAIN);
        while wait(socket, false, next)? {
            let mut buffer = [0; 1500];
            match again(|| socket.recv(&mut buffer)) {
                Ok(length) => match probe {
                    Probe::Ping(address) if !is_answer(address, &buffer[..length]) => {}
                    _ => return Ok(Some(started.elapsed())),
                },
                // Its checksum was wrong: select(2).
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(None)
}

/// Makes a call again that a signal has interrupted which asks for nothing.
fn again<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error)
                if error.kind() == ErrorKind::Interrupted && sys::interrupted().is_none() => {}
            done => return done,
        }
    }
}

/// Waits until a socket has something, or takes something; false if the time is over or a signal
/// asks nsscript to end.
fn wait(socket: &UdpSocket, writes: bool, end: Instant) -> io::Result<bool> {
    while sys::interrupted().is_none() {
        let Some(left) = end.checked_duration_since(Instant::now()) else { break };
        let mut watched = vec![(socket.as_fd(), writes)];
        watched.extend(sys::interruption().1.map(|wake| (wake, false)));
        if sys::ready(&watched, Some(left + Duration::from_millis(1)))?.first() == Some(&true) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether an error says that nobody answers there, rather than that nobody could be asked.
pub(in crate::run) fn is_silence(errno: Errno) -> bool {
    let silent = [
        "ECONNREFUSED",
        "EHOSTUNREACH",
        "ENETUNREACH",
        "EHOSTDOWN",
        "ETIMEDOUT",
        "ECONNRESET",
        "EADDRNOTAVAIL",
        "ENETDOWN",
        // What filters and routes that prohibit say.
        "EACCES",
        "EPERM",
        // What a route to a black hole says.
        "EINVAL",
    ];
    silent.contains(&errno.name().as_str())
}

impl Networks {
    /// Asks for an answer in a network: gives how long it took, or none where there was none in
    /// `time`.
    ///
    /// # Errors
    /// Nobody could be asked: this process has no rights over the network.
    pub fn probe(
        &self,
        network: &Network,
        probe: Probe,
        time: Duration,
        origin: Option<&Origin>,
    ) -> Result<Option<Duration>, RunError> {
        network.living(origin)?;
        let socket = socket(network.namespace.descriptor().as_fd(), probe).map_err(|trouble| {
            let message = format!("cannot ask in the network {}: {}", network.label, trouble.errno);
            let mut report = Report::error(message).at(origin.cloned());
            report.facts.errno = Some(trouble.errno.code());
            report
        })?;
        let answered = answer(&socket, probe, time);
        if let Some(signal) = sys::interrupted() {
            return Err(Interrupted { signal }.into());
        }
        match answered {
            Ok(took) => Ok(took),
            Err(error) if is_silence(Errno::from(&error)) => Ok(None),
            Err(error) => {
                let errno = Errno::from(&error);
                let whom = probe.address();
                let message =
                    format!("cannot ask {whom} in the network {}: {errno}", network.label);
                let report = Report::error(message).at(origin.cloned());
                let is_link_local = matches!(whom, IpAddr::V6(six) if six.is_unicast_link_local());
                Err(if is_link_local {
                    report.hint("an address that is only of its link says nothing of which link: another one is asked")
                } else {
                    report
                }
                .into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{is_answer, request};

    #[test]
    fn the_sum_of_an_echo_request_is_that_of_its_words() {
        let packet = request([10, 0, 0, 1].into(), 7);
        let sum: u32 = packet.chunks(2).map(|two| u32::from(two[0]) << 8 | u32::from(two[1])).sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
    }

    #[test]
    fn an_answer_is_one_to_this_process() {
        let mut packet = vec![0x45; 20];
        packet.extend(request([10, 0, 0, 1].into(), 7));
        assert!(!is_answer([10, 0, 0, 1].into(), &packet));
        packet[20] = 0;
        assert!(is_answer([10, 0, 0, 1].into(), &packet));
        packet[24] ^= 1;
        assert!(!is_answer([10, 0, 0, 1].into(), &packet));
        assert!(!is_answer([10, 0, 0, 1].into(), &[]));
    }
}
