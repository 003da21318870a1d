//! Supplementary groups of programs.

use crate::diag::{Origin, Report, list};
use crate::ops::{
    Asking, Changes, Facts, Leaves, Lower, Lowering, Operation, Planning, Scope, Told, Turn,
};
use crate::spec::{GuestPath, Kind, Namespaces, ValueError};

/// The maximum number of groups of a process: `NGROUPS_MAX`.
const MOST: usize = 65536;

/// Chooses the supplementary groups of programs, which are set together with user and group.
#[derive(Clone, Debug, PartialEq)]
pub struct Groups(Vec<u32>);

impl Groups {
    /// These groups, by their ids inside.
    ///
    /// # Errors
    /// There are too many.
    pub fn new(groups: impl IntoIterator<Item = u32>) -> Result<Self, ValueError> {
        let mut groups: Vec<u32> = groups.into_iter().collect();
        groups.sort_unstable();
        groups.dedup();
        if groups.len() > MOST {
            return Err(ValueError::new(format!("a process can have at most {MOST} groups")));
        }
        Ok(Self(groups))
    }

    /// The ids inside, in order.
    #[must_use]
    pub fn ids(&self) -> &[u32] {
        &self.0
    }

    fn shown(&self) -> String {
        let numbers: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        if numbers.is_empty() { "none".into() } else { list(&numbers, "and") }
    }
}

impl Operation for Groups {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "groups",
            turn: Turn::Groups,
            scope: Scope::EveryProgram,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: format!("choose the supplementary groups {}", self.shown()),
            source: None,
            target: None,
            // setpriv(1) sets them together with the user.
            shell: None,
        }
    }
}

impl Lower for Groups {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.groups.clone_from(&self.0);
    }
}

impl Asking for Groups {
    fn name(&self) -> &'static str {
        "groups"
    }

    fn say(&self) -> String {
        format!("groups {}", self.shown())
    }

    fn changes(&self) -> Changes {
        Changes::Program
    }

    fn key(&self) -> Option<&str> {
        Some("groups")
    }

    fn target(&self) -> Option<&GuestPath> {
        None
    }

    fn plan(&self, to: &mut Planning<'_>, origin: Option<&Origin>) -> Result<(), ValueError> {
        if self.0.is_empty() {
            // Programs have none in any case.
            return Ok(());
        }
        let new_user = to.namespaces.has(Kind::User);
        let maps = to.maps;
        let is_unmapped = |group: &&u32| new_user && maps.groups.outside(**group).is_none();
        let report = if let Some(group) = self.0.iter().find(is_unmapped) {
            let message = format!("group {group} is not mapped in this sandbox");
            let report = Report::error(message);
            report.hint(format!("the map is {}; map more with `map_group`", maps.groups))
        } else if new_user && maps.own {
            let report = Report::error("a map of only your own group allows no other groups");
            report
                .note("otherwise a program could drop a group that keeps it from files")
                .hint("map a range as well: `map_user(0, …)` and `map_group(0, …)`")
        } else if !new_user && (!to.host.is_root() || to.host.denies_groups()) {
            let report = Report::error("only root can choose groups while USER is shared");
            report.related(to.shared.as_ref(), "shared here")
        } else {
            to.push(self.clone(), origin);
            return Ok(());
        };
        to.reports.push(report.at(origin.cloned()));
        Ok(())
    }
}
