//! Hints about file systems that cannot be mounted, in a sandbox or by the raw layer.

use std::path::Path;

use super::mount::Mounts;
use super::raw_call::is_own;
use super::{Case, Hint, Row, shown};
use crate::diag::{list, quoted};
use crate::ops::raw::Mount;
use crate::ops::{Mounted, Op, RawAction};
use crate::run::advice::row;
use crate::run::remedy;
use crate::run::session::refuse;
use crate::spec::{Kind, MountOptions};

/// The rows about file systems.
pub(super) const ROWS: &[Row] = &[
    row!(namespace_not_own, [Mount], [EPERM]),
    row!(covered, [Fsmount, Mount], [EPERM]),
    row!(image_in_sandbox, [Fsconfig], [EPERM, ENOTBLK]),
    row!(file_system_of_root, [Fsopen, Fsconfig, Mount], [EPERM]),
    row!(file_system_unknown, [Fsopen, Mount], [ENODEV]),
    row!(no_block_device, [Fsconfig, Mount], [ENOTBLK]),
    row!(device_missing, [Fsconfig], [ENOENT]),
    row!(not_in_image, [Fsconfig, Mount], [EINVAL, EUCLEAN]),
    row!(option_unknown, [Fsconfig], [EINVAL]),
    row!(mounted_already, [Mount], [EBUSY]),
];

/// The mount that failed.
pub(super) enum Mounting<'a> {
    /// In a sandbox.
    Inside { kind: &'a str, source: &'a str, options: &'a MountOptions },
    /// By mount(2).
    Raw(&'a Mount),
}

impl<'a> Mounting<'a> {
    /// The mount of a case; `None` if an existing mount is bound or changed.
    pub fn of(case: &Case<'a>) -> Option<Self> {
        match case.action {
            Op::Mounted(Mounted { kind, source, options, .. }) => {
                Some(Self::Inside { kind, source, options })
            }
            Op::RawAction(RawAction::Mount(call)) => {
                call.new_file_system().map(|_| Self::Raw(call))
            }
            _ => None,
        }
    }

    pub fn kind(&self) -> &'a str {
        match self {
            Self::Inside { kind, .. } => kind,
            Self::Raw(call) => call.kind.as_deref().unwrap_or_default(),
        }
    }

    fn source(&self) -> &'a str {
        match self {
            Self::Inside { source, .. } => source,
            Self::Raw(call) => call.source.as_deref().unwrap_or_default(),
        }
    }

    fn is_raw(&self) -> bool {
        matches!(self, Self::Raw(_))
    }

    /// The last value of an option; separators in it are escaped by a backslash.
    pub fn option(&self, name: &str) -> Option<&'a str> {
        match self {
            Self::Inside { options, .. } => {
                let given = options.data.iter().filter(|(key, _)| key == name);
                given.filter_map(|(_, value)| value.as_deref()).next_back()
            }
            Self::Raw(call) => {
                let value = |one: &'a str| one.strip_prefix(name)?.strip_prefix('=');
                call.options().filter_map(value).last()
            }
        }
    }
}

fn namespace_not_own(case: &Case<'_>) -> Option<Hint> {
    let mounting = Mounting::of(case)?;
    let kind = mounting.kind();
    let namespace = Kind::shown_by(kind).filter(|namespace| !is_own(*namespace))?;
    let (name, constant) = (namespace.name(), namespace.constant());
    Some(
        format!(
            "{kind} shows the {name} namespace of the process, which belongs to another user \
             namespace: mount it in a new {name} namespace, `within({constant} | MOUNT, || …)`"
        )
        .into(),
    )
}

fn covered(case: &Case<'_>) -> Option<Hint> {
    let mounting = Mounting::of(case)?;
    let remedy = match mounting.kind() {
        "proc" => remedy::proc_is_covered(),
        "sysfs" if mounting.is_raw() => remedy::sysfs_is_covered(),
        // Otherwise, the host's sysfs is the fallback.
        "sysfs" => remedy::no_sysfs(),
        _ => return None,
    };
    let place = if mounting.kind() == "proc" { "/proc" } else { "/sys" };
    Some(if mounting.is_raw() {
        let text = format!(
            "{}; bind the existing one: `mount(\"{place}\", target, #{{ bind: true, recursive: \
             true }})`",
            remedy.cause
        );
        Hint { text, ..Hint::from("") }
    } else {
        remedy.into()
    })
}

