//! Handles of existing namespaces: each holds a descriptor, which keeps its namespace alive.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use crate::diag::{Origin, Report, quoted};
use crate::ops::clone_flags;
use crate::ops::raw::Setns;
use crate::run::base::error::RunError;
use crate::spec::{Kind, Namespaces};
use crate::sys::{self, Errno};

/// A namespace, held open.
#[derive(Debug)]
pub struct Namespace {
    /// Its kind.
    pub kind: Kind,
    /// Its inode number, which identifies it.
    pub inode: u64,
    descriptor: OwnedFd,
}

impl std::fmt::Display for Namespace {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}:[{}]", self.kind.file(), self.inode)
    }
}

/// The files of /proc/PID/ns, with their kinds.
pub const FILES: [(&str, Kind); 10] = [
    ("user", Kind::User),
    ("mnt", Kind::Mount),
    ("pid", Kind::Pid),
    ("pid_for_children", Kind::Pid),
    ("net", Kind::Net),
    ("uts", Kind::Uts),
    ("ipc", Kind::Ipc),
    ("cgroup", Kind::Cgroup),
    ("time", Kind::Time),
    ("time_for_children", Kind::Time),
];

impl Namespace {
    pub(in crate::run) fn of(kind: Kind, descriptor: OwnedFd) -> Result<Self, Errno> {
        let inode = sys::inode(descriptor.as_fd())?;
        Ok(Self { kind, inode, descriptor })
    }

    /// Opens the namespace file `path`; `None` if it is another kind of file.
    ///
    /// # Errors
    /// It does not exist, or may not be opened.
    pub fn open(path: &Path) -> Result<Option<Self>, Errno> {
        let opened = sys::open_namespace(path).map_err(|error| error.errno)?;
        let Some((descriptor, flag)) = opened else { return Ok(None) };
        let flag_of = |kind: &Kind| clone_flags((*kind).into()) == flag;
        let Some(kind) = Kind::ALL.into_iter().find(flag_of) else { return Ok(None) };
        Self::of(kind, descriptor).map(Some)
    }

    /// Duplicates the handle.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn again(&self) -> Result<Self, Errno> {
        Self::of(self.kind, sys::duplicate(self.descriptor())?)
    }

    /// Its descriptor, for entering it.
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// The user namespace that owns it; `None` if that is outside this process's own.
    ///
    /// # Errors
    /// The kernel does not support the request.
    pub fn owner(&self) -> Result<Option<Self>, Errno> {
        Self::related(sys::owner_of(self.descriptor()), Kind::User)
    }

    /// The parent of a user or PID namespace; `None` for other kinds, and if it is outside this
    /// process's own.
    ///
    /// # Errors
    /// The kernel does not support the request.
    pub fn parent(&self) -> Result<Option<Self>, Errno> {
        Self::related(sys::parent_of(self.descriptor()), self.kind)
    }

    fn related(found: Result<OwnedFd, Errno>, kind: Kind) -> Result<Option<Self>, Errno> {
        match found {
            Ok(descriptor) => Self::of(kind, descriptor).map(Some),
            Err(errno) if matches!(errno.name().as_str(), "EPERM" | "EINVAL") => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// The action of entering it.
    #[must_use]
    pub fn entering(&self) -> Setns {
        let what = self.to_string();
        Setns { what, file: "FILE".into(), namespaces: Namespaces::from(self.kind) }
    }
}

/// The namespaces of a process, by file name; those of this process if `pid` is `None`.
///
/// # Errors
/// The process does not exist, or its namespaces may not be read.
pub fn namespaces(
    pid: Option<i32>,
    origin: Option<&Origin>,
) -> Result<Vec<(&'static str, Namespace)>, RunError> {
    let who = pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
    let mut found = Vec::new();
    for (file, _) in FILES {
        let path = format!("/proc/{who}/ns/{file}");
        match Namespace::open(path.as_ref()) {
            Ok(Some(namespace)) => found.push((file, namespace)),
            // The kernel does not support this kind, or no child exists for it.
            Ok(None) => {}
            Err(errno) if errno.name() == "ENOENT" && Path::new("/proc").join(&who).exists() => {}
            Err(errno) => {
                let path = quoted(path);
                let message = format!("cannot open the namespace {path}: {errno}");
                let mut report = Report::error(message).at(origin.cloned());
                report.facts.errno = Some(errno.code());
                report.facts.operation = Some("namespaces".into());
                return Err(match errno.name().as_str() {
                    "ENOENT" => report.hint("choose a process that `processes()` lists"),
                    "EACCES" | "EPERM" => report.hint(format!(
                        "process {who} belongs to another user: choose a namespace that `lsns()` \
                         lists"
                    )),
                    _ => report,
                }
                .into());
            }
        }
    }
    Ok(found)
}
