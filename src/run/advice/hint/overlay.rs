//! Hints about overlays that cannot be mounted: the kernel returns the same error for all causes.

use std::path::{Path, PathBuf};

use super::file_system::Mounting;
use super::mount::real;
use super::raw_call::missing;
use super::{Case, Hint, Row, shown};
use crate::host::mountinfo;
use crate::ops::{CANNOT_HOLD_CHANGES, LowerDir, MakeRoot, Op, Overlaid, OverlayChanges, RootKind};
use crate::run::advice::row;
use crate::run::remedy;
use crate::run::session::place::Place;
use crate::sys::{self, Syscall};

/// The rows about overlays, those of a root first.
pub(super) const ROWS: &[Row] = &[
    row!(root_overlay_of_users, CREATE, [EPERM, ENODEV]),
    row!(root_overlay_unknown, [Fsopen], [ENODEV]),
    row!(root_holds_mounts, [Fsconfig], [EINVAL]),
    row!(changes_unsuited, [Fsconfig], [EINVAL, EOPNOTSUPP]),
    row!(changes_of_another_root, [Fsconfig], [ESTALE]),
    row!(overlay_directory_missing, CREATE, [ENOENT]),
    row!(overlay_directory_is_a_file, CREATE, [ENOTDIR, EINVAL]),
    row!(overlay_without_lower, CREATE, [EINVAL]),
    row!(overlay_of_one, CREATE, [EINVAL]),
    row!(overlay_without_work, CREATE, [EINVAL]),
    row!(overlay_directories_apart, CREATE, [EINVAL]),
    row!(overlay_work_in_upper, CREATE, [EINVAL]),
    row!(overlay_upper_unsuited, CREATE, [EINVAL]),
    row!(overlay_lower_holds_mounts, CREATE, [EINVAL]),
    row!(overlay_in_itself, CREATE, [ELOOP]),
    row!(overlay_in_use, CREATE, [EBUSY]),
    row!(overlay_of_another, CREATE, [ESTALE]),
];

/// The calls that create and mount a file system.
const CREATE: &[Syscall] = &[Syscall::Fsopen, Syscall::Fsconfig, Syscall::Fsmount, Syscall::Mount];

/// The overlay that is the root of a sandbox.
fn root<'a>(case: &Case<'a>) -> Option<(&'a LowerDir, Option<&'a Path>)> {
    match case.action {
        Op::MakeRoot(MakeRoot(RootKind::Overlay { lower, changes })) => {
            Some((lower, changes.as_deref()))
        }
        _ => None,
    }
}

/// The overlay at a place in a sandbox.
fn placed<'a>(case: &Case<'a>) -> Option<&'a Overlaid> {
    if let Op::Overlaid(overlay) = case.action { Some(overlay) } else { None }
}

fn root_overlay_of_users(case: &Case<'_>) -> Option<Hint> {
    if root(case).is_none() && placed(case).is_none() {
        return None;
    }
    Some(remedy::no_overlay_for_users(case.host)?.into())
}

fn root_overlay_unknown(case: &Case<'_>) -> Option<Hint> {
    root(case).map(drop).or(placed(case).map(drop)).map(|()| remedy::no_overlay().into())
}

/// The first mount below a directory, which an overlay does not show.
fn mounted_below(case: &Case<'_>, directory: &Path) -> Option<PathBuf> {
    let real = real(directory);
    let mounts = mountinfo::read(&case.host.tree).unwrap_or_default();
    let below = mounts.into_iter().map(|mount| PathBuf::from(mount.target));
    below.filter(|place| place.starts_with(&real) && *place != real).min()
}

fn root_holds_mounts(case: &Case<'_>) -> Option<Hint> {
    let (LowerDir::Directory(path), _) = root(case)? else { return None };
    let below = mounted_below(case, path)?;
    Some(
        format!(
            "{} is mounted below {}, and an overlay would not show it: make the root read-only \
             with `.read_only_root()`",
            shown(&below),
            shown(path)
        )
        .into(),
    )
}

fn changes_unsuited(case: &Case<'_>) -> Option<Hint> {
    let (_, Some(changes)) = root(case)? else { return None };
    Some(
        format!(
            "the file system of {} may be unable to hold the changes of an overlay, like NFS, FAT \
             or another overlay: keep them on a local disk",
            shown(changes)
        )
        .into(),
    )
}

fn changes_of_another_root(case: &Case<'_>) -> Option<Hint> {
    root(case)?;
    Some("the changes were made on top of another root: keep changes in a new directory".into())
}

/// The directories of an overlay, by option.
struct Overlay {
    lower: Vec<PathBuf>,
    upper: Option<PathBuf>,
    work: Option<PathBuf>,
}

impl Overlay {
    fn of(case: &Case<'_>) -> Option<Self> {
        if let Some(Overlaid { lower, changes, .. }) = placed(case) {
            let lower = lower.iter().map(|(path, _)| path.clone()).collect();
            let (upper, work) = match changes {
                OverlayChanges::Kept(kept) => (Some(&kept.upper.0), Some(&kept.work.0)),
                OverlayChanges::Discarded | OverlayChanges::None => (None, None),
            };
            return Some(Self { lower, upper: upper.cloned(), work: work.cloned() });
        }
        let mounting = Mounting::of(case).filter(|mounting| mounting.kind() == "overlay")?;
        let one = |key: &str| directories(mounting.option(key)?).into_iter().next();
        let lower = mounting.option("lowerdir").map(directories).unwrap_or_default();
        Some(Self { lower, upper: one("upperdir"), work: one("workdir") })
    }

