//! What is done in a network namespace, each as a sentence.

mod notation;

use std::net::IpAddr;

use crate::diag::quoted;
use crate::spec::{
    Destination, InterfaceName, IpProtocol, IpvlanMode, Mac, MacvlanMode, NetworkName, Prefix,
};

/// A kind of interface that is made by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// A switch: what comes in at one port goes out at others.
    Bridge,
    /// An interface that nothing is behind: what is sent to it is lost.
    Dummy,
    /// A VLAN of another interface, by its number.
    Vlan(InterfaceName, u16),
    /// Another hardware address of an interface.
    Macvlan(InterfaceName, MacvlanMode),
    /// Other addresses of an interface with its hardware address.
    Ipvlan(InterfaceName, IpvlanMode),
}

impl LinkKind {
    /// What the kernel calls it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Dummy => "dummy",
            Self::Vlan(..) => "vlan",
            Self::Macvlan(..) => "macvlan",
            Self::Ipvlan(..) => "ipvlan",
        }
    }

    /// The interface that it lies on.
    #[must_use]
    pub fn link(&self) -> Option<&InterfaceName> {
        match self {
            Self::Bridge | Self::Dummy => None,
            Self::Vlan(link, _) | Self::Macvlan(link, _) | Self::Ipvlan(link, _) => Some(link),
        }
    }
}

/// A change of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkChange {
    /// It is set up.
    Up,
    /// It is set down.
    Down,
    /// The largest packet in bytes.
    Mtu(u32),
    /// The hardware address.
    Mac(Mac),
    /// Another name.
    Name(InterfaceName),
    /// It becomes a port of a bridge; of none.
    Bridge(Option<InterfaceName>),
    /// It is moved into another network.
    Network(String),
}

/// Which packets a rule is about: those that fit all that is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packets {
    /// The interface that they come in by.
    pub input: Option<InterfaceName>,
    /// The interface that they leave by.
    pub output: Option<InterfaceName>,
    /// The network that they come from.
    pub source: Option<Prefix>,
    /// The network that they go to.
    pub destination: Option<Prefix>,
    /// What they are of.
    pub protocol: Option<IpProtocol>,
    /// The port that they go to.
    pub port: Option<u16>,
}

/// One thing that is done in a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkAction {
    /// The network itself is made; with a name in /run/netns, where it has one.
    Make(Option<NetworkName>),
    /// The name is taken away.
    Remove(NetworkName),
    /// An interface is made.
    Link(InterfaceName, LinkKind),
    /// A pair of interfaces is made, the second in another network.
    Veth {
        /// The one here.
        name: InterfaceName,
        /// The other network.
        network: String,
        /// The one there.
        peer: InterfaceName,
    },
    /// An interface is changed.
    Change(InterfaceName, LinkChange),
    /// An interface is removed.
    Delete(InterfaceName),
    /// An address is given to an interface, or taken from it.
    Address {
        /// The interface.
        name: InterfaceName,
        /// The address.
        address: Prefix,
        /// Whether it is taken away.
        away: bool,
    },
    /// A route is made or removed.
    Route {
        /// Where it leads.
        destination: Destination,
        /// The next router.
        gateway: Option<IpAddr>,
        /// The interface.
        name: Option<InterfaceName>,
        /// Of several the one with the lowest is taken.
        metric: Option<u32>,
        /// Whether it is taken away.
        away: bool,
    },
    /// The hardware address of a neighbour is fixed.
    Neighbour(InterfaceName, IpAddr, Mac),
    /// Packets for others are passed on.
    Forward,
    /// Packets that leave get the address of the interface that they leave by.
    Masquerade(Packets),
    /// Packets that come in go to this address, and port where one is said.
    Dnat(Packets, IpAddr, Option<u16>),
    /// What leaves and comes in keeps its addresses again.
    Untranslate,
    /// Packets are dropped.
    Block(Packets),
    /// What was blocked no longer is.
    Unblock,
}

impl Packets {
    fn describe(&self) -> String {
        let mut words = Vec::new();
        words.extend(self.protocol.map(|protocol| format!("of {protocol}")));
        words.extend(self.source.map(|source| format!("from {source}")));
        words.extend(self.destination.map(|destination| format!("to {destination}")));
        words.extend(self.port.map(|port| format!("to port {port}")));
        words.extend(self.input.as_ref().map(|name| format!("in by {name}")));
        words.extend(self.output.as_ref().map(|name| format!("out by {name}")));
        if words.is_empty() { "all packets".into() } else { format!("packets {}", words.join(" ")) }
    }

