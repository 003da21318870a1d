//! Hints about mounts that the raw layer cannot change.

use std::fs;
use std::path::{Path, PathBuf};

use super::raw_call::{made_first, missing};
use super::{Case, Hint, Row, shown};
use crate::diag::{escape, quoted};
use crate::host::mountinfo::{self, Mount};
use crate::ops::RawAction;
use crate::ops::raw;
use crate::run::advice::row;
use crate::spec::MountFlags;
use crate::sys;

/// The rows about mounts.
pub(super) const ROWS: &[Row] = &[
    row!(unmounted_alone, [Umount2], [EINVAL]),
    row!(nothing_mounted, [Umount2], [EINVAL]),
    row!(mount_holds_mounts, [Umount2], [EBUSY]),
    row!(mount_in_use, [Umount2], [EBUSY]),
    row!(pivot_on_rootfs, [PivotRoot], [EINVAL]),
    row!(pivot_root_already, [PivotRoot], [EBUSY, EINVAL]),
    row!(pivot_within_mount, [PivotRoot], [EBUSY]),
    row!(pivot_old_elsewhere, [PivotRoot], [EBUSY, EINVAL]),
    row!(pivot_file, [PivotRoot], [ENOTDIR]),
    row!(pivot_no_mount, [PivotRoot], [EINVAL]),
    row!(pivot_shared, [PivotRoot], [EINVAL]),
    row!(pivot_locked, [PivotRoot], [EINVAL]),
    row!(mount_target_missing, [Mount], [ENOENT]),
    row!(mount_source_missing, [Mount], [ENOENT]),
    row!(mount_kinds_differ, [Mount], [ENOTDIR]),
    row!(moved_from_shared, [Mount], [EINVAL]),
    row!(no_mount_to_change, [Mount, MountSetattr], [EINVAL]),
    row!(flag_locked, [Mount, MountSetattr], [EPERM]),
    row!(children_locked, [Mount], [EINVAL]),
];

/// A path with links resolved, if it exists.
pub(super) fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}

/// The mounts that this process sees.
pub(super) struct Mounts(Vec<Mount>);

impl Mounts {
    pub fn read(case: &Case<'_>) -> Self {
        Self(mountinfo::read(&case.host.tree).unwrap_or_default())
    }

    /// The mount that contains a path.
    fn holds(&self, path: &Path) -> Option<&Mount> {
        let id = i64::try_from(sys::mount_id(path)?).ok()?;
        self.0.iter().find(|mount| mount.id == id)
    }

    /// Whether a path is a mount point.
    pub fn has(&self, path: &Path) -> bool {
        let path = real(path);
        self.0.iter().any(|mount| Path::new(&mount.target) == path)
    }

    /// The parent of the mount at a path.
    fn above(&self, path: &Path) -> Option<&Mount> {
        let own = self.holds(path)?;
        self.0.iter().find(|mount| mount.id == own.parent)
    }
}

fn call<'a>(case: &Case<'a>) -> Option<&'a raw::Mount> {
    match case.raw()? {
        RawAction::Mount(mount) => Some(mount),
        _ => None,
    }
}

fn unmounted<'a>(case: &Case<'a>) -> Option<&'a Path> {
    match case.raw()? {
        RawAction::Umount(mount) => Some(&mount.target),
        _ => None,
    }
}

fn unmounted_alone(case: &Case<'_>) -> Option<Hint> {
    let target = unmounted(case)?;
    Mounts::read(case).has(target).then(|| {
        "this mount and others came from a mount namespace with more rights, and the kernel \
         unmounts them only together, because each may hide files: unmount the mount above them, \
         or leave it"
            .into()
    })
}

fn nothing_mounted(case: &Case<'_>) -> Option<Hint> {
    let target = unmounted(case)?;
    let mounts = Mounts::read(case);
    let shown = shown(target);
    Some(
        match mounts.holds(&real(target)) {
            Some(mount) => {
                format!(
                    "{shown} is not a mount point: it is part of the mount {}",
                    quoted(&mount.target)
                )
            }
            None => format!("{shown} is not a mount point: choose one that `mounts()` lists"),
        }
        .into(),
    )
}

fn mount_holds_mounts(case: &Case<'_>) -> Option<Hint> {
    let target = unmounted(case)?;
    let mounts = Mounts::read(case);
    let own = mounts.holds(target)?;
    let below = mounts.0.iter().find(|mount| mount.parent == own.id)?;
    let (place, path) = (quoted(&below.target), escape(&below.target));
    Some(format!("{place} is mounted below it: `umount(\"{path}\")` first").into())
}

