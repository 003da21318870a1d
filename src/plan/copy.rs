//! Copies of files of the host at other paths in a layer.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::assemble::copy_of;
use super::install::Installer;
use crate::diag::{Report, bytes, os_error, quoted};
use crate::ops::Entry;

impl Installer<'_> {
    /// Copies a file, or a directory with its contents, to another path. A link at the source
    /// itself is followed; links below it are copied as links. The files may hold at most `limit`
    /// bytes.
    pub fn copy(&mut self, source: &Path, target: &Path, limit: u64) -> Result<(), Report> {
        let shown = quoted(source.to_string_lossy());
        let metadata = self.host.metadata(source).map_err(|error| {
            let report = Report::error(format!("cannot copy {shown}: {}", os_error(&error)));
            match self.host.near(source) {
                Some(near) => {
                    let near = source.with_file_name(near);
                    let near = quoted(near.to_string_lossy());
                    report.advise("copy_near", format!("did you mean {near}?"))
                }
                None => report.advise(
                    "copy_of_host",
                    "give a path on the host as the source of \
                                                       `copy`",
                ),
            }
        })?;
        if metadata.is_dir() {
            if target != Path::new("/") {
                self.put(target, Entry::Directory { mode: metadata.mode() & 0o7777 })?;
            }
            return self.copy_below(source, target, &mut Room { limit, left: limit, of: source });
        }
        if !metadata.is_file() {
            let report =
                Report::error(format!("cannot copy {shown}: it is neither a file nor a directory"));
            return Err(report.advise("copy_of_device", "add a device with `device(path)`"));
        }
        Room { limit, left: limit, of: source }.take(&metadata)?;
        let source = self.host.resolve(source).map_or_else(|_| source.into(), |found| found.path);
        let into = target.join(source.file_name().unwrap_or_default());
        self.put(target, copy_of(self.host.real(&source), &metadata)).map_err(|report| {
            let into = quoted(into.to_string_lossy());
            report.advise(
                "copy_into",
                format!(
                    "give the path of the file inside as the target: \
                                                {into}"
                ),
            )
        })
    }

    fn copy_below(
        &mut self,
        source: &Path,
        target: &Path,
        room: &mut Room<'_>,
    ) -> Result<(), Report> {
        let cannot = |path: &Path, error: &std::io::Error| {
            Report::error(format!(
                "cannot read {}: {}",
                quoted(path.to_string_lossy()),
                os_error(error)
            ))
        };
        let mut names = self.host.names(source).map_err(|error| cannot(source, &error))?;
        names.sort();
        for name in names {
            let (from, to) = (source.join(&name), target.join(&name));
            let metadata =
                self.host.symlink_metadata(&from).map_err(|error| cannot(&from, &error))?;
            if metadata.is_dir() {
                self.put(&to, Entry::Directory { mode: metadata.mode() & 0o7777 })?;
                self.copy_below(&from, &to, room)?;
            } else if metadata.is_symlink() {
                let target = std::fs::read_link(self.host.real(&from));
                let target = target.map_err(|error| cannot(&from, &error))?;
                self.put(&to, Entry::Symlink { target })?;
            } else if metadata.is_file() {
                room.take(&metadata)?;
                self.put(&to, copy_of(self.host.real(&from), &metadata))?;
            } else {
                let path = quoted(from.to_string_lossy());
                let report =
                    Report::warning(format!("{path} is not a file, directory or link: skipped"));
                self.warnings.push(report.at(self.origin.clone()));
            }
        }
        Ok(())
    }
}

/// The remaining limit of a copy.
struct Room<'s> {
    limit: u64,
    left: u64,
    of: &'s Path,
}

impl Room<'_> {
    /// Subtracts the size of a file. Holes count, because the digest covers them.
    fn take(&mut self, file: &std::fs::Metadata) -> Result<(), Report> {
        let (shown, most) = (quoted(self.of.to_string_lossy()), bytes(self.limit));
        let left = self.left.checked_sub(file.len()).ok_or_else(|| {
            let report =
                Report::error(format!("cannot copy {shown}: it contains more than {most}"));
            report.advise("copy_limit", "raise the option `limit` of `copy`")
        })?;
        self.left = left;
        Ok(())
    }
}