    fn all(&self) -> impl Iterator<Item = &PathBuf> {
        self.lower.iter().chain(&self.upper).chain(&self.work)
    }
}

/// Splits names at colons; a backslash escapes a character of a name.
fn directories(text: &str) -> Vec<PathBuf> {
    let mut names = vec![String::new()];
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let (last, escaped) = (names.len() - 1, letter == '\\');
        match if escaped { letters.next() } else { Some(letter) } {
            Some(':') if !escaped => names.push(String::new()),
            Some(letter) => names[last].push(letter),
            None => {}
        }
    }
    names.iter().filter(|name| !name.is_empty()).map(PathBuf::from).collect()
}

fn overlay_directory_missing(case: &Case<'_>) -> Option<Hint> {
    let overlay = Overlay::of(case)?;
    let gone = overlay.all().find(|path| !path.exists())?;
    let missing = missing(case, gone);
    Some(format!("every directory of an overlay must exist: {missing}").into())
}

fn overlay_directory_is_a_file(case: &Case<'_>) -> Option<Hint> {
    let overlay = Overlay::of(case)?;
    let file = shown(overlay.all().find(|path| path.exists() && !path.is_dir())?);
    Some(format!("{file} is a file: give the path of a directory").into())
}

fn overlay_without_lower(case: &Case<'_>) -> Option<Hint> {
    let overlay = Overlay::of(case)?;
    let name = if case.raw().is_some() { "lower" } else { "lowerdir" };
    overlay.lower.is_empty().then(|| format!("an overlay needs `{name}` in `data`").into())
}

fn overlay_of_one(case: &Case<'_>) -> Option<Hint> {
    let overlay = Overlay::of(case)?;
    let is_placed = placed(case).is_some();
    (overlay.lower.len() == 1 && overlay.upper.is_none() && !is_placed).then(|| {
        if case.raw().is_some() {
            "an overlay needs at least two directories: add `upper` and `work`, or make `lower` \
             an array"
        } else {
            "an overlay needs at least two directories: add `upperdir` and `workdir`, or give \
             several in `lowerdir`, separated by colons"
        }
        .into()
    })
}

fn overlay_without_work(case: &Case<'_>) -> Option<Hint> {
    let overlay = Overlay::of(case)?;
    let (upper, work) =
        if case.raw().is_some() { ("upper", "work") } else { ("upperdir", "workdir") };
    (overlay.upper.is_some() && overlay.work.is_none()).then(|| {
        format!("`{upper}` needs `{work}`: add an empty directory on the same file system").into()
    })
}

/// The directories for changes and for work.
fn pair(case: &Case<'_>) -> Option<(PathBuf, PathBuf)> {
    let overlay = Overlay::of(case)?;
    overlay.upper.zip(overlay.work)
}

fn overlay_directories_apart(case: &Case<'_>) -> Option<Hint> {
    let (upper, work) = pair(case)?;
    (sys::mount_id(&upper) != sys::mount_id(&work))
        .then(|| format!("{} and {} must be in the same mount", shown(&upper), shown(&work)).into())
}

fn overlay_work_in_upper(case: &Case<'_>) -> Option<Hint> {
    let (upper, work) = pair(case)?;
    let (upper, work) = (real(&upper), real(&work));
    (upper.starts_with(&work) || work.starts_with(&upper)).then(|| {
        "choose separate directories for changes and for work: one is inside the other".into()
    })
}

fn overlay_upper_unsuited(case: &Case<'_>) -> Option<Hint> {
    let (upper, _) = pair(case)?;
    let place = Place::of(&upper).ok()?;
    let kind = place.kind().filter(|kind| CANNOT_HOLD_CHANGES.contains(kind))?;
    let upper = shown(&upper);
    Some(
        format!(
            "{upper} is on {kind}, which cannot hold the changes of an overlay: choose a \
             directory on a tmpfs or a disk"
        )
        .into(),
    )
}

fn overlay_lower_holds_mounts(case: &Case<'_>) -> Option<Hint> {
    let overlay = Overlay::of(case)?;
    let found = overlay.lower.iter().find_map(|path| Some((path, mounted_below(case, path)?)));
    let (path, below) = found?;
    Some(
        format!(
            "{} is mounted below {}, which a user's overlay cannot include: choose a directory \
             without mounts in it",
            shown(&below),
            shown(path)
        )
        .into(),
    )
}

fn overlay_in_itself(case: &Case<'_>) -> Option<Hint> {
    Overlay::of(case)?;
    Some("one directory of the overlay is inside another: choose separate directories".into())
}

fn overlay_in_use(case: &Case<'_>) -> Option<Hint> {
    Overlay::of(case)?;
    Some("another overlay uses the directory for changes or for work: choose new ones".into())
}

fn overlay_of_another(case: &Case<'_>) -> Option<Hint> {
    Overlay::of(case)?;
    Some(
        "the directory for changes or for work belonged to another overlay before: choose new \
         ones"
            .into(),
    )
}
