//! What is done with packets that no rule is about.

use super::{NetworkOperation, TABLE, allow, at, nft, sent};
use crate::ops::Told;
use crate::ops::strace::Called;
use crate::spec::{Direction, IpProtocol};

/// Packets that no rule allows are dropped, and recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultDrop(pub Option<Direction>);

/// Packets that no rule blocks pass again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultAccept(pub Option<Direction>);

/// A set of what was dropped: the flows, each with a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropSet {
    /// Its name.
    pub name: &'static str,
    /// Whether it is of IPv4, and not IPv6.
    pub four: bool,
    /// Whether its flows have ports.
    pub ports: bool,
}

/// The sets of what was dropped.
pub const DROP_SETS: [DropSet; 4] = [
    DropSet { name: "dropped_ip_port", four: true, ports: true },
    DropSet { name: "dropped_ip6_port", four: false, ports: true },
    DropSet { name: "dropped_ip", four: true, ports: false },
    DropSet { name: "dropped_ip6", four: false, ports: false },
];

/// The number of flows that a set holds. What comes after them is counted together.
pub const MOST_FLOWS: u32 = 4096;

/// What packets are called that no rule allows.
pub const DEFAULT_COMMENT: &str = "drop packets that no rule allows";

/// The first and the last type of ICMPv6 by which neighbours and multicast listeners find each other
/// on a link (RFC 4861, RFC 2710). ARP, of IPv4, is not seen by rules for IP.
pub const LINK_TYPES: [(u8, u8); 2] = [(130, 136), (143, 143)];

/// The protocols with ports.
pub const WITH_PORTS: [IpProtocol; 2] = [IpProtocol::Tcp, IpProtocol::Udp];

/// The directions that are meant.
#[must_use]
pub fn directions(only: Option<Direction>) -> Vec<Direction> {
    Direction::ALL.into_iter().filter(|it| only.is_none_or(|only| only == *it)).collect()
}

/// The sentence for packets of this direction.
fn packets(direction: Option<Direction>) -> String {
    direction.map(|it| format!("{it} ")).unwrap_or_default() + "packets"
}

impl DropSet {
    /// The fields of a flow: their types, and what they are in a packet.
    fn fields(self) -> (String, String) {
        let Self { four, ports, .. } = self;
        let (family, address) = if four { ("ip", "ipv4_addr") } else { ("ip6", "ipv6_addr") };
        let mut types = format!("{address} . {address} . inet_proto");
        let mut values = format!("{family} saddr . {family} daddr . meta l4proto");
        if ports {
            types.push_str(" . inet_service");
            values.push_str(" . th dport");
        }
        (types, values)
    }
}

/// The rules of the chain that records and drops.
fn recording() -> Vec<String> {
    let mut rules = Vec::new();
    for set in DROP_SETS {
        let update = format!("update @{} {{ {} counter }} drop", set.name, set.fields().1);
        if set.ports {
            rules.extend(WITH_PORTS.map(|protocol| format!("meta l4proto {protocol} {update}")));
        } else {
            rules.push(update);
        }
    }
    rules.push(format!("counter drop comment \"{DEFAULT_COMMENT}\""));
    rules
}

/// The rules of the chain of a direction.
fn filtering(direction: Direction) -> Vec<String> {
    let mut rules = vec!["ct state established,related accept".to_owned()];
    let loopback = match direction {
        Direction::Incoming => Some("iifname"),
        Direction::Outgoing => Some("oifname"),
        Direction::Forwarded => None,
    };
    if let Some(interface) = loopback {
        rules.push(format!("{interface} \"lo\" accept"));
        rules.extend(LINK_TYPES.map(|(first, last)| {
            let types = if first == last { first.to_string() } else { format!("{first}-{last}") };
            format!("icmpv6 type {types} accept")
        }));
    }
    rules.push(format!("jump allowed_{}", direction.chain()));
    rules.push("goto dropped".to_owned());
    rules
}

/// The commands that make the chain of a direction anew.
fn chain(direction: Direction, policy: &str) -> String {
    let hook = direction.chain();
    format!(
        "add chain inet nsscript default_{hook} {{ type filter hook {hook} priority 1; policy \
         {policy}; }}; flush chain inet nsscript default_{hook}"
    )
}

impl NetworkOperation for DefaultDrop {
    fn name(&self) -> &'static str {
        "drop_by_default"
    }

    fn told(&self, network: &str) -> Told {
        let mut commands = vec![TABLE.to_owned()];
        for set in DROP_SETS {
            let (name, types) = (set.name, set.fields().0);
            let flags = format!("flags dynamic; size {MOST_FLOWS};");
            commands.push(format!("add set inet nsscript {name} {{ type {types}; {flags} }}"));
            commands.push(format!("flush set inet nsscript {name}"));
        }
        commands.push("add chain inet nsscript dropped; flush chain inet nsscript dropped".into());
        let add = |chain: &str, rule: &String| format!("add rule inet nsscript {chain} {rule}");
        commands.extend(recording().iter().map(|rule| add("dropped", rule)));
        for direction in directions(self.0) {
            let name = format!("default_{}", direction.chain());
            commands.push(allow::chain(direction));
            commands.push(chain(direction, "drop"));
            commands.extend(filtering(direction).iter().map(|rule| add(&name, rule)));
        }
        let packets = packets(self.0);
        Told {
            sentence: format!("drop {packets} that no rule allows {}", at(network)),
            source: None,
            target: None,
            shell: Some(nft(network, &commands.join("; "))),
        }
    }

    fn calls(&self, network: &str) -> Vec<Called> {
        let set = |set: DropSet| sent(network, "NFT_MSG_NEWSET", set.name);
        let mut calls: Vec<Called> = DROP_SETS.map(set).into();
        for direction in directions(self.0) {
            let chain = format!("default_{}, policy drop", direction.chain());
            calls.push(sent(network, "NFT_MSG_NEWCHAIN", &chain));
        }
        calls
    }
}

impl NetworkOperation for DefaultAccept {
    fn name(&self) -> &'static str {
        "drop_by_default"
    }

    fn told(&self, network: &str) -> Told {
        let mut commands = vec![TABLE.to_owned()];
        commands.extend(directions(self.0).into_iter().map(|it| chain(it, "accept")));
        let packets = packets(self.0);
        Told {
            sentence: format!("accept {packets} that no rule blocks {}", at(network)),
            source: None,
            target: None,
            shell: Some(nft(network, &commands.join("; "))),
        }
    }

    fn calls(&self, network: &str) -> Vec<Called> {
        let chain = |direction: Direction| {
            let chain = format!("default_{}, policy accept", direction.chain());
            sent(network, "NFT_MSG_NEWCHAIN", &chain)
        };
        directions(self.0).into_iter().map(chain).collect()
    }
}
