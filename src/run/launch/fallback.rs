//! Fallbacks: other plans for launches that a machine refuses. The launch that fails is repeated,
//! and later launches use the fallback from the start, so ordinary machines pay nothing.

use std::cell::Cell;
use std::path::Path;

use super::failure;
use super::launcher::Launcher;
use super::lower::Lowered;
use crate::diag::Report;
use crate::host::Host;
use crate::ops::Op;
use crate::plan::Plan;
use crate::run::base::error::RunError;
use crate::sys::{LaunchError, Syscall};

/// A fallback for a part of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::run) enum Fallback {
    /// Binds the host's root on itself before leaving it.
    CoveredRoot,
    /// Shows the entries of directories of the host's tree one by one instead of an overlay.
    Entries,
    /// Binds the host's proc instead of mounting a new one.
    Proc,
    /// Binds the host's sysfs instead of mounting a new one.
    Sysfs,
    /// Filters system calls instead of limiting the number of user namespaces.
    UserNamespaces,
}

/// The fallbacks that this run needs.
#[derive(Debug, Default)]
pub(in crate::run) struct Fallbacks {
    covered_root: Cell<bool>,
    entries: Cell<bool>,
    proc: Cell<bool>,
    sysfs: Cell<bool>,
    user_namespaces: Cell<bool>,
}

impl Fallbacks {
    fn cell(&self, fallback: Fallback) -> &Cell<bool> {
        match fallback {
            Fallback::CoveredRoot => &self.covered_root,
            Fallback::Entries => &self.entries,
            Fallback::Proc => &self.proc,
            Fallback::Sysfs => &self.sysfs,
            Fallback::UserNamespaces => &self.user_namespaces,
        }
    }
}

impl Fallback {
    const ALL: [Self; 5] =
        [Self::CoveredRoot, Self::Entries, Self::Proc, Self::Sysfs, Self::UserNamespaces];

    /// The fallback for `failed`, if there is one.
    fn around(plan: &Plan, lowered: &Lowered, failed: LaunchError) -> Option<Self> {
        let action = lowered.action_of(failed.call?)?;
        let errno = failed.error.errno.name();
        let fallback =
            match (&plan.actions.get(action)?.action, failed.error.syscall, errno.as_str()) {
                (Op::PivotRoot(_), Syscall::PivotRoot, "EINVAL") => Self::CoveredRoot,
                // There are no overlays, none for users, or too many of them are on each other.
                (
                    Op::Extend(_),
                    Syscall::Fsopen | Syscall::Fsconfig | Syscall::Fsmount,
                    "ENODEV" | "EINVAL" | "EPERM",
                ) => Self::Entries,
                // /proc/sys is read-only or hidden, as in most containers, or forbidden by AppArmor.
                (
                    Op::LimitUserNamespaces(_),
                    Syscall::Openat2,
                    "EACCES" | "ENOENT" | "EPERM" | "EROFS" | "EXDEV",
                ) => Self::UserNamespaces,
                (Op::Mounted(mount), Syscall::Fsmount, "EPERM") => match mount.kind.as_str() {
                    "proc" => Self::Proc,
                    "sysfs" => Self::Sysfs,
                    _ => return None,
                },
                _ => return None,
            };
        fallback.of(plan).map(|_| fallback)
    }

    /// The plan with this fallback, if that differs.
    fn of(self, plan: &Plan) -> Option<Plan> {
        match self {
            Self::CoveredRoot => plan.with_covered_root(),
            Self::Entries => plan.with_entries(),
            Self::Proc => plan.with_what_is_there("proc"),
            Self::Sysfs => plan.with_what_is_there("sysfs"),
            Self::UserNamespaces => plan.with_filtered_user_namespaces(),
        }
    }

    /// Whether the host has the file system that the fallback shows.
    fn is_possible(self, host: &Host) -> bool {
        match self {
            Self::CoveredRoot | Self::Entries | Self::UserNamespaces => true,
            Self::Proc => host.has_proc(),
            Self::Sysfs => host.tree.exists(Path::new("/sys/class")),
        }
    }

    /// The warning about what the sandbox sees in addition.
    fn warning(self) -> Option<&'static str> {
        match self {
            Self::CoveredRoot => None,
            Self::Entries => Some(
                "there is no overlay for a directory of the host that lacks a place, so its \
                 entries are mounted one by one",
            ),
            Self::Proc => Some(
                "the sandbox sees the processes outside: parts of /proc are masked here, so the \
                 kernel refuses a new proc, and the existing one is shown read-only",
            ),
            Self::Sysfs => Some(
                "the sandbox sees the network devices outside: parts of /sys are masked here, so \
                 the kernel refuses a new sysfs, and the existing one is shown read-only",
            ),
            Self::UserNamespaces => Some(
                "the limit of user namespaces cannot be set here, so a filter of system calls \
                 forbids them",
            ),
        }
    }
}

impl Launcher {
    /// The plan with all known fallbacks: a copy of the root's layers if there is no overlay, and
    /// replacements for refused parts.
    pub(in crate::run) fn possible(&self, plan: &Plan) -> Plan {
        self.around(self.with_copy(plan).unwrap_or_else(|| plan.clone()))
    }

    /// Applies the known fallbacks to a plan.
    pub(in crate::run) fn around(&self, plan: Plan) -> Plan {
        let known = Fallback::ALL.into_iter().filter(|it| self.fallbacks.cell(*it).get());
        known.fold(plan, |plan, fallback| fallback.of(&plan).unwrap_or(plan))
    }

    /// Notes the fallback for a failed launch, which must then be repeated.
    ///
    /// # Errors
    /// No fallback exists, or the launch used it already.
    pub(in crate::run) fn go_around(
        &self,
        plan: &Plan,
        lowered: &Lowered,
        failed: LaunchError,
    ) -> Result<(), RunError> {
        let refusal = failure(self, plan, lowered, failed);
        let fallback = Fallback::around(plan, lowered, failed);
        let possible = fallback.filter(|fallback| fallback.is_possible(self.host()));
        let untried = possible.filter(|fallback| !self.fallbacks.cell(*fallback).replace(true));
        let Some(fallback) = untried else { return Err(refusal.into()) };
        if let Some(warning) = fallback.warning() {
            let warning = Report::warning(warning).at(refusal.origin.clone());
            self.warn(&warning.note(refusal.message));
        }
        Ok(())
    }
}
