//! Hidden places.

use crate::diag::Origin;
use crate::ops::lowering::guest;
use crate::ops::words::{in_root, place};
use crate::ops::{
    Asking, Backing, Changes, Facts, Leaves, Lower, Lowering, Operation, Planning, Scope, Told,
    Turn,
};
use crate::spec::{GuestPath, Namespaces, ValueError};
use crate::sys::Call;

/// Hides a place: a directory by an empty one, anything else by `/dev/null`.
#[derive(Clone, Debug, PartialEq)]
pub struct Mask(pub GuestPath);

impl Operation for Mask {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "mask",
            turn: Turn::InRoot,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Hidden(&self.0),
        }
    }

    fn told(&self) -> Told {
        let at = in_root(&self.0);
        Told {
            sentence: format!("hide {}", place(&self.0)),
            source: None,
            target: Some(self.0.to_string()),
            shell: Some(format!(
                "if [ -d {at} ]; then mount -t tmpfs -o mode=0555,size=4096 none {at}; else \
                 mount --bind /dev/null {at}; fi && \
                 mount -o remount,bind,ro,nosuid,nodev,noexec {at}"
            )),
        }
    }
}

impl Lower for Mask {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.push(Call::Mask(guest(&self.0)));
    }
}

impl Asking for Mask {
    fn name(&self) -> &'static str {
        "mask"
    }

    fn say(&self) -> String {
        format!("mask {}", self.0)
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
        if to.is_there(&self.0, "mask", origin) {
            to.push(self.clone(), origin);
            to.view.cover(&self.0, Backing::Private, origin.cloned());
        }
        Ok(())
    }
}
