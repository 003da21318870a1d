//! Messages of rtnetlink(7) for what is done in a network.

use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{
    InfoData, InfoIpVlan, InfoKind, InfoMacVlan, InfoVeth, InfoVlan, IpVlanMode, LinkAttribute,
    LinkFlags, LinkInfo, LinkMessage, MacVlanMode,
};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::wire::{NetlinkError, Wire};
use crate::ops::network::{self, ChangeLink, LinkChange, LinkKind, MakeLink, Message, Refusal};
use crate::spec::{Destination, InterfaceName, IpvlanMode, MacvlanMode, Prefix};
use crate::sys::Errno;

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

/// A message about the interface called `name`.
fn named(name: &InterfaceName) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_string()));
    message
}

/// A message about the interface with this number.
fn numbered(index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message
}

/// The number of an interface.
pub(super) fn index(wire: &Wire, name: &InterfaceName) -> Result<u32, NetlinkError> {
    let found = wire.ask(RouteNetlinkMessage::GetLink(named(name)));
    let found = found.map_err(|refused| {
        let missing = (refused.trouble.errno == Errno::NO_DEVICE).then(|| name.clone());
        NetlinkError { missing, ..refused }
    })?;
    let index = found.into_iter().find_map(|message| match message {
        RouteNetlinkMessage::NewLink(link) => Some(link.header.index),
        _ => None,
    });
    index.ok_or_else(|| NetlinkError::new(Errno::NO_DEVICE.code()))
}

fn made(name: Option<&InterfaceName>, info: Vec<LinkInfo>) -> LinkMessage {
    let mut message = name.map_or_else(LinkMessage::default, named);
    message.attributes.push(LinkAttribute::LinkInfo(info));
    message
}

fn macvlan_mode(mode: MacvlanMode) -> MacVlanMode {
    match mode {
        MacvlanMode::Bridge => MacVlanMode::Bridge,
        MacvlanMode::Private => MacVlanMode::Private,
        MacvlanMode::Vepa => MacVlanMode::Vepa,
        MacvlanMode::Passthru => MacVlanMode::Passthrough,
    }
}

fn ipvlan_mode(mode: IpvlanMode) -> IpVlanMode {
    match mode {
        IpvlanMode::L2 => IpVlanMode::L2,
        IpvlanMode::L3 => IpVlanMode::L3,
        IpvlanMode::L3s => IpVlanMode::L3S,
    }
}

fn link(wire: &Wire, name: &InterfaceName, kind: &LinkKind) -> Result<LinkMessage, NetlinkError> {
    let info = match kind {
        LinkKind::Bridge => vec![LinkInfo::Kind(InfoKind::Bridge)],
        LinkKind::Dummy => vec![LinkInfo::Kind(InfoKind::Dummy)],
        LinkKind::Vlan(_, id) => vec![
            LinkInfo::Kind(InfoKind::Vlan),
            LinkInfo::Data(InfoData::Vlan(vec![InfoVlan::Id(*id)])),
        ],
        LinkKind::Macvlan(_, mode) => vec![
            LinkInfo::Kind(InfoKind::MacVlan),
            LinkInfo::Data(InfoData::MacVlan(vec![InfoMacVlan::Mode(macvlan_mode(*mode))])),
        ],
        LinkKind::Ipvlan(_, mode) => vec![
            LinkInfo::Kind(InfoKind::IpVlan),
            LinkInfo::Data(InfoData::IpVlan(vec![InfoIpVlan::Mode(ipvlan_mode(*mode))])),
        ],
    };
    let mut message = made(Some(name), info);
    if let Some(link) = kind.link() {
        message.attributes.push(LinkAttribute::Link(index(wire, link)?));
    }
    Ok(message)
}

fn veth(
    name: Option<&InterfaceName>,
    peer: Option<&InterfaceName>,
    other: BorrowedFd<'_>,
) -> LinkMessage {
    // Made where it belongs: moving it there would cost some hundred times as much.
    let mut there = peer.map_or_else(LinkMessage::default, named);
    there.attributes.push(LinkAttribute::NetNsFd(other.as_raw_fd()));
    let data = LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(there)));
    made(name, vec![LinkInfo::Kind(InfoKind::Veth), data])
}

fn change(
    wire: &Wire,
    index: u32,
    change: &LinkChange,
    other: Option<BorrowedFd<'_>>,
) -> Result<LinkMessage, NetlinkError> {
    let mut message = numbered(index);
    let attribute = match change {
        LinkChange::Up | LinkChange::Down => {
            let up = *change == LinkChange::Up;
            message.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
            message.header.change_mask = LinkFlags::Up;
            return Ok(message);
        }
        LinkChange::Mtu(mtu) => LinkAttribute::Mtu(*mtu),
        LinkChange::Mac(mac) => LinkAttribute::Address(mac.0.to_vec()),
        LinkChange::Name(new) => LinkAttribute::IfName(new.to_string()),
        LinkChange::Bridge(None) => LinkAttribute::Controller(0),
        LinkChange::Bridge(Some(bridge)) => LinkAttribute::Controller(self::index(wire, bridge)?),
        LinkChange::Network(_) => {
            LinkAttribute::NetNsFd(other.map_or(-1, |other| other.as_raw_fd()))
        }
    };
    message.attributes.push(attribute);
    Ok(message)
}

fn address(index: u32, prefix: &Prefix) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(prefix.address);
    message.header.prefix_len = prefix.length;
    message.header.index = index;
    if prefix.address.is_ipv6() {
        // Nobody else can have it yet, so nobody is asked for it, which would take seconds.
        message.header.flags = AddressHeaderFlags::Nodad;
    }
    let Prefix { address, .. } = *prefix;
    message.attributes = vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
    message
}

