//! The private directory of a run: created when first needed, removed with the process, and swept
//! by a later run after a SIGKILL.

use std::cell::{Cell, RefCell};
use std::io;
use std::ops::Deref;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::session::Caller;
use super::trace::Trace;
use crate::diag::{Report, quoted};
use crate::host::DESCRIPTORS;
use crate::sys::{
    Distrust, Errno, Held, Lock, WalkError, ids, is_copy, lock_directory, make_private_directory,
    shown,
};

/// A directory that only this user can enter, locked while this process lives.
#[derive(Debug)]
pub(super) struct Workspace {
    path: PathBuf,
    /// Its parent directory, which may be out of reach when the process ends.
    parent: Held,
    /// The mount in it.
    mounted: Option<(Held, PathBuf)>,
    /// Whether it was removed, as far as possible.
    removed: bool,
    _lock: Lock,
}

/// The start of its name, before the user's number and a random part.
const PREFIX: &str = "nsscript-";

impl Workspace {
    /// Creates a workspace for the user who started nsscript, and calls `remove` with the paths of
    /// those that other runs have left.
    ///
    /// # Errors
    /// Others can change the path to the directory for temporary files, or it is not writable.
    pub fn make(uid: u32, remove: &dyn Fn(&Path)) -> Result<Self, WalkError> {
        let parent = Self::parent();
        let fails = |errno| WalkError::Call(parent.clone(), errno);
        let held = Held::walk(&parent, &parent)?;
        let prefix = format!("{PREFIX}{uid}-");
        sweep(&held, &prefix, remove, usize::MAX);
        loop {
            let path = make_private_directory(held.path(), &prefix).map_err(fails)?;
            // Between the two calls, another run may mistake it for one that was left.
            let lock = lock_directory(&path).and_then(|lock| match path.symlink_metadata() {
                Ok(_) => Ok(lock),
                Err(error) => Err(Errno::from(&error)),
            });
            match lock {
                Ok(Some(lock)) => {
                    let path = shown(&path);
                    let (mounted, removed) = (None, false);
                    return Ok(Self { path, parent: held, mounted, removed, _lock: lock });
                }
                Ok(None) => {}
                Err(errno) if errno == Errno::MISSING => {}
                Err(errno) => {
                    // It is still empty.
                    let _ = std::fs::remove_dir(&path);
                    return Err(fails(errno));
                }
            }
        }
    }

    /// The parent directory of workspaces. An empty variable counts as unset, as for mktemp(1).
    pub fn parent() -> PathBuf {
        let parent = std::env::temp_dir();
        if parent.as_os_str().is_empty() {
            return PathBuf::from("/tmp");
        }
        std::path::absolute(&parent).unwrap_or(parent)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Records a mount in it.
    ///
    /// # Errors
    /// open(2).
    pub fn mounted(&mut self, path: &Path) -> Result<(), Errno> {
        self.mounted = Some((Held::open(path)?, path.to_path_buf()));
        Ok(())
    }
}

impl Workspace {
    /// Removes it.
    ///
    /// # Errors
    /// A part of it is left; the next run removes that.
    pub fn remove(&mut self) -> Result<(), Errno> {
        if std::mem::replace(&mut self.removed, true) {
            return Ok(());
        }
        if let Some((mounted, path)) = self.mounted.take() {
            mounted.detach(&path);
        }
        self.path.file_name().map_or(Ok(()), |name| self.parent.remove(name))
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        let _ = self.remove();
    }
}

/// The directories of nsscript's own, except the store.
pub struct Directories {
    trace: Trace,
    workspace: RefCell<Option<Workspace>>,
    /// Whether the remains of killed runs were removed.
    swept: Cell<bool>,
    /// The paths to directories of our own that others can change, noted before a session.
    distrusted: RefCell<Vec<(PathBuf, Distrust)>>,
}

impl Deref for Directories {
    type Target = Trace;

    fn deref(&self) -> &Trace {
        &self.trace
    }
}

impl Directories {
    pub(super) fn new(trace: Trace) -> Self {
        let (workspace, swept, distrusted) = <(_, _, _)>::default();
        Self { trace, workspace, swept, distrusted }
    }

