//! The interfaces of a network.

use super::{act, act_with, change};
use crate::diag::Report;
use crate::ops::network::{ChangeLink, DeleteLink, LinkChange, LinkKind, MakeLink};
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::options::options;
use crate::script::binding::value::SharedNetwork;
use crate::script::binding::verb::{Verb, verbs};
use crate::spec::{InterfaceName, IpvlanMode, Mac, MacvlanMode};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["link.rs";
    fn bridge,
    fn port,
    fn dummy,
    fn vlan,
    fn macvlan,
    fn ipvlan,
    fn up,
    fn down,
    fn mtu,
    fn mac,
    fn rename,
    fn move_to,
    fn delete,
];

options! {
    /// A VLAN.
    struct Vlan {
        /// the interface that carries the VLAN; required
        link: InterfaceName = "",
        /// the VLAN id, from 1 to 4094; required
        id: i64 = "",
    }

    /// An interface on another one, with its own hardware address.
    struct Macvlan {
        /// the interface below; required
        link: InterfaceName = "",
        /// how interfaces on the same `link` reach each other
        mode: MacvlanMode = "\"bridge\"",
    }

    /// An interface on another one, with the hardware address of that one.
    struct Ipvlan {
        /// the interface below; required
        link: InterfaceName = "",
        /// how interfaces on the same `link` reach each other
        mode: IpvlanMode = "\"l2\"",
    }
}

/// Takes a required option.
fn needed<T>(value: Option<T>, key: &str, call: &Call<'_, '_>) -> Result<T, VerbError> {
    value.ok_or_else(|| {
        let message = format!("`{}` needs the option `{key}`", call.name());
        let mut report = Report::error(message);
        if key == "link" {
            report = report.hint("name the interface below the new one: `link: \"eth0\"`");
        }
        call.fail(report)
    })
}

/// Creates a bridge with these interfaces as its ports, and sets all of them up.
///
/// # Errors
/// An interface of this name exists already. A port does not exist.
///
/// # Example
/// ```rhai
/// let hub = netns();
/// veth(hub, "port1", hub, "port2");
/// hub.bridge("br0", ["port1", "port2"]);
/// assert_eq(hub.interfaces().filter(|found| found.bridge == "br0").len(), 2);
/// ```
/// # See
/// ip-link(8), bridge(8)
fn bridge(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    name: InterfaceName,
    ports: Vec<String>,
) -> Result<SharedNetwork, VerbError> {
    let ports: Result<Vec<_>, _> = ports.iter().map(|port| InterfaceName::new(port)).collect();
    let ports = ports.map_err(|invalid| call.fail(Report::from(&invalid)))?;
    act(&network, MakeLink { name: name.clone(), kind: LinkKind::Bridge }, call)?;
    for port in ports {
        let bridge = LinkChange::Bridge(Some(name.clone()));
        let plugged = change(&network, port.clone(), bridge, call);
        if let Err(failed) = plugged.and_then(|_| change(&network, port, LinkChange::Up, call)) {
            // Nothing incomplete is left.
            let _ = act(&network, DeleteLink(name), call);
            return Err(failed);
        }
    }
    change(&network, name, LinkChange::Up, call)
}

/// Adds an interface to a bridge, or, without `bridge`, removes it from its bridge.
///
/// # Errors
/// The interface does not exist, or `bridge` is not a bridge.
///
/// # Example
/// ```rhai
/// let hub = netns().bridge("br0", []);
/// veth(hub, "late", hub, "other");
/// hub.port("late", "br0").port("late");
/// ```
/// # See
/// ip-link(8)
fn port(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    name: InterfaceName,
    bridge: Option<InterfaceName>,
) -> Result<SharedNetwork, VerbError> {
    change(&network, name, LinkChange::Bridge(bridge), call)
}

/// Creates a dummy interface, which discards what is sent through it.
///
/// It can hold addresses and routes.
///
/// # Errors
/// An interface of this name exists already. The kernel does not support dummy interfaces
/// (EOPNOTSUPP).
///
/// # Example
/// ```rhai
/// // Where the kernel has no interfaces of a kind, it says so.
/// try {
///     let net = netns().dummy("d0").address("d0", "10.9.0.1/32").up("d0");
///     assert(net.ping("10.9.0.1"));
/// } catch (error) { assert_eq(error.name, "EOPNOTSUPP"); }
/// ```
/// # See
/// ip-link(8)
fn dummy(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    name: InterfaceName,
) -> Result<SharedNetwork, VerbError> {
    act(&network, MakeLink { name, kind: LinkKind::Dummy }, call)
}

/// Creates a VLAN interface on another interface: it carries the packets with one VLAN id.
///
/// # Errors
/// An interface of this name exists already. The option `link` or `id` is missing. The kernel does
/// not support VLANs (EOPNOTSUPP).
///
/// # Example
/// ```rhai
/// let left = netns();
/// let right = netns();
/// veth(left, "eth0", right, "eth0", #{ up: true });
/// try {
///     for (net, index) in [left, right] {
///         net.vlan("eth0.7", #{ link: "eth0", id: 7 });
///         net.address("eth0.7", `10.7.0.${index + 1}/24`).up("eth0.7");
///     }
///     assert(left.ping("10.7.0.2"));
/// } catch (error) { assert_eq(error.name, "EOPNOTSUPP"); }
/// ```
/// # See
/// ip-link(8)
fn vlan(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    name: InterfaceName,
    options: Vlan,
) -> Result<SharedNetwork, VerbError> {
    let (link, id) = (needed(options.link, "link", call)?, needed(options.id, "id", call)?);
    let id = u16::try_from(id).ok().filter(|id| (1..=4094).contains(id)).ok_or_else(|| {
        let report =
            Report::error(format!("invalid VLAN id {id}: expected a number from 1 to 4094"));
        call.fail_at_key("id", report)
    })?;
    act(&network, MakeLink { name, kind: LinkKind::Vlan(link, id) }, call)
}

