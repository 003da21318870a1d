//! Hints for requests that the kernel refuses in a network.

use std::net::IpAddr;

use super::{NetlinkError, Network};
use crate::diag::{Report, closest, list, quoted};
use crate::host::Host;
use crate::ops::network::{Address, ChangeLink, LinkChange, LinkKind, MakeLink, Route, Veth};
use crate::ops::{NetworkAction, NetworkWay};
use crate::run::advice::{self, Advice, Hint, row};
use crate::run::base::error::RunError;
use crate::run::remedy;
use crate::run::remedy::NetworkPart;
use crate::spec::{InterfaceName, Kind, NetworkName, Prefix};
use crate::sys::{self, CallError, Syscall};

/// A network that could not be made.
struct Making<'a> {
    failed: CallError,
    /// The name that it was to have in /run/netns.
    kept: Option<&'a NetworkName>,
    host: &'a Host,
}

/// What was refused in a network.
struct Case<'a> {
    refused: &'a NetlinkError,
    action: &'a NetworkAction,
    network: &'a Network,
    /// The other network that it is about.
    other: Option<&'a Network>,
}

type MakingRow = advice::Row<fn(&Making<'_>) -> Option<Hint>>;
type Row = advice::Row<fn(&Case<'_>) -> Option<Hint>>;

/// The table for networks that could not be made.
const MAKING: &[MakingRow] = &[
    row!(too_many_networks, [Unshare], [ENOSPC, EUSERS]),
    row!(names_of_root, [Mkdirat, Openat, Mount], [EACCES, EPERM, EROFS]),
    row!(too_few_descriptors, [Socket, Ioctl, Openat, Clone3], [EMFILE]),
    row!(networks_of_root, [Unshare], [EPERM]),
];

/// The table for what is refused in a network.
const ROWS: &[Row] = &[
    row!(interface_missing, [Sendto], [ENODEV]),
    row!(interface_exists, [Sendto], [EEXIST]),
    row!(address_exists, [Sendto], [EEXIST]),
    row!(route_exists, [Sendto], [EEXIST]),
    row!(route_missing, [Sendto], [ESRCH]),
    row!(address_missing, [Sendto], [EADDRNOTAVAIL]),
    row!(gateway_unreachable, [Sendto], [ENETUNREACH, EINVAL, EHOSTUNREACH]),
    row!(interface_down, [Sendto], [ENETDOWN]),
    row!(route_without_way, [Sendto], [EINVAL, ENODEV]),
    row!(part_missing, RULES, [EPROTONOSUPPORT, EAFNOSUPPORT, ENOENT, EOPNOTSUPP]),
    row!(interfaces_of_module, [Sendto], [EOPNOTSUPP]),
    row!(interface_up, [Sendto], [EBUSY]),
    row!(no_bridge, [Sendto], [EINVAL, EOPNOTSUPP]),
    row!(network_of_others, [Sendto, Setns], [EPERM]),
    row!(setting_refused, [Openat, Write], [EROFS, EACCES]),
];

/// The calls by which rules are written.
const RULES: &[Syscall] = &[Syscall::Socket, Syscall::Sendto];

/// Adds to the report of a network that could not be made.
pub(super) fn on_making(
    problem: RunError,
    failed: CallError,
    kept: Option<&NetworkName>,
    host: &Host,
) -> RunError {
    let case = Making { failed, kept, host };
    let advice = advice::first(MAKING, failed, |tell| tell(&case));
    with(problem, advice, |report| report)
}

/// Adds what the kernel says, and what helps, to the report of what it refused.
pub(super) fn on_refusal(
    problem: RunError,
    refused: &NetlinkError,
    action: &NetworkAction,
    (network, other): (&Network, Option<&Network>),
) -> RunError {
    let case = Case { refused, action, network, other };
    let advice = advice::first(ROWS, refused.trouble, |tell| tell(&case));
    with(problem, advice, |report| match (&refused.missing, &refused.words) {
        (Some(missing), _) => {
            let (name, label) = (quoted(missing.as_str()), &network.label);
            report.note(format!("the network {label} has no interface {name}"))
        }
        (None, Some(words)) => report.note(format!("the kernel says: {words}")),
        (None, None) => report,
    })
}

/// A problem with what helps, and with what `add` has to say of it.
fn with(problem: RunError, advice: Option<Advice>, add: impl Fn(Report) -> Report) -> RunError {
    match problem {
        RunError::Reports(mut reports) => {
            if let Some(report) = reports.pop() {
                let report = add(report);
                reports.push(match advice {
                    Some(advice) => advice.add(report),
                    None => report,
                });
            }
            RunError::Reports(reports)
        }
        other @ RunError::Interrupted(_) => other,
    }
}

fn too_many_networks(case: &Making<'_>) -> Option<Hint> {
    Some(remedy::refused(case.host, Kind::Net.into(), &case.failed.errno.name())?.into())
}

fn names_of_root(case: &Making<'_>) -> Option<Hint> {
    case.kept?;
    Some(
        "only root can create names in `/run/netns`: leave out `--host`, which makes the name \
          private to the recipe"
            .into(),
    )
}

fn too_few_descriptors(_: &Making<'_>) -> Option<Hint> {
    let most = Some(sys::most_descriptors()).filter(|most| *most < u64::MAX)?;
    let hint = format!(
        "each network uses two file descriptors, and at most {most} may be open: raise the limit \
         with `ulimit -n` in the shell"
    );
    Some(hint.into())
}

fn networks_of_root(case: &Making<'_>) -> Option<Hint> {
    let cure = "a user can create networks only in a private session: leave out `--host`, or run \
                as root";
    (!case.host.is_root()).then(|| cure.into())
}

fn names(network: &Network) -> Vec<String> {
    let links = network.wire().ok().and_then(|wire| super::listing::links(&wire).ok());
    links.unwrap_or_default().into_iter().map(|link| link.interface.name).collect()
}

fn interface_missing(case: &Case<'_>) -> Option<Hint> {
    let missing = case.refused.missing.as_ref()?;
    let names = names(case.network);
    if let Some(near) = closest(missing.as_str(), names.iter().map(String::as_str)) {
        return Some(format!("did you mean {}?", quoted(near)).into());
    }
    let names: Vec<String> = names.iter().map(quoted).collect();
    Some(format!("choose one of the interfaces of the network: {}", list(&names, "and")).into())
}

fn interface_exists(case: &Case<'_>) -> Option<Hint> {
    let taken = |network: &Network, name: &InterfaceName| {
        let is_there = names(network).iter().any(|known| known == name.as_str());
        let (name, label) = (quoted(name.as_str()), &network.label);
        is_there.then(|| {
            format!("the network {label} already has an interface {name}: choose another name")
        })
    };
    let taken = match case.action {
        NetworkAction::MakeLink(MakeLink { name, .. })
        | NetworkAction::ChangeLink(ChangeLink { change: LinkChange::Name(name), .. }) => {
            taken(case.network, name)
        }
        NetworkAction::Veth(Veth { name, peer, .. }) => {
            let name = name.as_ref().and_then(|name| taken(case.network, name));
            name.or_else(|| taken(case.other?, peer.as_ref()?))
        }
        NetworkAction::ChangeLink(ChangeLink { name, change: LinkChange::Network(_) }) => {
            taken(case.other?, name)
        }
        _ => None,
    };
    Some(taken?.into())
}

fn address_exists(case: &Case<'_>) -> Option<Hint> {
    let NetworkAction::Address(Address { name, address, .. }) = case.action else { return None };
    let address = address.address;
    Some(format!("{name} already has the address {address}: remove this call").into())
}

fn route_exists(case: &Case<'_>) -> Option<Hint> {
    let NetworkAction::Route(Route { destination, .. }) = case.action else { return None };
    Some(format!("a route to {destination} already exists: give this one another `metric`").into())
}

fn route_missing(case: &Case<'_>) -> Option<Hint> {
    let NetworkAction::Route(Route { away: true, .. }) = case.action else { return None };
    Some("choose a route that `routes()` lists".into())
}

fn address_missing(case: &Case<'_>) -> Option<Hint> {
    let NetworkAction::Address(Address { away: true, .. }) = case.action else { return None };
    Some("choose an address that `interfaces()` lists".into())
}

/// Why a router cannot be reached.
fn gateway_unreachable(case: &Case<'_>) -> Option<Hint> {
    let NetworkAction::Route(Route { gateway: Some(gateway), .. }) = case.action else {
        return None;
    };
    let beside = |(address, length): &(IpAddr, u32)| {
        let length = u8::try_from(*length).unwrap_or(0);
        let of = |address| Prefix { address, length }.network();
        address.is_ipv4() == gateway.is_ipv4() && of(*address) == of(*gateway)
    };
    let links = case.network.wire().ok().and_then(|wire| super::listing::links(&wire).ok());
    let links = links.unwrap_or_default();
    Some(match links.iter().find(|link| link.interface.addresses.iter().any(beside)) {
        Some(link) if !link.interface.up => {
            let name = &link.interface.name;
            format!("{gateway} is reached through {name}, which is down: `.up(\"{name}\")` first")
        }
        _ => format!(
            "no interface is in the subnet of {gateway}: add an address in that subnet, such as \
             `.address(\"eth0\", …)`"
        ),
    }
    .into())
}

fn interface_down(case: &Case<'_>) -> Option<Hint> {
    let NetworkAction::Route(Route { name, .. }) = case.action else { return None };
    let name = name.as_ref().map_or_else(|| "name".to_owned(), |name| format!("\"{name}\""));
    Some(format!("the interface is down: `.up({name})` first").into())
}

fn route_without_way(case: &Case<'_>) -> Option<Hint> {
    let NetworkAction::Route(Route { gateway: None, name: None, .. }) = case.action else {
        return None;
    };
    let ways = "give a gateway or an interface, such as `#{ interface: \"eth0\" }`";
    Some(ways.into())
}

fn interfaces_of_module(case: &Case<'_>) -> Option<Hint> {
    let NetworkAction::MakeLink(MakeLink { kind, .. }) = case.action else { return None };
    let kind = kind.name();
    Some(
        format!(
            "this kernel does not support {kind} interfaces; if it is a module, load it as root \
             with `modprobe {kind}`"
        )
        .into(),
    )
}

fn interface_up(case: &Case<'_>) -> Option<Hint> {
    let NetworkAction::ChangeLink(ChangeLink { name, change }) = case.action else { return None };
    if !matches!(change, LinkChange::Name(_) | LinkChange::Mac(_)) {
        return None;
    }
    Some(format!("set the interface down first: `.down(\"{name}\")`").into())
}

fn no_bridge(case: &Case<'_>) -> Option<Hint> {
    let NetworkAction::ChangeLink(ChangeLink { change, .. }) = case.action else { return None };
    let LinkChange::Bridge(Some(bridge)) = change else { return None };
    let links = case.network.wire().ok().and_then(|wire| super::listing::links(&wire).ok())?;
    let kind = links.into_iter().find(|link| link.interface.name == bridge.as_str())?.kind;
    (kind != LinkKind::Bridge.name())
        .then(|| format!("{bridge} is not a bridge: create one with `.bridge(name, ports)`").into())
}

fn network_of_others(case: &Case<'_>) -> Option<Hint> {
    let is_made =
        matches!(case.action, NetworkAction::MakeNetwork(_) | NetworkAction::RemoveName(_));
    (!is_made).then(|| {
        format!(
            "the network {} belongs to a user namespace in which this process has no \
             capabilities: change it where it was created",
            case.network.label
        )
        .into()
    })
}

fn part_missing(case: &Case<'_>) -> Option<Hint> {
    let part = match (case.action, case.action.way()) {
        (NetworkAction::Veth(_), _) => NetworkPart::Veth,
        (NetworkAction::MakeLink(MakeLink { kind: LinkKind::Bridge, .. }), _) => {
            NetworkPart::Bridge
        }
        (_, NetworkWay::Rule(_)) => NetworkPart::Rules,
        (_, NetworkWay::Message(_) | NetworkWay::Own(_)) => return None,
    };
    Some(remedy::no_part_of_networks(part, case.refused.trouble.errno)?.into())
}

fn setting_refused(case: &Case<'_>) -> Option<Hint> {
    let NetworkAction::Forward(_) = case.action else { return None };
    Some(remedy::no_part_of_networks(NetworkPart::Settings, case.refused.trouble.errno)?.into())
}
