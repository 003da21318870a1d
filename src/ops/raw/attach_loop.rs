//! A file that becomes a loop device: loop(4).

use std::path::PathBuf;

use crate::ops::Told;
use crate::ops::raw::{Effect, RawFacts, RawOperation, own};
use crate::ops::strace::Called;
use crate::ops::words::{host, sh};

/// A file becomes a loop device.
#[derive(Clone, Debug, PartialEq)]
pub struct AttachLoop {
    /// The file.
    pub file: PathBuf,
    /// Nothing can be written.
    pub read_only: bool,
    /// Where in the file it begins.
    pub offset: u64,
    /// How much of the file it is; 0 for all.
    pub size_limit: u64,
}

impl RawOperation for AttachLoop {
    fn facts(&self) -> RawFacts<'_> {
        let effect = if self.read_only { Effect::Own } else { Effect::Image(&self.file) };
        RawFacts { name: "loop", effect }
    }

    fn told(&self) -> Told {
        let Self { file, read_only, offset: _, size_limit: _ } = self;
        let (word, option) = if *read_only { (", read-only", " -r") } else { ("", "") };
        Told {
            sentence: format!("attach {} to a loop device{word}", host(file)),
            source: Some(own(file)),
            target: None,
            shell: Some(format!("losetup{option} --find --show {}", sh(file))),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self { file, read_only, offset: _, size_limit: _ } = self;
        let flags = if *read_only { "LO_FLAGS_READ_ONLY|" } else { "" };
        let file = format!("fd<{}>", file.display());
        let attach =
            format!("ioctl(loop, LOOP_CONFIGURE, {{fd={file}, flags={flags}LO_FLAGS_AUTOCLEAR}})");
        vec![
            Called::new("ioctl(fd</dev/loop-control>, LOOP_CTL_GET_FREE)").giving("N"),
            Called::new("openat(AT_FDCWD, \"/dev/loopN\", O_RDWR)").giving("loop"),
            Called::new(attach),
        ]
    }
}
