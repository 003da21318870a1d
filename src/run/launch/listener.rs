//! Listeners: processes that answer on a port in a network, without a program.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::launcher::Launcher;
use super::process::Process;
use crate::diag::{Origin, Report, quoted};
use crate::run::base::error::RunError;
use crate::run::network::Network;
use crate::run::network::probe::is_silence;
use crate::spec::Namespaces;
use crate::sys::{self, Errno, sockets};

/// The settings of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its address; all addresses if `None`.
    pub address: Option<IpAddr>,
    /// Its port.
    pub port: u16,
    /// Whether it receives datagrams instead of connections.
    pub datagrams: bool,
    /// Its answer; without one, a datagram is returned unchanged.
    pub answer: Option<Vec<u8>>,
}

impl Launcher {
    /// Starts a process that answers on a port in a network.
    ///
    /// # Errors
    /// The port is in use, or no interface has the address.
    pub fn listen(
        &self,
        network: &Network,
        listener: &Listener,
        origin: Option<&Origin>,
    ) -> Result<Process, RunError> {
        self.begin_session(origin)?;
        network.living(origin)?;
        let kind = if listener.datagrams { sockets::DATAGRAM } else { sockets::STREAM };
        let address = listener.address.unwrap_or(Ipv6Addr::UNSPECIFIED.into());
        let listen = |address: IpAddr| {
            let address = SocketAddr::new(address, listener.port);
            sys::listen_in(network.namespace().descriptor(), address, kind)
        };
        let bound = match listen(address) {
            // The kernel has no IPv6.
            Err(error) if error.errno.name() == "EAFNOSUPPORT" && listener.address.is_none() => {
                listen(IpAddr::from([0, 0, 0, 0]))
            }
            bound => bound,
        };
        let bound = bound.map_err(|error| {
            let (port, label) = (listener.port, &network.label);
            let message =
                format!("cannot listen on port {port} in the network {label}: {}", error.errno);
            let report = Report::error(message).at(origin.cloned());
            match error.errno.name().as_str() {
                "EADDRINUSE" => {
                    report.hint("another program already listens there: choose another port")
                }
                "EADDRNOTAVAIL" => {
                    let shown = quoted(address.to_string());
                    report.hint(format!(
                        "no interface of the network has the address {shown}: add \
                                         it with `.address(…)`"
                    ))
                }
                _ => report,
            }
        })?;
        let mut bound = Some(bound);
        let answer = listener.answer.clone();
        let datagrams = listener.datagrams;
        self.fork(Namespaces::NONE, origin, &mut || {
            if let Some(bound) = bound.take() {
                if datagrams {
                    echo(bound.as_fd(), answer.as_deref());
                } else {
                    serve(bound, answer.as_deref().unwrap_or_default());
                }
            }
            (Vec::new(), 0)
        })
    }
}

/// Answers datagrams until a signal arrives.
fn echo(socket: BorrowedFd<'_>, answer: Option<&[u8]>) {
    let mut buffer = vec![0; 1 << 16];
    while sys::interrupted().is_none() {
        match sys::answer_datagram(socket, &mut buffer, answer) {
            // ICMP errors for answers that nobody wanted are ignored.
            Ok(()) | Err(Errno::INTERRUPTED) => {}
            Err(errno) if is_silence(errno) => {}
            Err(_) => return,
        }
    }
}

/// The time limit for a client to send something, and to read the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers connections until a signal arrives, each in its own thread: this process does nothing
/// else.
fn serve(socket: OwnedFd, answer: &[u8]) {
    let listener = TcpListener::from(socket);
    let answer: Arc<[u8]> = answer.into();
    while sys::interrupted().is_none() {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted
                ) =>
            {
                continue;
            }
            Err(_) => return,
        };
        if answer.is_empty() {
            continue;
        }
        let answer = answer.clone();
        let spoken = std::thread::Builder::new().spawn(move || speak(stream, &answer));
        // Without a thread, the connection is closed.
        drop(spoken);
    }
}

/// Waits briefly for a client's first bytes, and answers.
fn speak(mut stream: TcpStream, answer: &[u8]) {
    let _ = stream.set_read_timeout(Some(PATIENCE / 10));
    let _ = stream.set_write_timeout(Some(PATIENCE));
    let _ = stream.read(&mut [0; 4096]);
    let _ = stream.write_all(answer).and_then(|()| stream.shutdown(Shutdown::Write));
    // Closing a connection with unread bytes would reset it and lose the answer.
    let end = Instant::now() + PATIENCE;
    while stream.read(&mut [0; 4096]).is_ok_and(|length| length > 0) && Instant::now() < end {}
}
