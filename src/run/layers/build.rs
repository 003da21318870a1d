//! Building a root as a directory of the host.

use std::path::Path;
use std::rc::Rc;

use super::tree::{self, Manner};
use crate::diag::{Report, quoted};
use crate::plan::RootTree;
use crate::run::layers::Layers;
use crate::run::workspace::remove_own_directory;
use crate::sys::{Errno, Held};

impl Layers {
    /// Writes a whole root to a new or empty directory, and returns warnings about missing entries.
    /// With `setuid`, also writes bits and attributes that give rights to users who execute a file.
    ///
    /// # Errors
    /// The directory cannot be created or is not empty, or an entry cannot be written: the first
    /// one, with its line.
    pub fn build(
        &self,
        tree: &Rc<RootTree>,
        directory: &Path,
        setuid: bool,
    ) -> Result<Vec<Report>, Report> {
        self.mend(Some(tree))?;
        let shown = quoted(directory.to_string_lossy());
        let cannot = |errno: Errno| {
            let mut report = Report::error(format!("cannot create {shown}: {errno}"));
            report.facts.operation = Some("build".into());
            report.facts.errno = Some(errno.code());
            report.facts.target = Some(directory.to_string_lossy().into_owned());
            report
        };
        let made = std::fs::create_dir_all(directory);
        made.map_err(|error| cannot((&error).into()))?;
        // From here on, replacing the directory has no effect.
        let held = Held::open_itself(directory).map_err(cannot)?;
        let entries = || std::fs::read_dir(held.path()).map_err(|error| cannot((&error).into()));
        if entries()?.next().is_some() {
            let report = Report::error(format!("{shown} is not empty"));
            return Err(report.hint("choose a new or an empty directory"));
        }
        let mut contents = self.contents(tree)?;
        let task = self.task(format!("build {shown}"), contents.size().1);
        let manner = Manner::Whole { setuid, owners: self.host().is_root() };
        let written = tree::write(&mut contents, &held.join("."), manner, &task);
        let left_out = written.inspect_err(|_| {
            // It was empty before.
            for entry in entries().into_iter().flatten().flatten() {
                let _ = remove_own_directory(self, &entry.path());
            }
        })?;
        Ok(left_out.report().into_iter().collect())
    }
}
