//! Extended attributes of open files: xattr(7).

use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::errno::Errno;

/// Names and values of attributes, sorted by name.
pub type Attributes = Vec<(Vec<u8>, Vec<u8>)>;

/// Returns the `user.*` attributes of a file, without those of overlays; empty if its file system
/// has none.
///
/// # Errors
/// fgetxattr(2).
pub fn user_attributes(file: &File) -> Result<Attributes, Errno> {
    let mut names = vec![0_u8; 1024];
    let length = loop {
        // SAFETY: flistxattr fills a buffer that it is given the length of.
        let length =
            unsafe { libc::flistxattr(file.as_raw_fd(), names.as_mut_ptr().cast(), names.len()) };
        match usize::try_from(length) {
            Ok(length) => break length,
            Err(_) if Errno::last().code() == libc::ERANGE => names.resize(names.len() * 4, 0),
            Err(_) if matches!(Errno::last().code(), libc::ENOTSUP | libc::ENOSYS) => {
                return Ok(Vec::new());
            }
            Err(_) => return Err(Errno::last()),
        }
    };
    let mut found = Vec::new();
    for name in names[..length].split(|byte| *byte == 0).filter(|name| is_kept(name)) {
        let Ok(c_name) = CString::new(name) else { continue };
        found.push((name.to_vec(), value(file, &c_name)?));
    }
    found.sort();
    Ok(found)
}

/// Whether trees on the disk keep an attribute.
#[must_use]
pub fn is_kept(name: &[u8]) -> bool {
    name.starts_with(b"user.") && !name.starts_with(b"user.overlay.")
}

/// The attribute with the access control list of a file.
pub(super) const ACL: &CStr = c"system.posix_acl_access";

/// Whether a directory opened with `O_PATH` may have an access control list; true if it cannot be
/// determined.
pub(super) fn has_acl(place: BorrowedFd<'_>) -> bool {
    let Ok(path) = CString::new(format!("/proc/self/fd/{}", place.as_raw_fd())) else {
        return true;
    };
    // SAFETY: two texts with a NUL at their ends; a buffer without length is only asked about.
    let found = unsafe { libc::getxattr(path.as_ptr(), ACL.as_ptr(), std::ptr::null_mut(), 0) };
    found >= 0 || !matches!(Errno::last().code(), libc::ENODATA | libc::ENOTSUP)
}

fn value(file: &File, name: &CStr) -> Result<Vec<u8>, Errno> {
    let mut value = vec![0_u8; 256];
    loop {
        let (fd, size) = (file.as_raw_fd(), value.len());
        // SAFETY: fgetxattr fills a buffer that it is given the length of; the name ends with a
        // NUL.
        let length = unsafe { libc::fgetxattr(fd, name.as_ptr(), value.as_mut_ptr().cast(), size) };
        match usize::try_from(length) {
            Ok(length) => {
                value.truncate(length);
                return Ok(value);
            }
            Err(_) if Errno::last().code() == libc::ERANGE => value.resize(value.len() * 4, 0),
            Err(_) => return Err(Errno::last()),
        }
    }
}

/// Sets an extended attribute of a file.
///
/// # Errors
/// fsetxattr(2) if the file system does not support attributes, or has no space.
pub fn set_attribute(file: &File, name: &[u8], value: &[u8]) -> Result<(), Errno> {
    let name = CString::new(name).map_err(|_| Errno::new(libc::EINVAL))?;
    let (fd, size) = (file.as_raw_fd(), value.len());
    // SAFETY: fsetxattr reads a name that ends with a NUL and a value of the length it is given.
    let done = unsafe { libc::fsetxattr(fd, name.as_ptr(), value.as_ptr().cast(), size, 0) };
    if done == 0 { Ok(()) } else { Err(Errno::last()) }
}

/// Whether a file has an attribute with this name and value.
///
/// # Errors
/// fgetxattr(2), other than that there is none.
pub fn has_attribute(file: &File, name: &CStr, wanted: &[u8]) -> Result<bool, Errno> {
    match value(file, name) {
        Ok(found) => Ok(found == wanted),
        Err(error) if matches!(error.code(), libc::ENODATA | libc::ENOTSUP) => Ok(false),
        Err(error) => Err(error),
    }
}
