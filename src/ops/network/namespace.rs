//! Network namespaces themselves, and their names in /run/netns.

use super::sandbox::{ALL_GROUPS, OpenPorts, SETTINGS};
use super::{NetworkOperation, at, ip, sent, written};
use crate::diag::quoted;
use crate::ops::Told;
use crate::ops::strace::Called;
use crate::spec::{NetworkName, shell_word};

/// The network itself is made; with a name in /run/netns, if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MakeNetwork(pub Option<NetworkName>);

/// The name is taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoveName(pub NetworkName);

/// Packets for others are passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward;

impl MakeNetwork {
    /// The files that are written in a new network, with their values, as far as the kernel lets
    /// nsscript. Duplicate address detection of IPv6 takes a second or two, in which a router
    /// forwards nothing.
    #[must_use]
    pub fn settings(ports: &OpenPorts) -> Vec<(String, String)> {
        let dad = |which| (format!("/proc/sys/net/ipv6/conf/{which}/accept_dad"), "0".to_owned());
        let ports = ports.settings();
        let ports = ports.map(|(name, value)| (format!("{SETTINGS}/{name}"), value));
        ["all", "default"].map(dad).into_iter().chain(ports).collect()
    }
}

impl NetworkOperation for MakeNetwork {
    fn name(&self) -> &'static str {
        "netns"
    }

    fn told(&self, network: &str) -> Told {
        let Self(name) = self;
        let name = name.as_ref().map(|name| name.as_str().to_owned());
        let shown = name.as_ref().map_or_else(|| network.to_owned(), quoted);
        let (word, ip) = (shell_word(network), ip(network));
        let shell = format!(
            "ip netns add {word}; ip netns exec {word} sysctl -w \
             net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
             net.ipv4.ip_unprivileged_port_start=0 net.ipv4.ping_group_range='0 {ALL_GROUPS}'; \
             {ip} link set lo up"
        );
        Told {
            sentence: format!("create the network {shown}"),
            source: None,
            target: name,
            shell: Some(shell),
        }
    }

    fn calls(&self, network: &str) -> Vec<Called> {
        vec![
            Called::new("unshare(CLONE_NEWNET)"),
            written("/proc/sys/net/ipv6/conf/all/accept_dad", 0),
            written("/proc/sys/net/ipv6/conf/default/accept_dad", 0),
            written("/proc/sys/net/ipv4/ip_unprivileged_port_start", 0),
            // The range depends on the groups of the user namespace.
            Called::new(format!("write(fd<{SETTINGS}/ping_group_range>, \"0 …\", …)")),
            sent(network, "RTM_NEWLINK", "IFLA_IFNAME=\"lo\", ifi_flags=IFF_UP"),
        ]
    }
}

impl NetworkOperation for RemoveName {
    fn name(&self) -> &'static str {
        "delete"
    }

    fn told(&self, network: &str) -> Told {
        let Self(name) = self;
        Told {
            sentence: format!("delete the network {}", quoted(name.as_str())),
            source: None,
            target: Some(name.as_str().to_owned()),
            shell: Some(format!("ip netns delete {}", shell_word(network))),
        }
    }

    fn calls(&self, _: &str) -> Vec<Called> {
        let Self(name) = self;
        let path = format!("{:?}", format!("/run/netns/{}", name.as_str()));
        vec![
            Called::new(format!("umount2({path}, MNT_DETACH)")),
            Called::new(format!("unlink({path})")),
        ]
    }
}

impl NetworkOperation for Forward {
    fn name(&self) -> &'static str {
        "forward"
    }

    fn told(&self, network: &str) -> Told {
        let shell = format!(
            "ip netns exec {} sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
            shell_word(network)
        );
        Told {
            sentence: format!("forward IP packets {}", at(network)),
            source: None,
            target: None,
            shell: Some(shell),
        }
    }

    fn calls(&self, _: &str) -> Vec<Called> {
        vec![
            written("/proc/sys/net/ipv4/ip_forward", 1),
            written("/proc/sys/net/ipv6/conf/all/forwarding", 1),
        ]
    }
}
