//! A symbolic link that is made: symlink(2).

use std::path::PathBuf;

use crate::diag::{c_literal, quoted};
use crate::ops::Told;
use crate::ops::lowering::{c as literal, path};
use crate::ops::raw::{Becomes, Effect, Prepare, RawFacts, RawOperation, own};
use crate::ops::strace::Called;
use crate::ops::words::{c, host, sh};
use crate::spec::shell_word;
use crate::sys::Raw;

/// A symbolic link is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Symlink {
    /// What it says.
    pub says: String,
    /// Where it stands.
    pub path: PathBuf,
}

impl RawOperation for Symlink {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "symlink", effect: Effect::Name(&self.path, Becomes::Link) }
    }

    fn told(&self) -> Told {
        let Self { says, path } = self;
        Told {
            sentence: format!("create the link {} to {}", host(path), quoted(says)),
            source: None,
            target: Some(own(path)),
            shell: Some(format!("ln -s {} {}", shell_word(says), sh(path))),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self { says, path } = self;
        vec![Called::new(format!("symlinkat({}, AT_FDCWD, {})", c_literal(says), c(path)))]
    }
}

impl Prepare for Symlink {
    fn prepare(&self) -> Raw<'static> {
        let Self { says, path: stands } = self;
        Raw::Symlink(literal(says), path(stands))
    }
}
