//! Rules of nftables, by netlink: the program nft(8) is not needed for them.
//!
//! All are in one table, `inet nsscript`, so that `nft list ruleset` shows what is ours.

use std::net::IpAddr;

use netlink_packet_core::{
    DefaultNla, Emitable, NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REQUEST,
};

use super::wire::{NetlinkError, Wire};
use crate::ops::network::{
    self, DEFAULT_COMMENT, DROP_SETS, Dnat, DropSet, LINK_TYPES, MOST_FLOWS, Packets, Rule,
    WITH_PORTS,
};
use crate::spec::{Direction, InterfaceName, IpProtocol, PortRange, Prefix};

pub(super) const TABLE: &str = "nsscript";

/// `NFPROTO_INET`: IPv4 and IPv6.
pub(super) const INET: u8 = 1;
/// `NFNL_SUBSYS_NFTABLES`.
pub(super) const NFTABLES: u16 = 10;
/// `NFNL_MSG_BATCH_BEGIN` and `NFNL_MSG_BATCH_END`.
const BEGIN: u16 = 0x10;
const END: u16 = 0x11;

/// Messages: `NFT_MSG_…`.
const NEW_TABLE: u16 = NFTABLES << 8;
const NEW_CHAIN: u16 = NFTABLES << 8 | 3;
const NEW_RULE: u16 = NFTABLES << 8 | 6;
const DELETE_RULE: u16 = NFTABLES << 8 | 8;
const NEW_SET: u16 = NFTABLES << 8 | 9;
const DELETE_ELEMENTS: u16 = NFTABLES << 8 | 0xe;

/// Registers: `NFT_REG_VERDICT`, `NFT_REG_1`, `NFT_REG_2`.
const VERDICT: u32 = 0;
const REGISTER: u32 = 1;
const SECOND: u32 = 2;
/// `NFT_REG32_00`: the first of the registers of four bytes. They are the same memory.
const FIRST_WORD: u32 = 8;

/// What meta tells: `NFT_META_…`.
const INPUT_NAME: u32 = 6;
const OUTPUT_NAME: u32 = 7;
const FAMILY: u32 = 15;
const LAYER_4: u32 = 16;

/// Where payload looks: `NFT_PAYLOAD_NETWORK_HEADER`, `NFT_PAYLOAD_TRANSPORT_HEADER`.
const NETWORK: u32 = 1;
const TRANSPORT: u32 = 2;

/// `NFT_CMP_…`.
const EQUAL: u32 = 0;
const NOT_EQUAL: u32 = 1;
const AT_MOST: u32 = 3;
const AT_LEAST: u32 = 5;

/// `NF_DROP`, `NF_ACCEPT`, `NFT_JUMP`, `NFT_GOTO`.
const DROP: i32 = 0;
const ACCEPT: i32 = 1;
const JUMP: i32 = -3;
const GOTO: i32 = -4;

/// A chain of rules.
struct Chain {
    name: String,
    /// What leads packets to it; other rules if nothing does.
    hook: Option<Hook>,
}

/// A place in the kernel that packets pass.
struct Hook {
    kind: &'static str,
    /// `NF_INET_…`.
    number: u32,
    priority: i32,
    /// What is done with packets that pass the whole chain, if not what was done.
    policy: Option<i32>,
}

fn hooked(name: &str, kind: &'static str, number: u32, priority: i32) -> Chain {
    Chain { name: name.to_owned(), hook: Some(Hook { kind, number, priority, policy: None }) }
}

fn postrouting() -> Chain {
    hooked("postrouting", "nat", 4, 100)
}

fn prerouting() -> Chain {
    hooked("prerouting", "nat", 0, -100)
}

/// `NF_INET_LOCAL_IN`, `NF_INET_FORWARD`, `NF_INET_LOCAL_OUT`.
fn hook_of(direction: Direction) -> u32 {
    match direction {
        Direction::Incoming => 1,
        Direction::Forwarded => 2,
        Direction::Outgoing => 3,
    }
}

/// The chain of what is blocked.
fn blocked(direction: Direction) -> Chain {
    hooked(direction.chain(), "filter", hook_of(direction), 0)
}

/// The chain of what is allowed.
fn allowed(direction: Direction) -> Chain {
    Chain { name: format!("allowed_{}", direction.chain()), hook: None }
}

