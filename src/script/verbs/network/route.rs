//! Addresses, routes and rules of a network.

use std::net::{IpAddr, SocketAddr};

use super::act;
use crate::diag::{Report, closest, quoted};
use crate::ops::network::{
    self, Address, Allow, Block, DefaultAccept, DefaultDrop, Disallow, Dnat, FixNeighbour, Forward,
    Masquerade, Packets, Refusal, Unblock, Untranslate,
};
use crate::script::binding::addresses::{Ports, Subnet};
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::options::options;
use crate::script::binding::value::SharedNetwork;
use crate::script::binding::verb::{Verb, verbs};
use crate::spec::{Destination, Direction, InterfaceName, IpProtocol, Mac, Prefix};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["route.rs";
    fn address,
    fn remove_address,
    fn route,
    fn remove_route,
    fn neighbour,
    fn forward,
    fn masquerade,
    fn dnat,
    fn untranslate,
    fn block,
    fn unblock,
    fn allow,
    fn disallow,
    fn drop_by_default,
    fn allow_by_default,
];

options! {
    /// The way of a route.
    struct Route {
        /// the outgoing interface
        interface: InterfaceName = "",
        /// the priority: of several routes, the kernel uses the lowest metric; IPv6 uses 1024 by
        /// default
        metric: i64 = "0",
        /// how packets are refused: `"blackhole"`, `"unreachable"` or `"prohibit"`
        r#type: String = "",
    }

    /// The packets that a rule matches.
    struct Which {
        /// the incoming interface
        input: InterfaceName = "",
        /// the outgoing interface
        output: InterfaceName = "",
        /// the network of the source address
        source: Subnet = "",
        /// the network of the destination address
        destination: Subnet = "",
        /// the protocol
        protocol: IpProtocol = "",
        /// the destination port; needs `protocol`
        port: Ports = "",
    }

    /// The packets that a filter matches.
    struct Filter {
        /// the incoming interface
        input: InterfaceName = "",
        /// the outgoing interface
        output: InterfaceName = "",
        /// the network of the source address
        source: Subnet = "",
        /// the network of the destination address
        destination: Subnet = "",
        /// the protocol
        protocol: IpProtocol = "",
        /// the destination port; needs `protocol`
        port: Ports = "",
        /// which packets: `"incoming"` for the network itself, `"forwarded"` by it or `"outgoing"`
        /// from it
        direction: Direction = "all directions",
    }

    /// The packets that are dropped or accepted by default.
    struct ByDefault {
        /// which packets: `"incoming"` for the network itself, `"forwarded"` by it or `"outgoing"`
        /// from it
        direction: Direction = "all directions",
    }
}

fn metric(options: &Route, call: &Call<'_, '_>) -> Result<Option<u32>, VerbError> {
    let number = |metric: i64| {
        u32::try_from(metric).map_err(|_| {
            call.fail_at_key(
                "metric",
                Report::error(format!(
                    "invalid metric {metric}: expected a number from 0 to 4294967295"
                )),
            )
        })
    };
    options.metric.map(number).transpose()
}

/// The way in which a route refuses packets, if it does.
fn refusal(
    options: &Route,
    gateway: Option<IpAddr>,
    call: &Call<'_, '_>,
) -> Result<Option<Refusal>, VerbError> {
    let Some(word) = options.r#type.as_deref() else { return Ok(None) };
    let Some(refusal) = Refusal::ALL.into_iter().find(|refusal| refusal.name() == word) else {
        let report = Report::error(format!("unknown route type {}", quoted(word)));
        let known = Refusal::ALL.map(Refusal::name);
        let hint = match closest(word, known) {
            Some(near) => format!("did you mean `\"{near}\"`?"),
            None => {
                "expected `\"blackhole\"`, `\"unreachable\"` or `\"prohibit\"`; a route without a \
                     type forwards packets"
                    .into()
            }
        };
        return Err(call.fail_at_key("type", report.hint(hint)));
    };
    if gateway.is_some() || options.interface.is_some() {
        let message = format!("a route of the type `{word}` takes no gateway or interface");
        let report = Report::error(message).hint("omit the type, or the gateway and the interface");
        return Err(call.fail_at_key("type", report));
    }
    Ok(Some(refusal))
}

/// Parses an address with an optional port.
fn target(text: &str) -> Result<(IpAddr, Option<u16>), Report> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok((address.ip(), Some(address.port()).filter(|port| *port > 0)));
    }
    let address = crate::spec::address(text);
    address.map(|address| (address, None)).map_err(|invalid| {
        let hint = "expected an address, or an address with a port: `\"10.0.0.2:80\"`, \
             `\"[fd00::2]:80\"`";
        Report::error(invalid.to_string()).hint(hint)
    })
}

