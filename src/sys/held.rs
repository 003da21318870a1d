//! Directories that are held by descriptor from the moment they are checked, so that replacing one
//! on the path has no effect.

#[cfg(test)]
mod tests;

use std::error::Error;
use std::ffi::{CString, OsStr, OsString};
use std::fmt;
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, fstat, mkdirat};

use super::errno::Errno;
use super::raw::is_procfs;
use super::xattr;

/// A directory, held by descriptor.
#[derive(Debug)]
pub struct Held {
    descriptor: OwnedFd,
    inside: PathBuf,
}

/// The reason why other users may be able to change the path to a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// This directory or link on the path belongs to that user.
    Owner(PathBuf, u32),
    /// Other users can write to this directory on the path.
    Writable(PathBuf),
    /// The path to this directory could not be checked.
    Unseen(PathBuf, Errno),
}

/// The reason why a directory cannot be opened safely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalkError {
    /// Other users can change the path.
    Distrust(Distrust),
    /// The path that the kernel refused, and its error.
    Call(PathBuf, Errno),
}

impl fmt::Display for WalkError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Distrust(Distrust::Owner(path, uid)) => {
                write!(out, "{} belongs to user {uid}", path.display())
            }
            Self::Distrust(Distrust::Writable(path)) => {
                write!(out, "others can write to {}", path.display())
            }
            Self::Distrust(Distrust::Unseen(path, errno)) | Self::Call(path, errno) => {
                write!(out, "{}: {errno}", path.display())
            }
        }
    }
}

impl Error for WalkError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Distrust(Distrust::Unseen(_, errno)) | Self::Call(_, errno) => Some(errno),
            Self::Distrust(Distrust::Owner(..) | Distrust::Writable(_)) => None,
        }
    }
}

/// The maximum number of links on a path, as in the kernel: path_resolution(7).
const MOST_LINKS: usize = 40;

/// Paths by descriptor of held directories, with the names to show.
static SHOWN: Mutex<Vec<(PathBuf, PathBuf)>> = Mutex::new(Vec::new());

/// Waits until no other thread uses the names; in a copy of the process nobody could give them
/// back.
pub(super) fn lock_names() -> MutexGuard<'static, Vec<(PathBuf, PathBuf)>> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Translates a path through a held directory to the path that people know.
#[must_use]
pub fn shown(path: &Path) -> PathBuf {
    let known = lock_names();
    let below = |(inside, shown): &(PathBuf, PathBuf)| {
        let below = path.strip_prefix(inside).ok()?;
        Some(if below.as_os_str().is_empty() { shown.clone() } else { shown.join(below) })
    };
    known.iter().rev().find_map(below).unwrap_or_else(|| path.to_path_buf())
}

