//! Devices that a tree on disk was to have and has not.

use std::path::PathBuf;

use crate::diag::{Report, quoted};

/// Devices that were not made as they were asked for.
#[derive(Debug, Default)]
pub struct LeftOut {
    /// The devices that only root can make.
    pub devices: Vec<PathBuf>,
    /// The devices that were made for sandboxes, in which they cannot be opened.
    pub closed: Vec<PathBuf>,
}

impl LeftOut {
    /// A warning of what was left out.
    #[must_use]
    pub fn report(&self) -> Option<Report> {
        let (devices, what) = match &self.devices[..] {
            [] => (
                &self.closed,
                "unusable in sandboxes, because devices from archives give no \
                                  access",
            ),
            _ => (&self.devices, "left out, because only root can create devices"),
        };
        let (first, more) = devices.split_first()?;
        let shown = quoted(first.to_string_lossy());
        let which = match more.len() {
            0 => format!("the device {shown} is"),
            _ => format!("{} devices, {shown} the first, are", more.len() + 1),
        };
        let report = Report::warning(format!("{which} {what}"));
        Some(report.hint(
            "add the usual devices to the sandbox with `.dev(\"/dev\")`, or one of the host's to \
             the root with `.device(path)`",
        ))
    }
}
