//! Addresses, routes and rules of a network.

use std::net::{IpAddr, SocketAddr};

use super::act;
use crate::diag::{Report, closest, quoted};
use crate::ops::network::{
    self, Address, Block, Dnat, FixNeighbour, Forward, Masquerade, Packets, Refusal, Unblock,
    Untranslate,
};
use crate::script::binding::addresses::{Port, Subnet};
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::options::options;
use crate::script::binding::value::SharedNetwork;
use crate::script::binding::verb::{Verb, verbs};
use crate::spec::{Destination, InterfaceName, IpProtocol, Mac, Prefix};

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
];

options! {
    /// How a route leads.
    struct Route {
        /// the interface that packets leave by
        interface: InterfaceName = "",
        /// of several routes to one place the lowest is taken; of IPv6 it is 1024 by itself
        metric: i64 = "0",
        /// how packets are refused: `"blackhole"`, `"unreachable"` or `"prohibit"`
        r#type: String = "",
    }

    /// Which packets.
    struct Which {
        /// the interface that they come in by
        input: InterfaceName = "",
        /// the interface that they leave by
        output: InterfaceName = "",
        /// the network that they come from
        source: Subnet = "",
        /// the network that they go to
        destination: Subnet = "",
        /// what they are of
        protocol: IpProtocol = "",
        /// the port that they go to
        port: Port = "",
    }
}

fn metric(options: &Route, call: &Call<'_, '_>) -> Result<Option<u32>, VerbError> {
    let number = |metric: i64| {
        u32::try_from(metric).map_err(|_| {
            call.fail_at_key("metric", Report::error(format!("{metric} is no metric")))
        })
    };
    options.metric.map(number).transpose()
}

/// How a route refuses packets, if it does: then it leads nowhere.
fn refusal(
    options: &Route,
    gateway: Option<IpAddr>,
    call: &Call<'_, '_>,
) -> Result<Option<Refusal>, VerbError> {
    let Some(word) = options.r#type.as_deref() else { return Ok(None) };
    let Some(refusal) = Refusal::ALL.into_iter().find(|refusal| refusal.name() == word) else {
        let report = Report::error(format!("no type of route {}", quoted(word)));
        let known = Refusal::ALL.map(Refusal::name);
        let hint = match closest(word, known) {
            Some(near) => format!("did you mean `\"{near}\"`?"),
            None => "a type is `\"blackhole\"`, `\"unreachable\"` or `\"prohibit\"`; without \
                     one, packets are passed on"
                .into(),
        };
        return Err(call.fail_at_key("type", report.hint(hint)));
    };
    if gateway.is_some() || options.interface.is_some() {
        let message = format!("a route of the type `{word}` leads by no gateway or interface");
        let report = Report::error(message).hint("leave out the one or the other");
        return Err(call.fail_at_key("type", report));
    }
    Ok(Some(refusal))
}

/// An address, and a port where one stands behind it.
fn target(text: &str) -> Result<(IpAddr, Option<u16>), Report> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok((address.ip(), Some(address.port()).filter(|port| *port > 0)));
    }
    let address = crate::spec::address(text);
    address.map(|address| (address, None)).map_err(|invalid| {
        let hint = "it is an address, or one with a port: `\"10.0.0.2:80\"`, `\"[fd00::2]:80\"`";
        Report::error(invalid.to_string()).hint(hint)
    })
}

fn packets(which: Which, call: &Call<'_, '_>) -> Result<Packets, VerbError> {
    let Which { input, output, source, destination, protocol, port } = which;
    if port.is_some() && !protocol.is_some_and(IpProtocol::has_ports) {
        let report = Report::error("a port is one of `tcp` or of `udp`");
        return Err(call.fail_at_key("port", report.hint("`protocol: \"tcp\"` says which")));
    }
    let (source, destination) = (source.map(|it| it.0), destination.map(|it| it.0));
    let port = port.map(|port| port.0);
    Ok(Packets { input, output, source, destination, protocol, port })
}

/// Gives an interface an address, and a route to the network of its prefix.
///
/// # Errors
/// The address has no prefix; the interface has it already, or there is no such interface.
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

/// Takes an address from an interface.
///
/// # Errors
/// It does not have it.
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

/// Adds a route: by a gateway, by an interface, or both.
///
/// The destination is `"default"`, a network or an address. A route with a `type` leads nowhere:
/// packets for the destination are dropped (`"blackhole"`), or their sender is told that there is no
/// way (`"unreachable"`) or that it is forbidden (`"prohibit"`).
///
/// # Errors
/// The gateway cannot be reached; there is a route to the destination already.
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
        let message = format!("{destination} and {gateway} are of different versions of IP");
        return Err(call.fail(Report::error(message)));
    }
    let (refusal, name) = (refusal(&options, gateway, call)?, options.interface);
    let away = false;
    act(&network, network::Route { destination, gateway, name, metric, refusal, away }, call)
}

/// Removes the route to a destination; of several, the one by this gateway or interface.
///
/// With a `type` it is a route that refuses packets in this way.
///
/// # Errors
/// There is none.
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

/// Says at which hardware address a neighbour is, so that nobody has to be asked for it.
///
/// # Errors
/// There is no such interface.
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

/// Has the network pass on packets for others: it is a router then.
///
/// # Errors
/// /proc/sys cannot be written to.
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

/// Has packets leave under the address of the interface that they leave by: source NAT.
///
/// The answers come back to who sent them. It is a rule of nftables, in the table `inet nsscript`; the program nft(8) is not needed.
///
/// # Errors
/// This kernel has no nftables.
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

/// Sends packets that come in on to another address: a port of a router leads to a machine behind it.
///
/// `to` is an address, or one with a port: `"10.0.0.2:80"`, `"[fd00::2]:80"`. The answers come back
/// under the address that was asked. The network has to `forward`. It is a rule of nftables, in
/// the table `inet nsscript`.
///
/// # Errors
/// A port without a protocol that has ports; this kernel has no nftables.
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
    if port.is_some() && !packets.protocol.is_some_and(IpProtocol::has_ports) {
        let report = Report::error("a port is one of `tcp` or of `udp`");
        return Err(call.fail(report.hint("`protocol: \"tcp\"` in the options says which")));
    }
    act(&network, Dnat { packets, address, port }, call)
}

/// Takes back all that `masquerade` and `dnat` have said.
///
/// # Errors
/// This kernel has no nftables.
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

/// Drops packets, on the way in, through and out: those that fit all that is said.
///
/// It is a rule of nftables, in the table `inet nsscript`.
///
/// # Errors
/// This kernel has no nftables.
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
    options: Which,
) -> Result<SharedNetwork, VerbError> {
    let packets = packets(options, call)?;
    act(&network, Block(packets), call)
}

/// Takes back all that was blocked.
///
/// # Errors
/// This kernel has no nftables.
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
