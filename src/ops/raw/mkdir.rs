//! A directory that is made: mkdir(2).

use std::path::PathBuf;

use crate::ops::Told;
use crate::ops::lowering::path;
use crate::ops::raw::{Becomes, Effect, Prepare, RawFacts, RawOperation, exactly, own};
use crate::ops::strace::Called;
use crate::ops::words::{c, host, sh};
use crate::sys::Raw;

/// A directory is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Mkdir {
    /// Where.
    pub path: PathBuf,
    /// Permission bits, whatever the umask is.
    pub mode: u32,
}

impl RawOperation for Mkdir {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "mkdir", effect: Effect::Name(&self.path, Becomes::Directory) }
    }

    fn told(&self) -> Told {
        let Self { path, mode } = self;
        Told {
            sentence: format!("create the directory {} with mode {mode:04o}", host(path)),
            source: None,
            target: Some(own(path)),
            shell: Some(format!("mkdir -m {mode:o} {}", sh(path))),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self { path, mode } = self;
        let made = format!("mkdirat(AT_FDCWD, {}, 0{mode:03o})", c(path));
        vec![Called::new(made), exactly(path, *mode)]
    }
}

impl Prepare for Mkdir {
    fn prepare(&self) -> Raw<'static> {
        let Self { path: made, mode } = self;
        Raw::Mkdir(path(made), *mode)
    }
}
