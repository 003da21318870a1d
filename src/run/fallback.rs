//! Launches that this machine refuses, and that are tried once more in another way. What was refused
//! is known to all launches after it, so that ordinary machines are asked nothing.

use std::cell::Cell;
use std::path::Path;

use super::launch::failure;
use super::lower::Lowered;
use super::runner::{Problem, Runner};
use crate::diag::{Origin, Report};
use crate::host::mountinfo;
use crate::plan::{Action, MountCall, Plan, RawAction};
use crate::spec::MountFlags;
use crate::sys::{self, Fault, Syscall};

/// Another way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fallback {
    /// The host's root is covered before it is left.
    CoveredRoot,
    /// The proc that there is stands for a new one.
    Proc,
    /// The sysfs that there is stands for a new one.
    Sysfs,
}

/// The other ways that are known to be needed.
#[derive(Debug, Default)]
pub(super) struct Fallbacks {
    covered_root: Cell<bool>,
    proc: Cell<bool>,
    sysfs: Cell<bool>,
}

impl Fallbacks {
    fn cell(&self, fallback: Fallback) -> &Cell<bool> {
        match fallback {
            Fallback::CoveredRoot => &self.covered_root,
            Fallback::Proc => &self.proc,
            Fallback::Sysfs => &self.sysfs,
        }
    }
}

impl Fallback {
    const ALL: [Self; 3] = [Self::CoveredRoot, Self::Proc, Self::Sysfs];

    /// The way around `fault`, if there is one.
    fn around(plan: &Plan, lowered: &Lowered, fault: Fault) -> Option<Self> {
        let action = lowered.action_of(fault.call?)?;
        let errno = fault.errno.name();
        let fallback = match (&plan.actions.get(action)?.action, fault.syscall, errno.as_str()) {
            (Action::PivotRoot, Syscall::PivotRoot, "EINVAL") => Self::CoveredRoot,
            (Action::Mount { kind, .. }, Syscall::Fsmount, "EPERM") => match kind.as_str() {
                "proc" => Self::Proc,
                "sysfs" => Self::Sysfs,
                _ => return None,
            },
            _ => return None,
        };
        fallback.of(plan).map(|_| fallback)
    }

    /// The plan in this way, where it differs.
    fn of(self, plan: &Plan) -> Option<Plan> {
        match self {
            Self::CoveredRoot => plan.with_covered_root(),
            Self::Proc => plan.with_what_is_there("proc"),
            Self::Sysfs => plan.with_what_is_there("sysfs"),
        }
    }

    /// What a sandbox has not, that it would have on another machine.
    fn warning(self) -> Option<&'static str> {
        match self {
            Self::CoveredRoot => None,
            Self::Proc => Some(
                "the sandbox sees the processes outside: the kernel refuses a new proc, as parts of \
                 /proc are hidden here, so the one that there is is shown, read-only",
            ),
            Self::Sysfs => Some(
                "the sandbox sees the network devices outside: the kernel refuses a new sysfs, as \
                 parts of /sys are hidden here, so the one that there is is shown, read-only",
            ),
        }
    }
}

impl Runner {
    /// A plan with the other ways that are known to be needed.
    pub(super) fn around(&self, plan: Plan) -> Plan {
        let known = Fallback::ALL.into_iter().filter(|it| self.fallbacks.cell(*it).get());
        known.fold(plan, |plan, fallback| fallback.of(&plan).unwrap_or(plan))
    }

    /// Notes the way around what a launch was refused: it is to be tried once more.
    ///
    /// # Errors
    /// There is none, or it was taken already.
    pub(super) fn go_around(
        &self,
        plan: &Plan,
        lowered: &Lowered,
        fault: Fault,
    ) -> Result<(), Problem> {
        let refusal = failure(self, plan, lowered, fault);
        let fallback = Fallback::around(plan, lowered, fault);
        let untried = fallback.filter(|fallback| !self.fallbacks.cell(*fallback).replace(true));
        let Some(fallback) = untried else { return Err(refusal.into()) };
        if let Some(warning) = fallback.warning() {
            let warning = Report::warning(warning).at(refusal.origin.clone());
            self.warn(&warning.note(refusal.message));
        }
        Ok(())
    }
    /// Covers the root of the session, if it is mounted on nothing: pivot_root(2) takes away what
    /// covers it, in raw calls as in sandboxes.
    ///
    /// # Errors
    /// The kernel's answer.
    pub(super) fn cover_root(&self, origin: Option<&Origin>) -> Result<(), Problem> {
        let root = Path::new("/");
        if !sys::is_in_memory(root) || !mountinfo::root_is_on_nothing(&self.host().tree) {
            return Ok(());
        }
        let here = sys::working_directory();
        let flags = MountFlags::BIND.and(MountFlags::RECURSIVE);
        let (source, target) = (Some("/".into()), root.to_path_buf());
        self.act(
            RawAction::Mount(MountCall { source, target, kind: None, flags, data: None }),
            origin,
        )?;
        // `..` of the root leads onto what is mounted on it.
        self.act(RawAction::Chroot("/..".into()), origin)?;
        if let Ok(here) = here {
            let _ = std::env::set_current_dir(here);
        }
        Ok(())
    }
}
