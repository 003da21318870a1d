//! Hints about processes that cannot start in new namespaces, or whose ids cannot be mapped.

use super::raw_call::{children_are_elsewhere, is_capable};
use super::{Case, Hint, Row};
use crate::ops::raw::Setns;
use crate::ops::{MapMount, Maps, Op, PrepareMaps, RawAction};
use crate::run::advice::row;
use crate::run::remedy;
use crate::spec::{IdMap, Kind, Namespaces};
use crate::sys::{self, Syscall};

/// The rows about namespaces and maps.
pub(super) const ROWS: &[Row] = &[
    row!(unknown_call, Syscall::ALL, [ENOSYS]),
    row!(init_refused, [MemfdCreate, Execveat], [EACCES]),
    row!(pid_namespace_has_ended, [Clone3, Setns], [ENOMEM]),
    row!(pid_namespace_is_elsewhere, [Clone3, Unshare], [EINVAL]),
    row!(namespaces_refused, [Clone3, Unshare], [EPERM, EACCES, ENOSPC, EUSERS, EINVAL, EAGAIN]),
    row!(rights_refused, ASK_FOR_RIGHTS, [EPERM, EACCES]),
    row!(ids_not_here, [Write], [EPERM, EINVAL]),
    row!(user_zero_without_setfcap, [Write], [EPERM]),
    row!(map_refused, [Write], [EPERM]),
    row!(no_proc_for_maps, [Openat, Openat2, Fstatfs], [ENOENT, EXDEV]),
    row!(proc_read_only_for_maps, [Openat, Openat2], [EROFS]),
    row!(closure_guarded, [Openat, Openat2], [EACCES]),
    row!(user_namespaces_forbidden, [Clone3, Unshare], [EPERM, EACCES]),
    row!(no_key_left, [Keyctl], [EDQUOT]),
    row!(limit_above_maximum, [Prlimit], [EPERM]),
    row!(limit_above_hard, [Prlimit], [EPERM]),
];

/// The first calls of a new process that need a capability: one of them fails if its user namespace
/// grants none.
const ASK_FOR_RIGHTS: &[Syscall] = &[
    Syscall::Clone3,
    Syscall::Unshare,
    Syscall::Write,
    Syscall::Ioctl,
    Syscall::Mount,
    Syscall::MountSetattr,
    Syscall::Fsopen,
];

/// Whether the action creates namespaces.
fn starts(case: &Case<'_>) -> bool {
    use RawAction::{Clone3, EnterSession, Unshare};
    matches!(
        case.action,
        Op::Start(_)
            | Op::PrepareMaps(_)
            | Op::MapMount(_)
            | Op::RawAction(Clone3(_) | Unshare(_) | EnterSession(_))
    )
}

/// The maps that are written for one of nsscript's own processes.
fn maps<'a>(case: &Case<'a>) -> Option<&'a Maps> {
    match case.action {
        Op::MapOwnIds(map) => Some(&map.0),
        Op::PrepareMaps(prepare) => Some(&prepare.maps),
        Op::MapMount(map) => Some(&map.maps),
        Op::RawAction(RawAction::EnterSession(session)) => session.maps.as_ref(),
        _ => None,
    }
}

fn no_key_left(case: &Case<'_>) -> Option<Hint> {
    let hint = "each running sandbox has its own keyring, which counts as one of the user's keys: \
                raise the limit as root with `sysctl kernel.keys.maxkeys=2000`; /proc/key-users \
                shows how many keys each user has";
    matches!(case.action, Op::NewKeyring(_)).then(|| hint.into())
}

fn unknown_call(case: &Case<'_>) -> Option<Hint> {
    Some(remedy::unknown_call(case.host, case.failed.error.syscall)?.into())
}

fn init_refused(case: &Case<'_>) -> Option<Hint> {
    Some(remedy::file_in_memory(case.host)?.into())
}

fn pid_namespace_has_ended(case: &Case<'_>) -> Option<Hint> {
    if let Some(RawAction::Setns(Setns { namespaces, .. })) = case.raw() {
        let ended = "process 1 of that PID namespace has exited, and the kernel starts no more \
                     processes in it: enter it while process 1 runs";
        return namespaces.has(Kind::Pid).then(|| ended.into());
    }
    (starts(case) && children_are_elsewhere("pid")).then(|| {
        "the first child after `unshare(PID)` is process 1 of the new PID namespace, and no \
         process can start there after it exits: use `within(PID, || …)` instead of \
         `unshare(PID)`"
            .into()
    })
}

fn pid_namespace_is_elsewhere(case: &Case<'_>) -> Option<Hint> {
    let asked = starts(case) && case.failed.plan.namespaces.has(Kind::Pid);
    (asked && children_are_elsewhere("pid")).then(|| {
        "after `unshare(PID)` or `setns`, children of this process start in another PID \
         namespace, and only they can create a further one: use `within(PID, || …)` instead"
            .into()
    })
}

fn namespaces_refused(case: &Case<'_>) -> Option<Hint> {
    let asked = starts(case).then_some(case.failed.plan.namespaces)?;
    let errno = case.errno().name();
    let hint = Hint::from(remedy::refused(case.host, asked, &errno)?);
    // A sandbox can share some namespaces.
    let missing = asked
        .kinds()
        .find(|kind| errno == "EINVAL" && remedy::not_built_in(case.host, *kind).is_some());
    if sharing_users_helps(case, asked) {
        let text = format!("{}; root can run without a new one: `.share(USER)`", hint.text);
        return Some(Hint { text, ..hint });
    }
    Some(match (missing, case.action) {
        (Some(kind), Op::Start(_) | Op::PrepareMaps(_)) => {
            let text = format!("{}; share it: `.share({})`", hint.text, kind.constant());
            Hint { text, ..hint }
        }
        _ => hint,
    })
}

