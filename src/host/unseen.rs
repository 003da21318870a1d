//! Failed look-ups: the file may or may not exist, so it does not count as absent.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::diag::{Report, os_error, quoted};

/// The error numbers that mean that nothing is there, or nothing for the caller: EPERM, ENOENT,
/// ESRCH, ENXIO, EACCES, ENODEV, ENOTDIR, EISDIR, EINVAL, ENAMETOOLONG, ELOOP and EOPNOTSUPP. The
/// numbers are the same on x86-64 and aarch64.
const ABSENCE: [i32; 12] = [1, 2, 3, 6, 13, 19, 20, 21, 22, 36, 40, 95];

/// The hint for EMFILE.
pub const DESCRIPTORS: &str = "`ulimit -n` shows how many files a process may have open";

/// EMFILE and ENFILE.
const NO_DESCRIPTOR: [i32; 2] = [24, 23];

/// Whether this error means that nothing is there.
fn is_absence(error: &io::Error) -> bool {
    // What has no number is of std: a path that is none.
    error.raw_os_error().is_none_or(|number| ABSENCE.contains(&number))
}

/// A look-up that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unseen {
    /// The path that was looked at.
    pub path: PathBuf,
    /// The error number.
    pub errno: i32,
}

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = os_error(&io::Error::from_raw_os_error(self.errno));
        write!(f, "cannot look at {}: {why}", quoted(self.path.to_string_lossy()))
    }
}

impl From<Unseen> for Report {
    fn from(unseen: Unseen) -> Self {
        let mut report = Self::error(unseen.to_string());
        report.facts.errno = Some(unseen.errno);
        report.facts.source = Some(unseen.path.to_string_lossy().into_owned());
        if NO_DESCRIPTOR.contains(&unseen.errno) {
            return report.advise("no_descriptor", DESCRIPTORS);
        }
        report
    }
}

/// The first failed look-up, kept until it is taken, like the state of ferror(3).
#[derive(Debug, Default)]
pub(super) struct Noted(Mutex<Option<Unseen>>);

impl Noted {
    /// Records a failed look-up, and returns its result.
    pub fn note<T>(&self, path: &Path, answer: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &answer
            && !is_absence(error)
        {
            let (path, errno) = (path.to_path_buf(), error.raw_os_error().unwrap_or_default());
            self.held().get_or_insert(Unseen { path, errno });
        }
        answer
    }

    pub fn held(&self) -> std::sync::MutexGuard<'_, Option<Unseen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for Noted {
    /// A copy has not looked at anything yet.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Noted {
    /// Past look-ups make no difference between trees.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Noted {}