/// The chain of what is done by default, after what is blocked.
fn by_default(direction: Direction, policy: i32) -> Chain {
    let policy = Some(policy);
    let hook = Hook { kind: "filter", number: hook_of(direction), priority: 1, policy };
    Chain { name: format!("default_{}", direction.chain()), hook: Some(hook) }
}

/// The chain that records what is dropped by default.
fn recording() -> Chain {
    Chain { name: "dropped".to_owned(), hook: None }
}

pub(super) fn bytes(kind: u16, value: &[u8]) -> DefaultNla {
    DefaultNla::new(kind, value.to_vec())
}

/// Numbers of nftables are in the order of the network.
fn number(kind: u16, value: u32) -> DefaultNla {
    bytes(kind, &value.to_be_bytes())
}

pub(super) fn text(kind: u16, value: &str) -> DefaultNla {
    bytes(kind, format!("{value}\0").as_bytes())
}

pub(super) fn emitted(attributes: &[DefaultNla]) -> Vec<u8> {
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
    meta_to(REGISTER, key)
}

fn meta_to(register: u32, key: u32) -> DefaultNla {
    expression("meta", &[number(1, register), number(2, key)])
}

fn payload(base: u32, offset: u32, length: u32) -> DefaultNla {
    payload_to(REGISTER, (base, offset, length))
}

fn payload_to(register: u32, (base, offset, length): (u32, u32, u32)) -> DefaultNla {
    let parts = [number(1, register), number(2, base), number(3, offset), number(4, length)];
    expression("payload", &parts)
}

fn compare(how: u32, value: &[u8]) -> DefaultNla {
    expression("cmp", &[number(1, REGISTER), number(2, how), nested(3, &[bytes(1, value)])])
}

/// The register is equal to this.
fn is(value: &[u8]) -> DefaultNla {
    compare(EQUAL, value)
}

