//! Standard output and standard error of this process: nothing else writes to them.

use std::io::{self, Write};

/// Writes to standard output, without buffering.
///
/// # Errors
/// The reader has closed it, or the disk is full.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Writes to standard error. Errors are ignored: there is no other place to report them.
pub fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
