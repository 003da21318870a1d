//! Programs in a network, and tests of its connections.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use rhai::{Dynamic, FnPtr};

use crate::diag::Report;
use crate::run::{Exit, Input, Listener, Probe};
use crate::script::binding::addresses::Port;
use crate::script::binding::argument::{self, Bytes};
use crate::script::binding::call::Call;
use crate::script::binding::effects::Place;
use crate::script::binding::error::VerbError;
use crate::script::binding::options::options;
use crate::script::binding::value::{ProcessHandle, SharedNetwork, SharedOutput};
use crate::script::binding::verb::{Verb, verbs};
use crate::script::verbs::sandbox::command::{
    Capture, Finished, Run, Start, checked, input, opened, request, shell_command, started_streams,
    streams,
};
use crate::spec::{Command, IpProtocol, Streams};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["program.rs";
    fn run,
    fn sh,
    fn output,
    fn start,
    fn within,
    fn ping,
    fn can_connect,
    fn listen,
    fn resolver,
];

options! {
    /// How long to wait for an answer.
    struct Patience {
        /// how long to wait for an answer
        timeout: argument::Duration = "\"3s\"",
    }

    /// A question to a port.
    struct Asking {
        /// `"tcp"`, or `"udp"` to send a datagram that must be answered
        protocol: IpProtocol = "\"tcp\"",
        /// how long to wait for an answer
        timeout: argument::Duration = "\"3s\"",
    }

    /// The answers of a port.
    struct Answering {
        /// `"tcp"` or `"udp"`
        protocol: IpProtocol = "\"tcp\"",
        /// the address to listen on; the default is all addresses
        address: IpAddr = "",
        /// the answer; by default connections are closed, and datagrams are echoed
        answer: Bytes = "",
    }
}

fn time(given: Option<argument::Duration>) -> Duration {
    given.map_or(Duration::from_secs(3), |time| time.0)
}

/// Whether the protocol uses datagrams.
fn datagrams(protocol: Option<IpProtocol>, call: &Call<'_, '_>) -> Result<bool, VerbError> {
    match protocol {
        None | Some(IpProtocol::Tcp) => Ok(false),
        Some(IpProtocol::Udp) => Ok(true),
        Some(_) => {
            let report = Report::error("only `tcp` and `udp` have ports");
            Err(call.fail_at_key(
                "protocol",
                report.hint("use `ping(address)` to send an ICMP echo request"),
            ))
        }
    }
}

/// Runs a program of the host in the network until it exits.
///
/// The program is root in the network, as with `ip netns exec`, so `ip` and `nft` can change the
/// network. Its mounts are its own, and /sys shows the network. To isolate a program, run it in a
/// sandbox instead: `sandbox.network(network)`.
///
/// # Errors
/// The program does not exist. An exit status other than 0, unless `check` is false.
///
/// # Example
/// ```rhai
/// netns().run("cat /proc/net/dev");
/// ```
/// # See
/// ip-netns(8)
fn run(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    command: Command,
    options: Run,
) -> Result<Exit, VerbError> {
    run_to_end(call, &network, command, options)
}

/// Runs a shell script of the host in the network until it exits: `run(["sh", "-c", script])`.
///
/// To keep the output of a script, or to start one, pass the array to `output` or `start`.
///
/// # Errors
/// As for `run`.
///
/// # Example
/// ```rhai
/// netns().sh("cat /proc/net/dev | grep lo");
/// ```
/// # See
/// sh(1), ip-netns(8)
fn sh(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    script: String,
    options: Run,
) -> Result<Exit, VerbError> {
    run_to_end(call, &network, shell_command(script, call)?, options)
}

fn run_to_end(
    call: &Call<'_, '_>,
    network: &SharedNetwork,
    command: Command,
    options: Run,
) -> Result<Exit, VerbError> {
    let (streams, bounds) = (streams(&options, call)?, options.bounds(call)?);
    let request = request(command, streams, call);
    let plan = call.effects().plan_in_network(network, &request, call)?;
    let request = opened(request, call)?;
    let input = input(options.stdin, Input::Inherited);
    let exit = call.effects().run(&plan, &request, &input, &bounds, call)?;
    let (command, timeout) = (&request.command, bounds.timeout);
    let finished = Finished { command, written: None, timeout, lacks: None };
    checked(exit, options.check, finished, call)
}