    /// The private directory, if it exists.
    pub(super) fn existing_workspace(&self) -> Option<PathBuf> {
        self.workspace.borrow().as_ref().map(|workspace| workspace.path().to_path_buf())
    }

    pub(super) fn workspace(&self) -> Result<PathBuf, Report> {
        if let Some(path) = self.existing_workspace() {
            return Ok(path);
        }
        let sweep = |path: &Path| {
            let _ = remove_own_directory(self, path);
        };
        self.swept.set(true);
        let made = match self.distrusts(&Workspace::parent()) {
            Some(Distrust::Unseen(path, errno)) => Err(WalkError::Call(path, errno)),
            Some(distrust) => Err(WalkError::Distrust(distrust)),
            None => Workspace::make(self.host().uid, &sweep),
        };
        let workspace = made.map_err(|error| match error {
            WalkError::Call(path, errno) => {
                let parent = Workspace::parent();
                let shown = quoted(parent.to_string_lossy());
                let at = if path == parent {
                    String::new()
                } else {
                    format!("cannot access {}: ", quoted(path.to_string_lossy()))
                };
                let message = format!("cannot create a private directory in {shown}: {at}{errno}");
                let mut report = Report::error(message);
                report.facts.errno = Some(errno.code());
                report.facts.target = Some(path.to_string_lossy().into_owned());
                match errno.name().as_str() {
                    "EMFILE" | "ENFILE" => report.advise("no_descriptor_left", DESCRIPTORS),
                    "ENOMEM" | "EIO" => report,
                    _ => report.advise(
                        "tmpdir_refused",
                        "set `TMPDIR` to a directory that you can write to",
                    ),
                }
            }
            WalkError::Distrust(distrust) => {
                let message = "cannot create a private directory in `TMPDIR`: other users could \
                               replace it";
                let report = Report::error(message).note(distrust_reason(&distrust));
                report.advise(
                    "tmpdir_of_others",
                    "set `TMPDIR` to /tmp, or to a directory whose parents only you and root can \
                     change",
                )
            }
        })?;
        let path = workspace.path().to_path_buf();
        *self.workspace.borrow_mut() = Some(workspace);
        Ok(path)
    }

    /// Removes the remains of killed runs, once per run; preferably while a program runs, when it
    /// costs no time. A recipe that has left the host's root cannot see them.
    pub(super) fn sweep(&self) {
        if self.swept.replace(true) || is_copy() || self.session().has_begun() {
            return;
        }
        sweep_for_others(self.host().uid, &|path| {
            let _ = remove_own_directory(self, path);
        });
    }

    /// Leaves the private directory to the process that created it.
    pub(super) fn forget_workspace(&self) {
        std::mem::forget(self.workspace.take());
    }

    /// Removes the private directory of this run.
    pub(super) fn remove_workspace(&self) {
        let Some(mut workspace) = self.workspace.borrow_mut().take() else { return };
        if let Err(errno) = workspace.remove() {
            let path = quoted(workspace.path().to_string_lossy());
            let warning = Report::warning(format!("cannot remove {path}: {errno}"));
            self.warn(&warning.note("a later run removes it"));
        }
    }

    /// Notes which paths to directories of our own others can change, while that can be determined.
    /// `store` is the parent of the store.
    pub(super) fn look_at_ways(&self, store: Option<PathBuf>) {
        for path in std::iter::once(Workspace::parent()).chain(store) {
            let distrust = match Held::walk(&path, &path) {
                Err(WalkError::Distrust(distrust)) => distrust,
                // A missing directory is created by the caller.
                Err(WalkError::Call(_, errno)) if errno == Errno::MISSING => continue,
                Err(WalkError::Call(at, errno)) => Distrust::Unseen(at, errno),
                Ok(_) => continue,
            };
            self.distrusted.borrow_mut().push((path, distrust));
        }
    }

