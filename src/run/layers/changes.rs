//! Kept changes of sandboxes: their directory, its contents, and the same as a layer.
//!
//! The directory, which is closed to others, has one in it that belongs to user 0 inside, with `upper` and
//! `work` of an overlay. In `upper` a device of the numbers 0:0 takes
//! away what is below, and an attribute tells of a directory that nothing below is seen of.

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
use crate::run::base::problem::Problem;
use crate::run::layers::Layers;
use crate::run::workspace::take_away;
use crate::spec::{IdMap, KeptLayer, Root};
use crate::sys::{self, Errno, Held, Lock};

/// The directory of an overlay's `upper` and `work`.
pub(in crate::run) const OVERLAY: &str = "overlay";
/// Where it is made.
const HALF: &str = "overlay.new";

/// A directory that sandboxes keep their changes in, and whose changes those are.
#[derive(Clone, Debug)]
pub struct Keeping {
    /// The directory.
    pub directory: PathBuf,
    /// The ids of the sandbox.
    pub maps: Maps,
    /// What it is on top of.
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

/// A directory that a sandbox keeps its changes in, as long as it runs.
#[derive(Debug)]
pub(in crate::run) struct Kept {
    lock: Lock,
    held: Held,
}

impl Kept {
    /// Where the overlay's `upper` and `work` are, by the descriptor of the directory.
    pub fn overlay(&self) -> PathBuf {
        self.held.join(OVERLAY)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // The kernel leaves a directory there that nobody may read: `rm -r` would stop at it.
        if self.lock.is_own() {
            let _ = std::fs::remove_dir(self.overlay().join("work/work"));
        }
    }
}

/// Holds a directory of changes.
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
    // By its own name in it, which is no link.
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

/// A directory that only the caller can enter: what a sandbox leaves in it can have any right, as a
/// file that executes as another user.
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
        let hint = format!("close it with `chmod 0700 {}`", directory.display());
        return Err(Report::error(message).hint(hint));
    }
    Ok(())
}

impl Layers {
    /// Makes a directory ready for the changes of a sandbox with these ids, which has it for itself as
    /// long as the lock is held.
    ///
    /// What is kept belongs to the ids of one sandbox, and lies on what its root was: other ids are
    /// an error, another root is said.
    pub(in crate::run) fn keep_changes(
        &self,
        directory: &Path,
        maps: &Maps,
        layers: &[PathBuf],
    ) -> Result<Kept, Report> {
        let make = |path: &Path, mode: u32| {
            let made = DirBuilder::new().recursive(true).mode(mode).create(path);
            made.map_err(|error| cannot("make", path, Errno::from(&error)))
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
        // Made beside, so that what was left half is made again.
        let overlay = held.held.join(HALF);
        take_away(self, &overlay)
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
        ready.map_err(|error| cannot("make", &kept, Errno::from(&error)))?;
        Ok(held)
    }

    /// Does something that reads what belongs to the ids of a map.
    fn with_ids_of(
        &self,
        maps: &Maps,
        work: &mut dyn FnMut() -> Result<Vec<u8>, Report>,
    ) -> Result<Vec<u8>, Report> {
        if maps.own { self.with_own_id(work) } else { self.with_all_ids(work) }
    }

    /// Whose a file is in a sandbox with these maps, by the user and group that
    /// [`Layers::with_ids_of`] sees. What nobody inside is belongs to user or group 0.
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
            // Where the user namespace is shared every id is itself.
            if maps.users.ranges.is_empty() {
                return (uid, gid);
            }
            (maps.users.inside(uid).unwrap_or(0), maps.groups.inside(gid).unwrap_or(0))
        })
    }

    /// What a sandbox keeps of its changes, where it does.
    ///
    /// # Errors
    /// Its contradictions.
    pub fn keeping(&self, sandbox: &Sandbox) -> Result<Option<Keeping>, Vec<Report>> {
        let kept = self.planner.kept_changes(sandbox, &|part, below| self.keep(part, below))?;
        Ok(kept.map(|(directory, root, maps)| Keeping { directory, maps, root }))
    }

    /// What a sandbox has changed in its root, by path.
    ///
    /// # Errors
    /// It has kept nothing yet, or a sandbox is still at it.
    pub fn changes(&self, keeping: &Keeping) -> Result<Vec<Changed>, Problem> {
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

    /// What a root holds that is made of layers.
    fn base(&self, root: &Root) -> Result<Contents, Problem> {
        match root {
            Root::Rootfs(rootfs) => Ok(self.contents(&*self.tree(rootfs)?)?),
            Root::Directory(_) | Root::Empty => Ok(Contents::default()),
        }
    }

    /// The changes of a sandbox as a layer in the store; none where there are none.
    ///
    /// # Errors
    /// As for [`Layers::changes`]; or the store cannot be written to.
    pub fn commit(&self, keeping: &Keeping) -> Result<Option<KeptLayer>, Problem> {
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

    /// Gives back to entries what a sandbox did not change and its disk does not hold: owners that
    /// were nobody inside, rights, attributes.
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
            // The root is made by whoever keeps the changes.
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
