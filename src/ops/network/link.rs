//! Interfaces that are made and removed.

use super::{NetworkOperation, at, ip, link, of, sent, word};
use crate::ops::Told;
use crate::ops::strace::Called;
use crate::spec::{InterfaceName, IpvlanMode, MacvlanMode, shell_word};

/// An interface is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MakeLink {
    /// Its name.
    pub name: InterfaceName,
    /// What it is.
    pub kind: LinkKind,
}

/// A kind of interface that is made by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// A switch: what comes in at one port goes out at others.
    Bridge,
    /// An interface that nothing is behind: what is sent to it is lost.
    Dummy,
    /// A VLAN of another interface, by its number.
    Vlan(InterfaceName, u16),
    /// Another hardware address of an interface.
    Macvlan(InterfaceName, MacvlanMode),
    /// Other addresses of an interface with its hardware address.
    Ipvlan(InterfaceName, IpvlanMode),
}

/// A pair of interfaces is made, the second in another network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Veth {
    /// The one here; the kernel chooses a name if there is none.
    pub name: Option<InterfaceName>,
    /// The other network.
    pub network: String,
    /// The one there.
    pub peer: Option<InterfaceName>,
}

/// An interface is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteLink(pub InterfaceName);

impl LinkKind {
    /// What the kernel calls it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Dummy => "dummy",
            Self::Vlan(..) => "vlan",
            Self::Macvlan(..) => "macvlan",
            Self::Ipvlan(..) => "ipvlan",
        }
    }

    /// The interface that it lies on.
    #[must_use]
    pub fn link(&self) -> Option<&InterfaceName> {
        match self {
            Self::Bridge | Self::Dummy => None,
            Self::Vlan(link, _) | Self::Macvlan(link, _) | Self::Ipvlan(link, _) => Some(link),
        }
    }

    /// What ip(8) takes besides its type.
    fn options(&self) -> String {
        match self {
            Self::Vlan(_, id) => format!(" id {id}"),
            Self::Macvlan(_, mode) => format!(" mode {mode}"),
            Self::Ipvlan(_, mode) => format!(" mode {mode}"),
            Self::Bridge | Self::Dummy => String::new(),
        }
    }
}

impl NetworkOperation for MakeLink {
    fn name(&self) -> &'static str {
        self.kind.name()
    }

    fn told(&self, network: &str) -> Told {
        let Self { name, kind } = self;
        let (at, ip, kind_name, options) = (at(network), ip(network), kind.name(), kind.options());
        let on = kind.link().map_or(String::new(), |link| format!(" on {link}"));
        let lies = kind.link().map_or(String::new(), |link| format!(" link {}", word(link)));
        let new = word(name);
        Told {
            sentence: format!("create the {kind_name} {name}{on} {at}"),
            source: None,
            target: Some(name.to_string()),
            shell: Some(format!("{ip} link add{lies} name {new} type {kind_name}{options}")),
        }
    }

    fn calls(&self, network: &str) -> Vec<Called> {
        let Self { name, kind } = self;
        let what = format!("{}, IFLA_INFO_KIND={:?}", link(name), kind.name());
        vec![sent(network, "RTM_NEWLINK", &what)]
    }
}

impl NetworkOperation for Veth {
    fn name(&self) -> &'static str {
        "veth"
    }

    fn told(&self, network: &str) -> Told {
        let Self { name, network: other, peer } = self;
        let option = |lead: &str, name: &Option<InterfaceName>| {
            name.as_ref().map_or(String::new(), |name| format!(" {lead}{}", word(name)))
        };
        let shell = format!(
            "{} link add{} type veth peer{} netns {}",
            ip(network),
            option("", name),
            option("name ", peer),
            shell_word(other)
        );
        let end = |name: &Option<InterfaceName>| {
            name.as_ref().map_or_else(|| "a new interface".to_owned(), ToString::to_string)
        };
        let (one, there) = (end(name), end(peer));
        Told {
            sentence: format!("connect {one} {} to {there} in the network {other}", at(network)),
            source: None,
            target: name.as_ref().map(ToString::to_string),
            shell: Some(shell),
        }
    }

    fn calls(&self, network: &str) -> Vec<Called> {
        let Self { name, network: other, peer } = self;
        let named = |name: &Option<InterfaceName>| {
            name.as_ref().map_or(String::new(), |name| format!("{}, ", link(name)))
        };
        let there = format!("{}IFLA_NET_NS_FD=fd<{other}>", named(peer));
        let here = named(name);
        let what = format!("{here}IFLA_INFO_KIND=\"veth\", VETH_INFO_PEER={{{there}}}");
        vec![sent(network, "RTM_NEWLINK", &what)]
    }
}

impl NetworkOperation for DeleteLink {
    fn name(&self) -> &'static str {
        "delete"
    }

    fn told(&self, network: &str) -> Told {
        let Self(name) = self;
        Told {
            sentence: format!("delete {name} {}", at(network)),
            source: None,
            target: Some(name.to_string()),
            shell: Some(format!("{} link delete {}", ip(network), word(name))),
        }
    }

    fn calls(&self, network: &str) -> Vec<Called> {
        vec![sent(network, "RTM_DELLINK", &of("ifi", &self.0))]
    }
}