/// The file systems that a user namespace may mount.
const OF_USERS: [&str; 9] =
    ["binfmt_misc", "bpf", "cgroup2", "devpts", "fuse", "mqueue", "overlay", "ramfs", "tmpfs"];

fn image_in_sandbox(case: &Case<'_>) -> Option<Hint> {
    let Mounting::Inside { kind, source, .. } = Mounting::of(case)? else { return None };
    if !Path::new(source).is_file() {
        return None;
    }
    let image = quoted(source);
    Some(if case.host.is_root() {
        let may_be_written = refuse::may_be_written(Path::new(source), case.session);
        let how = if may_be_written { "" } else { ", read_only: true" };
        format!(
            "a sandbox cannot mount the disk image {image}: mount it first, `mount(\"{}\", dir, \
             #{{ type: \"{kind}\"{how} }})` with `dir` in `scratch()`, and then `.bind(dir, …)`",
            crate::diag::escape(source)
        )
    } else {
        format!(
            "only root can mount the disk image {image}: extract its files into a directory for \
             `.bind`, or pack them into an archive for `rootfs().tar(file)`"
        )
    }
    .into())
}

fn file_system_of_root(case: &Case<'_>) -> Option<Hint> {
    let mounting = Mounting::of(case).filter(|it| !OF_USERS.contains(&it.kind()))?;
    let kind = mounting.kind();
    let why = format!(
        "only root on the host can mount {kind}, which gives access to a disk or to the whole \
         machine"
    );
    Some(
        match (case.host.is_root(), mounting.is_raw()) {
            (true, true) => format!("{why}; mount it before entering a new `USER` namespace"),
            (true, false) => {
                format!("{why}; mount it with `mount(…)` first, then add `.bind(dir, …)`")
            }
            (false, _) => format!("{why}; run the recipe as root"),
        }
        .into(),
    )
}

fn file_system_unknown(case: &Case<'_>) -> Option<Hint> {
    Some(remedy::unknown_file_system(Mounting::of(case)?.kind(), case.host).into())
}

fn no_block_device(case: &Case<'_>) -> Option<Hint> {
    let mounting = Mounting::of(case)?;
    let (kind, source) = (mounting.kind(), quoted(mounting.source()));
    Some(
        format!(
            "{kind} needs a block device or an image file, and {source} is neither: give the path \
             of one"
        )
        .into(),
    )
}

fn device_missing(case: &Case<'_>) -> Option<Hint> {
    let source = Path::new(Mounting::of(case)?.source());
    let is_missing = source.is_absolute() && !case.host.tree.exists(source);
    is_missing.then(|| {
        let source = shown(source);
        format!("{source} does not exist: choose one of the disks that `/proc/partitions` lists")
            .into()
    })
}

fn not_in_image(case: &Case<'_>) -> Option<Hint> {
    let mounting = Mounting::of(case)?;
    let (kind, source) = (mounting.kind(), mounting.source());
    source.starts_with("/dev/").then(|| {
        format!(
            "{} does not contain {kind}, or {kind} does not know an option; if the file system \
             begins later in the image, give `offset`",
            quoted(source)
        )
        .into()
    })
}

fn option_unknown(case: &Case<'_>) -> Option<Hint> {
    let Mounting::Inside { kind, options, .. } = Mounting::of(case)? else { return None };
    let names: Vec<_> = options.data.iter().map(|(key, _)| quoted(key)).collect();
    (!names.is_empty()).then(|| {
        format!(
            "{kind} has no option {}, or does not accept its value: see the options of file systems in \
             mount(8)",
            list(&names, "or")
        )
        .into()
    })
}

fn mounted_already(case: &Case<'_>) -> Option<Hint> {
    let Mounting::Raw(call) = Mounting::of(case)? else { return None };
    let kind = call.new_file_system()?;
    let target = shown(&call.target);
    Mounts::read(case).has(&call.target).then_some(())?;
    let there = format!("the same {kind} is already mounted on {target}");
    Some(
        match Kind::shown_by(kind) {
            Some(namespace) => format!(
                "{there}; a new {} namespace has its own: `within({} | MOUNT, || …)`",
                namespace.name(),
                namespace.constant()
            ),
            None => format!("{there}: remove this call, or choose another target"),
        }
        .into(),
    )
}
