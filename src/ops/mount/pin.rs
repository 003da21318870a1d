//! Mounts that stay where they are.

use crate::diag::{Origin, Report, quoted};
use crate::ops::words::{in_root, place};
use crate::ops::{
    Asking, Backing, Changes, Facts, Leaves, Lower, Lowering, Op, Operation, Planning, Scope, Told,
    Turn, View,
};
use crate::spec::{GuestPath, Namespaces, ValueError};
use crate::sys::{Attributes, Call};

/// Keeps the name of a directory: binds it on itself, because the kernel renames no mount point of
/// the caller's mount namespace (rename(2): EBUSY).
#[derive(Clone, Debug, PartialEq)]
pub struct KeepName {
    /// The place inside.
    pub target: GuestPath,
}

impl Operation for KeepName {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "pin",
            turn: Turn::InRoot,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        let at = in_root(&self.target);
        Told {
            sentence: format!("keep the name of {}", place(&self.target)),
            source: None,
            target: Some(self.target.to_string()),
            shell: Some(format!("mount --rbind {at} {at}")),
        }
    }
}

impl Lower for KeepName {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.begin_root();
        let (base, path) = to.place(&self.target);
        to.leave_fresh(base);
        to.push(Call::BindSelf { base, path, optional: false, set: Attributes::NONE });
    }
}

/// A requested place whose path stays.
#[derive(Clone, Debug, PartialEq)]
pub struct Pin {
    /// The place inside.
    pub target: GuestPath,
}

impl Asking for Pin {
    fn name(&self) -> &'static str {
        "pin"
    }

    fn say(&self) -> String {
        format!("{} keeps its path", self.target)
    }

    fn changes(&self) -> Changes {
        Changes::Root
    }

    fn key(&self) -> Option<&str> {
        None
    }

    fn target(&self) -> Option<&GuestPath> {
        Some(&self.target)
    }

    fn plan(&self, to: &mut Planning<'_>, origin: Option<&Origin>) -> Result<(), ValueError> {
        let Self { target } = self;
        if !to.is_there(target, "pin", origin) {
            return Ok(());
        }
        // What a link leads to would stay, but the link could be replaced.
        let place = to.led_to(target);
        if place != *target {
            let message = format!(
                "cannot keep the path of {}: a link on the way leads to {}",
                quoted(target.as_str()),
                quoted(place.as_str())
            );
            let mut report = Report::error(message).at(origin.cloned());
            report.facts.operation = Some("pin".into());
            report.facts.target = Some(target.to_string());
            let hint = format!("pin the place itself: `.pin(\"{place}\")`");
            to.reports.push(report.advise("pinned_through_link", hint));
            return Ok(());
        }
        if to.pinned.is_none() && is_on_host(&to.view, target) {
            to.pinned = Some((target.clone(), origin.cloned()));
        }
        for target in movable(&to.view, target) {
            to.view.pin(&target);
            to.push(KeepName { target }, origin);
        }
        Ok(())
    }
}

/// The directories on the way to a place, and the place itself, that a program can rename: neither
/// mount points nor in a read-only mount. The outermost comes first.
fn movable(view: &View, place: &GuestPath) -> Vec<GuestPath> {
    let ways = std::iter::successors(Some(place.clone()), GuestPath::parent);
    let can_move = |path: &GuestPath| {
        view.parent_holder(path).is_some_and(|backing| {
            matches!(backing, Backing::Private | Backing::Host { read_only: false, .. })
        }) && !view.is_mounted(path)
    };
    let mut found: Vec<_> = ways.filter(|path| !path.is_root() && can_move(path)).collect();
    found.reverse();
    found
}

/// Whether a place or a directory on the way to it has its name in a writable directory of the host.
fn is_on_host(view: &View, place: &GuestPath) -> bool {
    let mut ways = std::iter::successors(Some(place.clone()), GuestPath::parent);
    ways.any(|way| matches!(view.parent_holder(&way), Some(Backing::Host { read_only: false, .. })))
}

impl Planning<'_> {
    /// Whether programs make no user namespaces.
    fn forbids_user_namespaces(&self) -> bool {
        let forbids =
            |op: &Op| matches!(op, Op::LimitUserNamespaces(_) | Op::FilterUserNamespaces(_));
        self.actions.iter().any(|(op, _)| forbids(op))
    }

    /// Warns that a pinned place in a writable directory of the host stays only if no program makes
    /// namespaces of its own: a directory can be renamed if it is a mount point elsewhere only.
    pub fn warn_of_pins(&mut self) {
        let Some((place, origin)) = self.pinned.take() else { return };
        if self.forbids_user_namespaces() {
            return;
        }
        let message = format!(
            "a program with a user namespace of its own can rename {} in spite of the pin",
            quoted(place.as_str())
        );
        let report = Report::warning(message).at(origin);
        let hint = "add `.forbid_user_namespaces()`, unless programs need them, as browsers do";
        self.warnings.push(report.advise("pin_evaded", hint));
    }

    /// Warns about read-only places in writable directories of the host that a program can rename:
    /// the place goes with its directory, and the path is free for another file.
    pub fn warn_of_renames(&mut self) {
        let mut warned: Vec<GuestPath> = Vec::new();
        for (protected, origin) in self.view.read_only() {
            let on_host = |path: &GuestPath| {
                matches!(self.view.parent_holder(path), Some(Backing::Host { .. }))
            };
            let ways = movable(&self.view, &protected);
            let Some(way) = ways.into_iter().find(|way| *way != protected && on_host(way)) else {
                continue;
            };
            if warned.contains(&way) {
                continue;
            }
            let message = format!(
                "a program can rename {}, and put another file at the read-only path {}",
                quoted(way.as_str()),
                quoted(protected.as_str())
            );
            let report = Report::warning(message).at(origin);
            let pin = format!("keep the path with `.pin(\"{protected}\")`");
            let hint = if self.forbids_user_namespaces() {
                pin
            } else {
                format!("{pin} and `.forbid_user_namespaces()`")
            };
            self.warnings.push(report.advise("renamable_path", hint));
            warned.push(way);
        }
    }
}
