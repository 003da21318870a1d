//! What helps if a layer of a root cannot be written.

use std::path::Path;

use super::shown;
use crate::diag::Report;
use crate::sys::Errno;

/// The report of an entry that could not be written below `directory`, with what helps. Many calls
/// write one, and all of them are about its source or this directory.
pub(in crate::run) fn for_build(report: Report, errno: Errno, directory: &Path) -> Report {
    match errno.name().as_str() {
        "ENOSPC" | "EDQUOT" => {
            let cure = if directory.starts_with(std::env::temp_dir()) {
                "set `TMPDIR` to a directory with more room"
            } else if directory.iter().any(|name| name == "building") {
                "`nsscript store gc` removes layers that were not used lately, or set \
                 `XDG_CACHE_HOME` to a directory with more room"
            } else {
                "choose a directory with more room"
            };
            report.advise("disk_full", format!("no room is left at {}: {cure}", shown(directory)))
        }
        "EACCES" => report.advise(
            "build_source_closed",
            "the file of the host is one that you may not read: `chmod` of its owner, or root, helps",
        ),
        "ESTALE" => report.advise(
            "build_source_replaced",
            "the file was replaced while the root was being built: run the recipe again",
        ),
        _ => report,
    }
}
