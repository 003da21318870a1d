//! Read-only places.

use crate::diag::Origin;
use crate::ops::words::{in_root, place, remount_all};
use crate::ops::{
    Asking, Changes, Facts, Leaves, Lower, Lowering, Operation, Planning, Scope, Told, Turn,
};
use crate::spec::{GuestPath, Namespaces, ValueError};
use crate::sys::{Attributes, Call};

/// Makes a place and all mounts below it read-only.
#[derive(Clone, Debug, PartialEq)]
pub struct Protect {
    /// The place inside.
    pub target: GuestPath,
    /// Whether it may be missing.
    pub optional: bool,
}

impl Operation for Protect {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "protect",
            turn: Turn::InRoot,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::ReadOnly(&self.target),
        }
    }

    fn told(&self) -> Told {
        let Self { target, optional } = self;
        let at = in_root(target);
        let (if_there, unless) = if *optional {
            (", if it exists", format!("[ ! -e {at} ] || "))
        } else {
            ("", String::new())
        };
        Told {
            sentence: format!("make {} read-only{if_there}", place(target)),
            source: None,
            target: Some(target.to_string()),
            shell: Some(format!(
                "{unless}{{ mount --rbind {at} {at} && {}; }}",
                remount_all(&at, "ro")
            )),
        }
    }
}

impl Lower for Protect {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.begin_root();
        let (base, path) = to.place(&self.target);
        to.leave_fresh(base);
        let set = Attributes::READ_ONLY;
        to.push(Call::BindSelf { base, path, optional: self.optional, set });
    }
}

/// A requested read-only place.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadOnly {
    /// The place inside.
    pub target: GuestPath,
    /// Whether it may be missing.
    pub optional: bool,
}

impl Asking for ReadOnly {
    fn name(&self) -> &'static str {
        "read_only"
    }

    fn say(&self) -> String {
        format!("{} is read-only{}", self.target, if self.optional { ", if it exists" } else { "" })
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
        let Self { target, optional } = self;
        let is_there = if *optional {
            to.may_be_there(target, origin)
        } else {
            to.is_there(target, "read_only", origin)
        };
        if is_there {
            to.push(Protect { target: target.clone(), optional: *optional }, origin);
            to.view.protect(target, origin.cloned());
        }
        Ok(())
    }
}
