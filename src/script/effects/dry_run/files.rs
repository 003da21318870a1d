//! Files and streams of the host in a dry run: the host is read, and nothing is written.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::{DryRun, Effect, SCRATCH};
use crate::ops::raw::{OpenOutput, Save};
use crate::run::{self, Errno, Found, RunError};
use crate::script::binding::call::Call;
use crate::script::binding::effects::{Effects, FileEffects};

/// The most paths that a dry run looks at for one verb: it does not take long.
const MOST_PATHS: usize = 20_000;
/// The largest file that it reads.
const LARGEST: u64 = 64 << 20;

/// An answer about a path, which may be one that a run would have created.
fn existing<T: Default, E>(answer: Result<T, E>) -> T {
    answer.unwrap_or_default()
}

impl DryRun {
    /// Whether an earlier line may change what is at a path. What a run would refuse there is
    /// refused, unless that is so. A program can create and remove anything.
    fn may_be_made(&self, path: &Path) -> bool {
        let has_run = self.effects.borrow().iter().any(|it| matches!(it, Effect::Plan(_)));
        let is_below = path.ancestors().skip(1).any(|above| self.foreseen(above) == Some(true));
        has_run || is_below || self.foreseen(path).is_some() || path.starts_with(SCRATCH)
    }
}

impl FileEffects for DryRun {
    fn names(&self, directory: &Path) -> Result<Vec<String>, Errno> {
        Ok(existing(run::names(directory)))
    }

    fn found(&self, wanted: Found<'_>, skip: bool) -> Result<Vec<String>, (PathBuf, Errno)> {
        let found = run::found(wanted, skip, MOST_PATHS);
        if matches!(&found, Err((_, errno)) if *errno == Errno::TOO_BIG) {
            self.made_up.set(true);
        }
        Ok(existing(found))
    }

    fn read_link(&self, path: &Path) -> Result<PathBuf, Errno> {
        Ok(existing(std::fs::read_link(path)))
    }

    /// Reads only regular files that are not large, so that it never waits.
    fn digest(&self, path: &Path) -> Result<String, Errno> {
        let small = |found: std::fs::Metadata| found.is_file() && found.len() <= LARGEST;
        let is_file = std::fs::metadata(path).is_ok_and(small);
        let digest = if is_file { run::digest_of(path).ok() } else { None };
        self.made_up.set(self.made_up.get() || digest.is_none());
        Ok(digest.unwrap_or_else(|| "0".repeat(64)))
    }

    /// A dry run does not wait for input.
    fn standard_input(&self, _: u64) -> Result<Vec<u8>, Errno> {
        self.made_up.set(true);
        Ok(Vec::new())
    }

    fn print_error(&self, _: &str) {}

    /// The same in every dry run.
    fn random(&self, bytes: &mut [u8]) -> Result<(), Errno> {
        self.made_up.set(true);
        bytes.fill(0);
        Ok(())
    }

    fn open_output(
        &self,
        action: OpenOutput,
        call: &Call<'_, '_>,
    ) -> Result<Option<OwnedFd>, RunError> {
        if !self.may_be_made(&action.path) {
            call.context.runner.may_open_output(&action, call.origin().as_ref())?;
        }
        self.note(action, call);
        Ok(None)
    }

    fn save(
        &self,
        path: &Path,
        content: &[u8],
        replace: bool,
        call: &Call<'_, '_>,
    ) -> Result<(), RunError> {
        let action = Save { path: path.to_path_buf(), size: content.len(), replace };
        if !self.may_be_made(path) {
            call.context.runner.may_save(&action, call.origin().as_ref())?;
        }
        self.note(action, call);
        Ok(())
    }
}
