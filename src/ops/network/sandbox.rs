//! The network of a sandbox: its loopback device, one that exists, one that leads outside.

use std::path::Path;

use crate::host::Host;
use crate::ops::lowering::c;
use crate::ops::{Facts, Leaves, Lower, Lowering, Operation, Scope, Told, Turn};
use crate::spec::{IdMap, IdRange, JoinedNetwork, Kind, Namespaces, Outbound, shell_word};
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

/// Every program may use low ports and ping sockets: two settings of the network. It is a
/// convenience, and left out if the kernel refuses it, as with a read-only `/proc/sys`.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenPorts {
    /// The first and last group inside that may have ping sockets.
    pub groups: (u32, u32),
}

/// The directory of the settings that [`OpenPorts`] writes.
pub(super) const SETTINGS: &str = "/proc/sys/net/ipv4";

impl OpenPorts {
    /// Opens a network for the groups of this map, one of which is `gid`. If the map is empty, no
    /// user namespace is new, and `own` is that of nsscript.
    #[must_use]
    pub fn to(map: &IdMap, own: impl FnOnce() -> Option<IdMap>, gid: u32) -> Self {
        let span = match map.ranges.as_slice() {
            [] => own().and_then(|own| own.widest_span(gid)),
            _ => map.widest_span(gid),
        };
        Self { groups: span.unwrap_or((0, ALL_GROUPS)) }
    }

    /// The files in [`SETTINGS`], with their values.
    #[must_use]
    pub fn settings(&self) -> [(&'static str, String); 2] {
        let (first, last) = self.groups;
        [
            ("ip_unprivileged_port_start", "0".to_owned()),
            ("ping_group_range", format!("{first} {last}")),
        ]
    }
}

/// The last group that can be in `ping_group_range`.
pub(super) const ALL_GROUPS: u32 = 2_147_483_647;

/// The groups that this process sees: `/proc/self/gid_map`.
#[must_use]
pub fn own_groups(host: &Host) -> Option<IdMap> {
    let text = host.tree.read(Path::new("/proc/self/gid_map")).ok()?;
    let text = String::from_utf8_lossy(&text);
    let range = |line: &str| {
        let mut numbers = line.split_whitespace().map(|number| number.parse().ok());
        let mut next = || numbers.next().flatten();
        Some(IdRange { inside: next()?, outside: next()?, count: next()? })
    };
    Some(IdMap { ranges: text.lines().map(range).collect::<Option<_>>()? })
}

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

impl Operation for OpenPorts {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "open_ports",
            turn: Turn::Loopback,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        let write = |(name, value): (&str, String)| {
            format!("echo {} > {SETTINGS}/{name}", shell_word(&value))
        };
        Told {
            sentence: "let every program use low ports and ping sockets".into(),
            source: None,
            target: None,
            shell: Some(self.settings().map(write).join("; ")),
        }
    }
}

impl Lower for OpenPorts {
    fn lower(&self, to: &mut Lowering<'_>) {
        let files = self.settings().map(|(name, value)| (c(name), value.into_bytes()));
        to.push(Call::TryWriteProc { directory: c(SETTINGS), files: files.into() });
    }
}
