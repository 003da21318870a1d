//! Read-only places.

use crate::diag::Origin;
use crate::ops::words::{in_root, place, remount_all};
use crate::ops::{
    Asking, Changes, Facts, Leaves, Lower, Lowering, Operation, Planning, Scope, Told, Turn,
};
use crate::spec::{GuestPath, Namespaces, ValueError};
use crate::sys::Call;

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
        to.push(Call::Protect { base, path, optional: self.optional });
    }
}

/// A requested read-only place.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadOnly(pub GuestPath);

impl Asking for ReadOnly {
    fn name(&self) -> &'static str {
        "read_only"
    }

    fn say(&self) -> String {
        format!("{} is read-only", self.0)
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
        if to.is_there(&self.0, "read_only", origin) {
            to.push(Protect { target: self.0.clone(), optional: false }, origin);
            to.view.protect(&self.0, origin.cloned());
        }
        Ok(())
    }
}
