//! What helps where mounts of the raw layer fail.

use std::fs;
use std::path::{Path, PathBuf};

use super::raw::{is_own, missing};
use super::{Case, Row, overlay, raw_action as raw};
use crate::diag::quoted;
use crate::host::mountinfo::{self, Mount};
use crate::plan::{MountCall, RawAction};
use crate::run::remedy;
use crate::spec::{Kind, MountFlags};
use crate::sys;

/// The rows about mounts. The first that has something to say is followed.
pub(super) const ROWS: &[Row] = &[
    umount_of_no_mount,
    mount_is_used,
    root_is_on_nothing,
    pivot_root_wants_mounts,
    mount_missing,
    kinds_do_not_fit,
    no_mount_to_change,
    flag_is_locked,
    children_are_locked,
    file_system_needs_namespace,
    file_system_of_root,
    file_system_unknown,
    no_block_device,
    no_such_file_system_in_image,
    overlay::directories_do_not_fit,
];

pub(super) fn shown(path: &Path) -> String {
    quoted(path.to_string_lossy())
}

pub(super) fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}

/// The mounts that the process sees.
struct Mounts(Vec<Mount>);

impl Mounts {
    fn read(case: &Case<'_>) -> Self {
        Self(mountinfo::read(&case.host.tree).unwrap_or_default())
    }

    /// The mount that a path is in.
    fn holds(&self, path: &Path) -> Option<&Mount> {
        let id = i64::try_from(sys::mount_id(path)?).ok()?;
        self.0.iter().find(|mount| mount.id == id)
    }

    /// Whether something is mounted at a path.
    fn has(&self, path: &Path) -> bool {
        let path = real(path);
        self.0.iter().any(|mount| Path::new(&mount.target) == path)
    }

    /// The mount that the mount at a path is on.
    fn above(&self, path: &Path) -> Option<&Mount> {
        let own = self.holds(path)?;
        self.0.iter().find(|mount| mount.id == own.parent)
    }
}

fn call<'a>(case: &Case<'a>) -> Option<&'a MountCall> {
    match raw(case)? {
        RawAction::Mount(mount) => Some(mount),
        _ => None,
    }
}

/// The file system that a call mounts; none where it changes mounts that exist.
pub(super) fn file_system<'a>(case: &Case<'a>) -> Option<(&'a MountCall, &'a str)> {
    let mount = call(case)?;
    Some((mount, mount.kind.as_deref()?))
}

fn umount_of_no_mount(case: &Case<'_>) -> Option<String> {
    let RawAction::Umount { target, .. } = raw(case)? else { return None };
    let mounts = Mounts::read(case);
    if !case.is(&["EINVAL"]) {
        return None;
    }
    if mounts.has(target) {
        return Some(
            "it came into this mount namespace from one with more rights, together with others: \
             the kernel takes it away only with all of them, as something could lie beneath"
                .into(),
        );
    }
    let target = shown(target);
    Some(match mounts.holds(Path::new(&real(Path::new(target.trim_matches('`'))))) {
        Some(mount) => {
            format!("nothing is mounted at {target}: it is in the mount {}", quoted(&mount.target))
        }
        None => format!("nothing is mounted at {target}; `mounts()` lists what is"),
    })
}

fn mount_is_used(case: &Case<'_>) -> Option<String> {
    let RawAction::Umount { target, .. } = raw(case)? else { return None };
    if !case.is(&["EBUSY"]) {
        return None;
    }
    let mounts = Mounts::read(case);
    let own = mounts.holds(target)?;
    if let Some(below) = mounts.0.iter().find(|mount| mount.parent == own.id) {
        return Some(format!("{} is mounted below it: that first", quoted(&below.target)));
    }
    let user = user_of(u64::try_from(own.id).ok()?);
    let why = user.unwrap_or_else(|| "something uses it".to_owned());
    Some(format!("{why}; `lazy: true` takes it away once nobody does"))
}

/// A process that has a mount in use, and how.
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
            format!("nsscript itself has {what} there, which `chdir` or `chroot` changes")
        } else if pid == own {
            "nsscript itself has a file open there, as it has for a handle on what is pinned".into()
        } else {
            format!("process {pid} ({}) has {what} there", quoted(name.trim_end()))
        });
    }
    None
}

