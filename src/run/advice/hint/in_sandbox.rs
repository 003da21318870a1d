//! Hints about entries that cannot be created at their place in a sandbox.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Case, Hint, Row, shown, target};
use crate::diag::{Origin, quoted};
use crate::host::mountinfo;
use crate::ops::{At, Backing, Bound, MapMount, Op, Symlink, Workdir};
use crate::run::advice::guest::Guest;
use crate::run::advice::row;
use crate::spec::GuestPath;
use crate::sys::{Errno, Syscall};

/// The rows about places and sources.
pub(super) const ROWS: &[Row] = &[
    row!(source_removed, [OpenTree], [ENOENT]),
    row!(source_closed, [OpenTree], [EACCES]),
    row!(source_holds_mounts, [OpenTree], [EINVAL]),
    row!(place_read_only, MAKE, [EROFS]),
    row!(place_missing, [Openat2], [ENOENT]),
    row!(way_blocked, MAKE, [ENOTDIR]),
    row!(place_of_another_kind, [MoveMount], [ENOTDIR, EINVAL]),
    row!(way_in_a_circle, [Openat2], [ELOOP]),
    row!(place_taken, [Symlinkat], [EEXIST]),
    row!(place_is_a_directory, [Openat2], [EISDIR]),
    row!(place_of_others, MAKE, [EACCES, EPERM, EOVERFLOW]),
    row!(working_directory_missing, [Openat2], [ENOENT, ENOTDIR]),
];

/// The calls that find or create a place beneath the root.
const MAKE: &[Syscall] = &[
    Syscall::Openat,
    Syscall::Openat2,
    Syscall::Mkdirat,
    Syscall::Mknodat,
    Syscall::Readlinkat,
    Syscall::Symlinkat,
    Syscall::Fchmod,
    Syscall::Fchownat,
    Syscall::Write,
];

fn source<'a>(case: &Case<'a>) -> Option<&'a Path> {
    match case.action {
        Op::Bound(bind) => Some(&bind.source),
        Op::MapMount(map) => Some(&map.source),
        _ => None,
    }
}

fn source_removed(case: &Case<'_>) -> Option<Hint> {
    let source = shown(source(case)?);
    Some(
        format!(
            "{source} existed when the plan was made, and was removed since: create it again, and \
             rerun the recipe"
        )
        .into(),
    )
}

fn source_closed(case: &Case<'_>) -> Option<Hint> {
    let source = source(case)?;
    let closed = source.ancestors().filter_map(|path| {
        let found = case.host.tree.metadata(path).ok()?;
        (found.mode() & 0o001 == 0).then(|| (path.to_owned(), found))
    });
    let (path, found) = closed.last()?;
    let (path, mode, uid) = (shown(&path), found.mode() & 0o7777, found.uid());
    let closed = format!("{path} has mode {mode:04o} and belongs to user {uid}");
    Some(
        match maps_more(case, uid, found.gid()) {
            Some(maps) => {
                format!("{closed}, who is not mapped in this sandbox: `{maps}` maps them")
            }
            None => closed,
        }
        .into(),
    )
}

/// The verbs that add an owner to the map; `None` if user and group are mapped, or the sandbox has
/// no map.
fn maps_more(case: &Case<'_>, uid: u32, gid: u32) -> Option<String> {
    let maps = &case.failed.plan.maps;
    let mut verbs = String::new();
    for (noun, map, id) in [("user", &maps.users, uid), ("group", &maps.groups, gid)] {
        if map.ranges.is_empty() {
            return None;
        }
        if map.inside(id).is_some() {
            continue;
        }
        // The first of these verbs replaces the default map.
        if let Some(own) = map.one() {
            verbs += &format!(".map_{noun}({}, {})", own.inside, own.outside);
        }
        verbs += &format!(".map_{noun}({id}, {id})");
    }
    (!verbs.is_empty()).then_some(verbs)
}

fn source_holds_mounts(case: &Case<'_>) -> Option<Hint> {
    let (Op::Bound(Bound { source, recursive, .. })
    | Op::MapMount(MapMount { source, recursive, .. })) = case.action
    else {
        return None;
    };
    if *recursive {
        return None;
    }
    let real = case.host.tree.resolve(source).map_or_else(|_| source.clone(), |it| it.path);
    let mounts = mountinfo::read(&case.host.tree).unwrap_or_default();
    let below = mounts.iter().map(|mount| Path::new(&mount.target));
    let below = below.filter(|place| place.starts_with(&real) && *place != real).min()?;
    Some(
        format!(
            "{} is mounted below {}, and a sandbox may not see what it hides: leave out \
             `recursive: false`",
            shown(below),
            shown(source)
        )
        .into(),
    )
}

/// The read-only mount above a place, and the line that made it read-only.
pub(super) fn read_only_by<'a>(case: &Case<'a>) -> Option<(&'a GuestPath, Option<&'a Origin>)> {
    let place = target(case.action)?;
    let before = case.failed.plan.actions.get(..case.failed.action)?;
    before.iter().rev().find_map(|planned| {
        let by = match &planned.action {
            Op::Protect(protect) => &protect.target,
            Op::Bound(bind) if bind.attributes.read_only => &bind.target,
            Op::Mounted(mount) if mount.options.attributes.read_only => &mount.target,
            _ => return None,
        };
        place.is_within(by).then_some((by, planned.origin.as_ref()))
    })
}

