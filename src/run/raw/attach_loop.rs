//! Files of the host as loop devices, and what is said where that cannot be.

use std::fs::{File, OpenOptions};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::diag::{Report, quoted};
use crate::run::remedy;
use crate::sys::{self, Errno, LoopDevice, LoopError, LoopSettings};

/// Attaches the file at `path` to a free loop device, which is detached when the value is dropped
/// and nothing of it is mounted any more.
///
/// # Errors
/// The file cannot be opened, the machine has no loop devices, or the caller may not use them.
pub fn attach_loop(path: &Path, settings: &LoopSettings) -> Result<LoopDevice, Report> {
    let opened = OpenOptions::new().read(true).write(!settings.read_only).open(path);
    let file = opened.map_err(|error| report(path, Errno::from(&error)))?;
    attach_open(path, &file, settings)
}

/// Attaches the open file, which is at `path`.
///
/// # Errors
/// As for [`attach_loop`].
pub(in crate::run) fn attach_open(
    path: &Path,
    file: &File,
    settings: &LoopSettings,
) -> Result<LoopDevice, Report> {
    sys::attach_loop(file.as_fd(), settings).map_err(|failed| explain(path, &failed))
}

/// Opens an image that was examined before.
///
/// # Errors
/// It cannot be opened, or is another file now.
pub(in crate::run) fn open_image(
    path: &Path,
    id: (u64, u64),
    read_only: bool,
) -> Result<File, Report> {
    let opened = OpenOptions::new().read(true).write(!read_only).open(path);
    let file = opened.map_err(|error| report(path, Errno::from(&error)))?;
    let found = file.metadata().map_err(|error| report(path, Errno::from(&error)))?;
    if (found.dev(), found.ino()) == id {
        return Ok(file);
    }
    let shown = quoted(path.to_string_lossy());
    Err(Report::error(format!("the image {shown} was replaced since the plan was made")))
}

fn report(path: &Path, errno: Errno) -> Report {
    let path = path.to_string_lossy().into_owned();
    let message = format!("cannot attach {} to a loop device: {errno}", quoted(&path));
    let mut report = Report::error(message);
    report.facts.operation = Some("loop".into());
    report.facts.errno = Some(errno.code());
    report.facts.source = Some(path);
    report
}

fn explain(path: &Path, failed: &LoopError) -> Report {
    let (device, errno) = (failed.device.to_string_lossy(), failed.error.errno);
    let shown = quoted(&device);
    let report = report(path, errno)
        .note(format!("the call was {}(2) on {shown}", failed.error.syscall.name()));
    let name = errno.name();
    if failed.is_missing_node() {
        let number = device.trim_start_matches("/dev/loop");
        let hint = format!(
            "the kernel has the device, and `/dev`, which is no devtmpfs, lacks its node: \
             `mknod {device} b 7 {number}` makes it"
        );
        return report.advise("no_loop_node", hint);
    }
    match name.as_str() {
        "EACCES" | "EPERM" => remedy::loop_refused().advise(report),
        "ENOENT" | "ENODEV" | "ENXIO" => remedy::no_loop_devices().advise(report),
        _ => report,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{CallError, Syscall};

    fn hint(device: &str, errno: i32) -> String {
        let trouble = CallError { syscall: Syscall::Openat, errno: Errno::new(errno) };
        let failed = LoopError { device: device.into(), error: trouble };
        explain(Path::new("/disk.img"), &failed).hints.join("\n")
    }

    #[test]
    fn the_device_that_is_missing_is_told_from_missing_devices() {
        assert!(hint("/dev/loop-control", 2).contains("modprobe loop"));
        assert!(hint("/dev/loop12", 2).contains("`mknod /dev/loop12 b 7 12`"));
        assert!(hint("/dev/loop-control", 13).contains("only root"));
        assert_eq!(hint("/dev/loop12", 22), "");
    }

    #[test]
    fn a_file_that_is_not_there_is_said() {
        let path = Path::new("/no/such/disk.img");
        let report = attach_loop(path, &LoopSettings::default()).unwrap_err();
        let message = "cannot attach `/no/such/disk.img` to a loop device: \
                       no such file or directory (ENOENT)";
        assert_eq!(report.message, message);
        assert_eq!(report.facts.errno, Some(2));
        assert_eq!(report.facts.source.as_deref(), path.to_str());
    }
}
