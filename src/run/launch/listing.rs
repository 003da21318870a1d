//! Sandboxes shown to other nsscript processes of the user, for `nsscript ps`.
//!
//! The record of a sandbox is a sealed file in memory, held by a descriptor. Another process finds
//! it in /proc/PID/fd. It needs no directory, leaves nothing behind, and is gone with this process,
//! however that ends.

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::record::Record;
use crate::plan::Plan;
use crate::sys::{self, Errno};

/// The name of the file.
const NAME: &CStr = c"nsscript-sandbox";

/// The link of its descriptor in /proc.
pub(super) const LINK: &str = "/memfd:nsscript-sandbox (deleted)";

/// The time after which a program that is waited for is shown. Most programs end before, and cost
/// nothing more.
pub(super) const SOON: Duration = Duration::from_millis(100);

/// Whether a sandbox is shown.
#[derive(Debug, Default)]
pub(in crate::run) enum Listing {
    /// Never: it is no sandbox, or could not be shown.
    #[default]
    Never,
    /// As soon as it runs for a while.
    Later,
    /// It is, by this descriptor.
    Shown {
        /// The record.
        _record: OwnedFd,
    },
}

impl Listing {
    /// Shows the sandbox of a plan whose process 1 is `pid`, unless that was done.
    ///
    /// # Errors
    /// This process has no free descriptor, or the machine no memory.
    pub fn show(&mut self, plan: &Plan, pid: i32) -> Result<(), Errno> {
        if !matches!(self, Self::Later) {
            return Ok(());
        }
        *self = Self::Never;
        if let Some(record) = Record::of(plan, pid) {
            let record = sys::shown_in_proc(NAME, record.to_json().as_bytes())?;
            *self = Self::Shown { _record: record };
        }
        Ok(())
    }
}