/// Creates a macvlan interface: a second hardware address on another interface.
///
/// # Errors
/// An interface of this name exists already. The option `link` is missing. The kernel does not
/// support macvlan (EOPNOTSUPP).
///
/// # Example
/// ```rhai
/// try {
///     let net = netns().bridge("br0", []).macvlan("m0", #{ link: "br0" }).up("m0");
///     print(net.interfaces().len());
/// } catch (error) { assert_eq(error.name, "EOPNOTSUPP"); }
/// ```
/// # See
/// ip-link(8)
fn macvlan(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    name: InterfaceName,
    options: Macvlan,
) -> Result<SharedNetwork, VerbError> {
    let link = needed(options.link, "link", call)?;
    let mode = options.mode.unwrap_or(MacvlanMode::Bridge);
    act(&network, MakeLink { name, kind: LinkKind::Macvlan(link, mode) }, call)
}

/// Creates an ipvlan interface: it has its own addresses, and the hardware address of `link`.
///
/// # Errors
/// An interface of this name exists already. The option `link` is missing. The kernel does not
/// support ipvlan (EOPNOTSUPP).
///
/// # Example
/// ```rhai
/// try {
///     let net = netns().bridge("br0", []).ipvlan("i0", #{ link: "br0" }).up("i0");
///     print(net.interfaces().len());
/// } catch (error) { assert_eq(error.name, "EOPNOTSUPP"); }
/// ```
/// # See
/// ip-link(8)
fn ipvlan(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    name: InterfaceName,
    options: Ipvlan,
) -> Result<SharedNetwork, VerbError> {
    let link = needed(options.link, "link", call)?;
    let mode = options.mode.unwrap_or(IpvlanMode::L2);
    act(&network, MakeLink { name, kind: LinkKind::Ipvlan(link, mode) }, call)
}

/// Sets an interface up.
///
/// # Errors
/// The interface does not exist.
///
/// # Example
/// ```rhai
/// netns().bridge("br0", []).down("br0").up("br0");
/// ```
/// # See
/// ip-link(8)
fn up(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    name: InterfaceName,
) -> Result<SharedNetwork, VerbError> {
    change(&network, name, LinkChange::Up, call)
}

/// Sets an interface down: it sends and receives nothing, and its routes are removed.
///
/// # Errors
/// The interface does not exist.
///
/// # Example
/// ```rhai
/// let net = netns().down("lo");
/// assert(!net.ping("127.0.0.1", #{ timeout: "50ms" }));
/// ```
/// # See
/// ip-link(8)
fn down(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    name: InterfaceName,
) -> Result<SharedNetwork, VerbError> {
    change(&network, name, LinkChange::Down, call)
}

/// Sets the MTU of an interface, the size of its largest packet in bytes.
///
/// # Errors
/// The interface does not allow this size.
///
/// # Example
/// ```rhai
/// let net = netns().bridge("br0", []).mtu("br0", 1400);
/// assert(net.interfaces().filter(|found| found.name == "br0").all(|found| found.mtu == 1400));
/// ```
/// # See
/// ip-link(8)
fn mtu(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    name: InterfaceName,
    mtu: i64,
) -> Result<SharedNetwork, VerbError> {
    let mtu = super::mtu(mtu, call)?;
    change(&network, name, LinkChange::Mtu(mtu), call)
}

/// Sets the hardware address of an interface.
///
/// # Errors
/// The address is invalid, or the interface does not exist.
///
/// # Example
/// ```rhai
/// let net = netns().bridge("br0", []).mac("br0", "02:00:00:00:00:01");
/// for found in net.interfaces() { print(`${found.name} is at ${found.mac}`); }
/// ```
/// # See
/// ip-link(8)
fn mac(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    name: InterfaceName,
    mac: Mac,
) -> Result<SharedNetwork, VerbError> {
    change(&network, name, LinkChange::Mac(mac), call)
}

/// Renames an interface.
///
/// # Errors
/// The new name is in use.
///
/// # Example
/// ```rhai
/// let net = netns().bridge("br0", []).down("br0").rename("br0", "eth0").up("eth0");
/// ```
/// # See
/// ip-link(8)
fn rename(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    name: InterfaceName,
    new: InterfaceName,
) -> Result<SharedNetwork, VerbError> {
    change(&network, name, LinkChange::Name(new), call)
}

/// Moves an interface to another network, where it is down and has no addresses.
///
/// `veth` creates each end in its network, which is faster than moving it there.
///
/// # Errors
/// The name is in use in the other network.
///
/// # Example
/// ```rhai
/// let here = netns();
/// let there = netns();
/// veth(here, "d0", here, "d1");
/// here.move_to("d0", there);
/// assert_eq(there.interfaces().map(|found| found.name), ["lo", "d0"]);
/// ```
/// # See
/// ip-link(8)
fn move_to(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    name: InterfaceName,
    other: SharedNetwork,
) -> Result<SharedNetwork, VerbError> {
    let action = ChangeLink { name, change: LinkChange::Network(other.label.clone()) };
    act_with(&network, action, Some(&other), call)
}

/// Deletes an interface. Deleting one end of a veth pair deletes both.
///
/// # Errors
/// The interface does not exist.
///
/// # Example
/// ```rhai
/// let net = netns().bridge("br0", []).delete("br0");
/// assert_eq(net.interfaces().len(), 1);
/// ```
/// # See
/// ip-link(8)
fn delete(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    name: InterfaceName,
) -> Result<SharedNetwork, VerbError> {
    act(&network, DeleteLink(name), call)
}
