//! Packets that rules have dropped: counters of nftables, and sets of flows.

use std::net::IpAddr;

use netlink_packet_core::{DefaultNla, NLM_F_DUMP, NLM_F_REQUEST};

use super::filter::{self, INET, NFTABLES, TABLE};
use super::wire::{NetlinkError, Wire};
use crate::ops::network::{DEFAULT_COMMENT, DROP_SETS, DropSet};
use crate::spec::IpProtocol;
use crate::sys::Errno;

/// Packets that a rule has dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The rule, in words.
    pub rule: String,
    /// What they have in common, where that was recorded.
    pub flow: Option<Flow>,
    /// How many.
    pub packets: u64,
    /// Their size.
    pub bytes: u64,
}

/// Packets from one machine to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The address that they came from.
    pub source: IpAddr,
    /// The address that they were for.
    pub destination: IpAddr,
    /// The name of the protocol, or its number.
    pub protocol: String,
    /// The port that they were for.
    pub port: Option<u16>,
}

/// `NFT_MSG_GETRULE`, `NFT_MSG_GETSET`, `NFT_MSG_GETSETELEM`.
const GET_RULES: u16 = NFTABLES << 8 | 7;
const GET_SETS: u16 = NFTABLES << 8 | 0xa;
const GET_ELEMENTS: u16 = NFTABLES << 8 | 0xd;

/// How often a list is asked for that changes meanwhile.
const MOST_ATTEMPTS: u32 = 64;

/// All that was dropped: by rules, in their order, and by default, by flow.
pub(super) fn list(wire: &Wire) -> Result<Vec<Dropped>, NetlinkError> {
    let mut found: Vec<Dropped> = Vec::new();
    let mut unknown_flows = None;
    for message in asked(wire, GET_RULES, &[filter::text(1, TABLE)])? {
        let Some(dropped) = by_rule(&message) else { continue };
        if dropped.rule == DEFAULT_COMMENT {
            unknown_flows = Some(dropped);
            continue;
        }
        // Of a rule with several ports or directions, the kernel has several.
        match found.iter_mut().find(|known| known.rule == dropped.rule) {
            Some(known) => {
                known.packets = known.packets.saturating_add(dropped.packets);
                known.bytes = known.bytes.saturating_add(dropped.bytes);
            }
            None => found.push(dropped),
        }
    }
    // There are none in a network that has never dropped by default.
    let sets = asked(wire, GET_SETS, &[])?;
    let is_there = |set: &DropSet| sets.iter().any(|message| is_set(message, *set));
    for set in DROP_SETS.into_iter().filter(is_there) {
        let request = [filter::text(1, TABLE), filter::text(2, set.name)];
        let messages = asked(wire, GET_ELEMENTS, &request)?;
        let mut flows: Vec<_> = messages.iter().flat_map(|message| flows(message, set)).collect();
        let key = |flow: &Flow| (flow.source, flow.destination, flow.protocol.clone(), flow.port);
        flows.sort_by_cached_key(|dropped| dropped.flow.as_ref().map(key));
        found.extend(flows);
    }
    found.extend(unknown_flows);
    found.retain(|dropped| dropped.packets > 0);
    Ok(found)
}

/// Asks for a list of this kind.
fn asked(wire: &Wire, kind: u16, which: &[DefaultNla]) -> Result<Vec<Vec<u8>>, NetlinkError> {
    for _ in 0..MOST_ATTEMPTS {
        let sequence = wire.next();
        let body = filter::emitted(which);
        let length = u32::try_from(20 + body.len()).unwrap_or(u32::MAX);
        let mut request = length.to_ne_bytes().to_vec();
        request.extend(kind.to_ne_bytes());
        request.extend((NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
        request.extend(sequence.to_ne_bytes());
        request.extend([0; 4]);
        request.extend([INET, 0, 0, 0]);
        request.extend(body);
        if let Some(messages) = wire.dump(&request, sequence)? {
            // Behind the family, the version and the resource are attributes.
            return Ok(messages
                .into_iter()
                .map(|bytes| bytes[bytes.len().min(4)..].into())
                .collect());
        }
    }
    Err(NetlinkError::new(Errno::INTERRUPTED.code()))
}

/// The attribute of this kind.
fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(found, _)| *found == kind).map(|(_, value)| value)
}

/// The kinds and values of attributes.
fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let [one, two, three, four, ..] = *bytes else { return None };
        let length = usize::from(u16::from_ne_bytes([one, two]));
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        // Without `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER`.
        Some((u16::from_ne_bytes([three, four]) & 0x3fff, value))
    })
}

/// Whether this is what the kernel tells of a set.
fn is_set(message: &[u8], set: DropSet) -> bool {
    let is = |kind, text: &str| {
        let value = attribute(message, kind).and_then(|value| value.strip_suffix(&[0]));
        value == Some(text.as_bytes())
    };
    is(1, TABLE) && is(2, set.name)
}

/// What an expression has counted, if it is a counter: packets and bytes.
fn counted(expression: &[u8]) -> Option<(u64, u64)> {
    if attribute(expression, 1)? != b"counter\0" {
        return None;
    }
    let data = attribute(expression, 2)?;
    let number = |kind| attribute(data, kind)?.try_into().ok().map(u64::from_be_bytes);
    Some((number(2)?, number(1)?))
}

/// What a rule has dropped that has a comment and a counter.
fn by_rule(message: &[u8]) -> Option<Dropped> {
    let mut expressions = attributes(attribute(message, 4)?);
    let (packets, bytes) = expressions.find_map(|(_, expression)| counted(expression))?;
    // Its kind and its length are before the text.
    let comment = attribute(message, 7)?.strip_prefix(&[0])?;
    let comment = comment.get(1..usize::from(*comment.first()?))?;
    let rule = String::from_utf8_lossy(comment).into_owned();
    Some(Dropped { rule, flow: None, packets, bytes })
}

/// The flows in a part of a set.
fn flows(message: &[u8], set: DropSet) -> Vec<Dropped> {
    let elements = attribute(message, 3).unwrap_or_default();
    attributes(elements).filter_map(|(_, element)| flow(element, set)).collect()
}

fn flow(element: &[u8], set: DropSet) -> Option<Dropped> {
    let key = attribute(attribute(element, 1)?, 1)?;
    let (packets, bytes) = counted(attribute(element, 7)?)?;
    let length = if set.four { 4 } else { 16 };
    let address = |bytes: &[u8]| {
        let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
        four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
    };
    let (source, rest) = key.split_at_checked(length)?;
    let (destination, rest) = rest.split_at_checked(length)?;
    let protocol = *rest.first()?;
    let mut port = None;
    if set.ports {
        port = Some(u16::from_be_bytes(rest.get(4..6)?.try_into().ok()?));
    }
    let known = IpProtocol::ALL.into_iter().find(|it| filter::number_of(*it) == protocol);
    let protocol = known.map_or_else(|| protocol.to_string(), |known| known.to_string());
    let (source, destination) = (address(source)?, address(destination)?);
    let flow = Some(Flow { source, destination, protocol, port });
    Some(Dropped { rule: DEFAULT_COMMENT.to_owned(), flow, packets, bytes })
}