impl Held {
    /// Opens the directory `path`, following links.
    ///
    /// # Errors
    /// open(2).
    pub fn open(path: &Path) -> Result<Self, Errno> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Self::of(nix::fcntl::open(path, flags, Mode::empty())?, path)?)
    }

    /// Opens the directory `path`, which must not be a link.
    ///
    /// # Errors
    /// open(2).
    pub fn open_itself(path: &Path) -> Result<Self, Errno> {
        let flags = PLACE | OFlag::O_DIRECTORY;
        Ok(Self::of(nix::fcntl::open(path, flags, Mode::empty())?, path)?)
    }

    /// Opens the directory at the absolute `path`, if only root and the caller can change the path:
    /// every directory on it belongs to one of them, and nobody else can write to it or remove an
    /// entry. Missing directories below `existing` are created, closed to others.
    ///
    /// # Errors
    /// Other users can change the path, or the kernel refuses a part of it.
    pub fn walk(path: &Path, existing: &Path) -> Result<Self, WalkError> {
        let root = nix::fcntl::open("/", PLACE | OFlag::O_DIRECTORY, Mode::empty());
        let called = |errno: nix::Error| WalkError::Call(path.to_path_buf(), errno.into());
        let mut walk = Walk { here: root.map_err(called)?, place: "/".into(), links: 0 };
        walk.trust()?;
        let mut ahead = names(path);
        let mut made = ahead.len().saturating_sub(names(existing).len());
        while let Some(name) = ahead.pop() {
            let left = ahead.len();
            walk.step(&name, left < made, &mut ahead)?;
            // The target of a link is not created.
            if ahead.len() > left {
                made = made.min(left);
            }
        }
        Self::of(walk.here, path).map_err(called)
    }

    fn of(descriptor: OwnedFd, path: &Path) -> nix::Result<Self> {
        let inside = PathBuf::from(format!("/proc/self/fd/{}", descriptor.as_raw_fd()));
        if !leads_to(&inside, &descriptor)? {
            return Ok(Self { descriptor, inside: shown(path) });
        }
        let mut known = lock_names();
        let called = known.iter().rev().find_map(|(inside, shown)| {
            path.strip_prefix(inside).ok().map(|below| shown.join(below))
        });
        known.push((inside.clone(), called.unwrap_or_else(|| path.to_path_buf())));
        drop(known);
        Ok(Self { descriptor, inside })
    }

    /// A path through the descriptor, valid while this value lives.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inside
    }

    /// The path of the entry `name`, through the descriptor.
    #[must_use]
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.inside.join(name)
    }

    /// Its owner, and its mode.
    ///
    /// # Errors
    /// fstat(2).
    pub fn look(&self) -> Result<(u32, u32), Errno> {
        let found = fstat(&self.descriptor)?;
        Ok((found.st_uid, found.st_mode))
    }

    /// Opens the directory `name` in it, creating it if it is missing.
    ///
    /// # Errors
    /// mkdirat(2), or the entry is not a directory.
    pub fn make(&self, name: &str, bits: u32) -> Result<Self, Errno> {
        match mkdirat(&self.descriptor, name, Mode::from_bits_truncate(bits)) {
            Ok(()) | Err(nix::Error::EEXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
        let flags = PLACE | OFlag::O_DIRECTORY;
        let made = openat(&self.descriptor, name, flags, Mode::empty())?;
        Ok(Self::of(made, &self.inside.join(name))?)
    }
}

impl AsFd for Held {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut known = lock_names();
        if let Some(at) = known.iter().rposition(|(inside, _)| *inside == self.inside) {
            known.remove(at);
        }
    }
}

/// Whether a path in /proc leads to the file of this descriptor; false without /proc, or if /proc
/// is closed to this process.
fn leads_to(inside: &Path, descriptor: &OwnedFd) -> nix::Result<bool> {
    let own = fstat(descriptor)?;
    let look = || -> std::io::Result<bool> {
        let found = std::fs::metadata(inside)?;
        let is_it = (found.dev(), found.ino()) == (own.st_dev, own.st_ino);
        Ok(is_it && is_procfs(Path::new("/proc/self/fd"))?)
    };
    match look() {
        Err(error)
            if !matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied
            ) =>
        {
            Err(nix::Error::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
        }
        looked => Ok(looked.is_ok_and(|is_it| is_it)),
    }
}

/// A path through which a program that this process starts finds an open file, even if the file was
/// renamed. It holds the file by an `O_PATH` descriptor, which every program inherits that starts
/// while this lives.
#[derive(Debug)]
pub struct FileName {
    _place: Option<OwnedFd>,
    path: PathBuf,
}

