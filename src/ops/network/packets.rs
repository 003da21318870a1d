//! Packets that rules are about.

use crate::spec::{InterfaceName, IpProtocol, Prefix};

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
        let port = self.port.map(|port| format!(" to port {port}")).unwrap_or_default();
        let all = format!("{}packets{port}{from}{to}", protocol.unwrap_or_default());
        if all == "packets" { "all packets".into() } else { all }
    }

    /// The chains that they pass: what comes in has no way out yet, and what is of one's own came
    /// in nowhere.
    #[must_use]
    pub fn chains(&self) -> Vec<&'static str> {
        let mut chains = Vec::new();
        chains.extend(self.output.is_none().then_some("input"));
        chains.push("forward");
        chains.extend(self.input.is_none().then_some("output"));
        chains
    }

    /// As nft(8) writes it.
    pub(super) fn expression(&self) -> String {
        let family = |prefix: Prefix| if prefix.address.is_ipv4() { "ip" } else { "ip6" };
        let mut words = Vec::new();
        words.extend(self.input.as_ref().map(|name| format!("iifname \"{name}\" ")));
        words.extend(self.output.as_ref().map(|name| format!("oifname \"{name}\" ")));
        words.extend(self.source.map(|it| format!("{} saddr {it} ", family(it))));
        words.extend(self.destination.map(|it| format!("{} daddr {it} ", family(it))));
        match (self.protocol, self.port) {
            (Some(protocol), Some(port)) => words.push(format!("{protocol} dport {port} ")),
            (Some(protocol), None) => words.push(format!("meta l4proto {protocol} ")),
            _ => {}
        }
        words.concat()
    }
}
