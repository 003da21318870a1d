//! Directories that are held by a descriptor from the moment they were looked at: whoever exchanges
//! what a path leads to meanwhile changes nothing for who holds it.

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
use std::sync::{Mutex, PoisonError};

use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, fstat, mkdirat};

use super::errno::Errno;
use super::raw::is_procfs;
use super::xattr;

/// A directory, held.
#[derive(Debug)]
pub struct Held {
    descriptor: OwnedFd,
    inside: PathBuf,
}

/// Why the way to a directory may be changed by others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// This directory, or link, on the way belongs to that user.
    Owner(PathBuf, u32),
    /// Others can write to this directory on the way.
    Writable(PathBuf),
    /// Whose the way to this directory is cannot be told.
    Unseen(PathBuf, Errno),
}

/// Why a directory was not reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalkError {
    /// Others can change the way.
    Distrust(Distrust),
    /// The kernel's answer, and for what.
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

/// The links that one path may cross, as in the kernel: path_resolution(7).
const MOST_LINKS: usize = 40;

/// Paths by descriptor of directories that are held, and what they are called.
static SHOWN: Mutex<Vec<(PathBuf, PathBuf)>> = Mutex::new(Vec::new());

/// A path as a person knows it: one that leads through a directory that is held leads through
/// the name of that.
#[must_use]
pub fn shown(path: &Path) -> PathBuf {
    let known = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let below = |(inside, shown): &(PathBuf, PathBuf)| {
        let below = path.strip_prefix(inside).ok()?;
        Some(if below.as_os_str().is_empty() { shown.clone() } else { shown.join(below) })
    };
    known.iter().rev().find_map(below).unwrap_or_else(|| path.to_path_buf())
}

impl Held {
    /// The directory that `path` leads to.
    ///
    /// # Errors
    /// open(2).
    pub fn open(path: &Path) -> Result<Self, Errno> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Self::of(nix::fcntl::open(path, flags, Mode::empty())?, path)?)
    }

    /// The directory at `path`, which is no link itself.
    ///
    /// # Errors
    /// open(2).
    pub fn open_itself(path: &Path) -> Result<Self, Errno> {
        let flags = PLACE | OFlag::O_DIRECTORY;
        Ok(Self::of(nix::fcntl::open(path, flags, Mode::empty())?, path)?)
    }

    /// The directory at the absolute `path`, if only root and the caller can change the way to it:
    /// every directory on the way belongs to one of them, and nobody else can write to it, or take
    /// an entry from it. Directories below `existing` that are missing are made, closed to others.
    ///
    /// # Errors
    /// Others can change the way; or the kernel's answer.
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
            // What a link says is not made.
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
        let mut known = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let called = known.iter().rev().find_map(|(inside, shown)| {
            path.strip_prefix(inside).ok().map(|below| shown.join(below))
        });
        known.push((inside.clone(), called.unwrap_or_else(|| path.to_path_buf())));
        drop(known);
        Ok(Self { descriptor, inside })
    }

    /// A path that leads here by the descriptor, as long as this lives.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inside
    }

    /// A path by the descriptor of what has this name here.
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

    /// Makes the directory `name` in it, unless it is there, and holds that.
    ///
    /// # Errors
    /// mkdirat(2); what is there is no directory.
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
        let mut known = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = known.iter().rposition(|(inside, _)| *inside == self.inside) {
            known.remove(at);
        }
    }
}

/// Whether a path of /proc leads to what this descriptor is of; not without /proc, or where that is
/// closed to this process.
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

/// A path by which a program that this process starts finds a file that is open here, whatever its
/// own path leads to by then. It holds the file, and does not have it open. Whatever is started as long
/// as this lives has the descriptor.
#[derive(Debug)]
pub struct FileName {
    _place: Option<OwnedFd>,
    path: PathBuf,
}

impl FileName {
    /// That of an open file, which has been opened by `path`: without a /proc there is only that.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn of(file: &std::fs::File, path: &Path) -> Result<Self, Errno> {
        let own = format!("/proc/self/fd/{}", file.as_raw_fd());
        match nix::fcntl::open(own.as_str(), OFlag::O_PATH, Mode::empty()) {
            Ok(place) => {
                // The program's own number in /proc may be another one, and so may who sees its files.
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

/// A place, and not what is in it.
const PLACE: OFlag = OFlag::O_PATH.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// The names of a path, the first one last.
fn names(path: &Path) -> Vec<OsString> {
    let names = path.components().rev().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    names.collect()
}

/// The way to a directory, as far as it was gone.
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
            // In a directory like /tmp a link is its owner's to change.
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

    /// Makes sure that nobody but root and the caller can change what is here.
    fn trust(&self) -> Result<(), WalkError> {
        let found = fstat(&self.here);
        let found = found.map_err(|errno| WalkError::Call(self.place.clone(), errno.into()))?;
        Self::owner(&self.place, &found)?;
        let all = found.st_mode & libc::S_IWOTH != 0;
        // With an access control list these bits are its mask, which says nothing of the group: acl(5).
        let group = found.st_mode & libc::S_IWGRP != 0
            && (!is_own_group(found.st_gid) || xattr::has_acl(self.here.as_fd()));
        // Where the sticky bit is set, nobody takes away what belongs to others.
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

/// Whether a group has no other member than the caller, as far as its number tells: that of root,
/// and that of a user's own, which has the number of the user.
fn is_own_group(gid: u32) -> bool {
    let (uid, own) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    gid == 0 || gid == own && own == uid
}

/// Whether an owner is one whom the user namespace does not map, and the machine's root is one of
/// those: as for who is root of a namespace without it.
fn is_nobody(uid: u32) -> std::io::Result<bool> {
    let file = Path::new("/proc/sys/kernel/overflowuid");
    let number = match std::fs::read_to_string(file) {
        Ok(number) => number,
        // Without /proc nobody can tell.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if number.trim().parse() != Ok(uid) || !is_procfs(file)? {
        return Ok(false);
    }
    // It belongs to the machine's root, whatever the namespace calls that: proc_sys(5).
    Ok(std::fs::metadata(file)?.uid() == uid)
}
