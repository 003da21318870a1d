//! The conditions of kept changes: the ids of the sandbox, and the root below.

use std::path::{Path, PathBuf};

use super::{HALF, cannot};
use crate::diag::{Report, quoted};
use crate::plan::Maps;
use crate::sys::{Errno, shown};

/// The file with the conditions.
const FILE: &str = "sandbox";

/// The ids and the root of kept changes.
pub(super) struct Conditions {
    maps: String,
    /// The digests of the root's layers; empty if it has none.
    root: String,
}

impl Conditions {
    pub fn of(maps: &Maps, layers: &[PathBuf]) -> Self {
        // A layer is stored under its digest, with a suffix for other owners.
        let digest = |path: &PathBuf| {
            let name = path.parent().and_then(Path::file_name).unwrap_or_default();
            let name = name.to_string_lossy();
            name.split('-').next().unwrap_or_default().to_owned()
        };
        let layers: Vec<String> = layers.iter().map(digest).collect();
        Self { maps: maps.to_string(), root: layers.join(" ") }
    }

    fn text(&self) -> String {
        format!("{}\n{}\n", self.maps, self.root)
    }

    /// Writes the conditions to an empty directory.
    pub fn note(&self, directory: &Path) -> Result<(), Report> {
        let failed = |what, path: &Path, error| cannot(what, path, Errno::from(&error));
        let entries = std::fs::read_dir(directory).map_err(|it| failed("read", directory, it))?;
        let is_other = |name: &std::ffi::OsString| name != FILE && name != HALF;
        let mut names = entries.flatten().map(|entry| entry.file_name());
        if let Some(name) = names.find(is_other) {
            let shown = quoted(shown(directory).to_string_lossy());
            let name = quoted(name.to_string_lossy());
            let message = format!("{shown} is not a directory of changes: it contains {name}");
            return Err(Report::error(message).hint("choose a new or an empty directory"));
        }
        let file = directory.join(FILE);
        std::fs::write(&file, self.text()).map_err(|error| failed("write", &file, error))
    }

    /// Compares the conditions with the recorded ones; returns a warning if the root differs.
    pub fn compare(&self, directory: &Path) -> Result<Option<Report>, Report> {
        let noted = std::fs::read_to_string(directory.join(FILE)).unwrap_or_default();
        let mut lines = noted.lines();
        let (Some(maps), Some(root)) = (lines.next(), lines.next()) else { return Ok(None) };
        let shown = quoted(shown(directory).to_string_lossy());
        if maps != self.maps {
            let message = format!("the changes in {shown} belong to a sandbox with other ids");
            let report = Report::error(message).note(format!("they were made with {maps}"));
            let report = report.note(format!("this sandbox has {}", self.maps));
            return Err(report.hint("use a separate directory for each id map"));
        }
        if root == self.root {
            return Ok(None);
        }
        let message = format!("the changes in {shown} were made on top of another root");
        let report = Report::warning(message);
        Ok(Some(report.hint(
            "files of this root that they hide stay hidden: use a new directory to \
                         start afresh",
        )))
    }
}
