//! New namespaces for this process: unshare(2).

use crate::ops::raw::{Effect, Prepare, RawFacts, RawOperation};
use crate::ops::strace::Called;
use crate::ops::words::{letters, new_names};
use crate::ops::{Told, clone_flags};
use crate::spec::Namespaces;
use crate::sys::Raw;

/// New namespaces.
#[derive(Clone, Debug, PartialEq)]
pub struct Unshare(pub Namespaces);

impl RawOperation for Unshare {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "unshare", effect: Effect::Unshare(self.0) }
    }

    fn told(&self) -> Told {
        let Self(namespaces) = *self;
        Told {
            sentence: format!("create {}", new_names(namespaces)),
            source: None,
            target: None,
            shell: Some(format!("unshare -{}", letters(namespaces))),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self(namespaces) = self;
        vec![Called::new(format!("unshare({namespaces})"))]
    }
}

impl Prepare for Unshare {
    fn prepare(&self) -> Raw<'static> {
        Raw::Unshare(clone_flags(self.0))
    }
}
