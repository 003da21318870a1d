//! Hints for other calls of the raw layer: namespaces, capabilities and files.

use std::path::Path;

use super::{Case, Hint, Row, shown};
use crate::diag::{escape, list};
use crate::ops::raw::{Mkdir, Mknod, Setns};
use crate::ops::{Becomes, Effect, RawAction};
use crate::run::advice::row;
use crate::run::remedy;
use crate::run::session::namespace::Namespace;
use crate::run::session::refuse::refuse;
use crate::spec::{Capability, Kind};
use crate::sys::{self, Syscall};

/// The rows about raw calls.
pub(super) const ROWS: &[Row] = &[
    row!(user_namespace_refused, [Clone3, Unshare], [EPERM]),
    row!(no_right_to_make, [Clone3, Unshare], [EPERM]),
    row!(no_right_to_change, CHANGE, [EPERM]),
    row!(namespace_of_others, CHANGE, [EPERM]),
    row!(capability_gone, [Capset, Prctl], [EPERM]),
    row!(bounding_set_refused, [Prctl], [EPERM]),
    row!(namespace_of_another_kind, [Setns], [EINVAL]),
    row!(own_user_namespace, [Setns], [EINVAL]),
    row!(pid_namespace_above, [Setns], [EINVAL]),
    row!(no_right_to_chroot, [Setns], [EPERM]),
    row!(no_right_to_enter, [Setns], [EPERM]),
    row!(clock_below_zero, [Write], [ERANGE]),
    row!(clock_line_wrong, [Write], [EINVAL]),
    row!(offsets_too_late, [Openat, Write], [EACCES, EPERM]),
    row!(device_refused, [Mknodat], [EPERM]),
    row!(host_name_too_long, [Sethostname, Setdomainname], [EINVAL]),
    row!(namespace_pinned_in_itself, [Mount], [EINVAL]),
    row!(pin_exists, [Openat], [EEXIST]),
    row!(file_exists, [Mkdirat, Mknodat, Symlinkat], [EEXIST]),
    row!(path_missing, PATHS, [ENOENT]),
    row!(still_mounted, [Rmdir, Unlink], [EBUSY]),
    row!(directory_not_empty, [Rmdir], [ENOTEMPTY]),
];

/// The calls that change what a namespace holds.
const CHANGE: &[Syscall] = &[
    Syscall::Mount,
    Syscall::MountSetattr,
    Syscall::Umount2,
    Syscall::PivotRoot,
    Syscall::Chroot,
    Syscall::Sethostname,
    Syscall::Setdomainname,
];

/// The calls that take a path.
const PATHS: &[Syscall] = &[
    Syscall::Mkdirat,
    Syscall::Mknodat,
    Syscall::Symlinkat,
    Syscall::Openat,
    Syscall::Rmdir,
    Syscall::Unlink,
    Syscall::Chdir,
    Syscall::Chroot,
    Syscall::Umount2,
    Syscall::MountSetattr,
    Syscall::PivotRoot,
];

/// Whether the process has a capability where it is.
pub(super) fn is_capable(name: &str) -> bool {
    let Ok(sets) = sys::capabilities() else { return true };
    let number = Capability::parse(name).map(Capability::number);
    number.is_ok_and(|number| sets.effective >> number & 1 == 1)
}

/// Whether the process could have a capability.
fn is_permitted(name: &str) -> bool {
    let Ok(sets) = sys::capabilities() else { return true };
    Capability::parse(name).is_ok_and(|one| sets.permitted >> one.number() & 1 == 1)
}

/// Whether the namespace of this kind belongs to the user namespace of the process, whose
/// capabilities count then; also where nothing tells.
pub(super) fn is_own(kind: Kind) -> bool {
    let open =
        |kind: Kind| Namespace::open(&Path::new("/proc/self/ns").join(kind.file())).ok().flatten();
    let (Some(user), Some(namespace)) = (open(Kind::User), open(kind)) else { return true };
    let owner = namespace.owner();
    owner.map_or(true, |owner| owner.is_some_and(|owner| owner.inode == user.inode))
}

