//! Opening, reading and writing that signals interrupt: FIFOs, devices and terminals can wait for
//! ever.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use super::errno::Errno;
use super::signal::interrupted;

/// The most that is read at once.
const PIECE: u64 = 1 << 20;

/// Opens a file as open(2) does, and waits where that does: for the other end of a FIFO.
fn open(path: &Path, flags: OFlag) -> Result<File, Errno> {
    if interrupted().is_some() {
        return Err(Errno::INTERRUPTED);
    }
    open_whatever_comes(path, flags)
}

/// The same, of what is not waited for: a signal that came before does not matter.
fn open_whatever_comes(path: &Path, flags: OFlag) -> Result<File, Errno> {
    // What is opened becomes nobody's terminal.
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
/// open(2); `EINTR` where a signal asks nsscript to end.
pub fn open_to_read(path: &Path) -> Result<File, Errno> {
    open(path, OFlag::O_RDONLY)
}

/// Opens a file for reading, and does not wait for a writer of a FIFO: from that nothing is read then.
///
/// # Errors
/// open(2).
pub fn open_at_once(path: &Path) -> std::io::Result<File> {
    let opened = open(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK);
    opened.map_err(Into::into)
}

/// The longest text of a recipe or module.
pub const LONGEST_TEXT: u64 = 16 << 20;

/// How a file is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// What is in it goes first; it is made where it is not there.
    Anew,
    /// What is in it stays, and this comes after it; it is made where it is not there.
    After,
    /// As it is: a file of the kernel.
    Over,
}

/// Opens a file for writing.
///
/// # Errors
/// open(2); `EINTR` where a signal asks nsscript to end, unless it is a file of the kernel.
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
/// write(2); `EINTR` where a signal asks nsscript to end.
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

/// All that can be read, which is at most `most` bytes.
///
/// # Errors
/// read(2); `EFBIG` where there is more, `EINTR` where a signal asks nsscript to end.
pub fn read_all(mut file: impl Read, most: u64) -> Result<Vec<u8>, Errno> {
    let mut bytes = Vec::new();
    while bytes.len() as u64 <= most {
        if interrupted().is_some() {
            return Err(Errno::INTERRUPTED);
        }
        let room = (most - bytes.len() as u64).min(PIECE - 1) + 1;
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
