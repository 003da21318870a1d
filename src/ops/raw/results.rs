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

/// A file is written, whole or not at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Save {
    /// The file.
    pub path: PathBuf,
    /// How many bytes.
    pub size: usize,
    /// Whether it may replace another file.
    pub replace: bool,
}

/// A file of the host is opened for a program to write to.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenOutput {
    /// The file.
    pub path: PathBuf,
    /// Whether earlier content stays.
    pub append: bool,
    /// What the program writes to it: its output or its errors.
    pub what: &'static str,
}

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

impl RawOperation for Save {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "save", effect: Effect::Result(&self.path, Becomes::File) }
    }

    fn told(&self) -> Told {
        let Self { path, size, replace } = self;
        let size = bytes(*size as u64);
        let does = if *replace { "save or replace" } else { "save" };
        Told {
            sentence: format!("{does} the file {} of {size}", host(path)),
            source: None,
            target: Some(own(path)),
            // The content is not part of the operation.
            shell: None,
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self { path, size, replace } = self;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let beside = path.with_file_name(format!(".{name}.PID"));
        let flags = if *replace { "0" } else { "RENAME_NOREPLACE" };
        let (from, to) = (c(&beside), c(path));
        let moved = format!("renameat2(AT_FDCWD, {from}, AT_FDCWD, {to}, {flags})");
        let written = Called::new(format!("write(fd, …, {size})")).giving(size.to_string());
        vec![opened(&beside, "O_WRONLY|O_CREAT|O_EXCL"), written, Called::new(moved)]
    }
}

impl RawOperation for OpenOutput {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "open_output", effect: Effect::Result(&self.path, Becomes::File) }
    }

    fn told(&self) -> Told {
        let Self { path, append, what } = self;
        let does = if *append { "open" } else { "create or empty" };
        Told {
            sentence: format!("{does} the file {} for the {what} of a program", host(path)),
            source: None,
            target: Some(own(path)),
            shell: Some(format!(": {} {}", if *append { ">>" } else { ">" }, sh(path))),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self { path, append, what: _ } = self;
        let how = if *append { "O_APPEND" } else { "O_TRUNC" };
        vec![opened(path, &format!("O_WRONLY|O_CREAT|{how}|O_NOCTTY|O_NONBLOCK, 0666"))]
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
