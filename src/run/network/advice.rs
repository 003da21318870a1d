//! What the kernel says of what it does not do in a network, and what helps.

use std::net::IpAddr;

use super::{Network, Part, Refused};
use crate::diag::{Report, closest, list, quoted};
use crate::host::Host;
use crate::plan::{LinkChange, LinkKind, NetworkAction};
use crate::run::remedy;
use crate::run::runner::Problem;
use crate::spec::{InterfaceName, Kind, NetworkName};

/// Adds to the report of a network that could not be made.
pub(super) fn on_making(problem: Problem, kept: Option<&NetworkName>, host: &Host) -> Problem {
    with(problem, |report| {
        let errno = report.facts.errno.map(|code| crate::sys::Errno::new(code).name());
        match (errno.as_deref(), kept) {
            (Some(errno @ "ENOSPC"), _) => match remedy::refused(host, Kind::Net.into(), errno) {
                Some(remedy) => report.hint(remedy.hint()),
                None => report,
            },
            (Some("EACCES" | "EPERM" | "EROFS"), Some(_)) => {
                report.hint("names in `/run/netns` are made by root; without `--host` a name is the recipe's own")
            }
            (Some("EMFILE"), _) => {
                report.hint("each network takes two descriptors: `ulimit -n` says how many there may be")
            }
            (Some("EPERM"), None) => report.hint(
                "a user makes networks in a session of its own: without `--host`, or as root with it",
            ),
            _ => report,
        }
    })
}

fn with(problem: Problem, add: impl Fn(Report) -> Report) -> Problem {
    match problem {
        Problem::Reports(reports) => Problem::Reports(reports.into_iter().map(add).collect()),
        other @ Problem::Interrupted(_) => other,
    }
}

/// Adds what the kernel says, and what helps, to the report of what it refused.
pub(super) fn on_refusal(
    problem: Problem,
    refused: &Refused,
    action: &NetworkAction,
    networks: (&Network, Option<&Network>),
) -> Problem {
    with(problem, |report| {
        if let Some(missing) = &refused.missing {
            return missing_interface(report, missing, networks.0);
        }
        let report = match &refused.words {
            Some(words) => report.note(format!("the kernel says: {words}")),
            None => report,
        };
        match hint(refused, action, networks) {
            Some(hint) => report.hint(hint),
            None => report,
        }
    })
}

fn names(network: &Network) -> Vec<String> {
    let links = network.wire().ok().and_then(|wire| super::table::links(&wire).ok());
    links.unwrap_or_default().into_iter().map(|link| link.interface.name).collect()
}

fn missing_interface(report: Report, missing: &InterfaceName, network: &Network) -> Report {
    let names = names(network);
    let shown = quoted(missing.as_str());
    let report =
        report.note(format!("there is no interface {shown} in the network {}", network.label));
    if let Some(near) = closest(missing.as_str(), names.iter().map(String::as_str)) {
        return report.hint(format!("did you mean {}?", quoted(near)));
    }
    let names: Vec<String> = names.iter().map(quoted).collect();
    report.hint(format!("it has {}", list(&names, "and")))
}

