//! Places beneath the root under construction, found and created by descriptor.
//!
//! Everything here runs in the new process, so paths are assembled in buffers on the stack.

use std::ffi::CStr;
use std::os::raw::c_int;

use super::call::{Create, Target};
use super::errno::Errno;
use super::kernel::{self, Answer, CallError, Syscall};

/// `PATH_MAX` of limits.h.
const LONGEST: usize = 4096;
/// The maximum number of dangling links that are followed while directories are created.
const MOST_LINKS: u8 = 8;

/// A NUL-terminated path on the stack.
struct Buffer {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Buffer {
    fn new() -> Self {
        Self { bytes: [0; LONGEST], length: 0 }
    }

    fn push(&mut self, bytes: &[u8]) -> Answer<()> {
        let end = self.length + bytes.len();
        match self.bytes.get_mut(self.length..end) {
            Some(place) if end < LONGEST => place.copy_from_slice(bytes),
            _ => return Err(call_error(libc::ENAMETOOLONG)),
        }
        self.length = end;
        Ok(())
    }

    fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or(c"")
    }
}

fn call_error(errno: c_int) -> CallError {
    CallError { syscall: Syscall::Openat2, errno: Errno::new(errno) }
}

fn is(answer: Answer<c_int>, errno: c_int) -> bool {
    matches!(answer, Err(error) if error.errno.code() == errno)
}

/// Opens a target beneath `root` with `O_PATH`, and creates it if requested.
pub(super) fn open(root: c_int, target: &Target) -> Answer<c_int> {
    let found = kernel::open_beneath(root, &target.path, libc::O_PATH, 0);
    if !is(found, libc::ENOENT) || target.create == Create::Nothing {
        return found;
    }
    let path = target.path.to_bytes();
    if target.create == Create::Directory {
        return make_directories(root, path, MOST_LINKS);
    }
    let (parent, name) = split(path);
    let parent = make_directories(root, parent, MOST_LINKS)?;
    let made = with_name(name, |name| {
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        kernel::openat(parent, name, flags, 0o644)
    });
    kernel::close(parent);
    made
}

/// Opens the directory `path`, and creates it and its parents if they are missing.
pub(super) fn open_directory(root: c_int, path: &CStr) -> Answer<c_int> {
    make_directories(root, path.to_bytes(), MOST_LINKS)
}

/// Opens the parent directory of `path`, creating missing directories, and calls `with` with its
/// descriptor and the last name of `path`.
pub(super) fn in_parent<T>(
    root: c_int,
    path: &CStr,
    with: impl FnOnce(c_int, &CStr) -> Answer<T>,
) -> Answer<T> {
    let (parent, name) = split(path.to_bytes());
    let parent = make_directories(root, parent, MOST_LINKS)?;
    let done = with_name(name, |name| with(parent, name));
    kernel::close(parent);
    done
}

/// The directory part (empty for the root) and the last name.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&[], path),
    }
}

fn with_name<T>(name: &[u8], with: impl FnOnce(&CStr) -> Answer<T>) -> Answer<T> {
    let mut buffer = Buffer::new();
    buffer.push(name)?;
    with(buffer.as_c_str())
}

/// Opens the directory `path` beneath `root`, and creates missing parts.
///
/// A dangling link is followed beneath the root, and its target is created.
fn make_directories(root: c_int, path: &[u8], links: u8) -> Answer<c_int> {
    let flags = libc::O_PATH | libc::O_DIRECTORY;
    let mut done = Buffer::new();
    let mut current = kernel::open_beneath(root, c".", flags, 0)?;
    for name in path.split(|byte| *byte == b'/') {
        if name.is_empty() || name == b"." {
            continue;
        }
        let before = done.length;
        done.push(if before == 0 { b"" } else { b"/" })?;
        done.push(name)?;
        let mut next = kernel::open_beneath(root, done.as_c_str(), flags, 0);
        if is(next, libc::ENOENT) {
            next = with_name(name, |name| match kernel::mkdirat(current, name, 0o755) {
                Ok(()) => kernel::open_beneath(current, name, flags | libc::O_NOFOLLOW, 0),
                Err(error) if error.errno.code() == libc::EEXIST && links > 0 => {
                    let parent = done.bytes.get(..before).unwrap_or_default();
                    follow(root, parent, current, name, links - 1)
                }
                Err(error) => Err(error),
            });
        }
        kernel::close(current);
        current = next?;
    }
    Ok(current)
}

/// Creates the target directory of the link `name` in `directory` (`parent` beneath the root).
fn follow(root: c_int, parent: &[u8], directory: c_int, name: &CStr, links: u8) -> Answer<c_int> {
    let mut link = [0; LONGEST];
    let length = kernel::readlinkat(directory, name, &mut link)?;
    let link = link.get(..length).unwrap_or_default();
    if link.split(|byte| *byte == b'/').any(|name| name == b"..") {
        return Err(call_error(libc::ENOENT));
    }
    let mut whole = Buffer::new();
    if link.first() != Some(&b'/') {
        whole.push(parent)?;
        whole.push(b"/")?;
    }
    whole.push(link)?;
    make_directories(root, whole.as_c_str().to_bytes(), links)
}
