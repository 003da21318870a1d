//! Error numbers by name: errno(3).

use std::fmt;

/// An error number of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(i32);

/// Errors by name, for tables with errors as keys.
macro_rules! named {
    ($($name:ident)*) => {
        #[allow(missing_docs, reason = "each is the error of that name in errno(3)")]
        impl Errno {
            $(pub const $name: Self = Self(libc::$name);)*
        }
    };
}

named! {
    EACCES EADDRNOTAVAIL EAFNOSUPPORT EAGAIN EBUSY EDQUOT EEXIST EHOSTUNREACH EINVAL EISDIR ELOOP EMFILE
    ENAMETOOLONG ENETDOWN ENETUNREACH ENODEV ENOENT ENOMEM ENOSPC ENOSYS ENOTBLK ENOTDIR ENOTEMPTY
    ENOTSUP EOPNOTSUPP EOVERFLOW EPERM EPROTONOSUPPORT ERANGE EROFS ESRCH ESTALE EUCLEAN EUSERS
    E2BIG ENOEXEC EXDEV
}

impl Errno {
    /// The file was replaced: `ESTALE`.
    pub const STALE: Self = Self(libc::ESTALE);

    /// Another process holds the lock: `EAGAIN`.
    pub const LOCKED: Self = Self(libc::EAGAIN);

    /// Invalid argument: `EINVAL`.
    pub const INVALID: Self = Self(libc::EINVAL);

    /// The file exists already: `EEXIST`.
    pub const EXISTS: Self = Self(libc::EEXIST);

    /// No such file: `ENOENT`.
    pub const MISSING: Self = Self(libc::ENOENT);

    /// No such device: `ENODEV`.
    pub const NO_DEVICE: Self = Self(libc::ENODEV);

    /// The reader of the pipe is gone: `EPIPE`.
    pub const PIPE: Self = Self(libc::EPIPE);

    /// Not permitted: `EPERM`.
    pub const PERMISSION: Self = Self(libc::EPERM);

    /// Interrupted by a signal: `EINTR`.
    pub const INTERRUPTED: Self = Self(libc::EINTR);

    /// The file is too large: `EFBIG`.
    pub const TOO_BIG: Self = Self(libc::EFBIG);

    /// Out of memory: `ENOMEM`.
    pub const NO_MEMORY: Self = Self(libc::ENOMEM);

    /// The disk is full: `ENOSPC`.
    pub const NO_SPACE: Self = Self(libc::ENOSPC);

    /// The error with this number.
    #[must_use]
    pub const fn new(code: i32) -> Self {
        Self(code)
    }

    /// The number.
    #[must_use]
    pub const fn code(self) -> i32 {
        self.0
    }

    /// The error of the last system call of this thread.
    #[must_use]
    pub fn last() -> Self {
        Self(nix::errno::Errno::last_raw())
    }

    /// The name, such as `EACCES`.
    #[must_use]
    pub fn name(self) -> String {
        format!("{:?}", nix::errno::Errno::from_raw(self.0))
    }

    /// The description in lower case, such as `permission denied`.
    #[must_use]
    pub fn text(self) -> String {
        let text = nix::errno::Errno::from_raw(self.0).desc();
        let mut letters = text.chars();
        let first = letters.next().map(|first| first.to_lowercase().collect::<String>());
        first.unwrap_or_default() + letters.as_str()
    }
}

impl From<Errno> for std::io::Error {
    fn from(errno: Errno) -> Self {
        Self::from_raw_os_error(errno.0)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.text(), self.name())
    }
}

impl std::error::Error for Errno {}

impl From<&std::io::Error> for Errno {
    fn from(error: &std::io::Error) -> Self {
        Self(error.raw_os_error().unwrap_or(libc::EIO))
    }
}

impl From<nix::errno::Errno> for Errno {
    fn from(error: nix::errno::Errno) -> Self {
        Self(error as i32)
    }
}

#[cfg(test)]
mod tests {
    use super::Errno;

    #[test]
    fn errors_have_their_name_and_meaning() {
        assert_eq!(Errno::new(libc::EACCES).to_string(), "permission denied (EACCES)");
    }
}
