//! What of networks a machine has: each is tried in a network that goes with the process.

use std::os::fd::AsFd;

use super::filter;
use super::message;
use super::wire::{Refused, Wire};
use crate::plan::{LinkKind, NetworkAction, Packets};
use crate::spec::InterfaceName;
use crate::sys::{self, Netlink, Protocol, Trouble};

/// A part of the kernel that may be missing, as a module that is not there or may not be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::run) enum Part {
    /// Cables.
    Veth,
    /// Switches.
    Bridge,
    /// Rules of nftables, of every kind that recipes make.
    Rules,
    /// Settings that can be written to.
    Settings,
}

impl Part {
    /// All of them, each at its own place.
    pub const ALL: [Self; 4] = [Self::Veth, Self::Bridge, Self::Rules, Self::Settings];
}

/// What tries a part, in a process that may make networks.
pub(in crate::run) fn try_part(part: Part) -> impl Fn() -> Result<(), Trouble> {
    move || tried(part).map_err(|refused| refused.trouble)
}

fn tried(part: Part) -> Result<(), Refused> {
    let (namespace, netlink) = Netlink::in_new_network()?;
    let wire = Wire::new(netlink);
    let name = |text: &str| InterfaceName::new(text).map_err(|_| Refused::from(Trouble::unknown()));
    match part {
        Part::Veth => {
            let (name, peer) = (name("try0")?, name("try1")?);
            let action = NetworkAction::Veth { name, network: String::new(), peer };
            message::perform(&wire, &action, Some(namespace.as_fd()))
        }
        Part::Bridge => {
            let action = NetworkAction::Link(name("try0")?, LinkKind::Bridge);
            message::perform(&wire, &action, None)
        }
        Part::Rules => {
            let rules = Wire::new(Netlink::open(namespace.as_fd(), Protocol::Netfilter)?);
            let all = Packets::default;
            let address = std::net::Ipv4Addr::LOCALHOST.into();
            let actions = [
                NetworkAction::Masquerade(all()),
                NetworkAction::Dnat(all(), address, None),
                NetworkAction::Block(all()),
            ];
            actions.iter().try_for_each(|action| filter::perform(&rules, action))
        }
        Part::Settings => {
            let path = c"/proc/sys/net/ipv4/ip_forward";
            Ok(sys::open_in(namespace.as_fd(), path, true).map(drop)?)
        }
    }
}
