//! Files and streams of the host in a run.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::Kernel;
use crate::ops::raw::{OpenOutput, Save};
use crate::run::{self, Errno, Found, RunError};
use crate::script::binding::call::Call;
use crate::script::binding::effects::FileEffects;

impl FileEffects for Kernel {
    fn names(&self, directory: &Path) -> Result<Vec<String>, Errno> {
        run::names(directory)
    }

    fn found(&self, wanted: Found<'_>, skip: bool) -> Result<Vec<String>, (PathBuf, Errno)> {
        run::found(wanted, skip, run::MOST_PATHS)
    }

    fn read_link(&self, path: &Path) -> Result<PathBuf, Errno> {
        std::fs::read_link(path).map_err(|error| Errno::from(&error))
    }

    fn digest(&self, path: &Path) -> Result<String, Errno> {
        run::digest_of(path)
    }

    fn standard_input(&self, largest: u64) -> Result<Vec<u8>, Errno> {
        run::read_standard_input(largest)
    }

    fn print_error(&self, text: &str) {
        crate::diag::say(&format!("{text}\n"));
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), Errno> {
        run::random(bytes)
    }

    fn open_output(
        &self,
        action: OpenOutput,
        call: &Call<'_, '_>,
    ) -> Result<Option<OwnedFd>, RunError> {
        call.context.runner.open_output(action, call.origin().as_ref()).map(Some)
    }

    fn save(
        &self,
        path: &Path,
        content: &[u8],
        replace: bool,
        call: &Call<'_, '_>,
    ) -> Result<(), RunError> {
        let action = Save { path: path.to_path_buf(), size: content.len(), replace };
        call.context.runner.save(action, content, call.origin().as_ref())
    }
}
