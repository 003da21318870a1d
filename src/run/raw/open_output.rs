//! Files of the host that programs write to.

use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::RawCalls;
use crate::diag::{Origin, Report, quoted};
use crate::ops::RawAction;
use crate::ops::raw::OpenOutput;
use crate::run::base::error::RunError;
use crate::spec::{Redirected, Sink};
use crate::sys::{self, Errno};

/// The most symbolic links that the kernel follows.
const MOST_LINKS: usize = 40;

fn report(action: &OpenOutput, why: &str) -> Report {
    let path = action.path.to_string_lossy();
    let message = format!("cannot write the {} to {}: {why}", action.what, quoted(&path));
    let mut report = Report::error(message);
    report.facts.operation = Some("open_output".into());
    report.facts.target = Some(path.into_owned());
    report
}

fn cannot(action: &OpenOutput, errno: Errno) -> Report {
    let mut report = report(action, &errno.to_string());
    report.facts.errno = Some(errno.code());
    match errno.name().as_str() {
        "ENOENT" => report.hint("create the directory for the file first"),
        "ENXIO" => report.hint("start the program that reads the FIFO first"),
        "EISDIR" => report.hint("name a file in it"),
        _ => report,
    }
}

/// The path that an existing or missing file has after all links.
fn after_links(path: &Path) -> Result<PathBuf, Errno> {
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        match std::fs::read_link(&path) {
            Ok(target) => path = path.parent().unwrap_or(Path::new("/")).join(target),
            // It is no link, or missing.
            Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::NotFound) => {
                return Ok(path);
            }
            Err(error) => return Err(Errno::from(&error)),
        }
    }
    Err(Errno::ELOOP)
}

/// Has each file that redirected streams lead to opened by `open`. A file for both is opened once,
/// so that output and errors do not overwrite each other.
///
/// # Errors
/// Those of `open`.
pub fn open_each<E>(
    redirected: &mut Redirected,
    mut open: impl FnMut(OpenOutput) -> Result<Option<OwnedFd>, E>,
) -> Result<(), E> {
    let mut open = |sink: &mut Sink, what| -> Result<(), E> {
        let Sink::File(file) = sink else { return Ok(()) };
        let action = OpenOutput { path: file.path.clone(), append: file.append, what };
        file.descriptor = open(action)?.map(Arc::new);
        Ok(())
    };
    let Redirected { piped: _, output, errors } = redirected;
    if matches!(output, Sink::File(_)) && output == errors {
        open(output, "output and the errors")?;
        errors.clone_from(output);
        return Ok(());
    }
    open(output, "output")?;
    open(errors, "errors")
}

impl RawCalls {
    /// Opens the files that redirected streams lead to.
    ///
    /// # Errors
    /// One cannot be written to, or is a terminal.
    pub fn open_outputs(
        &self,
        redirected: &mut Redirected,
        origin: Option<&Origin>,
    ) -> Result<(), RunError> {
        open_each(redirected, |action| self.open_output(action, origin).map(Some))
    }

    /// Checks that a file could be opened now for a program to write to, without opening it.
    ///
    /// # Errors
    /// What a run would refuse.
    #[allow(clippy::unused_self, reason = "it is a question to the runner")]
    pub fn may_open_output(
        &self,
        action: &OpenOutput,
        origin: Option<&Origin>,
    ) -> Result<(), RunError> {
        let refused = |errno| RunError::from(cannot(action, errno).at(origin.cloned()));
        match action.path.metadata() {
            Ok(found) if found.is_dir() => Err(refused(Errno::EISDIR)),
            Ok(_) => sys::may_write_to(&action.path).map_err(refused),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let path = after_links(&action.path).map_err(refused)?;
                let parent = path.parent().unwrap_or(Path::new("/"));
                let found = parent.metadata().map_err(|error| refused(Errno::from(&error)))?;
                if !found.is_dir() {
                    return Err(refused(Errno::ENOTDIR));
                }
                sys::may_write(parent).map_err(refused)
            }
            Err(error) => Err(refused(Errno::from(&error))),
        }
    }

    /// Opens a file for a program to write to.
    ///
    /// # Errors
    /// It cannot be written to, or is a terminal.
    pub fn open_output(
        &self,
        action: OpenOutput,
        origin: Option<&Origin>,
    ) -> Result<OwnedFd, RunError> {
        let started = Instant::now();
        let opened = sys::open_output(&action.path, action.append);
        let file = opened.map_err(|errno| cannot(&action, errno).at(origin.cloned()))?;
        if sys::is_terminal(file.as_fd()) {
            let report = report(&action, "it is a terminal");
            let hint = "omit the option: nsscript relays its own terminal, because a program that \
                        has it could type into it";
            return Err(report.hint(hint).at(origin.cloned()).into());
        }
        self.tell_done(&RawAction::from(action), started, origin);
        Ok(file)
    }
}