impl FileName {
    /// The path of an open file; without /proc it is `path`, by which the file was opened.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn of(file: &std::fs::File, path: &Path) -> Result<Self, Errno> {
        let own = format!("/proc/self/fd/{}", file.as_raw_fd());
        match nix::fcntl::open(own.as_str(), OFlag::O_PATH, Mode::empty()) {
            Ok(place) => {
                // The program's number in /proc may differ, and it may not see its own files there.
                let path = format!("/proc/self/fd/{}", place.as_raw_fd()).into();
                Ok(Self { _place: Some(place), path })
            }
            Err(nix::Error::ENOENT) => Ok(Self { _place: None, path: path.to_path_buf() }),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Flags that open a path without following a link at its end.
const PLACE: OFlag = OFlag::O_PATH.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// The components of a path in reverse order.
fn names(path: &Path) -> Vec<OsString> {
    let names = path.components().rev().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    names.collect()
}

/// The part of a path that was followed so far.
struct Walk {
    here: OwnedFd,
    place: PathBuf,
    links: usize,
}

impl Walk {
    fn step(
        &mut self,
        name: &OsStr,
        makes: bool,
        ahead: &mut Vec<OsString>,
    ) -> Result<(), WalkError> {
        let place = self.place.join(name);
        let fails = |errno: nix::Error| WalkError::Call(place.clone(), errno.into());
        let text = CString::new(name.as_bytes()).map_err(|_| fails(nix::Error::EINVAL))?;
        let open = || openat(&self.here, text.as_c_str(), PLACE, Mode::empty());
        let opened = match open() {
            Err(nix::Error::ENOENT) if makes => {
                match mkdirat(&self.here, text.as_c_str(), Mode::S_IRWXU) {
                    Ok(()) | Err(nix::Error::EEXIST) => open(),
                    Err(errno) => Err(errno),
                }
            }
            opened => opened,
        };
        let opened = opened.map_err(fails)?;
        let found = fstat(&opened).map_err(fails)?;
        if found.st_mode & libc::S_IFMT == libc::S_IFLNK {
            self.links += 1;
            if self.links > MOST_LINKS {
                return Err(fails(nix::Error::ELOOP));
            }
            // In a directory such as /tmp, the owner of a link can change it.
            Self::owner(&place, &found)?;
            let says = PathBuf::from(readlinkat(&opened, "").map_err(fails)?);
            ahead.extend(names(&says));
            if says.is_absolute() {
                let root = nix::fcntl::open("/", PLACE | OFlag::O_DIRECTORY, Mode::empty());
                (self.here, self.place) = (root.map_err(fails)?, "/".into());
            }
            return Ok(());
        }
        if found.st_mode & libc::S_IFMT != libc::S_IFDIR {
            return Err(fails(nix::Error::ENOTDIR));
        }
        (self.here, self.place) = (opened, place);
        self.trust()
    }

    /// Checks that only root and the caller can change entries of this directory.
    fn trust(&self) -> Result<(), WalkError> {
        let found = fstat(&self.here);
        let found = found.map_err(|errno| WalkError::Call(self.place.clone(), errno.into()))?;
        Self::owner(&self.place, &found)?;
        let all = found.st_mode & libc::S_IWOTH != 0;
        // With an access control list these bits are its mask, and not the rights of the group:
        // acl(5).
        let group = found.st_mode & libc::S_IWGRP != 0
            && (!is_own_group(found.st_gid) || xattr::has_acl(self.here.as_fd()));
        // With the sticky bit set, nobody can remove files of others.
        if (all || group) && found.st_mode & libc::S_ISVTX == 0 {
            return Err(WalkError::Distrust(Distrust::Writable(self.place.clone())));
        }
        Ok(())
    }

    fn owner(place: &Path, found: &FileStat) -> Result<(), WalkError> {
        let own = nix::unistd::geteuid().as_raw();
        let is_known = found.st_uid == 0
            || found.st_uid == own
            || is_nobody(found.st_uid)
                .map_err(|error| WalkError::Call(place.to_path_buf(), Errno::from(&error)))?;
        let distrust = || Distrust::Owner(place.to_path_buf(), found.st_uid);
        is_known.then_some(()).ok_or_else(|| WalkError::Distrust(distrust()))
    }
}

/// Whether the caller is presumably the only member of a group: root's group, or a user's private
/// group with the number of the user.
fn is_own_group(gid: u32) -> bool {
    let (uid, own) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    gid == 0 || gid == own && own == uid
}

/// Whether an owner is an unmapped id, and the machine's root is unmapped as well.
fn is_nobody(uid: u32) -> std::io::Result<bool> {
    let file = Path::new("/proc/sys/kernel/overflowuid");
    let number = match std::fs::read_to_string(file) {
        Ok(number) => number,
        // Without /proc it cannot be determined.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if number.trim().parse() != Ok(uid) || !is_procfs(file)? {
        return Ok(false);
    }
    // The file belongs to the machine's root, under whatever id the namespace shows it:
    // proc_sys(5).
    Ok(std::fs::metadata(file)?.uid() == uid)
}