/// The register is from the one to the other, as numbers in the order of the network.
fn from_to(first: &[u8], last: &[u8]) -> Vec<DefaultNla> {
    if first == last {
        return vec![is(first)];
    }
    vec![compare(AT_LEAST, first), compare(AT_MOST, last)]
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
pub(super) fn number_of(protocol: IpProtocol) -> u8 {
    match protocol {
        IpProtocol::Icmp => 1,
        IpProtocol::Tcp => 6,
        IpProtocol::Udp => 17,
        IpProtocol::Icmpv6 => 58,
    }
}

/// What packets have to fit, but for their ports.
fn fitting(packets: &Packets) -> Vec<DefaultNla> {
    let mut parts = Vec::new();
    parts.extend(packets.input.iter().flat_map(|name| interface(INPUT_NAME, name)));
    parts.extend(packets.output.iter().flat_map(|name| interface(OUTPUT_NAME, name)));
    parts.extend(packets.source.into_iter().flat_map(|prefix| address(prefix, (12, 8))));
    parts.extend(packets.destination.into_iter().flat_map(|prefix| address(prefix, (16, 24))));
    parts.extend(packets.protocol.into_iter().flat_map(of_protocol));
    parts
}

fn of_protocol(protocol: IpProtocol) -> [DefaultNla; 2] {
    [meta(LAYER_4), is(&[number_of(protocol)])]
}

/// The rules that do `action` with packets: one for each range of ports.
fn rules(packets: &Packets, action: &[DefaultNla]) -> Vec<Vec<DefaultNla>> {
    let with = |ports: Vec<DefaultNla>| [fitting(packets), ports, action.to_vec()].concat();
    if packets.ports.is_empty() {
        return vec![with(Vec::new())];
    }
    let ports = |PortRange { first, last }: &PortRange| {
        let mut parts = vec![payload(TRANSPORT, 2, 2)];
        parts.extend(from_to(&first.to_be_bytes(), &last.to_be_bytes()));
        parts
    };
    packets.ports.iter().map(ports).map(with).collect()
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

/// What is done with a packet.
fn verdict(code: i32) -> DefaultNla {
    let verdict = nested(2, &[number(1, code.cast_unsigned())]);
    expression("immediate", &[number(1, VERDICT), nested(2, &[verdict])])
}

/// `NFT_JUMP` or `NFT_GOTO` to a chain.
fn to_chain(code: i32, chain: &Chain) -> DefaultNla {
    let verdict = nested(2, &[number(1, code.cast_unsigned()), text(2, &chain.name)]);
    expression("immediate", &[number(1, VERDICT), nested(2, &[verdict])])
}

fn counter() -> DefaultNla {
    expression("counter", &[])
}

/// The connection of the packet is known: `NFT_CT_STATE` has the bit of `IP_CT_ESTABLISHED` or of
/// `IP_CT_RELATED`.
fn established() -> Vec<DefaultNla> {
    let state = expression("ct", &[number(1, REGISTER), number(2, 0)]);
    vec![state, masked(&6_u32.to_ne_bytes()), compare(NOT_EQUAL, &[0; 4])]
}

/// The rules of the chain of a direction that drops by default.
fn filtering(direction: Direction) -> Vec<Vec<DefaultNla>> {
    let accepting = |mut parts: Vec<DefaultNla>| {
        parts.push(verdict(ACCEPT));
        parts
    };
    let mut rules = vec![accepting(established())];
    let lo = match direction {
        Direction::Incoming => Some(INPUT_NAME),
        Direction::Outgoing => Some(OUTPUT_NAME),
        Direction::Forwarded => None,
    };
    if let Some(key) = lo {
        let mut name = [0; 16];
        name[..2].copy_from_slice(b"lo");
        rules.push(accepting(vec![meta(key), is(&name)]));
        for (first, last) in LINK_TYPES {
            let mut parts = vec![meta(FAMILY), is(&[family(false)])];
            parts.extend(of_protocol(IpProtocol::Icmpv6));
            parts.push(payload(TRANSPORT, 0, 1));
            parts.extend(from_to(&[first], &[last]));
            rules.push(accepting(parts));
        }
    }
    rules.push(vec![to_chain(JUMP, &allowed(direction))]);
    rules.push(vec![to_chain(GOTO, &recording())]);
    rules
}

/// Adds the flow of a packet to a set, if it has one, and counts it there.
fn record(set: DropSet) -> Vec<DefaultNla> {
    let (length, source, destination) = if set.four { (4, 12, 16) } else { (16, 8, 24) };
    let words = length / 4;
    let (second, third) = (FIRST_WORD + words, FIRST_WORD + 2 * words);
    let mut parts = vec![
        meta(FAMILY),
        is(&[family(set.four)]),
        payload_to(FIRST_WORD, (NETWORK, source, length)),
        payload_to(second, (NETWORK, destination, length)),
        meta_to(third, LAYER_4),
    ];
    if set.ports {
        parts.push(payload_to(third + 1, (TRANSPORT, 2, 2)));
    }
    // `NFT_DYNSET_OP_UPDATE`, with a counter.
    let counter = nested(7, &[text(1, "counter"), nested(2, &[])]);
    let update = [text(1, set.name), number(3, 1), number(4, FIRST_WORD), counter];
    parts.push(expression("dynset", &update));
    parts.push(verdict(DROP));
    parts
}

/// The rules that record and drop.
fn recorded() -> Vec<Vec<DefaultNla>> {
    let mut rules = Vec::new();
    for set in DROP_SETS {
        let of = |protocol| [of_protocol(protocol).into(), record(set)].concat();
        if set.ports {
            rules.extend(WITH_PORTS.map(of));
        } else {
            rules.push(record(set));
        }
    }
    rules
}

/// The types of fields as nft(8) numbers them.
const IPV4_ADDRESS: u32 = 7;
const IPV6_ADDRESS: u32 = 8;
const PROTOCOL: u32 = 12;
const PORT: u32 = 13;

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
        self.act(NEW_TABLE, NLM_F_CREATE, &[text(1, TABLE)]);
        let mut parts = vec![text(1, TABLE), text(3, &chain.name)];
        if let Some(Hook { kind, number: hook, priority, policy }) = &chain.hook {
            let place = [number(1, *hook), number(2, priority.cast_unsigned())];
            parts.push(nested(4, &place));
            parts.extend(policy.map(|policy| number(5, policy.cast_unsigned())));
            parts.push(text(7, kind));
        }
        self.act(NEW_CHAIN, NLM_F_CREATE, &parts);
    }

    /// Adds a rule to a chain; nft(8) shows the comment.
    fn rule(&mut self, chain: &Chain, expressions: &[DefaultNla], comment: Option<&str>) {
        let mut parts = vec![text(1, TABLE), text(2, &chain.name), nested(4, expressions)];
        // `NFTNL_UDATA_RULE_COMMENT`, its length, and the text.
        parts.extend(comment.map(|comment| {
            let length = u8::try_from(comment.len() + 1).unwrap_or(u8::MAX);
            bytes(7, &[&[0, length], comment.as_bytes(), &[0]].concat())
        }));
        self.act(NEW_RULE, NLM_F_CREATE | NLM_F_APPEND, &parts);
    }

    /// Adds rules to a chain, which is made if it is missing.
    fn rules(&mut self, chain: &Chain, rules: &[Vec<DefaultNla>], comment: Option<&str>) {
        self.chain(chain);
        for rule in rules {
            self.rule(chain, rule, comment);
        }
    }

    fn flush(&mut self, chain: &Chain) {
        self.chain(chain);
        self.act(DELETE_RULE, 0, &[text(1, TABLE), text(2, &chain.name)]);
    }

    /// Makes a set of flows, and empties it.
    fn set(&mut self, set: DropSet) {
        let (kind, length) = if set.four { (IPV4_ADDRESS, 4) } else { (IPV6_ADDRESS, 16) };
        let mut fields = vec![kind, kind, PROTOCOL];
        fields.extend(set.ports.then_some(PORT));
        let kind = fields.iter().fold(0, |all, field| all << 6 | field);
        // What is shorter than four bytes fills them.
        let length = 2 * length + 4 + if set.ports { 4 } else { 0 };
        self.act(NEW_TABLE, NLM_F_CREATE, &[text(1, TABLE)]);
        let parts = [
            text(1, TABLE),
            text(2, set.name),
            // `NFT_SET_EVAL`: rules add to it.
            number(3, 0x20),
            number(4, kind),
            number(5, length),
            nested(9, &[number(1, MOST_FLOWS)]),
            // The number by which this batch could name it.
            number(10, 1),
        ];
        self.act(NEW_SET, NLM_F_CREATE, &parts);
        self.act(DELETE_ELEMENTS, 0, &[text(1, TABLE), text(2, set.name)]);
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
            let rules = rules(&masquerade.0, &[expression("masq", &[])]);
            batch.rules(&postrouting(), &rules, None);
        }
        Rule::Dnat(Dnat { packets, address, port }) => {
            let rules = rules(packets, &destination(*address, *port));
            batch.rules(&prerouting(), &rules, None);
        }
        Rule::Untranslate(_) => {
            batch.flush(&prerouting());
            batch.flush(&postrouting());
        }
        Rule::Block(block) => {
            let (packets, comment) = (&block.0, block.comment());
            let rules = rules(packets, &[counter(), verdict(DROP)]);
            for direction in packets.directions() {
                batch.rules(&blocked(direction), &rules, Some(&comment));
            }
        }
        Rule::Unblock(_) => Direction::ALL.map(blocked).iter().for_each(|it| batch.flush(it)),
        Rule::Allow(network::Allow(packets)) => {
            let rules = rules(packets, &[verdict(ACCEPT)]);
            for direction in packets.directions() {
                batch.rules(&allowed(direction), &rules, None);
            }
        }
        Rule::Disallow(_) => Direction::ALL.map(allowed).iter().for_each(|it| batch.flush(it)),
        Rule::DefaultDrop(drop) => {
            for set in DROP_SETS {
                batch.set(set);
            }
            batch.flush(&recording());
            batch.rules(&recording(), &recorded(), None);
            batch.rule(&recording(), &[counter(), verdict(DROP)], Some(DEFAULT_COMMENT));
            for direction in network::directions(drop.0) {
                let chain = by_default(direction, DROP);
                batch.chain(&allowed(direction));
                batch.flush(&chain);
                batch.rules(&chain, &filtering(direction), None);
            }
        }
        Rule::DefaultAccept(accept) => {
            for direction in network::directions(accept.0) {
                batch.flush(&by_default(direction, ACCEPT));
            }
        }
    }
    batch.end()
}
