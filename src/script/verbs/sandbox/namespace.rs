//! The namespaces of a sandbox.

use rhai::{Array, Dynamic};

use crate::diag::{Report, closest, quoted};
use crate::ops::{Pod, Sandbox, What};
use crate::script::binding::argument::a_kind;
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::options::options;
use crate::script::binding::value::{ProcessHandle, SharedNetwork};
use crate::script::binding::verb::{Verb, verbs};
use crate::spec::{Forwarded, Kind, Namespaces, NetworkChoice, Outbound};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["namespace.rs";
    fn unshare,
    fn share,
    fn join,
    fn network,
];

options! {
    /// The ports that the host forwards into a sandbox.
    struct Ports {
        /// the TCP ports that the host forwards into the sandbox: numbers, or strings such as
        /// `"8080:80"` with the host's port first; on 127.0.0.1, or another address:
        /// `"0.0.0.0:8080:80"`
        tcp: Array = "[]",
        /// the UDP ports, in the same form
        udp: Array = "[]",
    }
}

/// Converts the argument of `network`.
fn choice(value: &Dynamic, ports: Ports, call: &Call<'_, '_>) -> Result<NetworkChoice, VerbError> {
    if let Some(network) = value.read_lock::<SharedNetwork>() {
        let joined = call.effects().to_join(&network, call)?;
        return Ok(NetworkChoice::Joined(joined));
    }
    let known = ["none", "host", "outbound"];
    let Some(name) = value.read_lock::<rhai::ImmutableString>() else {
        let given = a_kind(value);
        let message = format!("`network` takes a Network or a name, not {given}");
        return Err(call.fail(Report::error(message).hint("create a Network with `netns()`")));
    };
    match name.as_str() {
        "none" => Ok(NetworkChoice::None),
        "host" => Ok(NetworkChoice::Host),
        "outbound" => {
            let (tcp, udp) = (ports.tcp.unwrap_or_default(), ports.udp.unwrap_or_default());
            Ok(NetworkChoice::Outbound(Outbound {
                tcp: tcp.iter().map(|it| port(it, "tcp", call)).collect::<Result<_, _>>()?,
                udp: udp.iter().map(|it| port(it, "udp", call)).collect::<Result<_, _>>()?,
            }))
        }
        other => {
            let report = Report::error(format!("unknown network {}", quoted(other)));
            Err(call.fail(match closest(other, known) {
                Some(near) => report.hint(format!("did you mean {}?", quoted(near))),
                None => report.hint(
                    "expected `\"none\"`, `\"host\"`, `\"outbound\"` or a Network: \
                     `network(netns(name))`",
                ),
            }))
        }
    }
}

/// A port of the host: `80`, `"8080:80"`, `"0.0.0.0:8080:80"`.
fn port(value: &Dynamic, key: &str, call: &Call<'_, '_>) -> Result<Forwarded, VerbError> {
    let port = Forwarded::new(&value.to_string());
    port.map_err(|invalid| call.fail_at_key(key, Report::from(&invalid)))
}

/// Creates new namespaces of these kinds after all, if a previous `share` excluded them.
///
/// # Example
/// ```rhai
/// sandbox("/").share(ALL - USER - MOUNT).unshare(PID | IPC).run("true");
/// ```
/// # See
/// unshare(2), namespaces(7)
fn unshare(call: &Call<'_, '_>, sandbox: Sandbox, namespaces: Namespaces) -> Sandbox {
    sandbox.with(What::Unshare(namespaces), call.origin())
}

/// Shares namespaces of these kinds with nsscript instead of creating new ones.
///
/// By default, a sandbox has new namespaces of all kinds.
///
/// # Errors
/// The sandbox would change the host, for example set a host name although `UTS` is shared.
/// nsscript reports this before it does anything.
///
/// # Example
/// ```rhai
/// sandbox("/").share(NET | UTS).run("uname -n");
/// ```
/// # See
/// namespaces(7)
fn share(call: &Call<'_, '_>, sandbox: Sandbox, namespaces: Namespaces) -> Sandbox {
    sandbox.with(What::Share(namespaces), call.origin())
}