fn place_read_only(case: &Case<'_>) -> Option<Hint> {
    let place = quoted(target(case.action)?.as_str());
    let by = read_only_by(case).map(|(by, _)| quoted(by.as_str()));
    let by = by.unwrap_or_else(|| "the root".into());
    Some(
        format!(
            "{place} cannot be created below {by}, which is read-only: move this line before the \
             one that makes it read-only, or mount a tmpfs on a directory above it"
        )
        .into(),
    )
}

fn place_missing(case: &Case<'_>) -> Option<Hint> {
    let place = target(case.action)?;
    let path = quoted(place.as_str());
    Some(match case.action {
        Op::Mask(_) | Op::Protect(_) | Op::KeepName(_) => {
            format!("{path} does not exist at this point: create it in a line before this one")
        }
        _ => format!(
            "{path} does not exist at this point: create it with `.directory(\"{place}\")` before \
             this line"
        ),
    }
    .into())
}

fn way_blocked(case: &Case<'_>) -> Option<Hint> {
    let place = target(case.action)?;
    Some(
        format!(
            "a parent of {} is a file, not a directory: choose another path",
            quoted(place.as_str())
        )
        .into(),
    )
}

fn place_of_another_kind(case: &Case<'_>) -> Option<Hint> {
    let place = target(case.action)?;
    let directory = match case.action {
        Op::Bound(bind) => bind.directory,
        _ => true,
    };
    let guest = Guest::before(case.failed.plan, case.layers, case.failed.action);
    let there = guest.find(place.as_str())?.at;
    let (what, there) = match (directory, there) {
        (false, At::Directory) => ("the source is a file", "a directory"),
        (true, At::File) => ("a directory is mounted", "a file"),
        _ => return None,
    };
    let place = quoted(place.as_str());
    Some(format!("{what}, and {place} is {there}: choose a target of the same kind").into())
}

fn way_in_a_circle(case: &Case<'_>) -> Option<Hint> {
    let place = quoted(target(case.action)?.as_str());
    Some(
        format!(
            "the links in {place} form a loop, or lead through the links of a process in /proc, \
             which are not followed: give the path that the links should lead to"
        )
        .into(),
    )
}

fn place_taken(case: &Case<'_>) -> Option<Hint> {
    let Op::Symlink(Symlink { path, says }) = case.action else { return None };
    let shown = quoted(path.as_str());
    Some(
        if says.starts_with('/') {
            format!(
                "{shown} already exists, and the link is created at the second path: did you mean \
                 `.symlink(\"{path}\", \"{says}\")`?"
            )
        } else {
            format!("{shown} already exists: choose another path for the link")
        }
        .into(),
    )
}

fn place_is_a_directory(case: &Case<'_>) -> Option<Hint> {
    let Op::File(file) = case.action else { return None };
    let path = quoted(file.path.as_str());
    Some(format!("{path} is a directory: give the path of a file in it").into())
}

/// The directory of the host above a place whose owner is not mapped in the sandbox.
fn of_others(case: &Case<'_>) -> Option<(PathBuf, u32, u32)> {
    let place = target(case.action)?;
    let (base, ..) = case.failed.plan.view.holder(place)?;
    let top = case.failed.plan.view.on_host(base)?;
    let path = case.failed.plan.view.on_host(place)?;
    let there = path.ancestors().find_map(|path| Some((path, case.host.tree.metadata(path).ok()?)));
    let (path, found) = there.filter(|(path, _)| path.starts_with(&top))?;
    Some((path.to_owned(), found.uid(), found.gid()))
}

fn place_of_others(case: &Case<'_>) -> Option<Hint> {
    let place = target(case.action)?;
    let cure = format!("add `.tmpfs` for a directory above {}", quoted(place.as_str()));
    let Some((path, uid, gid)) = of_others(case) else {
        let why = "the users of this sandbox cannot write to the directory";
        return Some(format!("{why}: {cure}").into());
    };
    let path = shown(&path);
    // Root may map every id, but a user only those in /etc/subuid.
    let maps = maps_more(case, uid, gid).filter(|_| case.host.is_root());
    Some(
        match maps {
            Some(maps) => format!(
                "{path} belongs to user {uid} and group {gid}, who are not mapped in this sandbox: \
             `{maps}` maps them"
            ),
            None => format!(
                "{path} belongs to user {uid}, and the users of this sandbox cannot write to it: \
             {cure}"
            ),
        }
        .into(),
    )
}

fn working_directory_missing(case: &Case<'_>) -> Option<Hint> {
    let Op::Workdir(Workdir(path)) = case.action else { return None };
    let shown = quoted(path.as_str());
    let holder = case.failed.plan.view.holder(path).map(|(_, backing, _)| backing);
    let exists = case.errno() == Errno::ENOTDIR;
    Some(
        match holder {
            _ if exists => format!("{shown} is a file, or below a file: choose a directory"),
            Some(Backing::Host { read_only: true, .. } | Backing::Protected) => {
                format!(
                    "{shown} does not exist and cannot be created there: choose an existing \
                     directory"
                )
            }
            _ => format!(
                "{shown} is not a directory in the root: create it with \
                          `.directory(\"{path}\")`"
            ),
        }
        .into(),
    )
}