/// Whether children come into another namespace of this kind than the process is in.
pub(super) fn children_are_elsewhere(kind: &str) -> bool {
    let number = |file: &str| sys::namespace_inode(file);
    // The file for children cannot be followed before the first of them, or after the last.
    let own = number(kind);
    own.is_some() && number(&format!("{kind}_for_children")) != own
}

/// Whether a call makes namespaces, and which kind of call.
fn makes<'a>(case: &Case<'a>) -> Option<&'a RawAction> {
    case.raw().filter(|raw| matches!(raw.effect(), Effect::Child(_) | Effect::Unshare(_)))
}

fn user_namespace_refused(case: &Case<'_>) -> Option<Hint> {
    let asks = makes(case)?.namespaces().has(Kind::User);
    // Without /proc, as in most a root that was changed to, nothing tells.
    let other = || match case.host.is_in_chroot() {
        Some(false) => remedy::around(),
        Some(true) | None => remedy::chrooted(),
    };
    asks.then(|| remedy::unmapped(case.host).unwrap_or_else(other).into())
}

fn no_right_to_make(case: &Case<'_>) -> Option<Hint> {
    makes(case).filter(|_| !is_capable("SYS_ADMIN")).map(|_| remedy::no_capability().into())
}

/// The kind of namespace that a call changes.
fn changed(raw: &RawAction) -> Option<Kind> {
    match raw.effect() {
        Effect::Held(kind) => Some(kind),
        Effect::Mount(_) | Effect::Pin(_) => Some(Kind::Mount),
        Effect::Own
        | Effect::Session(_)
        | Effect::Unshare(_)
        | Effect::Enter(_)
        | Effect::Child(_)
        | Effect::Ids
        | Effect::Maps(_)
        | Effect::Name(..)
        | Effect::Content(_)
        | Effect::Metadata(_)
        | Effect::Rename(..)
        | Effect::Image(_)
        | Effect::Process(_)
        | Effect::Network
        | Effect::Result(..) => None,
    }
}

fn no_right_to_change(case: &Case<'_>) -> Option<Hint> {
    let raw = case.raw()?;
    let (name, kinds) = match (raw, changed(raw)) {
        (RawAction::Chroot(_), _) => ("SYS_CHROOT", "USER".to_owned()),
        (_, kind) => ("SYS_ADMIN", format!("USER | {}", kind?.constant())),
    };
    (!is_capable(name)).then(|| {
        format!(
            "this process lacks CAP_{name}; a child process has it in a user namespace of its own: \
             `within({kinds}, || …)`"
        )
        .into()
    })
}

fn namespace_of_others(case: &Case<'_>) -> Option<Hint> {
    let kind = changed(case.raw()?)?;
    let (name, constant) = (kind.name(), kind.constant());
    (!is_own(kind)).then(|| {
        format!(
            "the {name} namespace belongs to another user namespace than this process is in, and \
             its capabilities do not count there: create `{constant}` together with `USER`, or after \
             it"
        )
        .into()
    })
}

fn capability_gone(case: &Case<'_>) -> Option<Hint> {
    let RawAction::SetCapabilities(asked) = case.raw()? else { return None };
    let gone = asked.names().find(|name| !is_permitted(name))?;
    // Without CAP_SETPCAP, nothing can be removed from the bounding set either.
    let also = if is_capable("SETPCAP") { "" } else { ", and pass `bounding: false`" };
    Some(
        format!(
            "`{gone}` was dropped before, and no capability comes back: leave it out{also}; \
             `capabilities().permitted` lists those that are left"
        )
        .into(),
    )
}

fn bounding_set_refused(case: &Case<'_>) -> Option<Hint> {
    let RawAction::SetCapabilities(_) = case.raw()? else { return None };
    let lacks =
        "this process lacks CAP_SETPCAP; `bounding: false` leaves the bounding set as it is";
    (!is_capable("SETPCAP")).then(|| lacks.into())
}

