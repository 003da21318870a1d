//! What helps where the raw layer fails: namespaces, capabilities and files.

use std::path::Path;

use super::{Case, Row, raw_action as raw};
use crate::diag::quoted;
use crate::plan::RawAction;
use crate::run::namespace::Namespace;
use crate::run::remedy;
use crate::spec::{Capability, Kind};
use crate::sys;

/// The rows about raw actions. The first that has something to say is followed.
pub(super) const ROWS: &[Row] = &[
    pid_namespace_has_ended,
    pid_namespace_is_made_already,
    user_namespace_refused,
    capability_missing,
    namespace_of_others,
    session_refused,
    already_there,
    namespace_may_not_be_entered,
    offsets_too_late,
    device_refused,
    host_name_too_long,
    namespace_pinned_in_itself,
    place_exists,
    place_missing,
    still_used,
];

/// The names of the numbers of capabilities(7) that raw calls ask for.
const ADMIN: &str = "SYS_ADMIN";

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
fn children_are_elsewhere(kind: &str) -> bool {
    let number = |file: &str| sys::namespace_inode(file);
    // The file for children cannot be followed before the first of them, or after the last.
    let own = number(kind);
    own.is_some() && number(&format!("{kind}_for_children")) != own
}

fn pid_namespace_has_ended(case: &Case<'_>) -> Option<String> {
    if let RawAction::Setns { namespaces, .. } = raw(case)? {
        return (namespaces.has(Kind::Pid) && case.is(&["ENOMEM"])).then(|| {
            "process 1 of that PID namespace has ended, and no process can be started in it any more"
                .into()
        });
    }
    let RawAction::Clone(_) = raw(case)? else { return None };
    (case.is(&["ENOMEM"]) && children_are_elsewhere("pid")).then(|| {
        "the first child after `unshare(PID)` is process 1 of the new PID namespace; it has ended, \
         and no process can be started there any more"
            .into()
    })
}

fn pid_namespace_is_made_already(case: &Case<'_>) -> Option<String> {
    let (RawAction::Clone(namespaces) | RawAction::Unshare(namespaces)) = raw(case)? else {
        return None;
    };
    let asked = namespaces.has(Kind::Pid) && children_are_elsewhere("pid");
    (asked && case.is(&["EINVAL"])).then(|| {
        "children come into another PID namespace already, by `unshare(PID)` or `setns`: only they \
         can make one more"
            .into()
    })
}

fn user_namespace_refused(case: &Case<'_>) -> Option<String> {
    let raw = raw(case)?;
    let makes = matches!(raw, RawAction::Clone(_) | RawAction::Unshare(_));
    if !makes || !raw.namespaces().has(Kind::User) || !case.is(&["EPERM"]) {
        return None;
    }
    let remedy = remedy::unmapped(case.host).unwrap_or_else(remedy::chrooted);
    Some(remedy.hint())
}

/// The capability that a call asks for, in the user namespace that what it changes belongs to.
fn asked_for(raw: &RawAction) -> Option<&'static str> {
    Some(match raw {
        RawAction::Unshare(_)
        | RawAction::Clone(_)
        | RawAction::Setns { .. }
        | RawAction::Mount(_)
        | RawAction::SetAttributes { .. }
        | RawAction::Umount { .. }
        | RawAction::PivotRoot(..)
        | RawAction::Pin { .. }
        | RawAction::SetHostname(_)
        | RawAction::SetDomainname(_) => ADMIN,
        RawAction::Chroot(_) => "SYS_CHROOT",
        RawAction::SetUser(_) => "SETUID",
        RawAction::SetGroup(_) | RawAction::SetGroups(_) => "SETGID",
        RawAction::SetCapabilities { .. } => "SETPCAP",
        _ => return None,
    })
}

fn capability_missing(case: &Case<'_>) -> Option<String> {
    let name = asked_for(raw(case)?).filter(|_| case.is(&["EPERM"]))?;
    let cure = match raw(case)? {
        RawAction::SetCapabilities { names, .. } => {
            if let Some(gone) = names.iter().find(|name| !is_permitted(name)) {
                return Some(format!(
                    "`{gone}` was dropped before, and no capability comes back; \
                     `capabilities().permitted` has those that are left"
                ));
            }
            "; `bounding: false` does without"
        }
        RawAction::Unshare(_) | RawAction::Clone(_) => {
            return (!is_capable(name)).then(|| remedy::no_capability().hint());
        }
        _ => "",
    };
    (!is_capable(name)).then(|| format!("this process lacks CAP_{name}{cure}"))
}

/// The kind of namespace that a call changes.
fn changed(raw: &RawAction) -> Option<Kind> {
    Some(match raw {
        RawAction::SetHostname(_) | RawAction::SetDomainname(_) => Kind::Uts,
        RawAction::Mount(_)
        | RawAction::SetAttributes { .. }
        | RawAction::Umount { .. }
        | RawAction::PivotRoot(..)
        | RawAction::Pin { .. } => Kind::Mount,
        _ => return None,
    })
}

fn namespace_of_others(case: &Case<'_>) -> Option<String> {
    let kind = changed(raw(case)?).filter(|_| case.is(&["EPERM"]))?;
    let (name, constant) = (kind.name(), kind.constant());
    (!is_own(kind)).then(|| {
        format!(
            "the {name} namespace belongs to another user namespace than this process is in, and \
             there its capabilities do not count: `{constant}` has to be made with `USER`, or \
             after it"
        )
    })
}

