//! Remedies: causes of a refusal in the machine, and their cures. Hints and `nsscript doctor` share
//! them, so they agree.

mod devices;
mod ids;
mod kernel;
mod mounts;
mod namespaces;

pub(super) use devices::{
    NetworkPart, binfmt_empty, binfmt_missing, binfmt_off, loop_refused, no_loop_devices,
    no_part_of_networks, no_pasta, no_tun, port_taken,
};
pub(super) use ids::{
    few_ids, helper_fails, helper_missing, ids_not_permitted, no_setfcap, no_subordinate_ids,
    only_own_id,
};
pub(super) use kernel::{
    OLDEST, file_in_memory, no_cgroups, no_controllers, no_landlock, no_proc, no_programs,
    no_seccomp, not_delegated, old_cgroups, old_kernel, processes_hidden, unknown_call,
};
pub(super) use mounts::{
    no_overlay, no_overlay_for_users, no_sysfs, proc_is_covered, root_is_no_mount,
    root_is_on_nothing, sysfs_is_covered, unknown_file_system,
};
pub(super) use namespaces::{
    around, chrooted, filtered, has_all_rights, limit, no_capability, not_built_in, refused,
    restricted_by_apparmor, switched_off, unmapped,
};

use crate::diag::Report;

/// A cause with its cure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remedy {
    /// Its name in hints: see [`Report::advise`].
    pub name: &'static str,
    /// The cause.
    pub cause: String,
    /// The cure, if any.
    pub cure: Option<String>,
    /// A manual page or an option of the kernel with details; empty for none.
    pub see: &'static str,
}

impl Remedy {
    fn new(
        name: &'static str,
        cause: impl Into<String>,
        cure: impl Into<String>,
        see: &'static str,
    ) -> Self {
        Self { name, cause: cause.into(), cure: Some(cure.into()), see }
    }

    /// Creates a remedy without a cure.
    fn none(name: &'static str, cause: impl Into<String>, see: &'static str) -> Self {
        Self { name, cause: cause.into(), cure: None, see }
    }

    /// Creates a remedy from a report and its hints.
    pub fn of_report(report: &Report) -> Self {
        let cure = (!report.hints.is_empty()).then(|| report.hints.join("; "));
        let name = "";
        Self { name, cause: report.message.clone(), cure, see: "" }
    }

    /// Cause and cure as a hint.
    pub fn hint(self) -> String {
        match self.cure {
            Some(cure) => format!("{}; {cure}", self.cause),
            None => self.cause,
        }
    }

    /// Adds cause and cure to a report.
    pub fn advise(self, report: Report) -> Report {
        report.advise(self.name, self.hint())
    }

    /// Adds only the cure to a report that states the cause.
    pub fn advise_cure(self, report: Report) -> Report {
        report.advise(self.name, self.cure.unwrap_or(self.cause))
    }
}