/// Whether root's sandbox could start if it shared the user namespace.
fn sharing_users_helps(case: &Case<'_>, asked: Namespaces) -> bool {
    let starts = matches!(case.action, Op::Start(_) | Op::PrepareMaps(_));
    let is_off = case.host.forbids_user_namespaces().is_some();
    starts && asked.has(Kind::User) && case.host.is_root() && is_off && remedy::has_all_rights()
}

/// The hint about a user namespace that is refused for an unknown reason.
fn user_namespaces_forbidden(case: &Case<'_>) -> Option<Hint> {
    let asked = starts(case) && case.failed.plan.namespaces.has(Kind::User);
    // A raw call has the rights of its process, which later rows check.
    let raw = matches!(case.raw(), Some(RawAction::Clone3(_) | RawAction::Unshare(_)));
    (asked && !raw).then(|| remedy::around().into())
}

fn rights_refused(case: &Case<'_>) -> Option<Hint> {
    let is_user = !case.host.is_root();
    Some(is_user.then(|| remedy::restricted_by_apparmor(case.host))??.into())
}

/// Whether the map of this process, a file of /proc/self, contains all ids that `map` maps to.
fn has_all(case: &Case<'_>, file: &str, map: &IdMap) -> bool {
    let text = case.host.tree.read(&std::path::Path::new("/proc/self").join(file));
    let Ok(text) = text.map(|text| String::from_utf8_lossy(&text).into_owned()) else {
        return true;
    };
    let numbers = |line: &str| -> Option<(u64, u64)> {
        let mut words = line.split_whitespace();
        let (inside, count) = (words.next()?.parse().ok()?, words.nth(1)?.parse().ok()?);
        Some((inside, count))
    };
    let own: Vec<_> = text.lines().filter_map(numbers).collect();
    map.ranges.iter().all(|range| {
        let first = u64::from(range.outside);
        let end = first + u64::from(range.count);
        own.iter().any(|(inside, count)| *inside <= first && end <= inside + count)
    })
}

fn ids_not_here(case: &Case<'_>) -> Option<Hint> {
    // If the session has its own user namespace, its map does not matter.
    let (Op::PrepareMaps(PrepareMaps { maps, limited: _ }) | Op::MapMount(MapMount { maps, .. })) =
        case.action
    else {
        return None;
    };
    let all = has_all(case, "uid_map", &maps.users) && has_all(case, "gid_map", &maps.groups);
    (!all).then(|| remedy::ids_not_permitted().into())
}

fn user_zero_without_setfcap(case: &Case<'_>) -> Option<Hint> {
    let maps = maps(case).filter(|maps| maps.users.inside(0).is_some())?;
    // A process that has entered the session has every capability in its new user namespace.
    let entered = matches!(case.raw(), Some(RawAction::EnterSession(_)));
    (maps.own && (entered || !is_capable("SETFCAP"))).then(|| remedy::no_setfcap().into())
}

fn map_refused(case: &Case<'_>) -> Option<Hint> {
    maps(case).map(|_| remedy::only_own_id().into())
}

fn proc_read_only_for_maps(case: &Case<'_>) -> Option<Hint> {
    maps(case)?;
    Some(
        "ids are mapped through `/proc`, which is read-only here: give the outer sandbox its own \
         proc and a user other than 0, `.proc(\"/proc\").user(1000)`"
            .into(),
    )
}

fn closure_guarded(case: &Case<'_>) -> Option<Hint> {
    let writes = maps(case).is_some() || matches!(case.raw(), Some(RawAction::MapIds(_)));
    // The /proc files of a process that may not be traced belong to root of the host.
    (writes && case.session.is_in_sandbox()).then(|| {
        "a closure in a sandbox is hidden from all programs there, so it cannot map ids: run \
         nsscript as a program instead, `.proc(\"/proc\").user(1000).run([\"nsscript\", …])`"
            .into()
    })
}

fn no_proc_for_maps(case: &Case<'_>) -> Option<Hint> {
    let is_missing = maps(case).is_some() && !case.host.has_proc();
    is_missing.then(|| remedy::no_proc().into())
}

fn limit_above_maximum(case: &Case<'_>) -> Option<Hint> {
    let Op::Limit(limit) = case.action else { return None };
    let resource = limit.resource;
    let maximum = || case.host.setting("fs/nr_open")?.parse().ok();
    let maximum: u64 = (resource.name == "nofile").then(maximum)??;
    if limit.hard <= maximum {
        return None;
    }
    // A lower hard limit of nsscript is the reason, and has a hint of its own.
    if sys::hard_limit(resource.number).is_some_and(|hard| hard < maximum) {
        return None;
    }
    let shown = resource.shown(maximum);
    Some(
        format!("`fs.nr_open` allows a process at most {shown} open files: choose at most that")
            .into(),
    )
}

fn limit_above_hard(case: &Case<'_>) -> Option<Hint> {
    let Op::Limit(limit) = case.action else { return None };
    let resource = limit.resource;
    let most = sys::hard_limit(resource.number).filter(|most| limit.hard > *most)?;
    let (name, shown) = (resource.name, resource.shown(most));
    Some(
        format!(
            "the hard limit `{name}` of nsscript itself is {shown}: choose at most that, or raise \
             it with `prlimit` or in limits.conf(5) before nsscript starts"
        )
        .into(),
    )
}
