//! What is done in a network namespace as others write it: a shell's command, and the system call.

use std::net::IpAddr;

use super::{LinkChange, LinkKind, NetworkAction, Packets};
use crate::diag::list;
use crate::ops::strace::Called;
use crate::spec::{InterfaceName, Prefix, shell_word};

/// As nft(8) writes it.
fn dnat(address: IpAddr, port: Option<u16>) -> String {
    match (address, port) {
        (IpAddr::V4(four), Some(port)) => format!("dnat ip to {four}:{port}"),
        (IpAddr::V4(four), None) => format!("dnat ip to {four}"),
        (IpAddr::V6(six), Some(port)) => format!("dnat ip6 to [{six}]:{port}"),
        (IpAddr::V6(six), None) => format!("dnat ip6 to {six}"),
    }
}

impl Packets {
    /// As nft(8) writes it.
    fn expression(&self) -> String {
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

impl NetworkAction {
    /// The command of a shell that does the same.
    #[must_use]
    pub fn shell(&self, network: &str) -> String {
        let network = shell_word(network);
        let ip = format!("ip -n {network}");
        let nft = |chains: &[&str], kind: &str, rule: &str| {
            let mut text = "add table inet nsscript".to_owned();
            for chain in chains {
                let priority = match *chain {
                    "prerouting" => -100,
                    "postrouting" => 100,
                    _ => 0,
                };
                let hook = format!("type {kind} hook {chain} priority {priority}");
                text.push_str(&format!("; add chain inet nsscript {chain} {{ {hook}; }}"));
                text.push_str(&format!("; add rule inet nsscript {chain} {rule}"));
            }
            format!("ip netns exec {network} nft {}", shell_word(&text))
        };
        let word = |name: &InterfaceName| shell_word(name.as_str());
        let verb = |away: bool| if away { "del" } else { "add" };
        match self {
            Self::Make(_) => format!(
                "ip netns add {network}; ip netns exec {network} sysctl -w \
                 net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0; \
                 {ip} link set lo up"
            ),
            Self::Remove(_) => format!("ip netns delete {network}"),
            Self::Link(name, kind) => {
                let name = word(name);
                let on = kind.link().map_or(String::new(), |link| format!(" link {}", word(link)));
                let more = match kind {
                    LinkKind::Vlan(_, id) => format!(" id {id}"),
                    LinkKind::Macvlan(_, mode) => format!(" mode {mode}"),
                    LinkKind::Ipvlan(_, mode) => format!(" mode {mode}"),
                    LinkKind::Bridge | LinkKind::Dummy => String::new(),
                };
                format!("{ip} link add{on} name {name} type {}{more}", kind.name())
            }
            Self::Veth { name, network: other, peer } => format!(
                "{ip} link add {} type veth peer name {} netns {}",
                word(name),
                word(peer),
                shell_word(other)
            ),
            Self::Change(name, change) => {
                let what = match change {
                    LinkChange::Up => "up".to_owned(),
                    LinkChange::Down => "down".to_owned(),
                    LinkChange::Mtu(mtu) => format!("mtu {mtu}"),
                    LinkChange::Mac(mac) => format!("address {mac}"),
                    LinkChange::Name(new) => format!("name {}", word(new)),
                    LinkChange::Bridge(Some(bridge)) => format!("master {}", word(bridge)),
                    LinkChange::Bridge(None) => "nomaster".to_owned(),
                    LinkChange::Network(other) => format!("netns {}", shell_word(other)),
                };
                format!("{ip} link set {} {what}", word(name))
            }
            Self::Delete(name) => format!("{ip} link delete {}", word(name)),
            Self::Address { name, address, away } => {
                format!("{ip} address {} {address} dev {}", verb(*away), word(name))
            }
            Self::Route { destination, gateway, name, metric, away } => {
                let via = gateway.map_or(String::new(), |gateway| format!(" via {gateway}"));
                let device = name.as_ref().map_or(String::new(), |it| format!(" dev {}", word(it)));
                let metric = metric.map_or(String::new(), |metric| format!(" metric {metric}"));
                format!("{ip} route {} {destination}{via}{device}{metric}", verb(*away))
            }
            Self::Neighbour(name, address, mac) => {
                format!("{ip} neighbour replace {address} lladdr {mac} dev {}", word(name))
            }
            Self::Forward => format!(
                "ip netns exec {network} sysctl -w net.ipv4.ip_forward=1 \
                 net.ipv6.conf.all.forwarding=1"
            ),
            Self::Masquerade(packets) => {
                nft(&["postrouting"], "nat", &format!("{}masquerade", packets.expression()))
            }
            Self::Dnat(packets, address, port) => {
                let rule = format!("{}{}", packets.expression(), dnat(*address, *port));
                nft(&["prerouting"], "nat", &rule)
            }
            Self::Untranslate => {
                let flush = ["prerouting", "postrouting"];
                let flush = flush.map(|it| format!("flush chain inet nsscript {it}"));
                format!("ip netns exec {network} nft {}", shell_word(&flush.join("; ")))
            }
            Self::Block(packets) => {
                nft(&packets.chains(), "filter", &format!("{}drop", packets.expression()))
            }
            Self::Unblock => {
                let flush = ["input", "forward", "output"]
                    .map(|it| format!("flush chain inet nsscript {it}"));
                format!("ip netns exec {network} nft {}", shell_word(&flush.join("; ")))
            }
        }
    }

    /// The system calls, as strace(1) writes them.
    #[must_use]
    pub fn calls(&self, network: &str) -> Vec<Called> {
        let fd = format!("fd<netlink in {network}>");
        let sent = |kind: &str, what: &str| {
            Called::new(format!("sendto({fd}, [{{nlmsg_type={kind}}}, {{{what}}}], …)"))
        };
        let link = |name: &InterfaceName| format!("IFLA_IFNAME={:?}", name.as_str());
        let of = |family: &str, name: &InterfaceName| {
            format!("{family}_index=if_nametoindex({:?})", name.as_str())
        };
        let written = |path: &str, value: u8| {
            Called::new(format!("write(fd<{path}>, \"{value}\", 1)")).giving("1")
        };
        match self {
            Self::Make(_) => vec![
                Called::new("unshare(CLONE_NEWNET)"),
                written("/proc/sys/net/ipv6/conf/all/accept_dad", 0),
                written("/proc/sys/net/ipv6/conf/default/accept_dad", 0),
                sent("RTM_NEWLINK", "IFLA_IFNAME=\"lo\", ifi_flags=IFF_UP"),
            ],
            Self::Remove(name) => {
                let path = format!("{:?}", format!("/run/netns/{}", name.as_str()));
                vec![
                    Called::new(format!("umount2({path}, MNT_DETACH)")),
                    Called::new(format!("unlink({path})")),
                ]
            }
            Self::Link(name, kind) => {
                let what = format!("{}, IFLA_INFO_KIND={:?}", link(name), kind.name());
                vec![sent("RTM_NEWLINK", &what)]
            }
            Self::Veth { name, network: other, peer } => {
                let there = format!("{}, IFLA_NET_NS_FD=fd<{other}>", link(peer));
                let what =
                    format!("{}, IFLA_INFO_KIND=\"veth\", VETH_INFO_PEER={{{there}}}", link(name));
                vec![sent("RTM_NEWLINK", &what)]
            }
            Self::Change(name, change) => {
                let what = match change {
                    LinkChange::Up => "ifi_flags=IFF_UP".to_owned(),
                    LinkChange::Down => "ifi_flags=0".to_owned(),
                    LinkChange::Mtu(mtu) => format!("IFLA_MTU={mtu}"),
                    LinkChange::Mac(mac) => format!("IFLA_ADDRESS={mac}"),
                    LinkChange::Name(new) => link(new),
                    LinkChange::Bridge(Some(bridge)) => {
                        format!("IFLA_MASTER=if_nametoindex({:?})", bridge.as_str())
                    }
                    LinkChange::Bridge(None) => "IFLA_MASTER=0".to_owned(),
                    LinkChange::Network(other) => format!("IFLA_NET_NS_FD=fd<{other}>"),
                };
                vec![sent("RTM_SETLINK", &format!("{}, {what}", of("ifi", name)))]
            }
            Self::Delete(name) => vec![sent("RTM_DELLINK", &of("ifi", name))],
            Self::Address { name, address, away } => {
                let kind = if *away { "RTM_DELADDR" } else { "RTM_NEWADDR" };
                let Prefix { address, length } = address;
                let of = of("ifa", name);
                vec![sent(kind, &format!("{of}, ifa_prefixlen={length}, IFA_LOCAL={address}"))]
            }
            Self::Route { destination, gateway, name, metric, away } => {
                let kind = if *away { "RTM_DELROUTE" } else { "RTM_NEWROUTE" };
                let mut words = vec![format!("RTA_DST={destination}")];
                words.extend(gateway.map(|gateway| format!("RTA_GATEWAY={gateway}")));
                let index = |name: &InterfaceName| format!("if_nametoindex({:?})", name.as_str());
                words.extend(name.as_ref().map(|name| format!("RTA_OIF={}", index(name))));
                words.extend(metric.map(|metric| format!("RTA_PRIORITY={metric}")));
                vec![sent(kind, &words.join(", "))]
            }
            Self::Neighbour(name, address, mac) => {
                let what = format!("{}, NDA_DST={address}, NDA_LLADDR={mac}", of("ndm", name));
                vec![sent("RTM_NEWNEIGH", &what)]
            }
            Self::Forward => vec![
                written("/proc/sys/net/ipv4/ip_forward", 1),
                written("/proc/sys/net/ipv6/conf/all/forwarding", 1),
            ],
            Self::Masquerade(packets) => {
                vec![sent("NFT_MSG_NEWRULE", &format!("{}masquerade", packets.expression()))]
            }
            Self::Dnat(packets, address, port) => {
                let rule = format!("{}{}", packets.expression(), dnat(*address, *port));
                vec![sent("NFT_MSG_NEWRULE", &rule)]
            }
            Self::Untranslate => {
                vec![sent("NFT_MSG_DELRULE", "chains prerouting and postrouting")]
            }
            Self::Block(packets) => {
                vec![sent("NFT_MSG_NEWRULE", &format!("{}drop", packets.expression()))]
            }
            Self::Unblock => {
                let chains = ["input", "forward", "output"].map(str::to_owned);
                vec![sent("NFT_MSG_DELRULE", &format!("chains {}", list(&chains, "and")))]
            }
        }
    }
}
