//! Kept changes of sandboxes: their directory, its contents, and its conversion to a layer.
//!
//! The directory is closed to others. It contains another one that belongs to user 0 inside, with
//! `upper` and `work` of an overlay. In `upper`, a device with the numbers 0:0 removes the path
//! from the layers below, and an attribute marks an opaque directory.

mod changed;
mod conditions;
mod upper;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

pub use self::changed::{Change, Changed};
use self::changed::{compared, is_like};
use self::conditions::Conditions;
use self::upper::{below, beneath, scan};
use super::contents::{Contents, Item};
use super::manifest::Manifest;
use super::progress::Task;
use super::store::{Building, Facts};
use super::tree::{self, Manner};
use crate::diag::{Report, quoted};
use crate::ops::Sandbox;
use crate::plan::{Came, Maps};
use crate::run::base::error::RunError;
use crate::run::layers::Layers;
use crate::run::workspace::remove_own_directory;
use crate::spec::{IdMap, KeptLayer, Root};
use crate::sys::{self, Errno, Held, Lock};

/// The directory of an overlay's `upper` and `work`.
pub(in crate::run) const OVERLAY: &str = "overlay";
/// Its name during creation.
const HALF: &str = "overlay.new";

/// A directory for kept changes, and the sandbox of the changes.
#[derive(Clone, Debug)]
pub struct Keeping {
    /// The directory.
    pub directory: PathBuf,
    /// The ids of the sandbox.
    pub maps: Maps,
    /// The root below the changes.
    pub root: Root,
}

fn cannot(what: &str, path: &Path, errno: Errno) -> Report {
    let path = sys::shown(path);
    let mut report =
        Report::error(format!("cannot {what} {}: {errno}", quoted(path.to_string_lossy())));
    report.facts.operation = Some("keep".into());
    report.facts.errno = Some(errno.code());
    report.facts.target = Some(path.to_string_lossy().into_owned());
    report
}

/// A directory for kept changes, held while the sandbox runs.
#[derive(Debug)]
pub(in crate::run) struct Kept {
    lock: Lock,
    held: Held,
}

impl Kept {
    /// The path of the overlay's `upper` and `work`, through the descriptor of the directory.
    pub fn overlay(&self) -> PathBuf {
        self.held.join(OVERLAY)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // The kernel leaves an unreadable directory there, on which `rm -r` would fail.
        if self.lock.is_own() {
            let _ = std::fs::remove_dir(self.overlay().join("work/work"));
        }
    }
}

/// Opens a directory of changes.
fn hold(directory: &Path) -> Result<Held, Report> {
    Held::open_itself(directory).map_err(|errno| {
        let report = cannot("open", directory, errno);
        match errno.name().as_str() {
            "ENOENT" => report.hint(
                "no sandbox has kept changes there: run one with \
                                     `.keep_changes(…)` first",
            ),
            _ => report,
        }
    })
}

/// Locks a directory of changes for one sandbox, or one reader.
fn lock(held: &Held) -> Result<Lock, Report> {
    let directory = &sys::shown(held.path());
    // The name `.` in it is not a link.
    let locked = sys::lock_directory(&held.join("."));
    let locked = locked.map_err(|errno| cannot("lock", directory, errno));
    locked?.ok_or_else(|| {
        let shown = quoted(directory.to_string_lossy());
        let report = Report::error(format!("the changes in {shown} are in use by a sandbox"));
        report.hint(
            "wait until it ends, or use another directory: only one sandbox at a time can \
                     keep changes in a directory",
        )
    })
}

/// Checks that only the caller can enter a directory, because a sandbox can leave files with any
/// rights in it, such as set-user-ID files.
fn closed(held: &Held) -> Result<(), Report> {
    let directory = &sys::shown(held.path());
    let (uid, mode) = held.look().map_err(|errno| cannot("read", directory, errno))?;
    let shown = quoted(directory.to_string_lossy());
    if uid != sys::ids().uid {
        let message = format!(
            "{shown} belongs to another user, who could use the files that are \
                               kept there"
        );
        return Err(Report::error(message).hint("choose a directory of your own"));
    }
    if mode & 0o077 != 0 {
        let message = format!(
            "{shown} is open to other users, who could use the files that are \
                               kept there"
        );
        let hint = "choose a new directory: nsscript creates it with mode 0700";
        return Err(Report::error(message).hint(hint));
    }
    Ok(())
}

