//! What a recipe leaves for its caller: disk images, packed roots, roots in a directory.

use std::path::{Path, PathBuf};

use crate::diag::bytes;
use crate::ops::Told;
use crate::ops::raw::{Becomes, Effect, RawFacts, RawOperation, own};
use crate::ops::strace::Called;
use crate::ops::words::{c, host, sh};

/// A file is made that holds an empty file system.
#[derive(Clone, Debug, PartialEq)]
pub struct DiskImage {
    /// The file.
    pub path: PathBuf,
    /// How large, in bytes.
    pub size: u64,
    /// The type of the file system.
    pub kind: String,
}

/// A root is packed into an archive.
#[derive(Clone, Debug, PartialEq)]
pub struct Pack(pub PathBuf);

/// A root is built into a directory.
#[derive(Clone, Debug, PartialEq)]
pub struct Build(pub PathBuf);

/// A file of the host, opened with these flags.
fn opened(path: &Path, flags: &str) -> Called {
    Called::new(format!("openat(AT_FDCWD, {}, {flags})", c(path))).giving("fd")
}

impl RawOperation for DiskImage {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "disk_image", effect: Effect::Result(&self.path, Becomes::File) }
    }

    fn told(&self) -> Told {
        let Self { path, size, kind } = self;
        Told {
            sentence: format!("create the {kind} image {} of {}", host(path), bytes(*size)),
            source: None,
            target: Some(own(path)),
            shell: Some(format!("truncate -s {size} {0} && mkfs.{kind} {0}", sh(path))),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self { path, size, kind: _ } = self;
        let truncated = Called::new(format!("ftruncate(fd, {size})"));
        vec![opened(path, "O_RDWR|O_CREAT|O_EXCL"), truncated]
    }
}

impl RawOperation for Pack {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "pack", effect: Effect::Result(&self.0, Becomes::File) }
    }

    fn told(&self) -> Told {
        let Self(archive) = self;
        Told {
            sentence: format!("pack the root into {}", host(archive)),
            source: None,
            target: Some(own(archive)),
            shell: Some(format!("tar --sort=name --mtime=@0 -C tree -caf {} .", sh(archive))),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self(archive) = self;
        vec![opened(archive, "O_WRONLY|O_CREAT|O_EXCL")]
    }
}

impl RawOperation for Build {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "build", effect: Effect::Result(&self.0, Becomes::Directory) }
    }

    fn told(&self) -> Told {
        let Self(directory) = self;
        Told {
            sentence: format!("build the root into {}", host(directory)),
            source: None,
            target: Some(own(directory)),
            shell: Some(format!("cp -a tree/. {}", sh(directory))),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self(directory) = self;
        vec![opened(directory, "O_PATH|O_DIRECTORY")]
    }
}