fn root_is_on_nothing(case: &Case<'_>) -> Option<String> {
    let RawAction::PivotRoot(new, old) = raw(case).filter(|_| case.is(&["EINVAL"]))? else {
        return None;
    };
    let is_sound = Mounts::read(case).has(new) && real(old).starts_with(real(new));
    (is_sound && mountinfo::root_is_on_nothing(&case.host.tree)).then(|| {
        "the root of this process is rootfs, which pivot_root(2) cannot move because it is mounted \
         on nothing: `mount(\"/\", \"/\", #{ bind: true, recursive: true })` and `chroot(\"/..\")` first"
            .into()
    })
}

fn pivot_root_wants_mounts(case: &Case<'_>) -> Option<String> {
    let RawAction::PivotRoot(new, old) = raw(case)? else { return None };
    let mounts = Mounts::read(case);
    let name = quoted(new.to_string_lossy());
    let new_root = real(new);
    match case.errno {
        "EBUSY" => {
            let root = sys::mount_id(Path::new("/"));
            Some(if sys::mount_id(new) == root {
                format!(
                    "{name} is in the mount that is the root already: \
                     `mount({0}, {0}, #{{ bind: true, recursive: true }})` makes it one of its own",
                    name.replace('`', "\"")
                )
            } else {
                format!("the place for the old root has to be in the new one: below {name}")
            })
        }
        "EINVAL" if new_root == Path::new("/") => Some("`/` is the root already".into()),
        "ENOTDIR" => Some("both have to be directories".into()),
        "EINVAL" if !mounts.has(new) => Some(format!(
            "{name} is a directory and no mount: \
             `mount({0}, {0}, #{{ bind: true, recursive: true }})` makes it one",
            name.replace('`', "\"")
        )),
        "EINVAL" if !real(old).starts_with(&new_root) => {
            Some(format!("the place for the old root has to be in the new one: below {name}"))
        }
        "EINVAL" => {
            let is_shared = |mount: &&Mount| mount.propagation.contains("shared");
            let candidates =
                [mounts.holds(old), mounts.above(&new_root), mounts.holds(Path::new("/"))];
            let shared = candidates.into_iter().flatten().find(is_shared);
            Some(match shared {
                Some(mount) => format!(
                    "the mount {} is shared, and the change would propagate: \
                     `mount(\"/\", #{{ propagation: \"private\", recursive: true }})` first",
                    quoted(&mount.target)
                ),
                None => format!(
                    "the root of the process has to be a mount (it is none after `chroot`), and \
                     {name} one that did not come from a namespace with more rights: bind it on \
                     itself"
                ),
            })
        }
        _ => None,
    }
}

fn mount_missing(case: &Case<'_>) -> Option<String> {
    let mount = call(case).filter(|_| case.is(&["ENOENT"]))?;
    if !mount.target.exists() {
        return Some(format!(
            "a mount covers a directory or file that is there: `mkdir(\"{}\")` first",
            crate::diag::escape(&mount.target.to_string_lossy())
        ));
    }
    let directories = mount.kind.as_deref() == Some("overlay");
    let source = mount.source.as_deref().map(Path::new).filter(|_| !directories)?;
    (!source.exists()).then(|| missing(case, source))
}

fn kinds_do_not_fit(case: &Case<'_>) -> Option<String> {
    let mount = call(case).filter(|_| case.is(&["ENOTDIR"]))?;
    let source = mount.source.as_deref().map(Path::new)?;
    let word = |path: &Path| if path.is_dir() { "a directory" } else { "a file" };
    let (from, to) = (word(source), word(&mount.target));
    (from != to && mount.kind.is_none())
        .then(|| format!("{} is {from}, and {} {to}", shown(source), shown(&mount.target)))
}

