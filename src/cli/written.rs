//! Generated files for other programs, which nsscript may overwrite.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::diag::{os_error, quoted};

/// The text near the beginning of every generated file, which shows that nsscript may replace it.
pub(super) const MARK: &str = "Written by `nsscript";

/// The number of bytes in which the mark is searched.
const NEAR: usize = 300;

/// Writes files to a directory, which is created if it is missing, and returns their paths. Files
/// that nsscript has written before are replaced atomically. If any other file has one of the
/// names, nothing is written.
///
/// # Errors
/// A file of the same name was not written by nsscript; a directory or file cannot be written.
pub(super) fn write(directory: &Path, files: &[(String, String)]) -> Result<Vec<PathBuf>, String> {
    let paths: Vec<PathBuf> = files.iter().map(|(name, _)| directory.join(name)).collect();
    for path in &paths {
        let shown = quoted(path.to_string_lossy());
        let found = match fs::symlink_metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(format!("cannot access {shown}: {}", os_error(&error))),
            Ok(found) => found,
        };
        let is_ours = found.is_file() && fs::read(path).is_ok_and(|text| is_marked(&text));
        if !is_ours {
            return Err(format!(
                "{shown} was not written by nsscript: move it, or name another directory"
            ));
        }
    }
    for (path, (_, text)) in paths.iter().zip(files) {
        let cannot = |error: std::io::Error| {
            format!("cannot write {}: {}", quoted(path.to_string_lossy()), os_error(&error))
        };
        if let Some(above) = path.parent() {
            fs::create_dir_all(above).map_err(cannot)?;
        }
        // Written beside its place and then renamed, so that an editor always reads a complete
        // file. An existing file or link is not of this run.
        let mut beside = path.clone().into_os_string();
        beside.push(format!(".{}", std::process::id()));
        let made = fs::File::create_new(&beside).map_err(cannot)?;
        let written = (&made).write_all(text.as_bytes());
        let placed = written.and_then(|()| fs::rename(&beside, path));
        placed.map_err(|error| {
            let _ = fs::remove_file(&beside);
            cannot(error)
        })?;
    }
    Ok(paths)
}

fn is_marked(text: &[u8]) -> bool {
    String::from_utf8_lossy(&text[..text.len().min(NEAR)]).contains(MARK)
}

/// The paths, one per line.
pub(super) fn listed(paths: &[PathBuf]) -> String {
    let lines: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    lines.join("\n") + "\n"
}
