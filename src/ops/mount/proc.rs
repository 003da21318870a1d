//! The proc file system of a sandbox: proc(5).

use super::Protect;
use crate::diag::Origin;
use crate::ops::{Asking, Changes, Planning};
use crate::spec::{GuestPath, Kind, MountAttributes, MountOptions, ProcOptions, ValueError};

/// A proc that shows the processes of the sandbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Proc {
    /// The place inside.
    pub target: GuestPath,
    /// Its options.
    pub options: ProcOptions,
}

/// Files of procfs through which user 0 of the machine can change it without any capability,
/// because they check only the user id.
const DANGEROUS: [&str; 5] = ["sys", "sysrq-trigger", "irq", "bus", "fs"];

impl Asking for Proc {
    fn name(&self) -> &'static str {
        "proc"
    }

    fn say(&self) -> String {
        format!("proc on {}", self.target)
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
        let Self { target, options: ProcOptions { hidepid, subset } } = self;
        if to.namespaces.has(Kind::User) && !to.needs(Kind::Pid, "proc", origin) {
            return Ok(());
        }
        let mut data = Vec::new();
        data.extend(hidepid.clone().map(|value| ("hidepid".into(), Some(value))));
        data.extend(subset.clone().map(|value| ("subset".into(), Some(value))));
        let only_processes = subset.is_some();
        // A missing file cannot be protected, but would exist in a proc that a nested user
        // namespace mounts. The kernel gives that proc no more rights than this one, so this one is
        // read-only.
        let read_only = to.protect_proc && only_processes;
        let usual = MountAttributes::DATA;
        let options = MountOptions { data, attributes: MountAttributes { read_only, ..usual } };
        to.mount("proc", "proc", target, (options, usual), None, origin);
        if to.protect_proc && !only_processes {
            // The caller's /proc may show fewer of them than the new one.
            for name in DANGEROUS {
                to.push(Protect { target: target.join(name)?, optional: true }, origin);
            }
        }
        Ok(())
    }
}
