//! Addresses of interfaces.

use std::net::IpAddr;

use super::{NetworkOperation, at, ip, of, sent, verb, word};
use crate::ops::Told;
use crate::ops::strace::Called;
use crate::spec::{InterfaceName, Prefix};

/// An address is given to an interface, or taken from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The interface.
    pub name: InterfaceName,
    /// The address.
    pub address: Prefix,
    /// Whether it is taken away.
    pub away: bool,
}

impl Address {
    /// Adds the address to a list, or removes it.
    pub fn note(&self, addresses: &mut Vec<IpAddr>) {
        let Self { name: _, address: Prefix { address, length: _ }, away } = self;
        addresses.retain(|other| other != address);
        if !away && !address.is_loopback() {
            addresses.push(*address);
        }
    }
}

impl NetworkOperation for Address {
    fn name(&self) -> &'static str {
        "address"
    }

    fn told(&self, network: &str) -> Told {
        let Self { name, address, away } = self;
        let at = at(network);
        let sentence = if *away {
            format!("remove {address} from {name} {at}")
        } else {
            format!("add {address} to {name} {at}")
        };
        let (ip, verb) = (ip(network), verb(*away));
        Told {
            sentence,
            source: None,
            target: Some(name.to_string()),
            shell: Some(format!("{ip} address {verb} {address} dev {}", word(name))),
        }
    }

    fn calls(&self, network: &str) -> Vec<Called> {
        let Self { name, address: Prefix { address, length }, away } = self;
        let kind = if *away { "RTM_DELADDR" } else { "RTM_NEWADDR" };
        let of = of("ifa", name);
        vec![sent(network, kind, &format!("{of}, ifa_prefixlen={length}, IFA_LOCAL={address}"))]
    }
}
