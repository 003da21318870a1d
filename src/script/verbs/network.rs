//! Networks, and the veth pairs that connect them.

pub mod link;
pub mod program;
pub mod route;
pub mod table;

use rhai::{Dynamic, Map};

use crate::diag::Report;
use crate::ops::NetworkAction;
use crate::ops::network::{self, ChangeLink, DeleteLink, LinkChange};
use crate::script::binding::argument::a_kind;
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::options::options;
use crate::script::binding::value::{ProcessHandle, SharedNamespace, SharedNetwork};
use crate::script::binding::verb::{Verb, verbs};
use crate::spec::{InterfaceName, Kind, NetworkName};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["network.rs";
    fn netns,
    fn netns_names,
    fn veth,
    fn veth = veth_unnamed,
    fn remove,
];

options! {
    /// A pair of interfaces.
    struct Veth {
        /// sets both interfaces up
        up: bool = "false",
        /// the MTU of both interfaces in bytes
        mtu: i64 = "1500",
    }
}

/// The receiver, returned so that calls can form a chain.
pub(in crate::script::verbs) type Same = SharedNetwork;

/// Performs an action in a network.
pub(in crate::script::verbs) fn act(
    network: &Same,
    action: impl Into<NetworkAction>,
    call: &Call<'_, '_>,
) -> Result<Same, VerbError> {
    act_with(network, action, None, call)
}

/// Performs an action that involves two networks.
pub(in crate::script::verbs) fn act_with(
    network: &Same,
    action: impl Into<NetworkAction>,
    other: Option<&Same>,
    call: &Call<'_, '_>,
) -> Result<Same, VerbError> {
    call.effects().in_network(network, action.into(), other, call)?;
    Ok(network.clone())
}

pub(in crate::script::verbs) fn change(
    network: &Same,
    name: InterfaceName,
    change: LinkChange,
    call: &Call<'_, '_>,
) -> Result<Same, VerbError> {
    act(network, ChangeLink { name, change }, call)
}

pub(in crate::script::verbs) fn mtu(mtu: i64, call: &Call<'_, '_>) -> Result<u32, VerbError> {
    u32::try_from(mtu).ok().filter(|mtu| *mtu > 0).ok_or_else(|| {
        let report = Report::error(format!("invalid MTU {mtu}"));
        call.fail(report.hint("expected a number of bytes such as `1500`"))
    })
}

/// The network of a namespace or a process.
fn existing(value: &Dynamic, call: &Call<'_, '_>) -> Result<SharedNetwork, VerbError> {
    if let Some(namespace) = value.read_lock::<SharedNamespace>() {
        if namespace.0.kind != Kind::Net {
            let message = format!("{} is not a network namespace", namespace.0);
            return Err(call.fail(Report::error(message)));
        }
        let kept = namespace.0.again().map_err(|errno| {
            call.fail(Report::error(format!("cannot open the network namespace: {errno}")))
        })?;
        return Ok(call.effects().network_of(kept, call));
    }
    if let Some(handle) = value.read_lock::<ProcessHandle>() {
        return call.effects().network_of_process(&handle, call);
    }
    let given = a_kind(value);
    let message = format!("`netns` takes a name, a process or a namespace, not {given}");
    Err(call.fail(Report::error(message)))
}

/// Returns a network: a network namespace with its own interfaces, addresses, routes and rules.
///
/// - `netns()` creates a network. Only `lo` exists and is up. It disappears with its last value and
///   the last process in it; after `veth`, when the recipe ends or `remove` is called.
/// - `netns("blue")` is the network of this name in the recipe, created on first use. With `--host`
///   it is the network /run/netns/blue, which `ip netns` lists too, and it stays until it is
///   removed.
/// - `netns(process)` and `netns(namespace)` return existing networks.
///
/// IPv6 addresses can be used at once, because duplicate address detection is off. Every program
/// can listen on any port and open ping sockets.
///
/// # Errors
/// The kernel refuses another network namespace. The name is not a valid file name.
///
/// # Example
/// ```rhai
/// let blue = netns("blue").address("lo", "10.0.0.1/32");
/// print(blue.interfaces().map(|found| found.name));
/// assert(blue.ping("10.0.0.1"));
/// ```
/// # See
/// ip-netns(8), network_namespaces(7)
fn netns(call: &Call<'_, '_>, network: Option<Dynamic>) -> Result<SharedNetwork, VerbError> {
    let name = match network {
        None => None,
        Some(value) if value.is_string() => {
            let name = NetworkName::new(&value.to_string());
            Some(name.map_err(|invalid| call.fail(Report::from(&invalid)))?)
        }
        Some(value) => {
            call.context.begin_session(call.origin().as_ref())?;
            return existing(&value, call);
        }
    };
    Ok(call.effects().network(name, call)?)
}

/// Returns the names of the recipe's named networks, or with `--host` of those in /run/netns.
///
/// # Example
/// ```rhai
/// let blue = netns("blue");
/// assert_eq(netns_names(), ["blue"]);
/// blue.remove();
/// ```
/// # See
/// ip-netns(8)
fn netns_names(call: &Call<'_, '_>) -> Result<Vec<String>, VerbError> {
    Ok(call.context.runner.network_names()?)
}

