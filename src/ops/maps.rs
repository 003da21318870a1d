//! The ids of a sandbox: who the program is, and whom its users are on the host.

use std::fmt;

use crate::spec::IdMap;

/// The ids of a sandbox: both maps, and who the program is inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maps {
    /// The users; empty where the user namespace is not new.
    pub users: IdMap,
    /// The groups; empty where the user namespace is not new.
    pub groups: IdMap,
    /// The user inside.
    pub uid: u32,
    /// The group inside.
    pub gid: u32,
    /// Whether both maps are of the caller's own id alone: then the new process writes them.
    pub own: bool,
}

impl Maps {
    /// Whether user 0 of the machine is somebody inside.
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