fn route(
    wire: &Wire,
    asked: &network::Route,
    otherwise: AddressFamily,
) -> Result<RouteMessage, NetlinkError> {
    let network::Route { destination, gateway, name, metric, refusal, away: _ } = asked;
    let mut message = RouteMessage::default();
    // A route that refuses has no neighbours beside it: the kernel wants the widest scope.
    let is_wide = gateway.is_some() || refusal.is_some();
    let scope = if is_wide { RouteScope::Universe } else { RouteScope::Link };
    let prefix = match destination {
        Destination::Default => None,
        Destination::Network(prefix) => Some(*prefix),
    };
    let known = prefix.map(|prefix| prefix.address).or(*gateway);
    let family = known.map_or(otherwise, family);
    message.header = RouteHeader {
        destination_prefix_length: prefix.map_or(0, |prefix| prefix.length),
        table: RouteHeader::RT_TABLE_MAIN,
        protocol: RouteProtocol::Static,
        scope: if family == AddressFamily::Inet { scope } else { RouteScope::Universe },
        kind: match refusal {
            None => RouteType::Unicast,
            Some(Refusal::Blackhole) => RouteType::BlackHole,
            Some(Refusal::Unreachable) => RouteType::Unreachable,
            Some(Refusal::Prohibit) => RouteType::Prohibit,
        },
        address_family: family,
        ..RouteHeader::default()
    };
    let destination = prefix.map(|it| RouteAttribute::Destination(RouteAddress::from(it.address)));
    message.attributes.extend(destination);
    let gateway = gateway.map(|gateway| RouteAttribute::Gateway(RouteAddress::from(gateway)));
    message.attributes.extend(gateway);
    if let Some(name) = name {
        message.attributes.push(RouteAttribute::Oif(index(wire, name)?));
    }
    message.attributes.extend(metric.map(RouteAttribute::Priority));
    Ok(message)
}

/// Has one thing done that rtnetlink does. `other` is the other network that it is about.
pub(super) fn perform(
    wire: &Wire,
    message: Message<'_>,
    other: Option<BorrowedFd<'_>>,
) -> Result<(), NetlinkError> {
    let new = NLM_F_CREATE | NLM_F_EXCL;
    let (message, flags) = match message {
        Message::MakeLink(MakeLink { name, kind }) => {
            (RouteNetlinkMessage::NewLink(link(wire, name, kind)?), new)
        }
        Message::Veth(network::Veth { name, network: _, peer }) => {
            let other = other.ok_or_else(|| NetlinkError::new(Errno::INVALID.code()))?;
            (RouteNetlinkMessage::NewLink(veth(name.as_ref(), peer.as_ref(), other)), new)
        }
        Message::ChangeLink(ChangeLink { name, change: how }) => {
            let index = index(wire, name)?;
            (RouteNetlinkMessage::SetLink(change(wire, index, how, other)?), 0)
        }
        Message::DeleteLink(deleted) => {
            (RouteNetlinkMessage::DelLink(numbered(index(wire, &deleted.0)?)), 0)
        }
        Message::Address(network::Address { name, address: prefix, away }) => {
            let message = address(index(wire, name)?, prefix);
            if *away {
                (RouteNetlinkMessage::DelAddress(message), 0)
            } else {
                (RouteNetlinkMessage::NewAddress(message), new)
            }
        }
        Message::Route(asked) => {
            let of = |family| route(wire, asked, family);
            if asked.away {
                let done = wire.request(without(of(AddressFamily::Inet)?), 0);
                let is_any = asked.destination == Destination::Default && asked.gateway.is_none();
                return match done {
                    // It may be the one of IPv6.
                    Err(refused) if is_any && refused.trouble.errno.name() == "ESRCH" => {
                        wire.request(without(of(AddressFamily::Inet6)?), 0)
                    }
                    done => done,
                };
            }
            (RouteNetlinkMessage::NewRoute(of(AddressFamily::Inet)?), new)
        }
        Message::FixNeighbour(network::FixNeighbour { name, address, mac }) => {
            let mut message = NeighbourMessage::default();
            message.header.family = family(*address);
            message.header.ifindex = index(wire, name)?;
            message.header.state = NeighbourState::Permanent;
            message.header.kind = RouteType::Unspec;
            let address = match address {
                IpAddr::V4(address) => NeighbourAddress::Inet(*address),
                IpAddr::V6(address) => NeighbourAddress::Inet6(*address),
            };
            message.attributes.push(NeighbourAttribute::Destination(address));
            message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()));
            (RouteNetlinkMessage::NewNeighbour(message), NLM_F_CREATE | NLM_F_REPLACE)
        }
    };
    wire.request(message, flags)
}

/// The message that removes a route, whatever it is besides; one that refuses packets only if it
/// does so in this way.
fn without(mut message: RouteMessage) -> RouteNetlinkMessage {
    message.header.scope = RouteScope::NoWhere;
    message.header.protocol = RouteProtocol::Unspec;
    if message.header.kind == RouteType::Unicast {
        message.header.kind = RouteType::Unspec;
    }
    RouteNetlinkMessage::DelRoute(message)
}

/// Sets an interface up.
pub(super) fn set_up(wire: &Wire, name: &str) -> Result<(), NetlinkError> {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    wire.request(RouteNetlinkMessage::SetLink(message), 0)
}
