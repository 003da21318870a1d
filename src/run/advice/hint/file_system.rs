//! Hints for file systems that cannot be mounted, in a sandbox or by the raw layer.

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

/// A file system that was to be mounted.
pub(super) enum Mounting<'a> {
    /// In a sandbox.
    Inside { kind: &'a str, source: &'a str, options: &'a MountOptions },
    /// By mount(2).
    Raw(&'a Mount),
}

impl<'a> Mounting<'a> {
    /// What the case is about; none if a mount that exists is bound or changed.
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

    /// The value of an option, the last of several; separators in it stand behind a backslash.
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
             namespace; in one of its own it can be mounted: `within({constant} | MOUNT, || …)`"
        )
        .into(),
    )
}

fn covered(case: &Case<'_>) -> Option<Hint> {
    let mounting = Mounting::of(case)?;
    let remedy = match mounting.kind() {
        "proc" => remedy::proc_is_covered(),
        "sysfs" if mounting.is_raw() => remedy::sysfs_is_covered(),
        // That of the host would have been shown instead.
        "sysfs" => remedy::no_sysfs(),
        _ => return None,
    };
    let place = if mounting.kind() == "proc" { "/proc" } else { "/sys" };
    Some(if mounting.is_raw() {
        let text = format!(
            "{}; bind the one that is there: \
             `mount(\"{place}\", target, #{{ bind: true, recursive: true }})`",
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
            "{image} is an image, and a sandbox mounts none: mount it first, \
             `mount(\"{}\", dir, #{{ type: \"{kind}\"{how} }})` with `dir` in `scratch()`, and then \
             `.bind(dir, …)`",
            crate::diag::escape(source)
        )
    } else {
        format!(
            "{image} is an image, and only root mounts one; a user can have its files in a directory, \
             for `.bind`, or in an archive, for `rootfs().tar(file)`"
        )
    }
    .into())
}

fn file_system_of_root(case: &Case<'_>) -> Option<Hint> {
    let mounting = Mounting::of(case).filter(|it| !OF_USERS.contains(&it.kind()))?;
    let kind = mounting.kind();
    let why = format!(
        "only root of the host mounts {kind}: the kernel trusts a user neither with what is on a \
         disk nor with what is of the whole machine"
    );
    Some(
        match (case.host.is_root(), mounting.is_raw()) {
            (true, true) => format!("{why}; mount it before `USER` is new"),
            (true, false) => {
                format!("{why}; as root, mount it first by `mount(…)`, and then `.bind(dir, …)`")
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
            "{kind} lies on a block device, or in an image file; {source} is neither: name one"
        )
        .into(),
    )
}

fn device_missing(case: &Case<'_>) -> Option<Hint> {
    let source = Path::new(Mounting::of(case)?.source());
    let is_missing = source.is_absolute() && !case.host.tree.exists(source);
    is_missing.then(|| {
        let source = shown(source);
        format!("no device is at {source}: `/proc/partitions` lists the disks that there are")
            .into()
    })
}

fn not_in_image(case: &Case<'_>) -> Option<Hint> {
    let mounting = Mounting::of(case)?;
    let (kind, source) = (mounting.kind(), mounting.source());
    source.starts_with("/dev/").then(|| {
        format!(
            "{} holds no {kind}, or an option is none of {kind}; `offset` says where in an image a \
             file system begins",
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
            "{kind} has no option {}, or takes another value for it; mount(8) lists the options of \
             file systems",
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
    let there = format!("the same {kind} is mounted on {target} already");
    Some(
        match Kind::shown_by(kind) {
            Some(namespace) => format!(
                "{there}; that of a new {} namespace is another one: `within({} | MOUNT, || …)`",
                namespace.name(),
                namespace.constant()
            ),
            None => format!("{there}: leave this call out, or choose another place"),
        }
        .into(),
    )
}