    /// The chains that they pass: what comes in has no way out yet, and what is of one's own came in
    /// nowhere.
    #[must_use]
    pub fn chains(&self) -> Vec<&'static str> {
        let mut chains = Vec::new();
        chains.extend(self.output.is_none().then_some("input"));
        chains.push("forward");
        chains.extend(self.input.is_none().then_some("output"));
        chains
    }
}

impl NetworkAction {
    /// What is done in `network`, as a sentence without a subject.
    #[must_use]
    pub fn describe(&self, network: &str) -> String {
        let at = format!("in the network {network}");
        match self {
            Self::Make(None) => format!("make the network {network}"),
            Self::Make(Some(name)) => format!("make the network {}", quoted(name.as_str())),
            Self::Remove(name) => format!("remove the network {}", quoted(name.as_str())),
            Self::Link(name, kind) => {
                let on = kind.link().map_or(String::new(), |link| format!(" on {link}"));
                format!("make the {} {name}{on} {at}", kind.name())
            }
            Self::Veth { name, network: other, peer } => {
                format!("join {name} {at} and {peer} in the network {other}")
            }
            Self::Change(name, change) => match change {
                LinkChange::Up => format!("set {name} up {at}"),
                LinkChange::Down => format!("set {name} down {at}"),
                LinkChange::Mtu(mtu) => format!("set the MTU of {name} to {mtu} {at}"),
                LinkChange::Mac(mac) => format!("set the hardware address of {name} to {mac} {at}"),
                LinkChange::Name(new) => format!("rename {name} to {new} {at}"),
                LinkChange::Bridge(Some(bridge)) => format!("make {name} a port of {bridge} {at}"),
                LinkChange::Bridge(None) => format!("take {name} from its bridge {at}"),
                LinkChange::Network(other) => {
                    format!("move {name} from the network {network} to the network {other}")
                }
            },
            Self::Delete(name) => format!("remove {name} {at}"),
            Self::Address { name, address, away: false } => format!("add {address} to {name} {at}"),
            Self::Address { name, address, away: true } => {
                format!("take {address} from {name} {at}")
            }
            Self::Route { destination, gateway, name, away, .. } => {
                let verb = if *away { "remove" } else { "add" };
                let via = gateway.map_or(String::new(), |gateway| format!(" by {gateway}"));
                let device = name.as_ref().map_or(String::new(), |name| format!(" on {name}"));
                let what = match destination {
                    Destination::Default => "the default route".to_owned(),
                    Destination::Network(prefix) => format!("the route to {prefix}"),
                };
                format!("{verb} {what}{via}{device} {at}")
            }
            Self::Neighbour(name, address, mac) => {
                format!("have {address} be at {mac} on {name} {at}")
            }
            Self::Forward => format!("pass on packets for others {at}"),
            Self::Masquerade(packets) => {
                format!("send {} under the own address {at}", packets.describe())
            }
            Self::Dnat(packets, address, port) => {
                let port = port.map_or(String::new(), |port| format!(", port {port}"));
                format!("send {} on to {address}{port} {at}", packets.describe())
            }
            Self::Untranslate => format!("translate no address any more {at}"),
            Self::Block(packets) => format!("drop {} {at}", packets.describe()),
            Self::Unblock => format!("drop nothing any more {at}"),
        }
    }

    /// What is done, in one word.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        match self {
            Self::Make(_) => "netns",
            Self::Remove(_) | Self::Delete(_) => "delete",
            Self::Link(_, kind) => kind.name(),
            Self::Veth { .. } => "veth",
            Self::Change(_, LinkChange::Up) => "up",
            Self::Change(_, LinkChange::Down) => "down",
            Self::Change(..) => "link",
            Self::Address { .. } => "address",
            Self::Route { .. } => "route",
            Self::Neighbour(..) => "neighbour",
            Self::Forward => "forward",
            Self::Masquerade(_) => "masquerade",
            Self::Dnat(..) | Self::Untranslate => "dnat",
            Self::Block(_) | Self::Unblock => "block",
        }
    }

    /// What is made or changed.
    #[must_use]
    pub fn target(&self) -> Option<String> {
        Some(match self {
            Self::Make(name) => name.as_ref()?.as_str().to_owned(),
            Self::Remove(name) => name.as_str().to_owned(),
            Self::Link(name, _)
            | Self::Veth { name, .. }
            | Self::Change(name, _)
            | Self::Delete(name)
            | Self::Address { name, .. }
            | Self::Neighbour(name, ..) => name.to_string(),
            Self::Route { destination, .. } => destination.to_string(),
            Self::Forward
            | Self::Masquerade(_)
            | Self::Dnat(..)
            | Self::Untranslate
            | Self::Block(_)
            | Self::Unblock => return None,
        })
    }
}