/// Checks that packets of a protocol have ports; `key` is the option with the port.
fn has_ports(protocol: Option<IpProtocol>) -> Result<(), Report> {
    match protocol {
        Some(protocol) if protocol.has_ports() => Ok(()),
        Some(protocol) => {
            let report =
                Report::error(format!("packets of the protocol `{protocol}` have no port"));
            Err(report.hint("omit the port, or set the protocol to `\"tcp\"` or `\"udp\"`"))
        }
        None => {
            let report = Report::error("a port needs the protocol `tcp` or `udp`");
            Err(report.hint("add `protocol: \"tcp\"` to the options"))
        }
    }
}

fn packets(which: Which, call: &Call<'_, '_>) -> Result<Packets, VerbError> {
    let Which { input, output, source, destination, protocol, port } = which;
    if port.is_some() {
        has_ports(protocol).map_err(|report| call.fail_at_key("port", report))?;
    }
    let (source, destination) = (source.map(|it| it.0), destination.map(|it| it.0));
    if let (Some(from), Some(to)) = (source, destination)
        && from.address.is_ipv4() != to.address.is_ipv4()
    {
        let message = format!("{from} and {to} have different IP versions");
        let report = Report::error(message).hint("write a rule for each version");
        return Err(call.fail_at_key("destination", report));
    }
    let version = |key, prefix: Option<Prefix>| Some((key, prefix?));
    let ends = [version("source", source), version("destination", destination)];
    if let Some((key, protocol, network)) = ends.into_iter().flatten().find_map(|(key, network)| {
        let protocol = protocol.filter(|it| it.is_other_version(network))?;
        Some((key, protocol, network))
    }) {
        let message = format!("no packet fits: {protocol} is not a protocol of {network}");
        let other = if network.address.is_ipv4() { "icmp" } else { "icmpv6" };
        let report = Report::error(message).hint(format!("set the protocol to `\"{other}\"`"));
        return Err(call.fail_at_key(key, report));
    }
    let ports = port.map(|ports| ports.0).unwrap_or_default();
    Ok(Packets { input, output, source, destination, protocol, ports, direction: None })
}

fn filtered(filter: Filter, call: &Call<'_, '_>) -> Result<Packets, VerbError> {
    let Filter { input, output, source, destination, protocol, port, direction } = filter;
    let which = Which { input, output, source, destination, protocol, port };
    let packets = Packets { direction, ..packets(which, call)? };
    if !packets.directions().is_empty() {
        return Ok(packets);
    }
    let (key, other) = match direction {
        Some(Direction::Incoming) => ("output", "outgoing"),
        _ => ("input", "incoming"),
    };
    let direction = direction.map_or("", Direction::name);
    let report = Report::error(format!("{direction} packets have no {other} interface"));
    let hint = format!("omit `{key}`, or set the direction to `\"forwarded\"`");
    Err(call.fail_at_key(key, report.hint(hint)))
}

/// Adds an address to an interface, and a route to the network of its prefix.
///
/// # Errors
/// The address has no prefix length. The interface does not exist, or has this address already.
///
/// # Example
/// ```rhai
/// let net = netns().address("lo", "10.0.0.1/32").address("lo", "fd00::1/128");
/// assert(net.ping("10.0.0.1") && net.ping("fd00::1"));
/// ```
/// # See
/// ip-address(8)
fn address(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    name: InterfaceName,
    address: Prefix,
) -> Result<SharedNetwork, VerbError> {
    act(&network, Address { name, address, away: false }, call)
}

/// Removes an address from an interface.
///
/// # Errors
/// The interface does not have this address.
///
/// # Example
/// ```rhai
/// let net = netns().address("lo", "10.0.0.1/32").remove_address("lo", "10.0.0.1/32");
/// assert(!net.ping("10.0.0.1", #{ timeout: "50ms" }));
/// ```
/// # See
/// ip-address(8)
fn remove_address(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    name: InterfaceName,
    address: Prefix,
) -> Result<SharedNetwork, VerbError> {
    act(&network, Address { name, address, away: true }, call)
}

/// Adds a route through a gateway, an interface, or both.
///
/// `destination` is `"default"`, a network or an address.
///
/// # Errors
/// The gateway is not reachable. A route to the destination exists already.
///
/// # Example
/// ```rhai
/// let net = netns().bridge("br0", []).address("br0", "10.0.0.1/24");
/// net.route("default", "10.0.0.254").route("10.8.0.0/16", #{ interface: "br0" });
/// net.route("10.9.0.0/16", #{ type: "unreachable" });
/// print(net.routes());
/// ```
/// # See
/// ip-route(8)
fn route(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    destination: Destination,
    gateway: Option<IpAddr>,
    options: Route,
) -> Result<SharedNetwork, VerbError> {
    let metric = metric(&options, call)?;
    if let (Some(gateway), Destination::Network(prefix)) = (gateway, destination)
        && gateway.is_ipv4() != prefix.address.is_ipv4()
    {
        let message = format!("{destination} and {gateway} have different IP versions");
        return Err(call.fail(Report::error(message)));
    }
    let (refusal, name) = (refusal(&options, gateway, call)?, options.interface);
    let away = false;
    act(&network, network::Route { destination, gateway, name, metric, refusal, away }, call)
}