fn namespace_of_another_kind(case: &Case<'_>) -> Option<Hint> {
    let RawAction::Setns(Setns { what, namespaces, .. }) = case.raw()? else { return None };
    // A process has all kinds; a namespace is written as its kind and number.
    let (file, _) = what.split_once(":[")?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.file() == file)?;
    let (name, constant) = (kind.name(), kind.constant());
    (*namespaces != kind.into()).then(|| {
        format!("{what} is a {name} namespace: say `{constant}`, or leave the kind out").into()
    })
}

fn own_user_namespace(case: &Case<'_>) -> Option<Hint> {
    let RawAction::Setns(Setns { namespaces, .. }) = case.raw()? else { return None };
    namespaces.has(Kind::User).then(|| {
        "a process cannot enter the user namespace that it is in, which would give it its \
         capabilities back: leave this call out"
            .into()
    })
}

fn pid_namespace_above(case: &Case<'_>) -> Option<Hint> {
    let RawAction::Setns(Setns { namespaces, .. }) = case.raw()? else { return None };
    namespaces.has(Kind::Pid).then(|| {
        "children can be put into a PID namespace below one's own, not above or beside it: enter \
         it from the process that created it"
            .into()
    })
}

fn no_right_to_chroot(case: &Case<'_>) -> Option<Hint> {
    let RawAction::Setns(Setns { namespaces, .. }) = case.raw()? else { return None };
    (namespaces.has(Kind::Mount) && !is_capable("SYS_CHROOT")).then(|| {
        "this process lacks CAP_SYS_CHROOT, which entering a mount namespace takes besides \
         CAP_SYS_ADMIN: enter it before capabilities are dropped"
            .into()
    })
}

fn no_right_to_enter(case: &Case<'_>) -> Option<Hint> {
    let RawAction::Setns(_) = case.raw()? else { return None };
    Some(if is_capable("SYS_ADMIN") {
        "it belongs to another user namespace, in which this process has no CAP_SYS_ADMIN: enter \
         that one together with it, as `setns(process)` does; `namespace.owner` shows it"
            .into()
    } else {
        "this process lacks CAP_SYS_ADMIN: enter it before capabilities are dropped".into()
    })
}

/// Whether the offsets of a time namespace are written.
fn writes_offsets(case: &Case<'_>) -> Option<()> {
    let RawAction::WriteFile(written) = case.raw()? else { return None };
    written.path.ends_with("timens_offsets").then_some(())
}

fn clock_below_zero(case: &Case<'_>) -> Option<Hint> {
    writes_offsets(case)?;
    Some("the clock would show less than 0, or more than it can: choose a smaller offset".into())
}

fn clock_line_wrong(case: &Case<'_>) -> Option<Hint> {
    writes_offsets(case)?;
    Some("a line is `boottime SECONDS NANOSECONDS`, or `monotonic …`".into())
}

fn offsets_too_late(case: &Case<'_>) -> Option<Hint> {
    writes_offsets(case)?;
    Some(
        "offsets are set between `unshare(TIME)` and the first child, which enters the new time \
         namespace: after that they are fixed"
            .into(),
    )
}

fn device_refused(case: &Case<'_>) -> Option<Hint> {
    let RawAction::Mknod(Mknod { kind: 'c' | 'b', .. }) = case.raw()? else { return None };
    Some(
        "only root on the host can create devices. Bind an existing one on an empty file: \
         `mount(\"/dev/null\", path, #{ bind: true })`"
            .into(),
    )
}

fn host_name_too_long(case: &Case<'_>) -> Option<Hint> {
    let name = match case.raw()? {
        RawAction::SetHostname(asked) => &asked.0,
        RawAction::SetDomainname(asked) => &asked.0,
        _ => return None,
    };
    Some(format!("a name has at most 64 bytes, and this one has {}", name.len()).into())
}

