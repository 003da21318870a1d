//! A mount that is taken away: umount2(2).

use std::path::PathBuf;

use crate::ops::Told;
use crate::ops::lowering::path;
use crate::ops::raw::{Effect, Prepare, RawFacts, RawOperation, own};
use crate::ops::strace::Called;
use crate::ops::words::{c, host, sh};
use crate::spec::Kind;
use crate::sys::Raw;

/// A mount is taken away.
#[derive(Clone, Debug, PartialEq)]
pub struct Umount {
    /// The place.
    pub target: PathBuf,
    /// At once from the tree, from the kernel when nobody uses it.
    pub lazy: bool,
}

impl RawOperation for Umount {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "umount", effect: Effect::Held(Kind::Mount) }
    }

    fn told(&self) -> Told {
        let Self { target, lazy } = self;
        let (sentence, shell) = if *lazy {
            let sentence = format!("unmount {} lazily", host(target));
            (sentence, format!("umount -l {}", sh(target)))
        } else {
            (format!("unmount {}", host(target)), format!("umount {}", sh(target)))
        };
        Told { sentence, source: None, target: Some(own(target)), shell: Some(shell) }
    }

    fn calls(&self) -> Vec<Called> {
        let Self { target, lazy } = self;
        let flags = if *lazy { "MNT_DETACH" } else { "0" };
        vec![Called::new(format!("umount2({}, {flags})", c(target)))]
    }
}

impl Prepare for Umount {
    fn prepare(&self) -> Raw<'static> {
        let Self { target, lazy } = self;
        Raw::Umount(path(target), *lazy)
    }
}
