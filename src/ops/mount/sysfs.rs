//! The sysfs of a sandbox: sysfs(5).

use crate::diag::Origin;
use crate::ops::{Asking, Changes, Planning};
use crate::spec::{GuestPath, Kind, MountAttributes, MountOptions, ValueError};

/// A read-only sysfs.
#[derive(Clone, Debug, PartialEq)]
pub struct Sysfs(pub GuestPath);

impl Asking for Sysfs {
    fn name(&self) -> &'static str {
        "sysfs"
    }

    fn say(&self) -> String {
        format!("sysfs on {}", self.0)
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
        if to.needs(Kind::Net, "sysfs", origin) {
            to.mount("sysfs", "sysfs", &self.0, (options, usual), origin);
            to.or_bind("/sys");
        }
        Ok(())
    }
}
