//! Packets that rules are about.

use crate::diag::list;
use crate::spec::{Direction, InterfaceName, IpProtocol, PortRange, Prefix};

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
    /// The ports that they go to; empty for all.
    pub ports: Vec<PortRange>,
    /// Which way they pass, for filters.
    pub direction: Option<Direction>,
}

impl Packets {
    /// In a sentence.
    pub(super) fn describe(&self) -> String {
        let end = |word: &str, network: Option<Prefix>, interface: Option<&InterfaceName>| match (
            network, interface,
        ) {
            (Some(network), Some(name)) => format!(" {word} {network} on {name}"),
            (Some(network), None) => format!(" {word} {network}"),
            (None, Some(name)) => format!(" {word} {name}"),
            (None, None) => String::new(),
        };
        let protocol = self.protocol.map(|it| format!("{} ", it.to_string().to_uppercase()));
        let from = end("from", self.source, self.input.as_ref());
        let to = end("to", self.destination, self.output.as_ref());
        let ports: Vec<String> = self.ports.iter().map(PortRange::to_string).collect();
        let port = match self.ports.as_slice() {
            [] => String::new(),
            [one] if one.first == one.last => format!(" to port {one}"),
            _ => format!(" to ports {}", list(&ports, "and")),
        };
        let direction = self.direction.map(|it| format!("{it} ")).unwrap_or_default();
        let protocol = protocol.unwrap_or_default();
        let all = format!("{direction}{protocol}packets{port}{from}{to}");
        if all == "packets" { "all packets".into() } else { all }
    }

    /// The directions that they pass in: what comes in has no way out yet, and what is of one's own
    /// came in nowhere.
    #[must_use]
    pub fn directions(&self) -> Vec<Direction> {
        let passes = |direction: &Direction| {
            let has_ends = match direction {
                Direction::Incoming => self.output.is_none(),
                Direction::Forwarded => true,
                Direction::Outgoing => self.input.is_none(),
            };
            has_ends && self.direction.is_none_or(|only| only == *direction)
        };
        Direction::ALL.into_iter().filter(passes).collect()
    }

    /// As nft(8) writes the rules that do this with them: one for each range of ports.
    pub(super) fn rules(&self, action: &str) -> Vec<String> {
        let words = self.expression();
        match (self.protocol, self.ports.as_slice()) {
            (None, _) => vec![format!("{words}{action}")],
            (Some(protocol), []) => vec![format!("{words}meta l4proto {protocol} {action}")],
            (Some(protocol), ports) => {
                let rule = |range| format!("{words}{protocol} dport {range} {action}");
                ports.iter().map(rule).collect()
            }
        }
    }

    /// As nft(8) writes what they have to fit, without the protocol.
    fn expression(&self) -> String {
        let family = |prefix: Prefix| if prefix.address.is_ipv4() { "ip" } else { "ip6" };
        let mut words = Vec::new();
        words.extend(self.input.as_ref().map(|name| format!("iifname \"{name}\" ")));
        words.extend(self.output.as_ref().map(|name| format!("oifname \"{name}\" ")));
        words.extend(self.source.map(|it| format!("{} saddr {it} ", family(it))));
        words.extend(self.destination.map(|it| format!("{} daddr {it} ", family(it))));
        words.concat()
    }
}
