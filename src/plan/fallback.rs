//! Fallbacks: alternative plans for machines that refuse a part of the first.

use super::action::{Planned, Side};
use super::build::Plan;
use crate::ops::{
    Bound, CoverRoot, Extension, FilterUserNamespaces, LowerDir, MakePrivate, Mounted, Op,
    PivotRoot, RootKind, capabilities_of,
};
use crate::spec::{Kind, MountAttributes};

impl Plan {
    /// The same with a copy of the root's layers, if this machine has no overlay for them; `None`
    /// if the plan has no such overlay.
    #[must_use]
    pub fn with_copy(&self) -> Option<Self> {
        let mut plan = self.clone();
        let root = plan.actions.iter_mut().find_map(|planned| match &mut planned.action {
            Op::MakeRoot(root) => Some(&mut root.0),
            _ => None,
        })?;
        let overlay = RootKind::Overlay { lower: LowerDir::Built, changes: None };
        (*root == overlay).then(|| *root = RootKind::Copy)?;
        Some(plan)
    }

    /// The same with directories of a view extended by their entries instead of an overlay, if this
    /// machine has no overlay for them; `None` if the plan has no such overlay.
    #[must_use]
    pub fn with_entries(&self) -> Option<Self> {
        let mut plan = self.clone();
        let mut changed = false;
        for planned in &mut plan.actions {
            if let Op::Extend(extend) = &mut planned.action
                && extend.by == Extension::Overlay
            {
                extend.by = Extension::Entries;
                changed = true;
            }
        }
        changed.then_some(plan)
    }

    /// The same with the host's root bound on itself first, for hosts whose root pivot_root(2)
    /// cannot move; `None` if that is done already, or the plan has no pivot_root(2). A program that
    /// may unmount could uncover the host's root then, so there is none for it.
    #[must_use]
    pub fn with_covered_root(&self) -> Option<Self> {
        let at = |action: Op| self.actions.iter().position(|planned| planned.action == action);
        if capabilities_of(self.actions.iter().map(|it| &it.action)).has("SYS_ADMIN") {
            return None;
        }
        let private = at(MakePrivate.into())?;
        at(PivotRoot.into()).filter(|_| at(CoverRoot.into()).is_none())?;
        let mut plan = self.clone();
        let cover = Planned { action: CoverRoot.into(), side: Side::Child, origin: None };
        plan.actions.insert(private + 1, cover);
        Some(plan)
    }

    /// The same with a filter of system calls instead of the limit of user namespaces, if /proc/sys
    /// cannot be written to; `None` if there is no such limit.
    #[must_use]
    pub fn with_filtered_user_namespaces(&self) -> Option<Self> {
        let limits = |planned: &Planned| matches!(planned.action, Op::LimitUserNamespaces(_));
        let at = self.actions.iter().position(limits)?;
        let mut plan = self.clone();
        let mut planned = plan.actions.remove(at);
        planned.action = FilterUserNamespaces.into();
        let turn = planned.action.facts().turn;
        let comes_later = |planned: &Planned| planned.action.facts().turn > turn;
        let place = plan.actions.iter().position(comes_later).unwrap_or(plan.actions.len());
        plan.actions.insert(place, planned);
        Some(plan)
    }

    /// The index of the action that shows a program of the host, which has no other root, the sysfs
    /// of the network that it is in.
    #[must_use]
    pub fn sysfs_of_host(&self) -> Option<usize> {
        let is_root = |planned: &Planned| matches!(planned.action, Op::MakeRoot(_));
        if self.actions.iter().any(is_root) {
            return None;
        }
        self.actions.iter().position(
            |planned| matches!(&planned.action, Op::Mounted(mount) if mount.kind == "sysfs"),
        )
    }

    /// The same with the host's own mount, read-only, instead of each new file system of type
    /// `kind` that has a substitute; `None` if there is none, or if it would show more than it may.
    #[must_use]
    pub fn with_what_is_there(&self, kind: &str) -> Option<Self> {
        // Programs in another user namespace have no access to the processes that a proc shows.
        if kind == "proc" && !self.namespaces.has(Kind::User) {
            return None;
        }
        let mut plan = self.clone();
        let mut bound = Vec::new();
        for planned in &mut plan.actions {
            if let Op::Mounted(Mounted { kind: own, target, create, instead: Some(source), .. }) =
                &planned.action
                && own == kind
            {
                let attributes = MountAttributes { read_only: true, ..MountAttributes::DATA };
                bound.push(target.clone());
                let bind = Bound {
                    source: source.clone(),
                    id: None,
                    directory: true,
                    target: target.clone(),
                    attributes,
                    usual: MountAttributes::DATA,
                    recursive: true,
                    mapped: None,
                    create: *create,
                };
                planned.action = bind.into();
            }
        }
        // All of it is read-only.
        plan.actions.retain(|planned| match &planned.action {
            Op::Protect(protect) => {
                let place = &protect.target;
                !bound.iter().any(|it| place != it && place.is_within(it))
            }
            _ => true,
        });
        (!bound.is_empty()).then_some(plan)
    }
}
