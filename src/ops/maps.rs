//! The ids of a sandbox: the ids of the program, and the maps to ids of the host.

use std::fmt;

use crate::spec::IdMap;

/// Both maps of a sandbox, and the ids of the program inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maps {
    /// The user map; empty if the user namespace is not new.
    pub users: IdMap,
    /// The group map; empty if the user namespace is not new.
    pub groups: IdMap,
    /// The user inside.
    pub uid: u32,
    /// The group inside.
    pub gid: u32,
    /// Whether both maps contain only the caller's own id; then the new process writes them.
    pub own: bool,
}

impl Maps {
    /// Whether every mapped user and group has the same number inside and outside.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.users.is_identity() && self.groups.is_identity()
    }

    /// Whether user 0 of the machine is mapped.
    #[must_use]
    pub fn maps_root(&self) -> bool {
        self.users.inside(0).is_some()
    }
}

impl fmt::Display for Maps {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |map: &IdMap| if map.one().is_some() { "" } else { "s" };
        let (users, groups) = (plural(&self.users), plural(&self.groups));
        write!(formatter, "user{users} {} and group{groups} {}", self.users, self.groups)
    }
}
