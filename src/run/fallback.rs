//! Launches that this machine refuses, and that are tried once more in another way. What was refused
//! is known to all launches after it, so that ordinary machines are asked nothing.

use std::cell::Cell;
use std::path::Path;

use super::launch::failure;
use super::lower::Lowered;
use super::runner::{Problem, Runner};
use crate::diag::Origin;
use crate::host::mountinfo;
use crate::plan::{Action, MountCall, Plan, RawAction};
use crate::spec::MountFlags;
use crate::sys::{self, Fault, Syscall};

/// Another way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fallback {
    /// The host's root is covered before it is left.
    CoveredRoot,
}

/// The other ways that are known to be needed.
#[derive(Debug, Default)]
pub(super) struct Fallbacks {
    covered_root: Cell<bool>,
}

impl Fallbacks {
    fn cell(&self, fallback: Fallback) -> &Cell<bool> {
        match fallback {
            Fallback::CoveredRoot => &self.covered_root,
        }
    }
}

impl Fallback {
    /// The way around `fault`, if there is one.
    fn around(plan: &Plan, lowered: &Lowered, fault: Fault) -> Option<Self> {
        let action = lowered.action_of(fault.call?)?;
        let refused = (&plan.actions.get(action)?.action, fault.syscall);
        let errno = fault.errno.name();
        match refused {
            (Action::PivotRoot, Syscall::PivotRoot) if errno == "EINVAL" => {
                plan.with_covered_root().map(|_| Self::CoveredRoot)
            }
            _ => None,
        }
    }
}

impl Runner {
    /// A plan with the other ways that are known to be needed.
    pub(super) fn around(&self, plan: Plan) -> Plan {
        let covered = self.fallbacks.covered_root.get().then(|| plan.with_covered_root()).flatten();
        covered.unwrap_or(plan)
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
        match Fallback::around(plan, lowered, fault) {
            Some(fallback) if !self.fallbacks.cell(fallback).replace(true) => Ok(()),
            _ => Err(failure(self, plan, lowered, fault).into()),
        }
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
