//! Places that are hidden.

use crate::ops::lowering::guest;
use crate::ops::words::place;
use crate::ops::{Facts, Leaves, Lower, Lowering, Operation, Scope, Told, Turn};
use crate::spec::GuestPath;
use crate::sys::Call;

/// A place is hidden: a directory by an empty one, anything else by `/dev/null`.
#[derive(Clone, Debug, PartialEq)]
pub struct Mask(pub GuestPath);

impl Operation for Mask {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "mask",
            turn: Turn::InRoot,
            scope: Scope::Sandbox,
            leaves: Leaves::Hidden(&self.0),
        }
    }

    fn told(&self) -> Told {
        Told {
            sentence: format!("hide {}", place(&self.0)),
            source: None,
            target: Some(self.0.to_string()),
            shell: None,
        }
    }
}

impl Lower for Mask {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.push(Call::Mask(guest(&self.0)));
    }
}