fn namespace_pinned_in_itself(case: &Case<'_>) -> Option<Hint> {
    let RawAction::Pin(pin) = case.raw()? else { return None };
    pin.namespace.starts_with("mnt:").then(|| {
        "a mount namespace that is pinned in itself, or in a younger one, would keep itself alive: \
         pin it from the one that was there before"
            .into()
    })
}

fn pin_exists(case: &Case<'_>) -> Option<Hint> {
    let RawAction::Pin(_) = case.raw()? else { return None };
    Some("`remove` the existing file first, or choose another path".into())
}

fn file_exists(case: &Case<'_>) -> Option<Hint> {
    use RawAction::{Mkdir, Mknod, Symlink};
    let is_file = matches!(case.raw()?, Mkdir(_) | Mknod(_) | Symlink(_));
    let exists = "something is there already: `exists(path)` asks, `remove(path)` removes it";
    is_file.then(|| exists.into())
}

fn path_missing(case: &Case<'_>) -> Option<Hint> {
    let raw = case.raw()?;
    let made = match raw.effect() {
        Effect::Name(_, Becomes::Nothing) => None,
        Effect::Name(path, _) | Effect::Content(path) | Effect::Pin(path) => Some(path),
        _ => None,
    };
    if let Some(above) = made.map(Path::parent) {
        let above = above?;
        return Some(near(case, above).unwrap_or_else(|| made_first(case, above, true)).into());
    }
    let path = match raw {
        RawAction::Remove(removed) => &removed.0,
        RawAction::Chdir(entered) => &entered.0,
        RawAction::Chroot(root) => &root.0,
        RawAction::Umount(mount) => &mount.target,
        RawAction::SetAttributes(mount) => &mount.target,
        RawAction::PivotRoot(roots) => {
            [&roots.new, &roots.old].into_iter().find(|path| !path.exists())?
        }
        _ => return None,
    };
    Some(missing(case, path).into())
}

fn near(case: &Case<'_>, path: &Path) -> Option<String> {
    let near = case.host.tree.near(path)?;
    Some(format!("did you mean {}?", shown(&path.with_file_name(near))))
}

/// What is said of a path that is not there.
pub(super) fn missing(case: &Case<'_>, path: &Path) -> String {
    if let Some(near) = near(case, path) {
        return near;
    }
    let there = path.ancestors().skip(1).find(|above| above.exists());
    match there.filter(|above| !above.as_os_str().is_empty()) {
        Some(above) => format!("{} does not exist; {} does", shown(path), shown(above)),
        None => format!("{} does not exist", shown(path)),
    }
}

/// The calls that make a directory or an empty file, and the directories above it, unless the
/// session would refuse them.
pub(super) fn made_first(case: &Case<'_>, path: &Path, directory: bool) -> String {
    let absent: Vec<_> = path.ancestors().take_while(|above| !above.exists()).collect();
    let call = |place: &&Path| {
        let text = escape(&place.to_string_lossy());
        if directory || *place != path {
            format!("`mkdir(\"{text}\")`")
        } else {
            format!("`write_file(\"{text}\", \"\")`")
        }
    };
    let first = absent.last().copied().unwrap_or(path);
    let made = Mkdir { path: first.to_path_buf(), mode: 0o755 };
    if refuse(&made.into(), case.session).is_err() {
        return format!(
            "{} does not exist, and nsscript creates nothing on the host: use a path in \
             `scratch()`",
            shown(first)
        );
    }
    let calls: Vec<String> = absent.iter().rev().map(call).collect();
    format!("{} first", list(&calls, "and"))
}

fn still_mounted(case: &Case<'_>) -> Option<Hint> {
    let RawAction::Remove(removed) = case.raw()? else { return None };
    let path = escape(&removed.0.to_string_lossy());
    Some(format!("something is mounted there: `umount(\"{path}\")` first").into())
}

fn directory_not_empty(case: &Case<'_>) -> Option<Hint> {
    let RawAction::Remove(_) = case.raw()? else { return None };
    Some("remove its contents first".into())
}