fn hint(
    refused: &Refused,
    action: &NetworkAction,
    (network, other): (&Network, Option<&Network>),
) -> Option<String> {
    let errno = refused.trouble.errno.name();
    let taken = |network: &Network, name: &InterfaceName| {
        let is_there = names(network).iter().any(|known| known == name.as_str());
        let (name, label) = (quoted(name.as_str()), &network.label);
        is_there.then(|| format!("an interface {name} is in the network {label} already"))
    };
    match (errno.as_str(), action) {
        (
            "EEXIST",
            NetworkAction::Link(name, _) | NetworkAction::Change(_, LinkChange::Name(name)),
        ) => taken(network, name),
        ("EEXIST", NetworkAction::Veth { name, peer, .. }) => {
            taken(network, name).or_else(|| taken(other?, peer))
        }
        ("EEXIST", NetworkAction::Change(name, LinkChange::Network(_))) => taken(other?, name),
        ("EEXIST", NetworkAction::Address { name, address, .. }) => {
            Some(format!("{name} has the address {} already", address.address))
        }
        ("EEXIST", NetworkAction::Route { destination, .. }) => Some(format!(
            "there is a route to {destination} already; with another `metric` both can be there"
        )),
        ("ESRCH", NetworkAction::Route { away: true, .. }) => {
            Some("`routes()` lists those that there are".into())
        }
        ("EADDRNOTAVAIL", NetworkAction::Address { away: true, .. }) => {
            Some("`interfaces()` tells which addresses there are".into())
        }
        (
            "ENETUNREACH" | "EINVAL" | "EHOSTUNREACH",
            NetworkAction::Route { gateway: Some(gateway), .. },
        ) => Some(unreachable(network, *gateway)),
        ("ENETDOWN", NetworkAction::Route { name: Some(name), .. }) => {
            Some(format!("the interface has to be up first: `.up(\"{name}\")`"))
        }
        ("ENETDOWN", _) => Some("the interface has to be up first: `.up(name)`".into()),
        ("EINVAL" | "ENODEV", NetworkAction::Route { gateway: None, name: None, .. }) => Some(
            "a route leads by a gateway, or by an interface: `#{ interface: \"eth0\" }`".into(),
        ),
        ("EOPNOTSUPP", NetworkAction::Link(_, kind)) => Some(format!(
            "this kernel has no interfaces of the kind {0}; where it is a module, root loads it by \
             `modprobe {0}`",
            kind.name()
        )),
        ("EBUSY", NetworkAction::Change(name, LinkChange::Name(_) | LinkChange::Mac(_))) => {
            Some(format!("it has to be down for that: `.down(\"{name}\")`"))
        }
        ("EINVAL" | "EOPNOTSUPP", NetworkAction::Change(_, LinkChange::Bridge(Some(bridge)))) => {
            let links = network.wire().ok().and_then(|wire| super::table::links(&wire).ok())?;
            let kind = links.into_iter().find(|link| link.interface.name == bridge.as_str())?.kind;
            (kind != LinkKind::Bridge.name()).then(|| format!("{bridge} is no bridge"))
        }
        ("EPERM", _) => Some(format!(
            "the network {} belongs to a user namespace in which this process has no capabilities",
            network.label
        )),
        (_, NetworkAction::Veth { .. }) => missing_part(Part::Veth, refused),
        (_, NetworkAction::Masquerade(_) | NetworkAction::Dnat(..) | NetworkAction::Block(_)) => {
            missing_part(Part::Rules, refused)
        }
        (_, NetworkAction::Forward) => missing_part(Part::Settings, refused),
        _ => None,
    }
}

fn missing_part(part: Part, refused: &Refused) -> Option<String> {
    Some(remedy::no_part_of_networks(part, refused.trouble.errno)?.hint())
}

/// Why a router cannot be reached.
fn unreachable(network: &Network, gateway: IpAddr) -> String {
    let links = network.wire().ok().and_then(|wire| super::table::links(&wire).ok());
    let links = links.unwrap_or_default();
    let holds = |link: &&super::Link| {
        link.interface.addresses.iter().any(|(address, length)| {
            let length = u8::try_from(*length).unwrap_or(0);
            let network = crate::spec::Prefix { address: *address, length }.network();
            address.is_ipv4() == gateway.is_ipv4()
                && network == crate::spec::Prefix { address: gateway, length }.network()
        })
    };
    match links.iter().find(holds) {
        Some(link) if !link.interface.up => {
            let name = &link.interface.name;
            format!("{name}, on which {gateway} would be, has to be up first: `.up(\"{name}\")`")
        }
        _ => format!(
            "no interface is in a network with {gateway}: an address beside it makes that, such as \
             `.address(\"eth0\", …)`"
        ),
    }
}