/// Connects two networks by a veth pair: each interface receives what the other sends.
///
/// Both ends are down and have no addresses unless `up` is true. `veth(network, name, other, peer)` is
/// the same call.
///
/// # Errors
/// An interface of this name exists already. A name is longer than 15 bytes.
///
/// # Example
/// ```rhai
/// let left = netns();
/// let right = netns();
/// veth(left, "eth0", right, "eth0", #{ up: true });
/// left.address("eth0", "10.0.0.1/24");
/// right.address("eth0", "10.0.0.2/24");
/// assert(left.ping("10.0.0.2"));
/// ```
/// # See
/// veth(4), ip-link(8)
fn veth(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    name: InterfaceName,
    other: SharedNetwork,
    peer: InterfaceName,
    options: Veth,
) -> Result<(), VerbError> {
    let mtu = options.mtu.map(|mtu| self::mtu(mtu, call)).transpose()?;
    let (label, names) = (other.label.clone(), (Some(name.clone()), Some(peer.clone())));
    let action = network::Veth { name: names.0, network: label, peer: names.1 };
    act_with(&network, action, Some(&other), call)?;
    set_ends((&network, name), (&other, peer), mtu, options.up == Some(true), call)
}

/// Connects two networks by a veth pair whose names the kernel chooses, and returns the names.
///
/// The map has the keys `name`, the interface in `network`, and `peer`, the one in `other`.
///
/// # Errors
/// As for `veth` with names.
///
/// # Example
/// ```rhai
/// let left = netns();
/// let right = netns();
/// let cable = veth(left, right, #{ up: true });
/// left.address(cable.name, "10.0.0.1/24");
/// right.address(cable.peer, "10.0.0.2/24");
/// assert(left.ping("10.0.0.2"));
/// ```
/// # See
/// veth(4), ip-link(8)
fn veth_unnamed(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    other: SharedNetwork,
    options: Veth,
) -> Result<Map, VerbError> {
    let mtu = options.mtu.map(|mtu| self::mtu(mtu, call)).transpose()?;
    let before = (indices(&network, call)?, indices(&other, call)?);
    let action = network::Veth { name: None, network: other.label.clone(), peer: None };
    act_with(&network, action, Some(&other), call)?;
    // The kernel makes the peer first, which matters if both are in one network.
    let name = added(&network, &before.0, call)?.pop();
    let peer = added(&other, &before.1, call)?.into_iter().next();
    // A dry run has created none.
    let name = name.unwrap_or_else(|| if network == other { "veth1" } else { "veth0" }.into());
    let peer = peer.unwrap_or_else(|| "veth0".into());
    let interface =
        |name: &str| InterfaceName::new(name).map_err(|invalid| call.fail(Report::from(&invalid)));
    let ends = (interface(&name)?, interface(&peer)?);
    set_ends((&network, ends.0), (&other, ends.1), mtu, options.up == Some(true), call)?;
    Ok(Map::from([("name".into(), name.into()), ("peer".into(), peer.into())]))
}

/// The indices of the interfaces in a network.
fn indices(network: &Same, call: &Call<'_, '_>) -> Result<Vec<u32>, VerbError> {
    let links = call.effects().links(network, call)?;
    Ok(links.iter().map(|link| link.interface.index).collect())
}

/// The names of the interfaces that were added to a network, by index.
fn added(network: &Same, before: &[u32], call: &Call<'_, '_>) -> Result<Vec<String>, VerbError> {
    let links = call.effects().links(network, call)?.into_iter();
    let mut links: Vec<_> = links.filter(|it| !before.contains(&it.interface.index)).collect();
    links.sort_by_key(|link| link.interface.index);
    Ok(links.into_iter().map(|link| link.interface.name).collect())
}

/// Sets up both ends of a new pair, or removes it.
fn set_ends(
    (network, name): (&Same, InterfaceName),
    (other, peer): (&Same, InterfaceName),
    mtu: Option<u32>,
    up: bool,
    call: &Call<'_, '_>,
) -> Result<(), VerbError> {
    let set = |network: &Same, end: &InterfaceName| {
        if let Some(mtu) = mtu {
            change(network, end.clone(), LinkChange::Mtu(mtu), call)?;
        }
        if up {
            change(network, end.clone(), LinkChange::Up, call)?;
        }
        Ok::<(), VerbError>(())
    };
    let done = set(network, &name).and_then(|()| set(other, &peer));
    if done.is_err() {
        // Nothing incomplete is left.
        let _ = act(network, DeleteLink(name), call);
    }
    done
}

/// Removes the name of a network. The network disappears with the last process in it.
///
/// # Errors
/// The network was removed already.
///
/// # Example
/// ```rhai
/// netns("blue").remove();
/// assert_eq(netns_names(), []);
/// ```
/// # See
/// ip-netns(8)
fn remove(call: &Call<'_, '_>, network: SharedNetwork) -> Result<(), VerbError> {
    call.effects().remove_network(&network, call)
}