impl Layers {
    /// Prepares a directory for the changes of a sandbox with these ids, which uses it exclusively
    /// while the lock is held.
    ///
    /// Kept changes belong to the ids and the root of one sandbox: other ids are an error, another
    /// root is a warning.
    pub(in crate::run) fn keep_changes(
        &self,
        directory: &Path,
        maps: &Maps,
        layers: &[PathBuf],
    ) -> Result<Kept, Report> {
        let make = |path: &Path, mode: u32| {
            let made = DirBuilder::new().recursive(true).mode(mode).create(path);
            made.map_err(|error| cannot("create", path, Errno::from(&error)))
        };
        make(directory, 0o700)?;
        let held = hold(directory)?;
        let lock = lock(&held)?;
        closed(&held)?;
        let held = Kept { lock, held };
        let (directory, kept) = (held.held.path(), held.overlay());
        let conditions = Conditions::of(maps, layers);
        if kept.exists() {
            conditions.compare(directory)?.iter().for_each(|warning| self.warn(warning));
            return Ok(held);
        }
        // Created under another name first, so that an incomplete one is created again.
        let overlay = held.held.join(HALF);
        remove_own_directory(self, &overlay)
            .map_err(|error| cannot("remove", &overlay, Errno::from(&error)))?;
        conditions.note(directory)?;
        make(&overlay, 0o755)?;
        let mut contents = Contents::default();
        contents.items.insert("/".into(), Item::directory(0o755));
        for name in ["upper", "work"] {
            make(&overlay.join(name), 0o755)?;
            contents.items.insert(Path::new("/").join(name), Item::directory(0o755));
        }
        if let Some(variant) = self.variant([(0, 0)], maps) {
            self.give(&overlay, &contents, &variant)?;
        }
        let ready = std::fs::rename(&overlay, &kept);
        ready.map_err(|error| cannot("create", &kept, Errno::from(&error)))?;
        Ok(held)
    }

    /// Runs work that reads files of the ids in a map.
    fn with_ids_of(
        &self,
        maps: &Maps,
        work: &mut dyn FnMut() -> Result<Vec<u8>, Report>,
    ) -> Result<Vec<u8>, Report> {
        if maps.own { self.with_own_id(work) } else { self.with_all_ids(work) }
    }

