//! Probes for the parts of networks that a kernel has, each in a short-lived network.

use std::os::fd::AsFd;

use super::filter;
use super::message;
use super::wire::{NetlinkError, Wire};
use crate::plan::{LinkKind, NetworkAction, Packets};
use crate::run::remedy::NetworkPart;
use crate::spec::InterfaceName;
use crate::sys::{self, CallError, Netlink, Protocol};

/// What tries a part, in a process that may make networks.
pub(in crate::run) fn try_part(part: NetworkPart) -> impl Fn() -> Result<(), CallError> {
    move || tried(part).map_err(|refused| refused.trouble)
}

fn tried(part: NetworkPart) -> Result<(), NetlinkError> {
    let (namespace, netlink) = Netlink::in_new_network()?;
    let wire = Wire::new(netlink);
    let name =
        |text: &str| InterfaceName::new(text).map_err(|_| NetlinkError::from(CallError::unknown()));
    match part {
        NetworkPart::Veth => {
            let (name, peer) = (name("try0")?, name("try1")?);
            let action = NetworkAction::Veth { name, network: String::new(), peer };
            message::perform(&wire, &action, Some(namespace.as_fd()))
        }
        NetworkPart::Bridge => {
            let action = NetworkAction::Link(name("try0")?, LinkKind::Bridge);
            message::perform(&wire, &action, None)
        }
        NetworkPart::Rules => {
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
        NetworkPart::Settings => {
            let path = c"/proc/sys/net/ipv4/ip_forward";
            Ok(sys::open_in(namespace.as_fd(), path, true).map(drop)?)
        }
    }
}
