//! Rules of nftables, by netlink: the program nft(8) is not needed for them.
//!
//! All are in one table, `inet nsscript`, so that `nft list ruleset` shows what is ours.

use std::net::IpAddr;

use netlink_packet_core::{
    DefaultNla, Emitable, NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REQUEST,
};

use super::wire::{NetlinkError, Wire};
use crate::ops::network::{Dnat, Packets, Rule};
use crate::spec::{InterfaceName, IpProtocol, Prefix};

const TABLE: &str = "nsscript";

/// `NFPROTO_INET`: IPv4 and IPv6.
const INET: u8 = 1;
/// `NFNL_SUBSYS_NFTABLES`.
const NFTABLES: u16 = 10;
/// `NFNL_MSG_BATCH_BEGIN` and `NFNL_MSG_BATCH_END`.
const BEGIN: u16 = 0x10;
const END: u16 = 0x11;

/// Messages: `NFT_MSG_…`.
const NEW_TABLE: u16 = NFTABLES << 8;
const NEW_CHAIN: u16 = NFTABLES << 8 | 3;
const NEW_RULE: u16 = NFTABLES << 8 | 6;
const DELETE_RULE: u16 = NFTABLES << 8 | 8;

/// Registers: `NFT_REG_VERDICT`, `NFT_REG_1`, `NFT_REG_2`.
const VERDICT: u32 = 0;
const REGISTER: u32 = 1;
const SECOND: u32 = 2;

/// What meta tells: `NFT_META_…`.
const INPUT_NAME: u32 = 6;
const OUTPUT_NAME: u32 = 7;
const FAMILY: u32 = 15;
const LAYER_4: u32 = 16;

/// Where payload looks: `NFT_PAYLOAD_NETWORK_HEADER`, `NFT_PAYLOAD_TRANSPORT_HEADER`.
const NETWORK: u32 = 1;
const TRANSPORT: u32 = 2;

/// A chain that packets pass.
struct Chain {
    name: &'static str,
    kind: &'static str,
    /// `NF_INET_…`.
    hook: u32,
    priority: i32,
}

const POSTROUTING: Chain = Chain { name: "postrouting", kind: "nat", hook: 4, priority: 100 };
const PREROUTING: Chain = Chain { name: "prerouting", kind: "nat", hook: 0, priority: -100 };
const FILTERS: [Chain; 3] = [
    Chain { name: "input", kind: "filter", hook: 1, priority: 0 },
    Chain { name: "forward", kind: "filter", hook: 2, priority: 0 },
    Chain { name: "output", kind: "filter", hook: 3, priority: 0 },
];

fn bytes(kind: u16, value: &[u8]) -> DefaultNla {
    DefaultNla::new(kind, value.to_vec())
}

/// Numbers of nftables are in the order of the network.
fn number(kind: u16, value: u32) -> DefaultNla {
    bytes(kind, &value.to_be_bytes())
}

fn text(kind: u16, value: &str) -> DefaultNla {
    bytes(kind, format!("{value}\0").as_bytes())
}

fn emitted(attributes: &[DefaultNla]) -> Vec<u8> {
    let mut buffer = vec![0; attributes.buffer_len()];
    attributes.emit(&mut buffer);
    buffer
}

/// `NLA_F_NESTED`.
const NESTED: u16 = 1 << 15;

fn nested(kind: u16, attributes: &[DefaultNla]) -> DefaultNla {
    DefaultNla::new(kind | NESTED, emitted(attributes))
}

/// An expression: `NFTA_LIST_ELEM` of a name and data.
fn expression(name: &str, data: &[DefaultNla]) -> DefaultNla {
    nested(1, &[text(1, name), nested(2, data)])
}

fn meta(key: u32) -> DefaultNla {
    expression("meta", &[number(1, REGISTER), number(2, key)])
}

fn payload(base: u32, offset: u32, length: u32) -> DefaultNla {
    let parts = [number(1, REGISTER), number(2, base), number(3, offset), number(4, length)];
    expression("payload", &parts)
}

