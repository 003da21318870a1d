//! Neighbours: hardware addresses that are fixed.

use std::net::IpAddr;

use super::{NetworkOperation, at, ip, of, sent, word};
use crate::ops::Told;
use crate::ops::strace::Called;
use crate::spec::{InterfaceName, Mac};

/// The hardware address of a neighbour is fixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixNeighbour {
    /// The interface.
    pub name: InterfaceName,
    /// The neighbour.
    pub address: IpAddr,
    /// Its hardware address.
    pub mac: Mac,
}

impl NetworkOperation for FixNeighbour {
    fn name(&self) -> &'static str {
        "neighbour"
    }

    fn told(&self, network: &str) -> Told {
        let Self { name, address, mac } = self;
        let (ip, word) = (ip(network), word(name));
        Told {
            sentence: format!("add neighbour {address}, {mac}, on {name} {}", at(network)),
            source: None,
            target: Some(name.to_string()),
            shell: Some(format!("{ip} neighbour replace {address} lladdr {mac} dev {word}")),
        }
    }

    fn calls(&self, network: &str) -> Vec<Called> {
        let Self { name, address, mac } = self;
        let what = format!("{}, NDA_DST={address}, NDA_LLADDR={mac}", of("ndm", name));
        vec![sent(network, "RTM_NEWNEIGH", &what)]
    }
}
