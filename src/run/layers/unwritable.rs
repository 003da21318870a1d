//! Hints about layers that cannot be written.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::diag::{Report, quoted};
use crate::sys::Errno;

/// Adds a hint to the report of an entry that could not be written below `directory`. Whichever
/// call failed, the cause is its source or this directory.
pub(in crate::run) fn for_build(report: Report, errno: Errno, directory: &Path) -> Report {
    match errno.name().as_str() {
        "ENOSPC" | "EDQUOT" => {
            let store = directory.ancestors().find(|it| it.ends_with("building"));
            match store.and_then(Path::parent) {
                Some(store) => without_room(report, store, true),
                None => without_room(report, directory, false),
            }
        }
        "EACCES" => report.advise(
            "build_source_closed",
            "you may not read the file of the host: make it readable with `chmod`, as its owner \
             or root",
        ),
        "ESTALE" => report.advise(
            "build_source_replaced",
            "the file was replaced while the root was being built: rerun the recipe",
        ),
        _ => report,
    }
}

/// Adds a hint about missing space below `directory` to a report.
pub(in crate::run) fn without_room(report: Report, directory: &Path, in_store: bool) -> Report {
    let cure = if is_in_memory(directory) {
        "`scratch()` is in memory: choose a directory on a disk"
    } else if directory.starts_with(std::env::temp_dir()) {
        "set `TMPDIR` to a directory with more space"
    } else if in_store {
        "remove unused layers with `nsscript store gc`, or set `XDG_CACHE_HOME` to a directory \
         with more space"
    } else {
        "choose a directory with more space"
    };
    report.advise(
        "disk_full",
        format!("no space is left at {}: {cure}", quoted(directory.to_string_lossy())),
    )
}

/// Whether it is in `scratch()`, and that is a tmpfs.
fn is_in_memory(directory: &Path) -> bool {
    let device = |path: &Path| path.metadata().map(|found| found.dev()).ok();
    let is_mount = |path: &Path| device(path) != path.parent().and_then(device);
    directory.ancestors().any(|path| path.ends_with("scratch") && is_mount(path))
}