/// The register is equal to this: `NFT_CMP_EQ`.
fn is(value: &[u8]) -> DefaultNla {
    expression("cmp", &[number(1, REGISTER), number(2, 0), nested(3, &[bytes(1, value)])])
}

fn masked(mask: &[u8]) -> DefaultNla {
    let length = u32::try_from(mask.len()).unwrap_or_default();
    let zeros = vec![0; mask.len()];
    let parts = [
        number(1, REGISTER),
        number(2, REGISTER),
        number(3, length),
        nested(4, &[bytes(1, mask)]),
        nested(5, &[bytes(1, &zeros)]),
    ];
    expression("bitwise", &parts)
}

fn interface(key: u32, name: &InterfaceName) -> [DefaultNla; 2] {
    let mut padded = [0; 16];
    let name = name.as_str().as_bytes();
    padded[..name.len()].copy_from_slice(name);
    [meta(key), is(&padded)]
}

/// The address at `places`, in the header of IPv4 and of IPv6, is in a network.
fn address(prefix: Prefix, places: (u32, u32)) -> Vec<DefaultNla> {
    let (family, place, octets) = match prefix.network().address {
        IpAddr::V4(address) => (family(true), places.0, address.octets().to_vec()),
        IpAddr::V6(address) => (family(false), places.1, address.octets().to_vec()),
    };
    let bits = usize::from(prefix.length);
    let mask: Vec<u8> = (0..octets.len())
        .map(|byte| match bits.saturating_sub(byte * 8) {
            8.. => 0xff,
            rest => !(0xff_u8.checked_shr(u32::try_from(rest).unwrap_or(0)).unwrap_or(0)),
        })
        .collect();
    let length = u32::try_from(octets.len()).unwrap_or_default();
    vec![meta(FAMILY), is(&[family]), payload(NETWORK, place, length), masked(&mask), is(&octets)]
}

/// `NFPROTO_IPV4`, `NFPROTO_IPV6`.
fn family(four: bool) -> u8 {
    if four { 2 } else { 10 }
}

/// The number of a protocol: protocols(5).
fn number_of(protocol: IpProtocol) -> u8 {
    match protocol {
        IpProtocol::Icmp => 1,
        IpProtocol::Tcp => 6,
        IpProtocol::Udp => 17,
        IpProtocol::Icmpv6 => 58,
    }
}

/// What packets have to fit.
fn fitting(packets: &Packets) -> Vec<DefaultNla> {
    let mut parts = Vec::new();
    parts.extend(packets.input.iter().flat_map(|name| interface(INPUT_NAME, name)));
    parts.extend(packets.output.iter().flat_map(|name| interface(OUTPUT_NAME, name)));
    parts.extend(packets.source.into_iter().flat_map(|prefix| address(prefix, (12, 8))));
    parts.extend(packets.destination.into_iter().flat_map(|prefix| address(prefix, (16, 24))));
    if let Some(protocol) = packets.protocol {
        parts.extend([meta(LAYER_4), is(&[number_of(protocol)])]);
    }
    if let Some(port) = packets.port {
        parts.extend([payload(TRANSPORT, 2, 2), is(&port.to_be_bytes())]);
    }
    parts
}

/// Puts a value into a register.
fn load(register: u32, value: &[u8]) -> DefaultNla {
    expression("immediate", &[number(1, register), nested(2, &[bytes(1, value)])])
}

/// What sends a packet on to an address, and a port where one is said: `NFT_NAT_DNAT`.
fn destination(address: IpAddr, port: Option<u16>) -> Vec<DefaultNla> {
    let octets = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let family = family(address.is_ipv4());
    let mut parts = vec![meta(FAMILY), is(&[family]), load(REGISTER, &octets)];
    let mut nat = vec![number(1, 1), number(2, family.into()), number(3, REGISTER)];
    if let Some(port) = port {
        parts.push(load(SECOND, &port.to_be_bytes()));
        nat.push(number(5, SECOND));
    }
    parts.push(expression("nat", &nat));
    parts
}

