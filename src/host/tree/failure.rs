//! Look-ups that failed, so that "is it there?" has no answer.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::ELOOP;

/// A look-up that failed, so that what is at its path is not known.
#[derive(Debug)]
pub struct Failure {
    /// What was looked for.
    pub path: PathBuf,
    /// The kernel's answer.
    pub error: io::Error,
}

/// The failures of a tree, which its clones share.
#[derive(Clone, Debug, Default)]
pub(super) struct Failures(Arc<Mutex<Option<Failure>>>);

impl Failures {
    /// The first one since it was asked for last.
    pub fn take(&self) -> Option<Failure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Remembers an error, unless it is an answer, or there is one already.
    pub fn note(&self, path: &Path, error: &io::Error) {
        if is_answer(error) {
            return;
        }
        let again = error.raw_os_error().map(io::Error::from_raw_os_error);
        let error = again.unwrap_or_else(|| error.kind().into());
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(|| Failure { path: path.to_path_buf(), error });
    }
}

/// Whether an error is an answer about what is at a path, and not a failure to look.
fn is_answer(error: &io::Error) -> bool {
    use io::ErrorKind::{
        InvalidFilename, InvalidInput, IsADirectory, NotADirectory, NotFound, PermissionDenied,
    };
    // A device that is not connected answers ENXIO or ENODEV.
    const NO_DEVICE: [i32; 2] = [6, 19];
    matches!(
        error.kind(),
        InvalidFilename | InvalidInput | IsADirectory | NotADirectory | NotFound | PermissionDenied
    ) || error.raw_os_error().is_some_and(|code| code == ELOOP || NO_DEVICE.contains(&code))
}
