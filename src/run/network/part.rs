//! Probes for the parts of networks that a kernel has, each in a short-lived network.

use std::os::fd::AsFd;

use super::filter;
use super::message;
use super::wire::{NetlinkError, Wire};
use crate::ops::network::{
    Allow, Block, DefaultDrop, Dnat, LinkKind, MakeLink, Masquerade, Message, Packets, Rule, Veth,
};
use crate::run::remedy::NetworkPart;
use crate::spec::InterfaceName;
use crate::sys::{self, CallError, Netlink, Protocol};

/// What tries a part, in a process that may make networks.
pub(in crate::run) fn try_part(part: NetworkPart) -> impl Fn() -> Result<(), CallError> {
    move || tried(part).map_err(|refused| refused.trouble)
}

fn tried(part: NetworkPart) -> Result<(), NetlinkError> {
    let (namespace, netlink) = Netlink::in_new_network(&[])?;
    let wire = Wire::new(netlink);
    let name =
        |text: &str| InterfaceName::new(text).map_err(|_| NetlinkError::from(CallError::unknown()));
    match part {
        NetworkPart::Veth => {
            let (name, peer) = (name("try0")?, name("try1")?);
            let veth = Veth { name: Some(name), network: String::new(), peer: Some(peer) };
            message::perform(&wire, Message::Veth(&veth), Some(namespace.as_fd()))
        }
        NetworkPart::Bridge => {
            let bridge = MakeLink { name: name("try0")?, kind: LinkKind::Bridge };
            message::perform(&wire, Message::MakeLink(&bridge), None)
        }
        NetworkPart::Rules => {
            let rules = Wire::new(Netlink::open(namespace.as_fd(), Protocol::Netfilter)?);
            let all = Packets::default;
            let address = std::net::Ipv4Addr::LOCALHOST.into();
            filter::perform(&rules, Rule::Masquerade(&Masquerade(all())))?;
            let dnat = Dnat { packets: all(), address, port: None };
            filter::perform(&rules, Rule::Dnat(&dnat))?;
            filter::perform(&rules, Rule::Block(&Block(all())))?;
            filter::perform(&rules, Rule::Allow(&Allow(all())))?;
            filter::perform(&rules, Rule::DefaultDrop(&DefaultDrop(None)))
        }
        NetworkPart::Settings => {
            let path = c"/proc/sys/net/ipv4/ip_forward";
            Ok(sys::open_in(namespace.as_fd(), path, true).map(drop)?)
        }
    }
}