/// Runs a program of the host in the network until it exits, and returns what it writes.
///
/// # Errors
/// As for `run`.
///
/// # Example
/// ```rhai
/// let said = netns().output("cat /proc/net/dev").stdout;
/// assert(said.contains("lo:"));
/// ```
/// # See
/// ip-netns(8)
fn output(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    command: Command,
    options: Capture,
) -> Result<SharedOutput, VerbError> {
    let bounds = options.bounds(call)?;
    let request = request(command, Streams::Captured, call);
    let plan = call.effects().plan_in_network(&network, &request, call)?;
    let input = input(options.stdin, Input::Nothing);
    let output = call.effects().output(&plan, &request, &input, &bounds, call)?;
    let (command, timeout) = (&request.command, bounds.timeout);
    let written = Some([output.stdout.as_slice(), output.stderr.as_slice()]);
    let finished = Finished { command, written, timeout, lacks: None };
    checked(output.exit, options.check, finished, call)?;
    Ok(SharedOutput(Rc::new(output)))
}

/// Starts a program of the host in the network and continues. It is killed when the recipe ends.
///
/// # Errors
/// The program does not exist.
///
/// # Example
/// ```rhai
/// let sleeper = netns("blue").start("sleep 60");
/// assert_eq(sleeper.namespace(NET), netns("blue").namespace);
/// ```
/// # See
/// ip-netns(8)
fn start(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    command: Command,
    options: Start,
) -> Result<ProcessHandle, VerbError> {
    let request = request(command, started_streams(&options, call)?, call);
    let plan = call.effects().plan_in_network(&network, &request, call)?;
    let request = opened(request, call)?;
    Ok(call.effects().start(plan, &request, call)?)
}

/// Runs a closure in a child process in the network, and returns its value.
///
/// # Errors
/// As for the function `within`.
///
/// # Example
/// ```rhai
/// assert_eq(netns().within(|| interfaces().map(|found| found.name)), ["lo"]);
/// ```
/// # See
/// setns(2)
fn within(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    closure: FnPtr,
) -> Result<Dynamic, VerbError> {
    call.effects().within(Place::Network(&network), &closure, call)
}

/// Returns whether an address answers an ICMP echo request from the network.
///
/// A new bridge port forwards packets only after up to a second, so a first answer can be slow. If
/// nothing answers, the verb waits for the whole `timeout`.
///
/// # Errors
/// The address is invalid.
///
/// # Example
/// ```rhai
/// let net = netns();
/// assert(net.ping("127.0.0.1") && net.ping("::1"));
/// assert(!net.ping("10.0.0.1", #{ timeout: "50ms" }));
/// ```
/// # See
/// ping(8), icmp(7)
fn ping(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    address: IpAddr,
    options: Patience,
) -> Result<bool, VerbError> {
    call.effects().probe(&network, Probe::Ping(address), time(options.timeout), call)
}

/// Returns whether a connection from the network to a port succeeds; with UDP, whether it answers.
///
/// # Errors
/// The address is invalid.
///
/// # Example
/// ```rhai
/// let net = netns();
/// let server = net.listen(80);
/// assert(net.can_connect("127.0.0.1", 80) && !net.can_connect("127.0.0.1", 81));
/// ```
/// # See
/// tcp(7), udp(7)
fn can_connect(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    address: IpAddr,
    port: Port,
    options: Asking,
) -> Result<bool, VerbError> {
    let address = SocketAddr::new(address, port.0);
    let by_datagram = datagrams(options.protocol, call)?;
    let asks = if by_datagram { Probe::Udp(address) } else { Probe::Tcp(address) };
    call.effects().probe(&network, asks, time(options.timeout), call)
}

/// Starts a process that answers connections or datagrams on a port of the network.
///
/// # Errors
/// The port is in use. No interface has the address.
///
/// # Example
/// ```rhai
/// let net = netns();
/// let echo = net.listen(7, #{ protocol: "udp" });
/// assert(net.can_connect("127.0.0.1", 7, #{ protocol: "udp" }));
/// let web = net.listen(80, #{ answer: "HTTP/1.0 200 OK\r\n\r\nhello\n" });
/// ```
/// # See
/// tcp(7), udp(7)
fn listen(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    port: Port,
    options: Answering,
) -> Result<ProcessHandle, VerbError> {
    let datagrams = datagrams(options.protocol, call)?;
    let answer = options.answer.map(|bytes| bytes.0);
    let listener = Listener { address: options.address, port: port.0, datagrams, answer };
    call.effects().listen(&network, &listener, call)
}

/// Sets the name servers in /etc/resolv.conf of sandboxes that join the network.
///
/// # Example
/// ```rhai
/// let net = netns().resolver(["10.0.0.53"]);
/// sandbox(rootfs().binary("cat")).network(net).run("cat /etc/resolv.conf");
/// ```
/// # See
/// resolv.conf(5)
fn resolver(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    servers: Vec<String>,
) -> Result<SharedNetwork, VerbError> {
    let mut text = String::new();
    for server in servers {
        let server = crate::spec::address(&server);
        let server = server.map_err(|invalid| call.fail(Report::from(&invalid)))?;
        text.push_str(&format!("nameserver {server}\n"));
    }
    call.effects().set_resolver(&network, text)?;
    Ok(network)
}
