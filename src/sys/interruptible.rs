//! Opening, reading and writing files that may block forever, interruptible by signals.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use super::errno::Errno;
use super::signal::interrupted;

/// The number of bytes of the first read, and the most of a later one: memory that is not needed is
/// not touched, which would take longer than the read.
const PIECES: [u64; 2] = [16 << 10, 1 << 20];

/// Opens a file, and blocks as open(2) does: for the other end of a FIFO.
fn open(path: &Path, flags: OFlag) -> Result<File, Errno> {
    if interrupted().is_some() {
        return Err(Errno::INTERRUPTED);
    }
    open_whatever_comes(path, flags)
}

/// Opens a file that does not block, even if a signal arrived before.
fn open_whatever_comes(path: &Path, flags: OFlag) -> Result<File, Errno> {
    // A terminal must not become a controlling terminal by being opened.
    let flags = flags | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    loop {
        match nix::fcntl::open(path, flags, Mode::from_bits_truncate(0o666)) {
            Ok(opened) => return Ok(opened.into()),
            Err(nix::errno::Errno::EINTR) if interrupted().is_none() => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Opens a file for reading.
///
/// # Errors
/// open(2); `EINTR` if a signal asks nsscript to end.
pub fn open_to_read(path: &Path) -> Result<File, Errno> {
    open(path, OFlag::O_RDONLY)
}

/// Opens a file for reading, without waiting for the writer of a FIFO, which is then empty.
///
/// # Errors
/// open(2).
pub fn open_at_once(path: &Path) -> std::io::Result<File> {
    let opened = open(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK);
    opened.map_err(Into::into)
}

/// The maximum size of a recipe or module, in bytes.
pub const LONGEST_TEXT: u64 = 16 << 20;

/// The mode of writing a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// Truncates or creates the file.
    Anew,
    /// Appends to the file, or creates it.
    After,
    /// Writes to an existing file of the kernel.
    Over,
}

/// Opens a file for writing.
///
/// # Errors
/// open(2); `EINTR` if a signal asks nsscript to end, unless it is a file of the kernel.
pub fn open_to_write(path: &Path, writing: Writing) -> Result<File, Errno> {
    let flags = OFlag::O_WRONLY;
    match writing {
        Writing::Anew => open(path, flags | OFlag::O_CREAT | OFlag::O_TRUNC),
        Writing::After => open(path, flags | OFlag::O_CREAT | OFlag::O_APPEND),
        Writing::Over => open_whatever_comes(path, flags),
    }
}

/// Writes all of `bytes`.
///
/// # Errors
/// write(2); `EINTR` if a signal asks nsscript to end.
pub fn write_all(mut file: impl Write, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        if interrupted().is_some() {
            return Err(Errno::INTERRUPTED);
        }
        match file.write(bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Errno::from(&error)),
        }
    }
    Ok(())
}

/// Reads to the end, at most `most` bytes.
///
/// # Errors
/// read(2); `EFBIG` if there is more, `EINTR` if a signal asks nsscript to end.
pub fn read_all(mut file: impl Read, most: u64) -> Result<Vec<u8>, Errno> {
    let mut bytes = Vec::new();
    while bytes.len() as u64 <= most {
        if interrupted().is_some() {
            return Err(Errno::INTERRUPTED);
        }
        let piece = (bytes.len() as u64).clamp(PIECES[0], PIECES[1]);
        let room = (most - bytes.len() as u64).min(piece - 1) + 1;
        let start = bytes.len();
        bytes.resize(start + usize::try_from(room).unwrap_or(1), 0);
        let read = file.read(&mut bytes[start..]);
        bytes.truncate(start + read.as_ref().copied().unwrap_or(0));
        match read {
            Ok(0) => return Ok(bytes),
            Err(error) if error.kind() != ErrorKind::Interrupted => {
                return Err(Errno::from(&error));
            }
            _ => {}
        }
    }
    Err(Errno::TOO_BIG)
}