/// Shares namespaces with a running sandbox of the recipe, as the containers of a pod do.
///
/// `namespaces` are some of `PID | NET | IPC | UTS`; the default is `PID | NET | IPC`. Programs of
/// both see each other's processes, and reach each other on 127.0.0.1. Everything else is the
/// sandbox's own: its root, mounts and limits. The user namespace is the other's, with its id maps,
/// because that one owns the namespaces. So with the same user, programs can signal and trace those
/// of the other sandbox.
///
/// When the other sandbox ends, the kernel ends all programs in its PID namespace.
///
/// # Errors
/// The process has ended, or is not the program of a sandbox. A namespace is of another kind, or
/// the recipe chooses it otherwise as well.
///
/// # Example
/// ```rhai
/// let first = sandbox("/").hostname("first").start("sleep 60");
/// let second = sandbox("/").join(first, PID | NET);
/// assert(second.output("cat /proc/1/comm").stdout != "");
/// ```
/// # See
/// setns(2), namespaces(7)
fn join(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    process: ProcessHandle,
    namespaces: Option<Namespaces>,
) -> Result<Sandbox, VerbError> {
    let usual = Namespaces::from(Kind::Pid) | Kind::Net.into() | Kind::Ipc.into();
    let kinds = namespaces.unwrap_or(usual);
    let pod = match (&process.process, process.plan()) {
        (Some(process), _) => {
            let Ok(mut process) = process.try_borrow_mut() else {
                let message = "a sandbox cannot join the process that runs this closure";
                return Err(call.fail(Report::error(message)));
            };
            call.context.runner.pod(&mut process, kinds)
        }
        (None, Some(plan)) => {
            let pod = Pod::new(kinds, plan.apart(), plan.maps.clone());
            pod.map_err(|error| Report::from(&error))
        }
        (None, None) => Err(Report::error("this process is not the program of a sandbox")),
    };
    Ok(sandbox.with(What::Join(pod.map_err(|report| call.fail(report))?), call.origin()))
}

/// Selects the network of the sandbox: `"none"`, `"host"`, `"outbound"` or a Network.
///
/// - `"none"`, the default, is a new network with only `lo`.
/// - `"host"` is the network of nsscript, as with `share(NET)`.
/// - `"outbound"` is a new network with the interface `eth0`. The program pasta(1) opens the
///   connections of the sandbox as ordinary sockets of the host, which needs no privileges.
///   Incoming connections reach only the ports in `tcp` and `udp`. nsscript adds /etc/resolv.conf
///   and /etc/hosts unless the recipe does.
/// - A Network, from `netns`, is joined: programs see its interfaces and cannot change them.
///
/// In every network that nsscript creates, each program can listen on any port and open ping
/// sockets (icmp(7)), as in docker: `net.ipv4.ip_unprivileged_port_start` is 0 and
/// `net.ipv4.ping_group_range` contains all mapped groups. If `/proc/sys` is read-only, as in
/// containers, the kernel's defaults stay. `sysctl` sets other values.
///
/// # Errors
/// The name is unknown. When the sandbox starts: pasta is missing, or is not allowed to connect it.
///
/// # Example
/// ```rhai
/// let left = netns();
/// let right = netns();
/// veth(left, "eth0", right, "eth0", #{ up: true });
/// left.address("eth0", "10.0.0.1/24");
/// right.address("eth0", "10.0.0.2/24");
/// let guest = sandbox("/").network(left);
/// assert_eq(guest.within(|| interfaces().len()), 2);
/// print(sandbox("/").network("outbound", #{ tcp: ["8080:80"] }));
/// ```
/// # See
/// network_namespaces(7), pasta(1)
fn network(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    network: Dynamic,
    options: Ports,
) -> Result<Sandbox, VerbError> {
    let given = options.tcp.is_some() || options.udp.is_some();
    let choice = choice(&network, options, call)?;
    if given && !matches!(choice, NetworkChoice::Outbound(_)) {
        let report = Report::error("`tcp` and `udp` are valid only for the network `\"outbound\"`");
        return Err(call.fail(report));
    }
    if matches!(choice, NetworkChoice::Outbound(_)) {
        // An ordinary user can create such a network only in their own user namespace.
        call.context.begin_session(call.origin().as_ref())?;
    }
    Ok(sandbox.with(What::Network(choice), call.origin()))
}