/// Removes the route to a destination; if there are several, the one that matches the arguments.
///
/// With a `type` it is a route that refuses packets in this way.
///
/// # Errors
/// There is no such route.
///
/// # Example
/// ```rhai
/// let net = netns().bridge("br0", []).address("br0", "10.0.0.1/24");
/// net.route("default", "10.0.0.254").remove_route("default");
/// ```
/// # See
/// ip-route(8)
fn remove_route(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    destination: Destination,
    gateway: Option<IpAddr>,
    options: Route,
) -> Result<SharedNetwork, VerbError> {
    let metric = metric(&options, call)?;
    let (refusal, name) = (refusal(&options, gateway, call)?, options.interface);
    let away = true;
    act(&network, network::Route { destination, gateway, name, metric, refusal, away }, call)
}

/// Adds a permanent neighbour entry: the hardware address of an IP address.
///
/// # Errors
/// The interface does not exist.
///
/// # Example
/// ```rhai
/// let net = netns().bridge("br0", []).address("br0", "10.0.0.1/24");
/// net.neighbour("br0", "10.0.0.2", "02:00:00:00:00:02");
/// for found in net.neighbours() { print(`${found.address} is at ${found.mac}: ${found.state}`); }
/// ```
/// # See
/// ip-neighbour(8), arp(7)
fn neighbour(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    name: InterfaceName,
    address: IpAddr,
    mac: Mac,
) -> Result<SharedNetwork, VerbError> {
    act(&network, FixNeighbour { name, address, mac }, call)
}

/// Turns on IP forwarding, which makes the network a router.
///
/// # Errors
/// /proc/sys is not writable.
///
/// # Example
/// ```rhai
/// let router = netns().forward();
/// assert_eq(router.within(|| read_file("/proc/sys/net/ipv4/ip_forward").trim()), "1");
/// ```
/// # See
/// ip(7)
fn forward(call: &Call<'_, '_>, network: SharedNetwork) -> Result<SharedNetwork, VerbError> {
    act(&network, Forward, call)
}

/// Translates the source of matching packets to the address of the outgoing interface (source NAT).
///
/// Replies are translated back. nsscript writes the rule to the nftables table `inet nsscript`; the
/// program nft(8) is not needed.
///
/// # Errors
/// The kernel does not support nftables.
///
/// # Example
/// ```rhai
/// netns().forward().masquerade(#{ output: "wan", source: "10.0.0.0/24" });
/// ```
/// # See
/// nft(8)
fn masquerade(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    options: Which,
) -> Result<SharedNetwork, VerbError> {
    let packets = packets(options, call)?;
    act(&network, Masquerade(packets), call)
}

/// Redirects matching incoming packets to another address, such as a server behind the router.
///
/// `to` is an address, or an address with a port: `"10.0.0.2:80"`, `"[fd00::2]:80"`. Replies are
/// translated back. The network must `forward`. nsscript writes the rule to the nftables table
/// `inet nsscript`.
///
/// # Errors
/// A port is given without a protocol that has ports. The kernel does not support nftables.
///
/// # Example
/// ```rhai
/// let router = netns().forward();
/// router.dnat("10.0.0.2:80", #{ input: "wan", protocol: "tcp", port: 8080 });
/// ```
/// # See
/// nft(8)
fn dnat(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    to: String,
    options: Which,
) -> Result<SharedNetwork, VerbError> {
    let packets = packets(options, call)?;
    let (address, port) = target(&to).map_err(|report| call.fail(report))?;
    if port.is_some() {
        has_ports(packets.protocol).map_err(|report| call.fail(report))?;
    }
    act(&network, Dnat { packets, address, port }, call)
}

/// Removes all rules of `masquerade` and `dnat`.
///
/// # Errors
/// The kernel does not support nftables.
///
/// # Example
/// ```rhai
/// netns().masquerade().untranslate();
/// ```
/// # See
/// nft(8)
fn untranslate(call: &Call<'_, '_>, network: SharedNetwork) -> Result<SharedNetwork, VerbError> {
    act(&network, Untranslate, call)
}

