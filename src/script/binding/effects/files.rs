//! The interface for what verbs read from the host, and what they leave there.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use crate::ops::raw::OpenOutput;
use crate::run::{Errno, Found, RunError};
use crate::script::binding::call::Call;

/// What the verbs of files and streams of the host do.
pub trait FileEffects {
    /// The names in a directory, sorted.
    fn names(&self, directory: &Path) -> Result<Vec<String>, Errno>;

    /// The paths below a directory, or those that match a pattern, sorted.
    fn found(&self, wanted: Found<'_>, skip: bool) -> Result<Vec<String>, (PathBuf, Errno)>;

    /// What a symbolic link says.
    fn read_link(&self, path: &Path) -> Result<PathBuf, Errno>;

    /// The sha256 of a file.
    fn digest(&self, path: &Path) -> Result<String, Errno>;

    /// The standard input of nsscript to its end, at most `largest` bytes.
    fn standard_input(&self, largest: u64) -> Result<Vec<u8>, Errno>;

    /// Prints a line to the standard error of nsscript.
    fn print_error(&self, text: &str);

    /// Fills an array with random bytes.
    fn random(&self, bytes: &mut [u8]) -> Result<(), Errno>;

    /// Opens a file for a program to write to; `None` in a dry run.
    fn open_output(
        &self,
        action: OpenOutput,
        call: &Call<'_, '_>,
    ) -> Result<Option<OwnedFd>, RunError>;

    /// Writes a file for the caller.
    fn save(
        &self,
        path: &Path,
        content: &[u8],
        replace: bool,
        call: &Call<'_, '_>,
    ) -> Result<(), RunError>;
}