    /// Holds the mount at `path` in the private directory.
    pub(super) fn note_mounted(&self, path: &Path) -> Result<(), Errno> {
        self.workspace.borrow_mut().as_mut().map_or(Ok(()), |workspace| workspace.mounted(path))
    }

    /// The note about the path to a directory.
    pub(super) fn distrusts(&self, path: &Path) -> Option<Distrust> {
        let noted = self.distrusted.borrow();
        noted.iter().find(|(known, _)| known == path).map(|(_, distrust)| distrust.clone())
    }
}

/// Removes a directory of our own, except mounts in it. Files of the caller's other ids are removed
/// with their rights.
pub(super) fn remove_own_directory(caller: &Caller, path: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let parent = Held::open(parent).map_err(io_error)?;
    let remove = || parent.remove(name);
    let Err(errno) = remove() else { return Ok(()) };
    if !matches!(errno.name().as_str(), "EACCES" | "EPERM") {
        return Err(io_error(errno));
    }
    let removed = caller.with_all_ids(&mut || {
        remove().map(|()| Vec::new()).map_err(|errno| {
            let mut report = Report::error(errno.to_string());
            report.facts.errno = Some(errno.code());
            report
        })
    });
    removed.map(drop).map_err(|report| {
        let errno = report.facts.errno.unwrap_or(errno.code());
        io::Error::from_raw_os_error(errno)
    })
}

fn io_error(errno: Errno) -> io::Error {
    io::Error::from_raw_os_error(errno.code())
}

/// The reason why others can change the path to a directory, as a sentence.
pub(super) fn distrust_reason(distrust: &Distrust) -> String {
    match distrust {
        Distrust::Owner(path, uid) => {
            format!("{} belongs to user {uid}", quoted(path.to_string_lossy()))
        }
        Distrust::Writable(path) => {
            format!("other users can write to {}", quoted(path.to_string_lossy()))
        }
        Distrust::Unseen(path, errno) => {
            format!("cannot check the path {}: {errno}", quoted(path.to_string_lossy()))
        }
    }
}

/// Opens a directory of the caller's own for data between runs, and creates it if it is missing
/// below `existing`; `None` if others could replace it.
#[must_use]
pub fn own_directory(path: &Path, existing: &Path) -> Option<Held> {
    let held = Held::walk(path.parent()?, existing).ok()?;
    let held = held.make(path.file_name()?.to_str()?, 0o700).ok()?;
    let (uid, mode) = held.look().ok()?;
    (uid == ids().uid && mode & 0o022 == 0).then_some(held)
}

/// Refuses a recipe or module that every user can write, if root runs nsscript: it would run as
/// root.
///
/// # Errors
/// The reason.
pub fn refuse_writable(found: &std::fs::Metadata) -> Result<(), &'static str> {
    if ids().uid == 0 && found.mode() & 0o002 != 0 {
        return Err("is writable by every user, and would run as root");
    }
    Ok(())
}

/// The number of entries of the directory for temporary files that a run examines if it creates
/// nothing there: as many as the kernel lists in a few microseconds.
const LOOKED_AT: usize = 1000;

/// Removes the remains of other runs, in a run without a workspace.
pub(super) fn sweep_for_others(uid: u32, remove: &dyn Fn(&Path)) {
    let parent = Workspace::parent();
    if let Ok(held) = Held::walk(&parent, &parent) {
        sweep(&held, &format!("{PREFIX}{uid}-"), remove, LOOKED_AT);
    }
}

/// Removes the unlocked directories of this user, among the first entries.
fn sweep(parent: &Held, prefix: &str, remove: &dyn Fn(&Path), most: usize) {
    let Ok(entries) = std::fs::read_dir(parent.path()) else { return };
    for entry in entries.flatten().take(most) {
        if !entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix)) {
            continue;
        }
        let Ok(metadata) = std::fs::symlink_metadata(entry.path()) else { continue };
        if !metadata.is_dir() || metadata.uid() != ids().uid {
            continue;
        }
        if let Ok(Some(_lock)) = lock_directory(&entry.path()) {
            remove(&entry.path());
        }
    }
}