fn session_refused(case: &Case<'_>) -> Option<String> {
    let RawAction::EnterSession { .. } = raw(case)? else { return None };
    case.is(&["EPERM", "EACCES"]).then(|| remedy::around().hint())
}

fn already_there(case: &Case<'_>) -> Option<String> {
    let RawAction::Setns { namespaces, .. } = raw(case)? else { return None };
    if !case.is(&["EINVAL"]) {
        return None;
    }
    if namespaces.has(Kind::User) {
        return Some(
            "a process cannot enter the user namespace that it is in: it would get its \
             capabilities back"
                .into(),
        );
    }
    namespaces.has(Kind::Pid).then(|| {
        "children can be put into a PID namespace below one's own, not into one above or beside it"
            .into()
    })
}

fn namespace_may_not_be_entered(case: &Case<'_>) -> Option<String> {
    let RawAction::Setns { namespaces, .. } = raw(case)? else { return None };
    match case.errno {
        "EPERM" if namespaces.has(Kind::Mount) && !is_capable("SYS_CHROOT") => {
            Some("a mount namespace is entered with CAP_SYS_CHROOT, too, which is lacking".into())
        }
        "EPERM" => Some(
            "CAP_SYS_ADMIN is needed in the user namespace that the target belongs to: \
             `namespace.owner` tells which that is; enter that one first, or together with it"
                .into(),
        ),
        "ESRCH" => Some("the process has ended, and its namespaces with it".into()),
        _ => None,
    }
}

fn offsets_too_late(case: &Case<'_>) -> Option<String> {
    let RawAction::WriteFile { path, .. } = raw(case)? else { return None };
    let offsets =
        path.ends_with("timens_offsets") && case.is(&["EACCES", "EPERM", "EINVAL", "ERANGE"]);
    offsets.then(|| match case.errno {
        "ERANGE" => "the clock would show less than 0, or more than it can".to_owned(),
        "EINVAL" => "a line is `boottime SECONDS NANOSECONDS`, or `monotonic …`".to_owned(),
        _ => "offsets are set between `unshare(TIME)` and the first child, which enters the new \
              time namespace: later they are fixed"
            .to_owned(),
    })
}

fn device_refused(case: &Case<'_>) -> Option<String> {
    let RawAction::Mknod { kind: 'c' | 'b', .. } = raw(case)? else { return None };
    case.is(&["EPERM"]).then(|| {
        "devices are made by root of the host alone: no user namespace gives that right; bind one \
         that is there: `mount(\"/dev/null\", path, #{ bind: true })`, on an empty file"
            .into()
    })
}

fn host_name_too_long(case: &Case<'_>) -> Option<String> {
    let (RawAction::SetHostname(name) | RawAction::SetDomainname(name)) = raw(case)? else {
        return None;
    };
    case.is(&["EINVAL"])
        .then(|| format!("a name has at most 64 bytes, and this one has {}", name.len()))
}

fn namespace_pinned_in_itself(case: &Case<'_>) -> Option<String> {
    let RawAction::Pin { namespace, .. } = raw(case)? else { return None };
    (namespace.starts_with("mnt:") && case.is(&["EINVAL"])).then(|| {
        "a mount namespace is not pinned in itself or in a younger one, as it would keep itself \
         alive; pin it from the one that was there before"
            .into()
    })
}

fn place_exists(case: &Case<'_>) -> Option<String> {
    let raw = raw(case)?;
    let is_file = !matches!(raw, RawAction::Network { .. });
    (is_file && case.is(&["EEXIST"])).then(|| match raw {
        RawAction::Pin { .. } => {
            "the file for a pin is made new; `remove` what is there first, or choose another place"
                .to_owned()
        }
        _ => {
            "something is there already: `exists(path)` asks, `remove(path)` removes it".to_owned()
        }
    })
}

fn place_missing(case: &Case<'_>) -> Option<String> {
    let path = match raw(case)? {
        RawAction::Mkdir(path, _)
        | RawAction::Mknod { path, .. }
        | RawAction::Symlink { path, .. }
        | RawAction::WriteFile { path, .. }
        | RawAction::Pin { path, .. } => path.parent()?,
        RawAction::Remove(path)
        | RawAction::Chdir(path)
        | RawAction::Chroot(path)
        | RawAction::Umount { target: path, .. }
        | RawAction::SetAttributes { target: path, .. } => path,
        RawAction::PivotRoot(new, old) => [new, old].into_iter().find(|path| !path.exists())?,
        _ => return None,
    };
    case.is(&["ENOENT"]).then(|| missing(case, path))
}

/// What is said of a path that is not there.
pub(super) fn missing(case: &Case<'_>, path: &Path) -> String {
    let shown = |path: &Path| quoted(path.to_string_lossy());
    if let Some(near) = case.host.tree.near(path) {
        return format!("did you mean {}?", quoted(near));
    }
    let there = path.ancestors().skip(1).find(|above| above.exists());
    match there.filter(|above| !above.as_os_str().is_empty()) {
        Some(above) => format!("{} is not there; {} is", shown(path), shown(above)),
        None => format!("{} is not there", shown(path)),
    }
}

fn still_used(case: &Case<'_>) -> Option<String> {
    let RawAction::Remove(path) = raw(case)? else { return None };
    match case.errno {
        "EBUSY" => Some(format!(
            "something is mounted there: `umount(\"{}\")` first",
            crate::diag::escape(&path.to_string_lossy())
        )),
        "ENOTEMPTY" => Some("only an empty directory is removed".into()),
        _ => None,
    }
}
