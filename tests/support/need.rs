//! What a test needs that a machine may not have. Nothing is left out in silence.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Says that something could not be tested; where `NSSCRIPT_REQUIRE` is 1, that is a failure.
pub fn missing(what: &str) {
    let required = std::env::var_os("NSSCRIPT_REQUIRE").is_some_and(|value| value == "1");
    assert!(!required, "missing: {what}");
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // Written past the test harness, which would keep it to itself where a test passes.
    let _ = writeln!(std::io::stderr(), "not all tested: {test}: missing: {what}");
}

/// Whether all these programs are installed; says so where one is not.
pub fn have(programs: &[&str]) -> bool {
    let absent = programs.iter().find(|program| which(program).is_none());
    if let Some(absent) = absent {
        missing(&format!("the program {absent}"));
    }
    absent.is_none()
}

/// The version of Linux.
fn linux() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit());
    let mut number = || numbers.next().and_then(|text| text.parse().ok()).unwrap_or(0_u32);
    (number(), number())
}

/// Whether a program enters a time namespace, so that its clocks can differ: Linux 6.6. Says so where
/// not.
pub fn have_clock_offsets() -> bool {
    let is_new = linux() >= (6, 6);
    if !is_new {
        missing("Linux 6.6, for clocks");
    }
    is_new
}

/// Whether the kernel maps the ids of files in the file system at `path`: mount_setattr(2), "ID-mapped
/// mounts". Says so where not.
pub fn maps_ids(path: &Path) -> bool {
    let kind = Command::new("stat").args(["-f", "-c", "%T"]).arg(path).output();
    let kind = String::from_utf8(kind.expect("stat(1) is installed").stdout).unwrap();
    let since = match kind.trim() {
        "ext2/ext3" | "xfs" | "msdos" => Some((5, 12)),
        "btrfs" => Some((5, 15)),
        "f2fs" => Some((5, 18)),
        "tmpfs" => Some((6, 3)),
        _ => None,
    };
    let maps = since.is_some_and(|since| linux() >= since);
    if !maps {
        missing(&format!("a file system that maps ids, at {}: {}", path.display(), kind.trim()));
    }
    maps
}

/// Where a program is.
pub fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(|path| is_file(path))
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file())
}
