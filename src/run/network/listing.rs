//! Interfaces, routes and neighbours of a network.

use std::collections::HashMap;
use std::io::Read;
use std::net::IpAddr;
use std::os::fd::BorrowedFd;

use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage, State,
};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::wire::{NetlinkError, Wire};
use crate::host::routes::{self, Route};
use crate::sys::{self, CallError, Interface};

/// An interface of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// What is told of every interface.
    pub interface: Interface,
    /// Its kind as ip(8) calls it: `veth`; empty where it has none.
    pub kind: String,
    /// The bridge that it is a port of.
    pub bridge: Option<String>,
}

/// What is known of a machine that can be reached without a router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Its address.
    pub address: IpAddr,
    /// Where it is, where that is known.
    pub mac: Option<[u8; 6]>,
    /// The interface.
    pub device: String,
    /// `reachable`, `stale`, `permanent`, `failed`, …
    pub state: &'static str,
}

fn link(message: &LinkMessage) -> (Link, Option<u32>) {
    let mut link = Link::default();
    let mut bridge = None;
    let has = |flag| message.header.flags.contains(flag);
    let own = &mut link.interface;
    own.index = message.header.index;
    own.up = has(LinkFlags::Up);
    own.running = has(LinkFlags::Running);
    own.loopback = message.header.link_layer_type == LinkLayerType::Loopback;
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => own.name.clone_from(name),
            LinkAttribute::Mtu(mtu) => own.mtu = Some(*mtu),
            LinkAttribute::Address(bytes) => own.mac = bytes[..].try_into().ok(),
            LinkAttribute::Controller(index) => bridge = Some(*index),
            LinkAttribute::OperState(State::Down | State::LowerLayerDown) => own.running = false,
            LinkAttribute::LinkInfo(infos) => {
                let kind = infos.iter().find_map(|info| match info {
                    LinkInfo::Kind(kind) => Some(kind.to_string()),
                    _ => None,
                });
                link.kind = kind.unwrap_or_default();
            }
            _ => {}
        }
    }
    (link, bridge)
}

/// The interfaces, by their numbers.
pub(super) fn links(wire: &Wire) -> Result<Vec<Link>, NetlinkError> {
    let all = wire.list(RouteNetlinkMessage::GetLink(LinkMessage::default()))?;
    let mut found: Vec<(Link, Option<u32>)> = all
        .iter()
        .filter_map(|message| match message {
            RouteNetlinkMessage::NewLink(message) => Some(link(message)),
            _ => None,
        })
        .collect();
    for message in wire.list(RouteNetlinkMessage::GetAddress(AddressMessage::default()))? {
        let RouteNetlinkMessage::NewAddress(message) = message else { continue };
        let link = found.iter_mut().find(|(link, _)| link.interface.index == message.header.index);
        let (local, other) = addresses(&message.attributes);
        if let (Some((link, _)), Some(address)) = (link, local.or(other)) {
            link.interface.addresses.push((address, message.header.prefix_len.into()));
        }
    }
    let names: HashMap<u32, String> =
        found.iter().map(|(link, _)| (link.interface.index, link.interface.name.clone())).collect();
    found.sort_by_key(|(link, _)| link.interface.index);
    let with = |(link, bridge): (Link, Option<u32>)| Link {
        bridge: bridge.and_then(|index| names.get(&index).cloned()),
        ..link
    };
    Ok(found.into_iter().map(with).collect())
}

/// The own address, and the one that is the other end of a line or the same.
fn addresses(attributes: &[AddressAttribute]) -> (Option<IpAddr>, Option<IpAddr>) {
    let (mut local, mut other) = (None, None);
    for attribute in attributes {
        match attribute {
            AddressAttribute::Local(address) => local = Some(*address),
            AddressAttribute::Address(address) => other = Some(*address),
            _ => {}
        }
    }
    (local, other)
}

fn state(state: NeighbourState) -> &'static str {
    match state {
        NeighbourState::Incomplete => "incomplete",
        NeighbourState::Reachable => "reachable",
        NeighbourState::Stale => "stale",
        NeighbourState::Delay => "delay",
        NeighbourState::Probe => "probe",
        NeighbourState::Failed => "failed",
        NeighbourState::Noarp => "noarp",
        NeighbourState::Permanent => "permanent",
        _ => "none",
    }
}

/// The neighbours, without those that nobody has to be asked for.
pub(super) fn neighbours(wire: &Wire) -> Result<Vec<Neighbour>, NetlinkError> {
    let links = links(wire)?;
    let name = |index: u32| {
        let link = links.iter().find(|link| link.interface.index == index);
        link.map(|link| link.interface.name.clone())
    };
    let all = wire.list(RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default()))?;
    let found = all.iter().filter_map(|message| {
        let RouteNetlinkMessage::NewNeighbour(message) = message else { return None };
        let header = &message.header;
        let is_ip = matches!(header.family, AddressFamily::Inet | AddressFamily::Inet6);
        if !is_ip || header.state == NeighbourState::Noarp {
            return None;
        }
        let (mut address, mut mac) = (None, None);
        for attribute in &message.attributes {
            match attribute {
                NeighbourAttribute::Destination(NeighbourAddress::Inet(it)) => {
                    address = Some(IpAddr::from(*it));
                }
                NeighbourAttribute::Destination(NeighbourAddress::Inet6(it)) => {
                    address = Some(IpAddr::from(*it));
                }
                NeighbourAttribute::LinkLayerAddress(bytes) => mac = bytes[..].try_into().ok(),
                _ => {}
            }
        }
        let (device, state) = (name(header.ifindex)?, state(header.state));
        Some(Neighbour { address: address?, mac, device, state })
    });
    Ok(found.collect())
}

/// The routes: those of IPv4, then those of IPv6.
pub(super) fn routes(namespace: BorrowedFd<'_>) -> Result<Vec<Route>, CallError> {
    let text = |path| -> Result<String, CallError> {
        let mut text = String::new();
        let read = sys::open_in(namespace, path, false)?.read_to_string(&mut text);
        let trouble =
            |error| CallError { syscall: sys::Syscall::Openat, errno: sys::Errno::from(&error) };
        read.map(|_| text).map_err(trouble)
    };
    let mut found = routes::version_4(&text(c"/proc/thread-self/net/route")?);
    // A kernel without IPv6 has no such file.
    match text(c"/proc/thread-self/net/ipv6_route") {
        Err(trouble) if trouble.errno == sys::Errno::MISSING => {}
        six => found.extend(routes::version_6(&six?)),
    }
    Ok(found)
}
