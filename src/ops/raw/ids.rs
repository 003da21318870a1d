//! The user and the groups of this process: setresuid(2), setresgid(2), setgroups(2).

use crate::diag::list;
use crate::ops::Told;
use crate::ops::raw::{Effect, Prepare, RawFacts, RawOperation};
use crate::ops::strace::Called;
use crate::sys::Raw;

/// The user is changed.
#[derive(Clone, Debug, PartialEq)]
pub struct SetUser(pub u32);

/// The group is changed.
#[derive(Clone, Debug, PartialEq)]
pub struct SetGroup(pub u32);

/// The other groups are changed.
#[derive(Clone, Debug, PartialEq)]
pub struct SetGroups(pub Vec<u32>);

impl RawOperation for SetUser {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "setuid", effect: Effect::Ids }
    }

    fn told(&self) -> Told {
        let Self(uid) = self;
        Told {
            sentence: format!("become user {uid}"),
            source: None,
            target: None,
            shell: Some(format!("setpriv --reuid {uid}")),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self(uid) = self;
        vec![Called::new(format!("setresuid({uid}, {uid}, {uid})"))]
    }
}

impl Prepare for SetUser {
    fn prepare(&self) -> Raw<'static> {
        Raw::Setuid(self.0)
    }
}

impl RawOperation for SetGroup {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "setgid", effect: Effect::Ids }
    }

    fn told(&self) -> Told {
        let Self(gid) = self;
        Told {
            sentence: format!("become group {gid}"),
            source: None,
            target: None,
            shell: Some(format!("setpriv --regid {gid} --keep-groups")),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self(gid) = self;
        vec![Called::new(format!("setresgid({gid}, {gid}, {gid})"))]
    }
}

impl Prepare for SetGroup {
    fn prepare(&self) -> Raw<'static> {
        Raw::Setgid(self.0)
    }
}

impl RawOperation for SetGroups {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "setgroups", effect: Effect::Ids }
    }

    fn told(&self) -> Told {
        let Self(groups) = self;
        let groups: Vec<_> = groups.iter().map(ToString::to_string).collect();
        let (sentence, shell) = if groups.is_empty() {
            ("leave all other groups".into(), "setpriv --clear-groups".into())
        } else {
            let sentence = format!("set the supplementary groups to {}", list(&groups, "and"));
            (sentence, format!("setpriv --groups {}", groups.join(",")))
        };
        Told { sentence, source: None, target: None, shell: Some(shell) }
    }

    fn calls(&self) -> Vec<Called> {
        let Self(groups) = self;
        let list: Vec<_> = groups.iter().map(ToString::to_string).collect();
        vec![Called::new(format!("setgroups({}, [{}])", groups.len(), list.join(", ")))]
    }
}

impl Prepare for SetGroups {
    fn prepare(&self) -> Raw<'static> {
        Raw::Setgroups(self.0.clone())
    }
}
