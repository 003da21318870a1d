//! New namespaces for this process, and other parts that it no longer shares: unshare(2).

use crate::diag::list;
use crate::ops::Told;
use crate::ops::flags::part_flags;
use crate::ops::raw::{Effect, Prepare, RawFacts, RawOperation};
use crate::ops::strace::Called;
use crate::ops::words::{letters, new_names};
use crate::spec::{Parts, ProcessPart};
use crate::sys::Raw;

/// Parts of this process are separated from those of others.
#[derive(Clone, Debug, PartialEq)]
pub struct Unshare(pub Parts);

impl RawOperation for Unshare {
    fn facts(&self) -> RawFacts<'_> {
        // The other parts are this process's alone, before and after.
        let effect = match self.0.namespaces {
            namespaces if namespaces.is_empty() => Effect::Own,
            namespaces => Effect::Unshare(namespaces),
        };
        RawFacts { name: "unshare", effect }
    }

    fn told(&self) -> Told {
        let Self(parts) = *self;
        let mut does = Vec::new();
        if !parts.namespaces.is_empty() {
            does.push(format!("create {}", new_names(parts.namespaces)));
        }
        let others: Vec<_> = parts.others().map(ProcessPart::name).collect();
        if !others.is_empty() {
            does.push(format!("stop sharing {}", list(&others, "and")));
        }
        // unshare(1) has options for namespaces alone.
        let shell = others.is_empty().then(|| format!("unshare -{}", letters(parts.namespaces)));
        Told { sentence: does.join(", and "), source: None, target: None, shell }
    }

    fn calls(&self) -> Vec<Called> {
        let Self(parts) = self;
        vec![Called::new(format!("unshare({parts})"))]
    }
}

impl Prepare for Unshare {
    fn prepare(&self) -> Raw<'static> {
        Raw::Unshare(part_flags(self.0))
    }
}
