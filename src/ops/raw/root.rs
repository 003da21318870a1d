//! The root and the working directory of this process: pivot_root(2), chroot(2), chdir(2).

use std::path::PathBuf;

use crate::ops::Told;
use crate::ops::lowering::path;
use crate::ops::raw::{Effect, Prepare, RawFacts, RawOperation, own};
use crate::ops::strace::Called;
use crate::ops::words::{c, host, sh};
use crate::spec::Kind;
use crate::sys::Raw;

/// The root of the mount namespace is changed.
#[derive(Clone, Debug, PartialEq)]
pub struct PivotRoot {
    /// The mount that becomes the root.
    pub new: PathBuf,
    /// Where the old root goes.
    pub old: PathBuf,
}

/// The root directory is changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Chroot(pub PathBuf);

/// The working directory is changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Chdir(pub PathBuf);

impl RawOperation for PivotRoot {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "pivot_root", effect: Effect::Held(Kind::Mount) }
    }

    fn told(&self) -> Told {
        let Self { new, old } = self;
        Told {
            sentence: format!("make {} the root, and put the old one at {}", host(new), host(old)),
            source: Some(own(old)),
            target: Some(own(new)),
            shell: Some(format!("pivot_root {} {}", sh(new), sh(old))),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self { new, old } = self;
        vec![Called::new(format!("pivot_root({}, {})", c(new), c(old)))]
    }
}

impl Prepare for PivotRoot {
    fn prepare(&self) -> Raw<'static> {
        let Self { new, old } = self;
        Raw::PivotRoot(path(new), path(old))
    }
}

impl RawOperation for Chroot {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "chroot", effect: Effect::Own }
    }

    fn told(&self) -> Told {
        let Self(root) = self;
        Told {
            sentence: format!("make {} the root directory", host(root)),
            source: None,
            target: Some(own(root)),
            shell: Some(format!("chroot {}", sh(root))),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self(root) = self;
        vec![Called::new(format!("chroot({})", c(root)))]
    }
}

impl Prepare for Chroot {
    fn prepare(&self) -> Raw<'static> {
        Raw::Chroot(path(&self.0))
    }
}

impl RawOperation for Chdir {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "chdir", effect: Effect::Own }
    }

    fn told(&self) -> Told {
        let Self(directory) = self;
        Told {
            sentence: format!("change directory to {}", host(directory)),
            source: None,
            target: Some(own(directory)),
            shell: Some(format!("cd {}", sh(directory))),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self(directory) = self;
        vec![Called::new(format!("chdir({})", c(directory)))]
    }
}

impl Prepare for Chdir {
    fn prepare(&self) -> Raw<'static> {
        Raw::Chdir(path(&self.0))
    }
}
