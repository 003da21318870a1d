//! Which namespaces a sandbox has of its own.

use rhai::{Array, Dynamic};

use crate::diag::{Report, closest, quoted};
use crate::ops::{Sandbox, What};
use crate::script::binding::argument::a_kind;
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::options::options;
use crate::script::binding::value::SharedNetwork;
use crate::script::binding::verb::{Verb, verbs};
use crate::spec::{Forwarded, Namespaces, NetworkChoice, Outbound};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["namespace.rs";
    fn unshare,
    fn share,
    fn network,
];

options! {
    /// Which ports of the host lead into a sandbox.
    struct Ports {
        /// those of TCP: numbers, or texts such as `"8080:80"` or `"0.0.0.0:8080:80"`, the host's
        /// first
        tcp: Array = "[]",
        /// those of UDP
        udp: Array = "[]",
    }
}

/// The network that a value names.
fn choice(value: &Dynamic, ports: Ports, call: &Call<'_, '_>) -> Result<NetworkChoice, VerbError> {
    if let Some(network) = value.read_lock::<SharedNetwork>() {
        let joined = call.effects().to_join(&network, call)?;
        return Ok(NetworkChoice::Joined(joined));
    }
    let known = ["none", "host", "outbound"];
    let Some(name) = value.read_lock::<rhai::ImmutableString>() else {
        let given = a_kind(value);
        let message = format!("`network` takes a Network or a name, not {given}");
        return Err(call.fail(Report::error(message).hint("`netns()` makes a Network")));
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
            let report = Report::error(format!("there is no network {}", quoted(other)));
            Err(call.fail(match closest(other, known) {
                Some(near) => report.hint(format!("did you mean {}?", quoted(near))),
                None => report.hint(
                    "it is `\"none\"`, `\"host\"`, `\"outbound\"` or a Network: \
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

/// Makes these namespaces new, after a `share` that left them out.
///
/// # Example
/// ```rhai
/// sandbox("/").read_only_root().share(ALL - USER - MOUNT).unshare(PID | IPC).run("true");
/// ```
/// # See
/// unshare(2), namespaces(7)
fn unshare(call: &Call<'_, '_>, sandbox: Sandbox, namespaces: Namespaces) -> Sandbox {
    sandbox.with(What::Unshare(namespaces), call.origin())
}

/// Leaves these namespaces as they are: the sandbox has those of nsscript.
///
/// All kinds are new unless they are shared.
///
/// # Errors
/// What would change the host then, as a host name with UTS shared, is refused before
/// anything is done.
///
/// # Example
/// ```rhai
/// sandbox("/").read_only_root().share(NET | UTS).run("uname -n");
/// ```
/// # See
/// namespaces(7)
fn share(call: &Call<'_, '_>, sandbox: Sandbox, namespaces: Namespaces) -> Sandbox {
    sandbox.with(What::Share(namespaces), call.origin())
}

/// Says which network the sandbox is in: `"none"`, `"host"`, `"outbound"` or a Network.
///
/// `"none"`, as without this verb, is one of its own with nothing but `lo`; `"host"` is that of
/// nsscript, as `share(NET)`. A Network is one that `netns` has made: programs in it see its
/// interfaces and cannot change them, and can serve at any port. `"outbound"` is a network of its own with an interface
/// `eth0`, from which the program pasta(1) makes the connections that the sandbox asks for, as
/// ordinary sockets of the host: it needs no rights there. Nothing leads in but the ports of `tcp`
/// and `udp`: numbers, or texts such as `"8080:80"`. They are those of 127.0.0.1 alone, unless an
/// address of the host is said: `"0.0.0.0:8080:80"`. Files that name servers are made then,
/// /etc/resolv.conf and /etc/hosts, unless the recipe has them.
///
/// # Errors
/// There is no such network. When the sandbox starts: `pasta` is missing, or may not do it.
///
/// # Example
/// ```rhai
/// let left = netns();
/// let right = netns();
/// veth(left, "eth0", right, "eth0", #{ up: true });
/// left.address("eth0", "10.0.0.1/24");
/// right.address("eth0", "10.0.0.2/24");
/// let guest = sandbox("/").read_only_root().network(left);
/// assert_eq(guest.within(|| interfaces().len()), 2);
/// print(sandbox("/").read_only_root().network("outbound", #{ tcp: ["8080:80"] }));
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
        let report =
            Report::error("ports of the host lead only into a sandbox that is `\"outbound\"`");
        return Err(call.fail(report));
    }
    if matches!(choice, NetworkChoice::Outbound(_)) {
        // A user may only make such a network in a user namespace of its own.
        call.context.begin_session(call.origin().as_ref())?;
    }
    Ok(sandbox.with(What::Network(choice), call.origin()))
}
