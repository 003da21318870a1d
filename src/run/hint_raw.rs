//! What helps where a call of the raw layer failed: what the kernel's one word stands for.

use super::hint::Case;
use crate::plan::{Action, MountCall, RawAction};
use crate::spec::Kind;

/// What helps, where this is known.
pub(super) fn of_call(case: &Case<'_>) -> Option<String> {
    let Action::Raw(raw) = case.action else { return None };
    let hint = match (raw, case.errno) {
        (RawAction::Mount(mount), "EPERM") => return not_permitted(mount),
        (RawAction::Mknod { kind: 'c' | 'b', .. }, "EPERM") => {
            "no device can be made in a user namespace: bind one of the host's on an empty file"
        }
        (RawAction::PivotRoot(..), "EINVAL") => {
            "the new root has to be a mount (`mount(root, root, #{ bind: true })` makes it one), the \
             place for the old one below it, and neither they nor what they are mounted on shared"
        }
        (RawAction::PivotRoot(..), "EBUSY") => {
            "one of the two is on the mount that is the root by now: the new root has to be a mount \
             of its own, and the place for the old one below it"
        }
        (RawAction::Umount { lazy: false, .. }, "EBUSY") => {
            "something is mounted below, or a process is there; `lazy: true` does not wait for them"
        }
        (RawAction::Umount { .. }, "EINVAL") => {
            "nothing is mounted there, or it is locked: what came along into the mount namespace of \
             a new user namespace stays where it is"
        }
        (RawAction::Pin { .. }, "EINVAL") => {
            "a mount namespace is only pinned in one that is older than it"
        }
        (RawAction::Setns { namespaces, .. } | RawAction::Clone(namespaces), "ENOMEM")
            if namespaces.is_empty() || namespaces.has(Kind::Pid) =>
        {
            "the process 1 of that PID namespace has ended: no process can start in it any more"
        }
        (RawAction::Setns { namespaces, .. }, "EINVAL") if namespaces.has(Kind::User) => {
            "a process enters a user namespace other than its own, and has one thread then"
        }
        (RawAction::Setns { .. }, "EPERM") => {
            "CAP_SYS_ADMIN is needed in the user namespace that owns it, and in the own one; \
             who has made a user namespace can enter that first, and has it there"
        }
        (RawAction::WriteFile { path, .. }, _) if path.ends_with("timens_offsets") => {
            match case.errno {
                "EACCES" => {
                    "a process is in that time namespace already: offsets are written after \
                     `unshare(TIME)` and before the first child"
                }
                "ERANGE" => "the clock would show less than 0, or more than it can",
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(hint.into())
}

/// What a file system wants that root of a user namespace mounts.
fn not_permitted(mount: &MountCall) -> Option<String> {
    let kind = mount.kind.as_deref()?;
    let namespace = match kind {
        "proc" => Kind::Pid,
        "sysfs" => Kind::Net,
        "mqueue" => Kind::Ipc,
        "cgroup" | "cgroup2" => Kind::Cgroup,
        _ => return None,
    };
    let (name, constant) = (namespace.name(), namespace.constant());
    let hidden = match kind {
        "proc" | "sysfs" => {
            "; where one is mounted of which parts are hidden, as in containers, there is no new one"
        }
        _ => "",
    };
    Some(format!(
        "in a user namespace {kind} is mounted by who is in a {name} namespace of it: \
         `{constant}` beside `USER`{hidden}"
    ))
}
