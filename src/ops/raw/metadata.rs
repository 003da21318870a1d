//! Mode and owner of what exists: chmod(2), chown(2).

use std::path::PathBuf;

use crate::ops::Told;
use crate::ops::lowering::path as literal;
use crate::ops::raw::{Effect, Prepare, RawFacts, RawOperation, exactly, own};
use crate::ops::strace::Called;
use crate::ops::words::{c, host, sh};
use crate::sys::Raw;

/// The mode of a file is set; links are followed.
#[derive(Clone, Debug, PartialEq)]
pub struct Chmod {
    /// The file.
    pub path: PathBuf,
    /// Permission bits.
    pub mode: u32,
}

/// The owner of a file is set; links are followed.
#[derive(Clone, Debug, PartialEq)]
pub struct Chown {
    /// The file.
    pub path: PathBuf,
    /// The new owner; none leaves it.
    pub uid: Option<u32>,
    /// The new group; none leaves it.
    pub gid: Option<u32>,
}

impl Chown {
    /// The arguments of chown(2), in which -1 leaves an id.
    fn ids(&self) -> String {
        let id = |id: Option<u32>| id.map_or_else(|| "-1".to_owned(), |id| id.to_string());
        format!("{}, {}", id(self.uid), id(self.gid))
    }
}

impl RawOperation for Chmod {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "chmod", effect: Effect::Metadata(&self.path) }
    }

    fn told(&self) -> Told {
        let Self { path, mode } = self;
        Told {
            sentence: format!("set the mode of {} to {mode:04o}", host(path)),
            source: None,
            target: Some(own(path)),
            shell: Some(format!("chmod {mode:04o} {}", sh(path))),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self { path, mode } = self;
        vec![exactly(path, *mode)]
    }
}

impl Prepare for Chmod {
    fn prepare(&self) -> Raw<'static> {
        let Self { path, mode } = self;
        Raw::Chmod(literal(path), *mode)
    }
}

impl RawOperation for Chown {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "chown", effect: Effect::Metadata(&self.path) }
    }

    fn told(&self) -> Told {
        let Self { path, uid, gid } = self;
        let (what, owner) = match (uid, gid) {
            (Some(uid), Some(gid)) => ("owner and group", format!("{uid}:{gid}")),
            (Some(uid), None) => ("owner", uid.to_string()),
            (None, Some(gid)) => ("group", format!(":{gid}")),
            (None, None) => ("owner", ":".into()),
        };
        let to = owner.trim_start_matches(':');
        Told {
            sentence: format!("set the {what} of {} to {to}", host(path)),
            source: None,
            target: Some(own(path)),
            shell: Some(format!("chown {owner} {}", sh(path))),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let (path, ids) = (c(&self.path), self.ids());
        vec![Called::new(format!("fchownat(AT_FDCWD, {path}, {ids}, 0)"))]
    }
}

impl Prepare for Chown {
    fn prepare(&self) -> Raw<'static> {
        let Self { path, uid, gid } = self;
        Raw::Chown(literal(path), *uid, *gid)
    }
}
