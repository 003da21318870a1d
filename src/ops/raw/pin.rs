//! A namespace that is kept by a bind mount of its file.

use std::path::PathBuf;

use crate::ops::Told;
use crate::ops::raw::{Effect, RawFacts, RawOperation, own};
use crate::ops::strace::Called;
use crate::ops::words::{c, host, sh};

/// A namespace is kept by a bind mount of its file.
#[derive(Clone, Debug, PartialEq)]
pub struct Pin {
    /// The namespace: `net:[4026532240]`.
    pub namespace: String,
    /// Where.
    pub path: PathBuf,
}

impl RawOperation for Pin {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "pin", effect: Effect::Pin(&self.path) }
    }

    fn told(&self) -> Told {
        let Self { namespace, path } = self;
        let file = namespace.split(':').next().unwrap_or_default();
        Told {
            sentence: format!("pin {namespace} at {}", host(path)),
            source: Some(namespace.clone()),
            target: Some(own(path)),
            shell: Some(format!("mount --bind /proc/PID/ns/{file} {}", sh(path))),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self { namespace: _, path } = self;
        let bound = format!("mount(\"/proc/self/fd/N\", {}, NULL, MS_BIND, NULL)", c(path));
        vec![Called::new(bound)]
    }
}
