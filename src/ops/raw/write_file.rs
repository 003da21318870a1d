//! A file that is written.

use std::path::PathBuf;

use crate::diag::count;
use crate::ops::Told;
use crate::ops::raw::{Effect, RawFacts, RawOperation, own};
use crate::ops::strace::Called;
use crate::ops::words::{c, host, sh};

/// A file is written. A dry run notes it without its content, which may be large.
#[derive(Clone, Debug, PartialEq)]
pub struct WriteFile {
    /// Which.
    pub path: PathBuf,
    /// How much, in bytes.
    pub size: usize,
    /// After what is there.
    pub append: bool,
}

impl RawOperation for WriteFile {
    fn facts(&self) -> RawFacts<'_> {
        RawFacts { name: "write_file", effect: Effect::Content(&self.path) }
    }

    fn told(&self) -> Told {
        let Self { path, size, append } = self;
        let (verb, sign) = if *append { ("append", ">>") } else { ("write", ">") };
        Told {
            sentence: format!("{verb} {} to {}", count(*size, "byte"), host(path)),
            source: None,
            target: Some(own(path)),
            shell: Some(format!("printf … {sign} {}", sh(path))),
        }
    }

    fn calls(&self) -> Vec<Called> {
        let Self { path, size, append } = self;
        let flags = match append {
            // Files of /proc are there, and have nothing to be cut off.
            _ if path.starts_with("/proc") => "O_WRONLY",
            true => "O_WRONLY|O_CREAT|O_APPEND, 0666",
            false => "O_WRONLY|O_CREAT|O_TRUNC, 0666",
        };
        vec![
            Called::new(format!("openat(AT_FDCWD, {}, {flags})", c(path))).giving("fd"),
            Called::new(format!("write(fd, …, {size})")),
        ]
    }
}
