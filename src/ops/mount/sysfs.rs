//! The sysfs of a sandbox: sysfs(5).

use crate::diag::Origin;
use crate::ops::{Asking, Changes, Planning};
use crate::spec::{GuestPath, Kind, MountAttributes, MountOptions, ValueError};

/// A read-only sysfs.
#[derive(Clone, Debug, PartialEq)]
pub struct Sysfs {
    /// The place inside.
    pub target: GuestPath,
    /// Whether it is left out if the kernel allows none, because the network is not the sandbox's
    /// own.
    pub optional: bool,
}

impl Asking for Sysfs {
    fn name(&self) -> &'static str {
        "sysfs"
    }

    fn say(&self) -> String {
        format!("sysfs on {}{}", self.target, if self.optional { ", if possible" } else { "" })
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
        let possible = to.namespaces.has(Kind::Net) || !to.namespaces.has(Kind::User);
        if self.optional && !possible {
            return Ok(());
        }
        let usual = MountAttributes::DATA;
        let attributes = MountAttributes { read_only: true, ..usual };
        let options = MountOptions { data: Vec::new(), attributes };
        if to.needs(Kind::Net, "sysfs", origin) {
            to.mount("sysfs", "sysfs", &self.target, (options, usual), None, origin);
            to.or_bind("/sys");
        }
        Ok(())
    }
}