    /// Converts the owner that [`Layers::with_ids_of`] sees to the owner in a sandbox with these
    /// maps. Unmapped ids become 0.
    fn inside<'a>(
        &'a self,
        maps: &'a Maps,
    ) -> Result<impl Fn((u32, u32)) -> (u32, u32) + 'a, Report> {
        let all = if maps.own { None } else { Some(self.outside_with_all_ids()?) };
        let outside = move |number: u32, users: bool| {
            let found = match &all {
                None => self.session().outside(number, users),
                Some(all) => all(number, users),
            };
            found.unwrap_or(u32::MAX)
        };
        Ok(move |(uid, gid): (u32, u32)| {
            let (uid, gid) = (outside(uid, true), outside(gid, false));
            // In a shared user namespace, ids are unchanged.
            if maps.users.ranges.is_empty() {
                return (uid, gid);
            }
            (maps.users.inside(uid).unwrap_or(0), maps.groups.inside(gid).unwrap_or(0))
        })
    }

    /// The directory in which a sandbox keeps its changes, if it does.
    ///
    /// # Errors
    /// The contradictions of the sandbox.
    pub fn keeping(&self, sandbox: &Sandbox) -> Result<Option<Keeping>, Vec<Report>> {
        let kept = self.planner.kept_changes(sandbox, &|part, below| self.keep(part, below))?;
        Ok(kept.map(|(directory, root, maps)| Keeping { directory, maps, root }))
    }

    /// The changes of a sandbox to its root, by path.
    ///
    /// # Errors
    /// No changes are kept yet, or a sandbox is using the directory.
    pub fn changes(&self, keeping: &Keeping) -> Result<Vec<Changed>, RunError> {
        let Keeping { directory, maps, root } = keeping;
        let held = hold(directory)?;
        let _lock = lock(&held)?;
        let upper = held.join(OVERLAY).join("upper");
        let base = self.base(root)?;
        let who = self.inside(maps)?;
        let text = self.with_ids_of(maps, &mut || {
            let mut above = scan(&upper, &who)?;
            let below = match root {
                Root::Directory(directory) => below(directory, &above, &who),
                _ => beneath(&base, &above)?,
            };
            tree::hash(&mut above, &Task::begin(None, String::new(), 0))?;
            self.restore(&mut above, &below, maps);
            Ok(Changed::to_bytes(&compared(&below, &above)))
        })?;
        Ok(Changed::from_bytes(&text))
    }

    /// The contents of a root made of layers.
    fn base(&self, root: &Root) -> Result<Contents, RunError> {
        match root {
            Root::Rootfs(rootfs) => Ok(self.contents(&*self.tree(rootfs)?)?),
            Root::Directory(_) | Root::Empty => Ok(Contents::default()),
        }
    }

    /// Stores the changes of a sandbox as a layer; `None` without changes.
    ///
    /// # Errors
    /// As for [`Layers::changes`]; or the store is not writable.
    pub fn commit(&self, keeping: &Keeping) -> Result<Option<KeptLayer>, RunError> {
        let Keeping { directory, maps, root } = keeping;
        let held = hold(directory)?;
        let _lock = lock(&held)?;
        let upper = held.join(OVERLAY).join("upper");
        let base = self.base(root)?;
        let mut empty = false;
        let who = self.inside(maps)?;
        let stored = self.store()?.make(self, None, &mut |building: &Building<'_>| {
            let task = self.task("keep the changes".into(), 0);
            let told = self.with_ids_of(maps, &mut || {
                let mut contents = scan(&upper, &who)?;
                if contents.items.len() == 1 {
                    return Ok(vec![1]);
                }
                self.restore(&mut contents, &base, maps);
                tree::write(&mut contents, &building.tree(), Manner::ForSandboxes, &task)?;
                let facts = Facts::of(&contents, Some(Came::Changes));
                building.note(&Manifest::of(&contents), &facts)?;
                Ok(Vec::new())
            })?;
            empty = told == [1];
            if empty { Err(Report::error("nothing was changed")) } else { Ok(()) }
        });
        if empty {
            return Ok(None);
        }
        let stored = stored?;
        let layer = KeptLayer { name: stored.name.clone() };
        self.hold(stored);
        Ok(Some(layer))
    }

    /// Restores properties of entries that the sandbox did not change and its disk does not hold:
    /// unmapped owners, rights, attributes.
    fn restore(&self, above: &mut Contents, below: &Contents, maps: &Maps) {
        let own = (self.host().uid, self.host().gid);
        let seen = |map: &IdMap, id: u32, own: u32| {
            if map.ranges.is_empty() {
                return id;
            }
            let outside = map.outside(id).or_else(|| map.outside(0)).unwrap_or(own);
            map.inside(outside).unwrap_or(0)
        };
        for (path, item) in &mut above.items {
            let Some(before) = below.items.get(path).filter(|before| is_like(before, item)) else {
                continue;
            };
            let (uid, gid) = before.owner;
            if item.owner == (seen(&maps.users, uid, own.0), seen(&maps.groups, gid, own.1)) {
                item.owner = before.owner;
            }
            // The root directory itself is created with the kept changes.
            if item.mode == before.mode_on_disk() || path.parent().is_none() {
                item.mode = before.mode;
            }
            let on_disk = before.attributes.iter().filter(|(name, _)| sys::is_kept(name));
            if item.attributes.iter().eq(on_disk) {
                item.attributes.clone_from(&before.attributes);
            }
        }
    }
}
