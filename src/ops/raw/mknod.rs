//! A device, a fifo, a socket or an empty file that is made: mknod(2).

use std::path::PathBuf;

use crate::ops::Told;
use crate::ops::lowering::path;
use crate::ops::raw::{Becomes, Effect, Prepare, RawFacts, RawOperation, exactly, own};
use crate::ops::strace::Called;
use crate::ops::words::{c, host, sh};
use crate::sys::Raw;

/// A device, fifo, socket or file is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Mknod {
    /// Where.
    pub path: PathBuf,
    /// What: `c`, `b`, `p`, `s` or `f`.
    pub kind: char,
    /// Permission bits.
    pub mode: u32,
    /// Major and minor number.
    pub device: (u32, u32),
}

impl RawOperation for Mknod {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "mknod", effect: Effect::Name(&self.path, Becomes::File) }
    }

    fn told(&self) -> Told {
        let Self { path, kind, mode, device: (major, minor) } = self;
        let (place, argument) = (host(path), sh(path));
        let (sentence, shell) = match kind {
            'p' => {
                (format!("create the FIFO {place}"), Some(format!("mkfifo -m {mode:o} {argument}")))
            }
            's' => (format!("create the socket {place}"), None),
            'f' => (format!("create the empty file {place}"), Some(format!("touch {argument}"))),
            _ => (
                format!("create the device {place} ({kind} {major}:{minor})"),
                Some(format!("mknod -m {mode:o} {argument} {kind} {major} {minor}")),
            ),
        };
        Told { sentence, source: None, target: Some(own(path)), shell }
    }

    fn calls(&self) -> Vec<Called> {
        let Self { path, kind, mode, device: (major, minor) } = self;
        let kind = match kind {
            'c' => "S_IFCHR",
            'b' => "S_IFBLK",
            'p' => "S_IFIFO",
            's' => "S_IFSOCK",
            _ => "S_IFREG",
        };
        let device = format!("makedev({major}, {minor})");
        let made = format!("mknodat(AT_FDCWD, {}, {kind}|0{mode:03o}, {device})", c(path));
        vec![Called::new(made), exactly(path, *mode)]
    }
}

impl Prepare for Mknod {
    fn prepare(&self) -> Raw<'static> {
        let Self { path: made, kind, mode, device } = self;
        Raw::Mknod(path(made), *kind, *mode, *device)
    }
}
