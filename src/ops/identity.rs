//! The identity of a sandbox's processes: id maps, user and group, keyring, capabilities.

use super::capabilities::option;
use super::lowering::c;
use super::{Facts, Leaves, Lower, Lowering, Maps, Operation, Scope, Told, Turn};
use crate::spec::{Capabilities, IdMap, Namespaces, shell_word};
use crate::sys::Call;

/// Prepares a user namespace with these maps.
#[derive(Clone, Debug, PartialEq)]
pub struct PrepareMaps {
    /// The maps.
    pub maps: Maps,
    /// Whether it allows no further ones, and so is not that of sandboxes that may make them.
    pub limited: bool,
}

/// Maps ids in the new process itself.
#[derive(Clone, Debug, PartialEq)]
pub struct MapOwnIds(pub Maps);

/// Becomes a mapped user, who can create files; the caller may be unmapped.
#[derive(Clone, Debug, PartialEq)]
pub struct BecomeMapped {
    /// The user inside.
    pub uid: u32,
    /// The group inside.
    pub gid: u32,
}

/// Sets user and group, and drops other groups.
#[derive(Clone, Debug, PartialEq)]
pub struct SetIds {
    /// The user inside.
    pub uid: u32,
    /// The group inside.
    pub gid: u32,
    /// The capabilities that stay in the bounding set.
    pub kept: Capabilities,
}

/// Joins a new session keyring, because programs must not use the caller's.
#[derive(Clone, Debug, PartialEq)]
pub struct NewKeyring;

/// Drops every capability.
#[derive(Clone, Debug, PartialEq)]
pub struct DropCapabilities {
    /// Whether the bounding set was emptied before, while a capability allowed it.
    pub bounded: bool,
}

/// Prevents programs from gaining privileges.
#[derive(Clone, Debug, PartialEq)]
pub struct NoNewPrivileges;

/// The shell command that writes a map of process `$pid`.
fn map(file: &str, map: &IdMap) -> String {
    let text = shell_word(&map.kernel_text().trim_end().replace('\n', "\\n"));
    format!("printf {text} > /proc/$pid/{file}")
}

/// The options of setpriv(1) that set this user.
fn options(uid: u32, gid: u32) -> String {
    format!("--reuid {uid} --regid {gid} --clear-groups")
}

impl Operation for PrepareMaps {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "map",
            turn: Turn::Maps,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        let maps = &self.maps;
        let users = map("uid_map", &maps.users);
        let groups = map("gid_map", &maps.groups);
        Told {
            sentence: format!("create a user namespace that maps {maps}"),
            source: None,
            target: None,
            shell: Some(format!(
                "unshare --user sleep inf & pid=$!; until [ \"$(readlink /proc/$pid/ns/user)\" != \
                 \"$(readlink /proc/self/ns/user)\" ]; do sleep 0.1; done; {users}; {groups}"
            )),
        }
    }
}

impl Operation for MapOwnIds {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "map",
            turn: Turn::OwnMaps,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: format!("map {}", self.0),
            source: None,
            target: None,
            // unshare(1) does this before it executes anything.
            shell: None,
        }
    }
}

impl Lower for MapOwnIds {
    fn lower(&self, to: &mut Lowering<'_>) {
        // Otherwise the kernel lets only the privileged map groups: dropping a group could give
        // access to files that refuse it (CVE-2014-8989).
        let (uid, gid) = to.prepared.own;
        let own = |map: &IdMap, id| {
            IdMap::single(map.one().map_or(0, |range| range.inside), id).kernel_text()
        };
        let files = [
            ("setgroups", "deny".to_owned()),
            ("uid_map", own(&self.0.users, uid)),
            ("gid_map", own(&self.0.groups, gid)),
        ];
        for (name, text) in files {
            let path = c(format!("/proc/self/{name}"));
            to.push(Call::WriteProc { path, bytes: text.into_bytes() });
        }
    }
}

impl Operation for BecomeMapped {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "user",
            turn: Turn::FirstUser,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        let Self { uid, gid } = *self;
        Told {
            sentence: format!("become user {uid} and group {gid}, with all capabilities"),
            source: None,
            target: None,
            shell: Some(format!("setpriv {}", options(uid, gid))),
        }
    }
}

impl Lower for BecomeMapped {
    fn lower(&self, to: &mut Lowering<'_>) {
        // Only the caller can open the store, and the process still has the caller's ids.
        to.keep_directories();
        to.push(Call::SetGroups(Vec::new()));
        to.push(Call::SetGroup(self.gid));
        to.push(Call::SetUser(self.uid));
    }
}

impl Operation for SetIds {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "user",
            turn: Turn::User,
            scope: Scope::EveryProgram,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        let Self { uid, gid, kept } = *self;
        let (bounding, keeps) = (option(kept), if kept.is_empty() { "" } else { " --keep-caps" });
        Told {
            sentence: format!("become user {uid} and group {gid}"),
            source: None,
            target: None,
            shell: Some(format!("setpriv --bounding-set {bounding} {}{keeps}", options(uid, gid))),
        }
    }
}

impl Lower for SetIds {
    fn lower(&self, to: &mut Lowering<'_>) {
        // This needs a capability.
        to.push(Call::LimitBoundingSet { kept: self.kept.bits() });
        let groups = std::mem::take(&mut to.groups);
        to.push(Call::SetGroups(groups));
        to.push(Call::SetGroup(self.gid));
        to.push(Call::SetUser(self.uid));
    }
}

impl Operation for NewKeyring {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "keyring",
            turn: Turn::Keyring,
            scope: Scope::EveryProgram,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: "join a new session keyring".into(),
            source: None,
            target: None,
            shell: Some("keyctl session -".into()),
        }
    }
}

impl Lower for NewKeyring {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.push(Call::NewKeyring);
    }
}

impl Operation for DropCapabilities {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "capabilities",
            turn: Turn::Capabilities,
            scope: Scope::EveryProgram,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: "drop all capabilities".into(),
            source: None,
            target: None,
            shell: Some(if self.bounded {
                "setpriv --inh-caps -all".into()
            } else {
                "setpriv --bounding-set -all --inh-caps -all".into()
            }),
        }
    }
}

impl Lower for DropCapabilities {
    fn lower(&self, to: &mut Lowering<'_>) {
        if !self.bounded {
            to.push(Call::LimitBoundingSet { kept: 0 });
        }
        to.push(Call::LimitCapabilities { kept: 0, ambient: false });
    }
}

impl Operation for NoNewPrivileges {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "capabilities",
            turn: Turn::Privileges,
            scope: Scope::EveryProgram,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: "prevent programs from gaining privileges".into(),
            source: None,
            target: None,
            shell: Some("setpriv --no-new-privs".into()),
        }
    }
}

impl Lower for NoNewPrivileges {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.push(Call::NoNewPrivileges);
    }
}