/// Drops incoming, forwarded and outgoing packets that match all options.
///
/// Such packets are dropped whatever `allow` says, in connections that exist, too. `unblock` removes
/// the rule, and `dropped` says how many packets it dropped. nsscript writes the rule to the nftables
/// table `inet nsscript`.
///
/// # Errors
/// A port is given without a protocol that has ports. The kernel does not support nftables.
///
/// # Example
/// ```rhai
/// let net = netns().block(#{ destination: "127.0.0.2" });
/// assert(!net.ping("127.0.0.2", #{ timeout: "50ms" }) && net.ping("127.0.0.3"));
/// net.unblock();
/// assert(net.ping("127.0.0.2"));
/// ```
/// # See
/// nft(8)
fn block(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    options: Filter,
) -> Result<SharedNetwork, VerbError> {
    let packets = filtered(options, call)?;
    act(&network, Block(packets), call)
}

/// Removes all rules of `block`.
///
/// # Errors
/// The kernel does not support nftables.
///
/// # Example
/// ```rhai
/// netns().block(#{ protocol: "icmp" }).unblock();
/// ```
/// # See
/// nft(8)
fn unblock(call: &Call<'_, '_>, network: SharedNetwork) -> Result<SharedNetwork, VerbError> {
    act(&network, Unblock, call)
}

/// Allows packets that match all options, as exceptions from `drop_by_default`.
///
/// The order of calls does not matter: a packet that a rule of `block` matches is dropped; of the
/// others, `drop_by_default` drops those that no rule of `allow` matches. Without `drop_by_default`,
/// a rule of `allow` changes nothing. Replies need no rule. nsscript writes the rule to the nftables
/// table `inet nsscript`.
///
/// # Errors
/// A port is given without a protocol that has ports. The kernel does not support nftables.
///
/// # Example
/// ```rhai
/// let net = netns().address("lo", "10.0.0.1/32");
/// net.drop_by_default(#{ direction: "incoming" });
/// net.allow(#{ protocol: "tcp", port: [80, 443, "8000-8100"], source: "10.0.0.0/24" });
/// net.allow(#{ protocol: "icmp" });
/// ```
/// # See
/// nft(8)
fn allow(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    options: Filter,
) -> Result<SharedNetwork, VerbError> {
    let packets = filtered(options, call)?;
    act(&network, Allow(packets), call)
}

/// Removes all rules of `allow`.
///
/// Connections that they have allowed continue; `block` interrupts them.
///
/// # Errors
/// The kernel does not support nftables.
///
/// # Example
/// ```rhai
/// netns().drop_by_default().allow(#{ protocol: "tcp", port: 443 }).disallow();
/// ```
/// # See
/// nft(8)
fn disallow(call: &Call<'_, '_>, network: SharedNetwork) -> Result<SharedNetwork, VerbError> {
    act(&network, Disallow, call)
}

/// Drops packets that no rule of `allow` matches, and records them for `dropped`.
///
/// Accepted without a rule are: packets of connections that were allowed, with the error messages
/// about them; packets of `lo`; and the ICMPv6 messages by which the machines of a link find each
/// other (ARP is no IP packet, and is never dropped). By default it is about incoming, forwarded and
/// outgoing packets. A router that only protects others drops with `direction: "forwarded"`.
///
/// `allow_by_default` takes it back. A second call begins a new record. nsscript writes the rules to
/// the nftables table `inet nsscript`.
///
/// # Errors
/// The kernel does not support nftables or connection tracking.
///
/// # Example
/// ```rhai
/// let left = netns();
/// let right = netns();
/// veth(left, "eth0", right, "eth0", #{ up: true });
/// left.address("eth0", "10.0.0.1/24");
/// right.address("eth0", "10.0.0.2/24");
/// right.drop_by_default().allow(#{ protocol: "tcp", port: 443 });
/// let server = right.listen(443);
/// assert(left.can_connect("10.0.0.2", 443));
/// assert(!left.ping("10.0.0.2", #{ timeout: "50ms" }));
/// print(right.dropped());
/// ```
/// # See
/// nft(8)
fn drop_by_default(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    options: ByDefault,
) -> Result<SharedNetwork, VerbError> {
    act(&network, DefaultDrop(options.direction), call)
}

/// Accepts packets that no rule of `block` matches, as before `drop_by_default`.
///
/// # Errors
/// The kernel does not support nftables.
///
/// # Example
/// ```rhai
/// let net = netns().drop_by_default().allow_by_default();
/// assert(net.ping("127.0.0.1"));
/// ```
/// # See
/// nft(8)
fn allow_by_default(
    call: &Call<'_, '_>,
    network: SharedNetwork,
    options: ByDefault,
) -> Result<SharedNetwork, VerbError> {
    act(&network, DefaultAccept(options.direction), call)
}
