//! Files that a recipe leaves for its caller.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Instant;

use super::RawCalls;
use crate::diag::{Origin, Report, quoted};
use crate::ops::RawAction;
use crate::ops::raw::Save;
use crate::run::base::error::RunError;
use crate::sys::{self, Errno, Held};

fn cannot(action: &Save, errno: Errno) -> Report {
    let path = action.path.to_string_lossy();
    let mut report = Report::error(format!("cannot save {}: {errno}", quoted(&path)));
    report.facts.operation = Some("save".into());
    report.facts.errno = Some(errno.code());
    report.facts.target = Some(path.into_owned());
    match errno.name().as_str() {
        "EEXIST" => report.hint("pass `#{ replace: true }` to replace an existing file"),
        "ENOENT" => report.hint("create the directory for the file first"),
        _ => report,
    }
}

/// The directory of the file, held.
fn directory(action: &Save, origin: Option<&Origin>) -> Result<Held, RunError> {
    let parent = action.path.parent().filter(|parent| !parent.as_os_str().is_empty());
    Held::open(parent.unwrap_or(Path::new(".")))
        .map_err(|errno| cannot(action, errno).at(origin.cloned()).into())
}

impl RawCalls {
    /// Checks that a file could be saved now, without saving it.
    ///
    /// # Errors
    /// What a run would refuse.
    #[allow(clippy::unused_self, reason = "it is a question to the runner")]
    pub fn may_save(&self, action: &Save, origin: Option<&Origin>) -> Result<(), RunError> {
        let refused = |errno| RunError::from(cannot(action, errno).at(origin.cloned()));
        let parent = directory(action, origin)?;
        match action.path.symlink_metadata() {
            Ok(found) if found.is_dir() => return Err(refused(Errno::EISDIR)),
            Ok(_) if !action.replace => return Err(refused(Errno::EXISTS)),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(refused(Errno::from(&error))),
        }
        sys::may_write(&parent.join("")).map_err(refused)
    }

    /// Saves a file: whole, or not at all.
    ///
    /// # Errors
    /// It exists and is not to be replaced, or cannot be written.
    pub fn save(
        &self,
        action: Save,
        bytes: &[u8],
        origin: Option<&Origin>,
    ) -> Result<(), RunError> {
        let started = Instant::now();
        self.may_save(&action, origin)?;
        let place = directory(&action, origin)?;
        let name = action.path.file_name().unwrap_or_default();
        let temporary = place.join(format!(".{}.{}", name.to_string_lossy(), sys::process_id()));
        let written = write(&temporary, &place.join(name), bytes, action.replace);
        if let Err(errno) = written {
            let _ = std::fs::remove_file(&temporary);
            return Err(cannot(&action, errno).at(origin.cloned()).into());
        }
        self.tell_done(&RawAction::from(action), started, origin);
        Ok(())
    }
}

/// Writes beside the file, and moves the whole into its place.
fn write(temporary: &Path, path: &Path, bytes: &[u8], replace: bool) -> Result<(), Errno> {
    let because = |error: std::io::Error| Errno::from(&error);
    let file = File::create_new(temporary).map_err(because)?;
    sys::write_all(&file, bytes)?;
    if replace {
        return std::fs::rename(temporary, path).map_err(because);
    }
    sys::rename_new(temporary, path)
}
