//! Errors of reading programs and libraries.

use std::error::Error;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::diag::os_error;
use crate::host::tree::ELOOP;

/// Numbers of errno(3), which are the same on x86-64 and aarch64.
const EPERM: i32 = 1;
const EIO: i32 = 5;
const EACCES: i32 = 13;

/// Why the needs of a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElfError {
    /// The file, as seen inside the tree.
    pub path: PathBuf,
    /// What is wrong with it.
    pub kind: ElfErrorKind,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ElfErrorKind {
    /// It does not exist.
    NotFound,
    /// No directory of the loader's search holds a library of this name for this machine.
    NoSuchLibrary,
    /// It cannot be read; the error number.
    Unreadable(i32),
    /// It is a directory.
    Directory,
    /// It is a device, a pipe or a socket.
    Special,
    /// More than 40 symbolic links lead to it.
    LinkLoop,
    /// It is neither an ELF program or library nor a script with a `#!` line.
    NotProgram,
    /// It begins like an ELF file or a script but is malformed; the reason.
    Malformed(&'static str),
    /// It is a script, and the interpreter that its `#!` line names does not exist.
    InterpreterMissing(PathBuf),
    /// It is a script, and the interpreter that its `#!` line names cannot be used.
    InterpreterUnusable(Box<ElfError>),
    /// It is a script whose interpreter is a script, and so on, further than the kernel goes.
    InterpreterLoop,
}

impl ElfError {
    pub(super) fn new(path: &Path, kind: ElfErrorKind) -> Self {
        Self { path: path.to_owned(), kind }
    }

    /// Whether a search that meets this goes on: the file is absent, or hidden from us.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self.kind, ElfErrorKind::NotFound | ElfErrorKind::Unreadable(EACCES | EPERM))
    }
}

impl From<io::Error> for ElfErrorKind {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::NotFound,
            io::ErrorKind::IsADirectory => Self::Directory,
            io::ErrorKind::UnexpectedEof => Self::Malformed("the file is truncated"),
            _ => match error.raw_os_error() {
                Some(ELOOP) => Self::LinkLoop,
                number => Self::Unreadable(number.unwrap_or(EIO)),
            },
        }
    }
}

impl fmt::Display for ElfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.kind {
            ElfErrorKind::InterpreterMissing(_)
            | ElfErrorKind::InterpreterUnusable(_)
            | ElfErrorKind::InterpreterLoop => "run",
            _ => "read",
        };
        write!(f, "cannot {verb} {}: {}", Quoted(self.path.as_os_str()), self.kind)
    }
}

impl Error for ElfError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.kind.source()
    }
}

impl Error for ElfErrorKind {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::InterpreterUnusable(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for ElfErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "no such file",
            Self::NoSuchLibrary => "no library of that name in the loader's search path",
            Self::Unreadable(errno) => {
                return f.write_str(&os_error(&io::Error::from_raw_os_error(*errno)));
            }
            Self::Directory => "it is a directory",
            Self::Special => "it is not a regular file",
            Self::LinkLoop => "too many symbolic links lead to it (ELOOP)",
            Self::NotProgram => "it is neither an ELF program nor a script that begins with `#!`",
            Self::Malformed(what) => return write!(f, "it is damaged: {what}"),
            Self::InterpreterMissing(interpreter) => {
                let interpreter = Quoted(interpreter.as_os_str());
                return write!(f, "its `#!` line names {interpreter}, which does not exist");
            }
            Self::InterpreterUnusable(error) => return write!(f, "its `#!` line: {error}"),
            Self::InterpreterLoop => "its `#!` line leads to an endless chain of scripts",
        })
    }
}

/// A name in backticks, with terminal control characters escaped.
pub(super) struct Quoted<'a>(pub &'a OsStr);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", Escaped(self.0))
    }
}

/// A name with terminal control characters escaped.
pub(super) struct Escaped<'a>(pub &'a OsStr);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.to_string_lossy().chars() {
            if letter.is_control() {
                write!(f, "{}", letter.escape_default())?;
            } else {
                write!(f, "{letter}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_path_and_the_cause() {
        let says = |path: &str, kind| ElfError::new(Path::new(path), kind).to_string();
        assert_eq!(says("/x", ElfErrorKind::NotFound), "cannot read `/x`: no such file");
        assert_eq!(
            says("/x\u{1b}[2J", ElfErrorKind::Unreadable(EACCES)),
            "cannot read `/x\\u{1b}[2J`: permission denied (EACCES)"
        );
        assert_eq!(
            says("/x", ElfErrorKind::InterpreterMissing("/bin/sh\r".into())),
            "cannot run `/x`: its `#!` line names `/bin/sh\\r`, which does not exist"
        );
    }
}
