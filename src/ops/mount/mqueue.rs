//! The message queues of a sandbox: mq_overview(7).

use crate::diag::Origin;
use crate::ops::{Asking, Changes, Planning};
use crate::spec::{GuestPath, Kind, MountAttributes, MountOptions, ValueError};

/// The POSIX message queues of the sandbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Mqueue(pub GuestPath);

impl Asking for Mqueue {
    fn name(&self) -> &'static str {
        "mqueue"
    }

    fn say(&self) -> String {
        format!("mqueue on {}", self.0)
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
        let options = MountOptions { data: Vec::new(), attributes: usual };
        if to.needs(Kind::Ipc, "mqueue", origin) {
            to.mount("mqueue", "mqueue", &self.0, (options, usual), None, origin);
        }
        Ok(())
    }
}