fn mount_in_use(case: &Case<'_>) -> Option<Hint> {
    let target = unmounted(case)?;
    let mounts = Mounts::read(case);
    let id = u64::try_from(mounts.holds(target)?.id).ok()?;
    let why = user_of(id).unwrap_or_else(|| "something uses it: ".to_owned());
    Some(format!("{why}pass `lazy: true` to unmount it as soon as it is unused").into())
}

/// A process that uses a mount, and its kind of use, as the beginning of a hint.
fn user_of(mount: u64) -> Option<String> {
    let is_in = |path: &Path| sys::mount_id(path) == Some(mount);
    let uses = |process: &Path| {
        if is_in(&process.join("cwd")) {
            return Some("its working directory");
        }
        if is_in(&process.join("root")) {
            return Some("its root");
        }
        let files = fs::read_dir(process.join("fd")).ok()?;
        files.flatten().any(|file| is_in(&file.path())).then_some("a file open")
    };
    let own = std::process::id().to_string();
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let names = processes.filter_map(|entry| entry.file_name().into_string().ok());
    let numbers = names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    for pid in numbers {
        let process = Path::new("/proc").join(&pid);
        let Some(what) = uses(&process) else { continue };
        let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
        return Some(if pid == own && what.starts_with("its") {
            let cure = if what.ends_with("root") { "" } else { "call `chdir(\"/\")` first, or " };
            format!("nsscript itself has {what} there: {cure}")
        } else if pid == own {
            "nsscript itself has a file open there, such as the handle of a pinned namespace: "
                .into()
        } else {
            format!("process {pid} ({}) has {what} there: ", quoted(name.trim_end()))
        });
    }
    None
}

fn pivot_on_rootfs(case: &Case<'_>) -> Option<Hint> {
    let (new, old) = roots(case)?;
    let is_sound = Mounts::read(case).has(new) && real(old).starts_with(real(new));
    (is_sound && mountinfo::root_is_on_nothing(&case.host.tree)).then(|| {
        "the root of this process is rootfs, which pivot_root(2) cannot move because it is mounted \
         on nothing: `mount(\"/\", \"/\", #{ bind: true, recursive: true })` and `chroot(\"/..\")` first"
            .into()
    })
}

/// The new root, and the directory for the old one.
fn roots<'a>(case: &Case<'a>) -> Option<(&'a Path, &'a Path)> {
    match case.raw()? {
        RawAction::PivotRoot(roots) => Some((&roots.new, &roots.old)),
        _ => None,
    }
}

/// The call that makes a directory a mount point. The working directory stays beneath a new mount
/// until it is entered again.
fn bound_on_itself(path: &Path) -> String {
    let is_here = path.is_relative() && std::env::current_dir().is_ok_and(|it| it == real(path));
    let place = real(path);
    let path = escape(&(if is_here { &place } else { path }).to_string_lossy());
    let again =
        if is_here { format!(", and `chdir(\"{path}\")` enters it") } else { String::new() };
    format!(
        "`mount(\"{path}\", \"{path}\", #{{ bind: true, recursive: true }})` makes it one{again}"
    )
}

fn pivot_within_mount(case: &Case<'_>) -> Option<Hint> {
    let (new, _) = roots(case)?;
    (sys::mount_id(new) == sys::mount_id(Path::new("/"))).then(|| {
        let (path, cure) = (shown(new), bound_on_itself(new));
        format!("{path} is part of the root mount, and not a mount point: {cure}").into()
    })
}

fn pivot_old_elsewhere(case: &Case<'_>) -> Option<Hint> {
    let (new, old) = roots(case)?;
    let outside = !real(old).starts_with(real(new)) && Mounts::read(case).has(new);
    // EBUSY: the directory is in the current root.
    (outside && real(new) != Path::new("/")).then(|| {
        format!(
            "the directory for the old root must be in the new root: choose one below {}",
            shown(new)
        )
        .into()
    })
}

fn pivot_root_already(case: &Case<'_>) -> Option<Hint> {
    let (new, _) = roots(case)?;
    (real(new) == Path::new("/")).then(|| "`/` is already the root: remove this call".into())
}

fn pivot_file(case: &Case<'_>) -> Option<Hint> {
    let (new, old) = roots(case)?;
    let file = [new, old].into_iter().find(|path| path.exists() && !path.is_dir())?;
    Some(format!("{} is a file: both arguments must be directories", shown(file)).into())
}

fn pivot_no_mount(case: &Case<'_>) -> Option<Hint> {
    let (new, _) = roots(case)?;
    (!Mounts::read(case).has(new))
        .then(|| format!("{} is not a mount point: {}", shown(new), bound_on_itself(new)).into())
}