/// `NF_DROP` as a verdict.
fn drop_packets() -> DefaultNla {
    let verdict = nested(2, &[number(1, 0)]);
    expression("immediate", &[number(1, VERDICT), nested(2, &[verdict])])
}

/// Messages that are one change.
struct Batch<'w> {
    wire: &'w Wire,
    first: u32,
    /// The last message that does something, and so is answered.
    last: u32,
    bytes: Vec<u8>,
}

impl<'w> Batch<'w> {
    fn begin(wire: &'w Wire) -> Self {
        let mut batch = Self { wire, first: 0, last: 0, bytes: Vec::new() };
        batch.first = batch.push(BEGIN, 0, (0, NFTABLES), &[]);
        batch.last = batch.first;
        batch
    }

    /// Adds a message that does something.
    fn act(&mut self, kind: u16, flags: u16, attributes: &[DefaultNla]) {
        self.last = self.push(kind, flags | NLM_F_ACK, (INET, 0), attributes);
    }

    /// Adds a message; `of` is its family and resource.
    fn push(&mut self, kind: u16, flags: u16, of: (u8, u16), attributes: &[DefaultNla]) -> u32 {
        let sequence = self.wire.next();
        let body = emitted(attributes);
        let length = u32::try_from(20 + body.len()).unwrap_or(u32::MAX);
        self.bytes.extend(length.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend((NLM_F_REQUEST | flags).to_ne_bytes());
        self.bytes.extend(sequence.to_ne_bytes());
        self.bytes.extend([0; 4]);
        let (family, resource) = of;
        self.bytes.extend([family, 0]);
        self.bytes.extend(resource.to_be_bytes());
        self.bytes.extend(body);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        sequence
    }

    fn chain(&mut self, chain: &Chain) {
        let place = [number(1, chain.hook), number(2, chain.priority.cast_unsigned())];
        let parts = [text(1, TABLE), text(3, chain.name), nested(4, &place), text(7, chain.kind)];
        self.act(NEW_TABLE, NLM_F_CREATE, &[text(1, TABLE)]);
        self.act(NEW_CHAIN, NLM_F_CREATE, &parts);
    }

    fn rule(&mut self, chain: &Chain, expressions: &[DefaultNla]) {
        self.chain(chain);
        let parts = [text(1, TABLE), text(2, chain.name), nested(4, expressions)];
        self.act(NEW_RULE, NLM_F_CREATE | NLM_F_APPEND, &parts);
    }

    fn flush(&mut self, chain: &Chain) {
        self.chain(chain);
        self.act(DELETE_RULE, 0, &[text(1, TABLE), text(2, chain.name)]);
    }

    /// Has all of it done, or nothing.
    fn end(mut self) -> Result<(), NetlinkError> {
        self.push(END, 0, (0, NFTABLES), &[]);
        self.wire.batch(&self.bytes, self.first..=self.last)
    }
}

/// Has one thing done that is a rule.
pub(super) fn perform(wire: &Wire, rule: Rule<'_>) -> Result<(), NetlinkError> {
    let mut batch = Batch::begin(wire);
    match rule {
        Rule::Masquerade(masquerade) => {
            let mut parts = fitting(&masquerade.0);
            parts.push(expression("masq", &[]));
            batch.rule(&POSTROUTING, &parts);
        }
        Rule::Dnat(Dnat { packets, address, port }) => {
            let mut parts = fitting(packets);
            parts.extend(destination(*address, *port));
            batch.rule(&PREROUTING, &parts);
        }
        Rule::Untranslate(_) => {
            batch.flush(&PREROUTING);
            batch.flush(&POSTROUTING);
        }
        Rule::Block(block) => {
            let packets = &block.0;
            let mut parts = fitting(packets);
            parts.push(drop_packets());
            let chains = packets.chains();
            for chain in FILTERS.iter().filter(|chain| chains.contains(&chain.name)) {
                batch.rule(chain, &parts);
            }
        }
        Rule::Unblock(_) => FILTERS.iter().for_each(|chain| batch.flush(chain)),
    }
    batch.end()
}
