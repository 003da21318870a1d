//! A name that is removed: unlink(2), rmdir(2).

use std::path::PathBuf;

use crate::ops::Told;
use crate::ops::raw::{Becomes, Effect, RawFacts, RawOperation, own};
use crate::ops::strace::Called;
use crate::ops::words::{c, host, sh};

/// A file or an empty directory is removed.
#[derive(Clone, Debug, PartialEq)]
pub struct Remove(pub PathBuf);

impl RawOperation for Remove {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "remove", effect: Effect::Name(&self.0, Becomes::Nothing) }
    }

    fn told(&self) -> Told {
        let Self(path) = self;
        Told {
            sentence: format!("remove {}", host(path)),
            source: None,
            target: Some(own(path)),
            shell: Some(format!("rm -d {}", sh(path))),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self(path) = self;
        vec![Called::new(format!("unlink({})", c(path)))]
    }
}
