//! Copies of mounts with mapped ids, for binds with `idmap`.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::launcher::Launcher;
use crate::diag::{Report, quoted};
use crate::host::mountinfo::{self, Mount};
use crate::ops::{MapMount, Op, unseen};
use crate::plan::{Plan, Planned};
use crate::run::advice::action_error::ActionError;
use crate::run::raw::c;
use crate::run::session::idmap::MapError;
use crate::run::trace::launch_trace::{report_map_mount, report_maps};
use crate::sys::{self, Attributes, CallError, Errno, Syscall};

/// Copies the mounts of a source with mapped ids.
pub(super) fn map_mount(
    launcher: &Launcher,
    map: &MapMount,
    plan: &Plan,
    index: usize,
) -> Result<OwnedFd, Report> {
    let planned = &plan.actions[index];
    let failed = |error| ActionError { plan, action: index, error }.report(launcher);
    // The user namespace of the sandbox, if it is made for it in advance.
    let is_limited =
        |it: &Planned| matches!(&it.action, Op::PrepareMaps(prepare) if prepare.limited);
    let limited = plan.actions.iter().any(is_limited);
    let known = launcher.users.borrow().holds(&map.maps, limited);
    let started = Instant::now();
    let (host, session) = (launcher.host(), launcher.session());
    let users = launcher.users.borrow_mut().enter(&map.maps, limited, host, session);
    let users = users.map_err(|error| {
        report_maps(launcher, planned, &map.maps, (Some(&error), started.elapsed()));
        match error {
            MapError::Helper(report) => report.at(planned.origin.clone()),
            MapError::Call(error) => failed(error),
        }
    })?;
    let users = users.descriptor.as_fd();
    // The kernel refuses this to the process of a sandbox, because it uncovers files.
    let uncovers = !map.recursive && {
        let below = below(launcher, &map.source);
        !below.map_err(|report| report.at(planned.origin.clone()))?.is_empty()
    };
    let made = if uncovers {
        Err(CallError { syscall: Syscall::OpenTree, errno: Errno::INVALID })
    } else {
        sys::id_mapped(&c(&map.source), map.identity(), map.recursive, map.set(), users)
    };
    report_map_mount(launcher, planned, map, known, (made.as_ref().err(), started.elapsed()));
    made.map_err(|error| {
        let report = failed(error);
        match refusing(launcher, map, users, error) {
            Some(mount) => refused(report, &mount, error.errno),
            None => report,
        }
    })
}

/// The mounts below a directory.
fn below(launcher: &Launcher, source: &Path) -> Result<Vec<Mount>, Report> {
    let tree = &launcher.host().tree;
    let mounts = mountinfo::read(tree).map_err(|failed| unseen(&failed.path, &failed.error))?;
    let real = tree.resolve(source).map_err(|error| unseen(source, &error))?.path;
    let is_below = |mount: &Mount| {
        let place = Path::new(&mount.target);
        place.starts_with(&real) && place != real
    };
    Ok(mounts.into_iter().filter(is_below).collect())
}

/// A mount whose ids the kernel does not map.
struct Refusing {
    /// The mount, or the source that lies in it.
    place: PathBuf,
    /// Whether it is below the source.
    below: bool,
    mount: Option<Mount>,
}

/// The first mount of a source that fails like all of them.
fn refusing(
    launcher: &Launcher,
    map: &MapMount,
    users: BorrowedFd<'_>,
    failed: CallError,
) -> Option<Refusing> {
    // EPERM of open_tree(2): the mount namespace belongs to another user namespace, too.
    if failed.syscall != Syscall::MountSetattr && failed.errno != Errno::PERMISSION {
        return None;
    }
    let tree = &launcher.host().tree;
    let real = tree.resolve(&map.source).ok()?.path;
    let mounts = mountinfo::read(tree).unwrap_or_default();
    let holds = |mount: &&Mount| real.starts_with(&mount.target);
    // Of mounts on one place, the last one is seen.
    let own = mounts.iter().filter(holds).max_by_key(|mount| mount.target.len());
    let own = Refusing { place: map.source.clone(), below: false, mount: own.cloned() };
    let below = below(launcher, &map.source).unwrap_or_default().into_iter();
    let below = below.map(|mount| Refusing {
        place: PathBuf::from(&mount.target),
        below: true,
        mount: Some(mount),
    });
    std::iter::once(own).chain(below).find(|one| {
        let tried = sys::id_mapped(&c(&one.place), None, false, Attributes::NONE, users);
        tried.is_err_and(|error| error.errno == failed.errno)
    })
}

/// The report with why the kernel refuses, and what helps.
fn refused(report: Report, refusing: &Refusing, errno: Errno) -> Report {
    let Refusing { place, below, mount } = refusing;
    let place = quoted(place.to_string_lossy());
    let place = if *below { format!("{place}, which is below it,") } else { place };
    let kind = mount.as_ref().map_or("a file system", |mount| mount.kind.as_str());
    let is_mapped = |mount: &Mount| mount.options.split(',').any(|option| option == "idmapped");
    match errno.name().as_str() {
        "EINVAL" => {
            let hint = format!(
                "{place} is in a file system that cannot map ids on this kernel, {kind}: leave out \
                 `idmap`, or bind a directory of ext4, xfs or btrfs"
            );
            report.advise("idmap_unsupported", hint)
        }
        "EPERM" if mount.as_ref().is_some_and(is_mapped) => {
            let hint = format!(
                "the ids of {place} are mapped already, which is possible once: leave out `idmap`, \
                 or bind a path to the same files in another mount"
            );
            report.advise("idmap_twice", hint)
        }
        "EPERM" => {
            let hint = format!(
                "{place} is in a file system that was mounted outside of this user namespace, \
                 {kind}: leave out `idmap`, or run the recipe as root outside of the container"
            );
            report.advise("idmap_in_container", hint)
        }
        _ => report,
    }
}
