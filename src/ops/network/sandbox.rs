//! The network of a sandbox: its loopback device, one that exists, one that leads outside.

use crate::ops::{Facts, Leaves, Lower, Lowering, Operation, Scope, Told, Turn};
use crate::spec::{JoinedNetwork, Kind, Namespaces, Outbound, shell_word};
use crate::sys::Call;

/// Where pasta(1) passes questions for names on, where the host asks a server of its own at a
/// loopback address: an address that is nobody's, RFC 3927.
pub const FORWARDED: &str = "169.254.1.1";

/// A network that exists is entered.
#[derive(Clone, Debug, PartialEq)]
pub struct EnterNetwork(pub JoinedNetwork);

/// A network is made, from which that of the host can be reached.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectOutside(pub Outbound);

/// The loopback device is set up.
#[derive(Clone, Debug, PartialEq)]
pub struct LoopbackUp;

impl Operation for EnterNetwork {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "network",
            turn: Turn::Network,
            scope: Scope::Sandbox,
            apart: Kind::Net.into(),
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        let label = &self.0.label;
        Told {
            sentence: format!("enter the network {label}"),
            source: None,
            target: None,
            shell: Some(format!("ip netns exec {} $SHELL", shell_word(label))),
        }
    }
}

impl Operation for ConnectOutside {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "network",
            turn: Turn::Network,
            scope: Scope::Sandbox,
            apart: Kind::Net.into(),
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        let options = self.0.options().join(" ");
        Told {
            sentence: "connect a new network to the outside with pasta(1)".into(),
            source: None,
            target: None,
            shell: Some(format!("pasta {options} --dns-forward {FORWARDED} --netns NET")),
        }
    }
}

impl Operation for LoopbackUp {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "loopback",
            turn: Turn::Loopback,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: "set the loopback device up".into(),
            source: None,
            target: None,
            shell: Some("ip link set lo up".into()),
        }
    }
}

impl Lower for LoopbackUp {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.push(Call::LoopbackUp);
    }
}
