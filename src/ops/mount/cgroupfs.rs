//! The control groups of a sandbox: cgroups(7).

use crate::diag::Origin;
use crate::ops::{Asking, Changes, Planning};
use crate::spec::{GuestPath, Kind, MountAttributes, MountOptions, ValueError};

/// The control groups of the sandbox, read-only.
#[derive(Clone, Debug, PartialEq)]
pub struct Cgroupfs(pub GuestPath);

impl Asking for Cgroupfs {
    fn name(&self) -> &'static str {
        "cgroupfs"
    }

    fn say(&self) -> String {
        format!("cgroup2 on {}", self.0)
    }

    fn changes(&self) -> Changes {
        Changes::Root
    }

    fn key(&self) -> Option<&str> {
        None
    }

    fn target(&self) -> Option<&GuestPath> {
        Some(&self.0)
    }

    fn plan(&self, to: &mut Planning<'_>, origin: Option<&Origin>) -> Result<(), ValueError> {
        let usual = MountAttributes::DATA;
        let attributes = MountAttributes { read_only: true, ..usual };
        let options = MountOptions { data: Vec::new(), attributes };
        if to.needs(Kind::Cgroup, "cgroup2", origin) {
            to.mount("cgroup2", "cgroup2", &self.0, (options, usual), None, origin);
        }
        Ok(())
    }
}