fn pivot_shared(case: &Case<'_>) -> Option<Hint> {
    let (new, old) = roots(case)?;
    let mounts = Mounts::read(case);
    let candidates = [mounts.holds(old), mounts.above(&real(new)), mounts.holds(Path::new("/"))];
    let is_shared = |mount: &&Mount| mount.propagation.contains("shared");
    let shared = candidates.into_iter().flatten().find(is_shared)?;
    Some(
        format!(
            "the mount {} is shared, and the change would propagate: \
             `mount(\"/\", #{{ propagation: \"private\", recursive: true }})` first",
            quoted(&shared.target)
        )
        .into(),
    )
}

fn pivot_locked(case: &Case<'_>) -> Option<Hint> {
    let (new, _) = roots(case)?;
    Some(
        format!(
            "the root of the process must be a mount point (after `chroot` it is not), and {} \
             must be one that did not come from a namespace with more rights: {}",
            shown(new),
            bound_on_itself(new)
        )
        .into(),
    )
}

fn mount_target_missing(case: &Case<'_>) -> Option<Hint> {
    let mount = call(case).filter(|mount| !mount.target.exists())?;
    let source = mount.source.as_deref().map(Path::new);
    let binds_file = mount.flags.has(MountFlags::BIND) && source.is_some_and(Path::is_file);
    let what = if binds_file { "an existing file" } else { "an existing directory" };
    let made = made_first(case, &mount.target, !binds_file);
    let then = if made.ends_with(" first") { ":" } else { "." };
    Some(format!("the target must be {what}{then} {made}").into())
}

fn mount_source_missing(case: &Case<'_>) -> Option<Hint> {
    let source = call(case)?.source.as_deref().map(Path::new).filter(|it| !it.exists())?;
    Some(missing(case, source).into())
}

fn mount_kinds_differ(case: &Case<'_>) -> Option<Hint> {
    let mount = call(case).filter(|mount| mount.kind.is_none())?;
    let source = mount.source.as_deref().map(Path::new)?;
    let word = |path: &Path| if path.is_dir() { "a directory" } else { "a file" };
    let (from, to) = (word(source), word(&mount.target));
    let (source, target) = (shown(source), shown(&mount.target));
    (from != to).then(|| {
        format!(
            "{source} is {from}, and {target} is {to}: bind a directory on a directory, or a \
                 file on a file"
        )
        .into()
    })
}

fn moved_from_shared(case: &Case<'_>) -> Option<Hint> {
    let mount = call(case).filter(|mount| mount.flags.has(MountFlags::MOVE))?;
    let source = Path::new(mount.source.as_deref()?);
    let mounts = Mounts::read(case);
    let above = mounts.above(&real(source)).filter(|_| mounts.has(source))?;
    above.propagation.contains("shared").then(|| {
        let (place, path) = (quoted(&above.target), escape(&above.target));
        format!(
            "a mount cannot be moved out of a shared mount, and {place} is shared: \
             `mount(\"{path}\", #{{ propagation: \"private\" }})` first"
        )
        .into()
    })
}

fn no_mount_to_change(case: &Case<'_>) -> Option<Hint> {
    let place = match case.raw()? {
        RawAction::SetAttributes(mount) => mount.target.as_path(),
        RawAction::Mount(mount) if mount.flags.has(MountFlags::MOVE) => {
            Path::new(mount.source.as_deref()?)
        }
        RawAction::Mount(mount) if mount.kind.is_none() && !mount.flags.has(MountFlags::BIND) => {
            mount.target.as_path()
        }
        _ => return None,
    };
    (!Mounts::read(case).has(place)).then(|| {
        format!("{} is not a mount point: {}", shown(place), bound_on_itself(place)).into()
    })
}

fn flag_locked(case: &Case<'_>) -> Option<Hint> {
    let changes = match case.raw()? {
        RawAction::SetAttributes(_) => true,
        RawAction::Mount(mount) => mount.flags.has(MountFlags::REMOUNT),
        _ => false,
    };
    changes.then(|| {
        "the mount came from a namespace with more rights, so its flags cannot be cleared and its \
         file system cannot be changed here: add flags to this mount alone with `bind: true` and \
         `remount: true`"
            .into()
    })
}

fn children_locked(case: &Case<'_>) -> Option<Hint> {
    let mount = call(case)?;
    let alone = mount.flags.has(MountFlags::BIND) && !mount.flags.has(MountFlags::RECURSIVE);
    alone.then(|| {
        "other mounts are below it, and this mount namespace may not see what they hide: bind it \
         with `recursive: true`"
            .into()
    })
}