fn no_mount_to_change(case: &Case<'_>) -> Option<String> {
    if !case.is(&["EINVAL"]) {
        return None;
    }
    let mounts = Mounts::read(case);
    let place = match raw(case)? {
        RawAction::SetAttributes { target, .. } => target.as_path(),
        RawAction::Mount(mount) if mount.flags.has(MountFlags::MOVE) => {
            let source = Path::new(mount.source.as_deref()?);
            let above = mounts.above(&real(source));
            if mounts.has(source)
                && let Some(shared) = above.filter(|mount| mount.propagation.contains("shared"))
            {
                return Some(format!(
                    "a mount is not moved out of one that is shared, and {} is: \
                     `mount(path, #{{ propagation: \"private\" }})` changes that",
                    quoted(&shared.target)
                ));
            }
            source
        }
        RawAction::Mount(mount) if mount.kind.is_none() && !mount.flags.has(MountFlags::BIND) => {
            mount.target.as_path()
        }
        _ => return None,
    };
    (!mounts.has(place)).then(|| {
        format!(
            "{} is no mount: `mount({1}, {1}, #{{ bind: true }})` makes it one",
            shown(place),
            shown(place).replace('`', "\"")
        )
    })
}

fn flag_is_locked(case: &Case<'_>) -> Option<String> {
    let remounts = match raw(case)? {
        RawAction::SetAttributes { .. } => true,
        RawAction::Mount(mount) => mount.flags.has(MountFlags::REMOUNT),
        _ => false,
    };
    (remounts && case.is(&["EPERM"])).then(|| {
        "the mount came from a namespace with more rights: flags that it has are not taken away \
         here, and its file system is not changed; `bind: true` with `remount: true` adds flags"
            .into()
    })
}

fn children_are_locked(case: &Case<'_>) -> Option<String> {
    let mount = call(case)?;
    let alone = mount.flags.has(MountFlags::BIND) && !mount.flags.has(MountFlags::RECURSIVE);
    (alone && case.is(&["EINVAL"])).then(|| {
        "something is mounted below, which hides what lies beneath: it comes along with \
         `recursive: true`"
            .into()
    })
}

/// The namespace that a file system shows, which has to be one's own to mount it in a user
/// namespace.
fn shown_namespace(kind: &str) -> Option<Kind> {
    Some(match kind {
        "proc" => Kind::Pid,
        "sysfs" => Kind::Net,
        "mqueue" => Kind::Ipc,
        "cgroup" | "cgroup2" => Kind::Cgroup,
        _ => return None,
    })
}

fn file_system_needs_namespace(case: &Case<'_>) -> Option<String> {
    let (_, kind) = file_system(case).filter(|_| case.is(&["EPERM"]))?;
    let namespace = shown_namespace(kind)?;
    let (name, constant) = (namespace.name(), namespace.constant());
    if is_own(namespace) {
        return Some(format!(
            "in a container whose own {kind} has something mounted on it, the kernel refuses a \
             new one; start that container without, or bind the one that is there"
        ));
    }
    Some(format!(
        "{kind} shows the {name} namespace of the process, and that is the host's; in one of \
         one's own it can be mounted: `within({constant} | MOUNT, || …)`"
    ))
}

/// The file systems that a user namespace may mount.
const OF_USERS: [&str; 9] =
    ["binfmt_misc", "bpf", "cgroup2", "devpts", "fuse", "mqueue", "overlay", "ramfs", "tmpfs"];

fn file_system_of_root(case: &Case<'_>) -> Option<String> {
    let (_, kind) = file_system(case).filter(|_| case.is(&["EPERM"]))?;
    (!OF_USERS.contains(&kind)).then(|| {
        format!(
            "{kind} is mounted by root of the host alone: the kernel trusts a user neither with \
             what is on a disk nor with what is of the whole machine"
        )
    })
}

fn file_system_unknown(case: &Case<'_>) -> Option<String> {
    let (_, kind) = file_system(case).filter(|_| case.is(&["ENODEV"]))?;
    Some(remedy::unknown_file_system(kind, case.host).hint())
}

fn no_block_device(case: &Case<'_>) -> Option<String> {
    let (mount, kind) = file_system(case)?;
    let source = mount.source.as_deref()?;
    case.is(&["ENOTBLK"]).then(|| {
        format!("{kind} lies on a block device, or in an image file; {} is neither", quoted(source))
    })
}

fn no_such_file_system_in_image(case: &Case<'_>) -> Option<String> {
    let (mount, kind) = file_system(case)?;
    let source = mount.source.as_deref().filter(|source| source.starts_with("/dev/"))?;
    case.is(&["EINVAL", "EUCLEAN"]).then(|| {
        format!(
            "{} holds no {kind}, or an option is none of {kind}; `offset` says where in an image \
             a file system begins",
            quoted(source)
        )
    })
}
