//! The standard output and the standard error of this process: nothing else writes to them.

use std::io::{self, Write};

/// Writes to the standard output, at once.
///
/// # Errors
/// Nobody reads it any more, or there is no room.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Writes to the standard error. Whoever cannot be told is not told: there is no place left to say so.
pub fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
