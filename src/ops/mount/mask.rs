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
pub struct Mask {
    /// The place inside.
    pub target: GuestPath,
    /// Whether it may be missing.
    pub optional: bool,
}

impl Operation for Mask {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "mask",
            turn: Turn::InRoot,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Hidden(&self.target),
        }
    }

    fn told(&self) -> Told {
        let Self { target, optional } = self;
        let at = in_root(target);
        let hide = format!(
            "if [ -d {at} ]; then mount -t tmpfs -o mode=0555,size=4096 none {at}; else mount \
             --bind /dev/null {at}; fi && mount -o remount,bind,ro,nosuid,nodev,noexec {at}"
        );
        let (if_there, shell) = if *optional {
            (", if it exists", format!("[ ! -e {at} ] || {{ {hide}; }}"))
        } else {
            ("", hide)
        };
        Told {
            sentence: format!("hide {}{if_there}", place(target)),
            source: None,
            target: Some(target.to_string()),
            shell: Some(shell),
        }
    }
}

impl Lower for Mask {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.push(Call::Mask { path: guest(&self.target), optional: self.optional });
    }
}

impl Asking for Mask {
    fn name(&self) -> &'static str {
        "mask"
    }

    fn say(&self) -> String {
        format!("mask {}{}", self.target, if self.optional { ", if it exists" } else { "" })
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
        let is_there = if self.optional {
            to.may_be_there(&self.target, origin)
        } else {
            to.is_there(&self.target, "mask", origin)
        };
        if is_there {
            to.push(self.clone(), origin);
            to.view.cover(&self.target, Backing::Private, origin.cloned());
        }
        Ok(())
    }
}
