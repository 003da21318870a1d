//! Names that are moved, and further names: rename(2), link(2).

use std::path::PathBuf;

use crate::ops::Told;
use crate::ops::lowering::path as literal;
use crate::ops::raw::{Becomes, Effect, Prepare, RawFacts, RawOperation, own};
use crate::ops::strace::Called;
use crate::ops::words::{c, host, sh};
use crate::sys::Raw;

/// A file or directory gets another name.
#[derive(Clone, Debug, PartialEq)]
pub struct Rename {
    /// Its name.
    pub from: PathBuf,
    /// The new name, whose file is replaced.
    pub to: PathBuf,
}

/// A file gets a further name: a hard link.
#[derive(Clone, Debug, PartialEq)]
pub struct HardLink {
    /// The file.
    pub file: PathBuf,
    /// The further name.
    pub path: PathBuf,
}

impl RawOperation for Rename {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "rename", effect: Effect::Rename(&self.from, &self.to) }
    }

    fn told(&self) -> Told {
        let Self { from, to } = self;
        Told {
            sentence: format!("rename {} to {}", host(from), host(to)),
            source: Some(own(from)),
            target: Some(own(to)),
            shell: Some(format!("mv -T {} {}", sh(from), sh(to))),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self { from, to } = self;
        let (from, to) = (c(from), c(to));
        vec![Called::new(format!("renameat2(AT_FDCWD, {from}, AT_FDCWD, {to}, 0)"))]
    }
}

impl Prepare for Rename {
    fn prepare(&self) -> Raw<'static> {
        let Self { from, to } = self;
        Raw::Rename(literal(from), literal(to))
    }
}

impl RawOperation for HardLink {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "link", effect: Effect::Name(&self.path, Becomes::File) }
    }

    fn told(&self) -> Told {
        let Self { file, path } = self;
        Told {
            sentence: format!("create the hard link {} to {}", host(path), host(file)),
            source: Some(own(file)),
            target: Some(own(path)),
            shell: Some(format!("ln -P {} {}", sh(file), sh(path))),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self { file, path } = self;
        let (file, path) = (c(file), c(path));
        vec![Called::new(format!("linkat(AT_FDCWD, {file}, AT_FDCWD, {path}, 0)"))]
    }
}

impl Prepare for HardLink {
    fn prepare(&self) -> Raw<'static> {
        let Self { file, path } = self;
        Raw::Link(literal(file), literal(path))
    }
}
