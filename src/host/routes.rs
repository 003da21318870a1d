//! The routes of a network namespace in /proc: those of the main table.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::procfs::{self, ProcError};
use super::tree::Tree;

/// The route can be used.
const UP: u32 = 0x1;
/// Packets are rejected.
const REJECT: u32 = 0x200;
/// It was learned for one destination, and expires.
const CACHE: u32 = 0x0100_0000;
/// It leads to an address of a local interface.
const LOCAL: u32 = 0x8000_0000;
/// It leads to an anycast address.
const ANYCAST: u32 = 0x0010_0000;

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The network, and the length of its prefix.
    pub destination: (IpAddr, u32),
    /// The gateway; `None` if the network is directly connected.
    pub gateway: Option<IpAddr>,
    /// The interface; `None` if packets are rejected.
    pub device: Option<String>,
    /// The metric: the lowest one wins.
    pub metric: u32,
}

impl Route {
    /// The destination as ip(8) writes it: `10.0.0.0/24`, `default`.
    #[must_use]
    pub fn network(&self) -> String {
        match self.destination {
            (address, 0) if address.is_unspecified() => "default".to_owned(),
            (address, prefix) => format!("{address}/{prefix}"),
        }
    }
}

/// The routes of the namespace that this process is in: those of IPv4, then those of IPv6.
///
/// # Errors
/// /proc is not mounted.
pub fn read(tree: &Tree) -> Result<Vec<Route>, ProcError> {
    let mut routes = version_4(&procfs::text(tree, "/proc/thread-self/net/route")?);
    // A kernel without IPv6 has no such file.
    let text = procfs::text(tree, "/proc/thread-self/net/ipv6_route").unwrap_or_default();
    routes.extend(version_6(&text));
    Ok(routes)
}

/// The routes in the text of `/proc/net/route`.
#[must_use]
pub fn version_4(text: &str) -> Vec<Route> {
    text.lines().filter_map(route_4).collect()
}

fn route_4(line: &str) -> Option<Route> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [device, destination, gateway, flags, _, _, metric, mask, ..] = fields[..] else {
        return None;
    };
    // The kernel writes the four bytes of an address as it reads a number in memory.
    let address = |text| Some(Ipv4Addr::from(hex(text)?.to_ne_bytes()));
    let flags = hex(flags)?;
    let gateway = address(gateway)?;
    let refused = flags & REJECT != 0 || device == "*";
    (flags & UP != 0).then_some(Route {
        destination: (address(destination)?.into(), hex(mask)?.count_ones()),
        gateway: (!gateway.is_unspecified()).then_some(gateway.into()),
        device: (!refused).then(|| device.to_owned()),
        metric: metric.parse().ok()?,
    })
}

/// The routes in the text of `/proc/net/ipv6_route`, which has those of all tables.
#[must_use]
pub fn version_6(text: &str) -> Vec<Route> {
    text.lines().filter_map(route_6).collect()
}

fn route_6(line: &str) -> Option<Route> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [destination, prefix, _, _, gateway, metric, _, _, flags, device] = fields[..] else {
        return None;
    };
    let address = |text| Some(Ipv6Addr::from(u128::from_str_radix(text, 16).ok()?));
    let (destination, prefix, flags) = (address(destination)?, hex(prefix)?, hex(flags)?);
    let (gateway, metric) = (address(gateway)?, hex(metric)?);
    let multicast = destination.is_multicast() && prefix == 8;
    // What the kernel refuses where there is no other route.
    let fallback = flags & REJECT != 0 && metric == u32::MAX;
    let wanted = flags & UP != 0 && flags & (LOCAL | ANYCAST | CACHE) == 0;
    // The kernel does not set the flag for what is refused.
    let wanted = wanted || flags & REJECT != 0;
    (wanted && !multicast && !fallback).then_some(Route {
        destination: (destination.into(), prefix),
        gateway: (!gateway.is_unspecified()).then_some(gateway.into()),
        device: (flags & REJECT == 0).then(|| device.to_owned()),
        metric,
    })
}

fn hex(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::{Route, version_4, version_6};

    fn told(routes: &[Route]) -> Vec<String> {
        let told = |route: &Route| {
            let gateway = route.gateway.map(|it| format!(" via {it}")).unwrap_or_default();
            let device = route.device.as_deref().unwrap_or("nowhere");
            format!("{}{gateway} to {device}, {}", route.network(), route.metric)
        };
        routes.iter().map(told).collect()
    }

    #[test]
    fn routes_of_ipv4_are_those_of_the_text() {
        let text = "\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
d0	00000000	0102010A	0003	0	0	7	00000000	0	0	0
d0	0002010A	00000000	0001	0	0	0	00FFFFFF	0	0	0
*	0000090A	00000000	0201	0	0	0	0000FFFF	0	0	0
d1	0000140A	00000000	0000	0	0	0	0000FFFF	0	0	0
";
        let expected =
            ["default via 10.1.2.1 to d0, 7", "10.1.2.0/24 to d0, 0", "10.9.0.0/16 to nowhere, 0"];
        assert_eq!(told(&version_4(text)), expected);
    }

    #[test]
    fn routes_of_ipv6_are_those_of_the_main_table() {
        let none = "00000000000000000000000000000000";
        let line = |destination: &str, prefix: &str, gateway: &str, rest: &str| {
            format!("{destination} {prefix} {none} 00 {gateway} {rest}\n")
        };
        let text = [
            line("fd000000000000000000000000000000", "40", none, "00000100 3 0 00000001 d0"),
            line("ff150000000000000000000000000000", "10", none, "00000400 1 0 00000001 d0"),
            line(none, "00", "fd000000000000000000000000000001", "00000009 1 0 00000003 d0"),
            line("fd010000000000000000000000000000", "20", none, "00000400 1 0 00200200 lo"),
            // The host itself, every multicast address, and what is refused in the end.
            line("00000000000000000000000000000001", "80", none, "00000000 2 0 80200001 lo"),
            line("ff000000000000000000000000000000", "08", none, "00000100 5 0 00000001 d1"),
            line(none, "00", none, "ffffffff 1 0 00200200 lo"),
        ];
        let expected = [
            "fd00::/64 to d0, 256",
            "ff15::/16 to d0, 1024",
            "default via fd00::1 to d0, 9",
            "fd01::/32 to nowhere, 1024",
        ];
        assert_eq!(told(&version_6(&text.concat())), expected);
    }
}
