//! Changes of interfaces.

use super::{NetworkOperation, at, ip, link, of, sent, word};
use crate::ops::Told;
use crate::ops::strace::Called;
use crate::spec::{InterfaceName, Mac, shell_word};

/// An interface is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeLink {
    /// Its name.
    pub name: InterfaceName,
    /// What is changed.
    pub change: LinkChange,
}

/// A change of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkChange {
    /// It is set up.
    Up,
    /// It is set down.
    Down,
    /// The largest packet in bytes.
    Mtu(u32),
    /// The hardware address.
    Mac(Mac),
    /// Another name.
    Name(InterfaceName),
    /// It becomes a port of a bridge; of none.
    Bridge(Option<InterfaceName>),
    /// It is moved into another network.
    Network(String),
}

/// Everything that is said of a change.
struct Words {
    /// The word of the operation.
    name: &'static str,
    /// The sentence.
    sentence: String,
    /// What ip(8) takes after the name.
    option: String,
    /// What the message of rtnetlink(7) has.
    attribute: String,
}

impl ChangeLink {
    fn words(&self, network: &str) -> Words {
        let Self { name, change } = self;
        let at = at(network);
        match change {
            LinkChange::Up => Words {
                name: "up",
                sentence: format!("set {name} up {at}"),
                option: "up".into(),
                attribute: "ifi_flags=IFF_UP".into(),
            },
            LinkChange::Down => Words {
                name: "down",
                sentence: format!("set {name} down {at}"),
                option: "down".into(),
                attribute: "ifi_flags=0".into(),
            },
            LinkChange::Mtu(mtu) => Words {
                name: "link",
                sentence: format!("set the MTU of {name} to {mtu} {at}"),
                option: format!("mtu {mtu}"),
                attribute: format!("IFLA_MTU={mtu}"),
            },
            LinkChange::Mac(mac) => Words {
                name: "link",
                sentence: format!("set the hardware address of {name} to {mac} {at}"),
                option: format!("address {mac}"),
                attribute: format!("IFLA_ADDRESS={mac}"),
            },
            LinkChange::Name(new) => Words {
                name: "link",
                sentence: format!("rename {name} to {new} {at}"),
                option: format!("name {}", word(new)),
                attribute: link(new),
            },
            LinkChange::Bridge(Some(bridge)) => Words {
                name: "link",
                sentence: format!("make {name} a port of {bridge} {at}"),
                option: format!("master {}", word(bridge)),
                attribute: format!("IFLA_MASTER=if_nametoindex({:?})", bridge.as_str()),
            },
            LinkChange::Bridge(None) => Words {
                name: "link",
                sentence: format!("remove {name} from its bridge {at}"),
                option: "nomaster".into(),
                attribute: "IFLA_MASTER=0".into(),
            },
            LinkChange::Network(other) => Words {
                name: "link",
                sentence: format!("move {name} from the network {network} to the network {other}"),
                option: format!("netns {}", shell_word(other)),
                attribute: format!("IFLA_NET_NS_FD=fd<{other}>"),
            },
        }
    }
}

impl NetworkOperation for ChangeLink {
    fn name(&self) -> &'static str {
        self.words("").name
    }

    fn told(&self, network: &str) -> Told {
        let Words { name: _, sentence, option, attribute: _ } = self.words(network);
        let Self { name, change: _ } = self;
        Told {
            sentence,
            source: None,
            target: Some(name.to_string()),
            shell: Some(format!("{} link set {} {option}", ip(network), word(name))),
        }
    }

    fn calls(&self, network: &str) -> Vec<Called> {
        let Self { name, change: _ } = self;
        let attribute = self.words(network).attribute;
        vec![sent(network, "RTM_SETLINK", &format!("{}, {attribute}", of("ifi", name)))]
    }
}
