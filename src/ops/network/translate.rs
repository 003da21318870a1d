//! Rules that give packets other addresses.

use std::net::IpAddr;

use super::{NetworkOperation, Packets, add_rules, at, flush, new_rules, sent};
use crate::ops::Told;
use crate::ops::strace::Called;

/// Packets that leave get the address of the interface that they leave by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masquerade(pub Packets);

/// Packets that come in go to this address, and port if one is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dnat {
    /// Which packets.
    pub packets: Packets,
    /// The address that they go to.
    pub address: IpAddr,
    /// The port.
    pub port: Option<u16>,
}

/// What leaves and comes in keeps its addresses again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untranslate;

impl NetworkOperation for Masquerade {
    fn name(&self) -> &'static str {
        "masquerade"
    }

    fn told(&self, network: &str) -> Told {
        let Self(packets) = self;
        Told {
            sentence: format!("masquerade {} {}", packets.describe(), at(network)),
            source: None,
            target: None,
            shell: Some(add_rules(network, &["postrouting"], "nat", &packets.rules("masquerade"))),
        }
    }

    fn calls(&self, network: &str) -> Vec<Called> {
        new_rules(network, &self.0.rules("masquerade"))
    }
}

impl Dnat {
    /// As nft(8) writes it.
    fn rules(&self) -> Vec<String> {
        let Self { packets, address, port } = self;
        packets.rules(&dnat(*address, *port))
    }
}

/// As nft(8) writes it.
fn dnat(address: IpAddr, port: Option<u16>) -> String {
    match (address, port) {
        (IpAddr::V4(four), Some(port)) => format!("meta nfproto ipv4 dnat ip to {four}:{port}"),
        (IpAddr::V4(four), None) => format!("meta nfproto ipv4 dnat ip to {four}"),
        (IpAddr::V6(six), Some(port)) => format!("meta nfproto ipv6 dnat ip6 to [{six}]:{port}"),
        (IpAddr::V6(six), None) => format!("meta nfproto ipv6 dnat ip6 to {six}"),
    }
}

impl NetworkOperation for Dnat {
    fn name(&self) -> &'static str {
        "dnat"
    }

    fn told(&self, network: &str) -> Told {
        let Self { packets, address, port } = self;
        let (packets, at) = (packets.describe(), at(network));
        let port = port.map_or(String::new(), |port| format!(", port {port}"));
        Told {
            sentence: format!("send {packets} on to {address}{port} {at}"),
            source: None,
            target: None,
            shell: Some(add_rules(network, &["prerouting"], "nat", &self.rules())),
        }
    }

    fn calls(&self, network: &str) -> Vec<Called> {
        new_rules(network, &self.rules())
    }
}

impl NetworkOperation for Untranslate {
    fn name(&self) -> &'static str {
        "dnat"
    }

    fn told(&self, network: &str) -> Told {
        Told {
            sentence: format!("remove all NAT rules {}", at(network)),
            source: None,
            target: None,
            shell: Some(flush(network, &["prerouting", "postrouting"], "nat")),
        }
    }

    fn calls(&self, network: &str) -> Vec<Called> {
        vec![sent(network, "NFT_MSG_DELRULE", "chains prerouting and postrouting")]
    }
}
