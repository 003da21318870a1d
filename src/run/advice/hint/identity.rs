//! Hints about ids that the raw layer cannot change: maps, users, groups, signals.

use std::fs;

use super::raw_call::is_capable;
use super::{Case, Hint, Row};
use crate::diag::quoted;
use crate::ops::RawAction;
use crate::ops::raw::MapIds;
use crate::run::advice::row;
use crate::run::remedy;

/// The rows about ids.
pub(super) const ROWS: &[Row] = &[
    row!(map_written_before, [Write], [EPERM]),
    row!(no_right_to_map, [Write], [EPERM]),
    row!(setgroups_allowed, [Write], [EPERM]),
    row!(user_zero_maps_itself, [Write], [EPERM]),
    row!(map_of_others, [Write], [EPERM]),
    row!(map_malformed, [Write], [EINVAL]),
    row!(process_not_there, [Openat], [ENOENT, ESRCH]),
    row!(no_right_over_ids, [Setresuid, Setresgid, Setgroups], [EPERM]),
    row!(id_not_mapped, [Setresuid, Setresgid, Setgroups], [EINVAL]),
    row!(groups_denied, [Setgroups], [EPERM]),
    row!(groups_not_mapped, [Setgroups], [EPERM]),
    row!(no_process_to_signal, [Kill, PidfdSendSignal], [ESRCH]),
    row!(process_of_others, [Kill, PidfdSendSignal], [EPERM]),
];

/// The process whose map is written, and the kind of ids.
fn map<'a>(case: &Case<'a>) -> Option<(String, &'a str)> {
    match case.raw()? {
        RawAction::MapIds(ids) => Some((ids.pid.to_string(), ids.what)),
        RawAction::WriteFile(written) => {
            let path = &written.path;
            let what = match path.file_name()?.to_str()? {
                "uid_map" => "users",
                "gid_map" => "groups",
                _ => return None,
            };
            let pid = path.parent()?.file_name()?.to_str()?;
            path.starts_with("/proc").then(|| (pid.to_owned(), what))
        }
        _ => None,
    }
}

fn is_own(pid: &str) -> bool {
    pid == "self" || pid == std::process::id().to_string()
}

fn map_written_before(case: &Case<'_>) -> Option<Hint> {
    let (pid, what) = map(case)?;
    let name = if what == "users" { "uid_map" } else { "gid_map" };
    let text = fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let written = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (!written.is_empty()).then(|| {
        let written = quoted(written);
        format!(
            "the {what} of a user namespace can be mapped only once, and are already mapped \
                 as {written}: remove this call"
        )
        .into()
    })
}

fn no_right_to_map(case: &Case<'_>) -> Option<Hint> {
    let (pid, _) = map(case)?;
    let lacks = "this process lacks CAP_SYS_ADMIN in its user namespace: map ids before dropping \
                 capabilities, or let the parent process map them";
    (is_own(&pid) && !is_capable("SYS_ADMIN")).then(|| lacks.into())
}

fn setgroups_allowed(case: &Case<'_>) -> Option<Hint> {
    let (pid, _) = map(case).filter(|(_, what)| *what == "groups")?;
    let setgroups = fs::read_to_string(format!("/proc/{pid}/setgroups")).unwrap_or_default();
    (setgroups.trim() == "allow" && !is_capable_above(&pid, "SETGID")).then(|| {
        format!(
            "a user can map their own group only after setgroups(2) is denied: \
             `write_file(\"/proc/{pid}/setgroups\", \"deny\")` first, or use `map_ids`, which \
             does both"
        )
        .into()
    })
}

/// Whether this process has a capability in the parent of the user namespace of process `pid`. It
/// never has one in the parent of its own.
fn is_capable_above(pid: &str, name: &str) -> bool {
    !is_own(pid) && is_capable(name)
}

fn user_zero_maps_itself(case: &Case<'_>) -> Option<Hint> {
    let RawAction::MapIds(MapIds { pid, what: "users", map }) = case.raw()? else { return None };
    let words: Vec<_> = map.split_whitespace().collect();
    // Other maps are refused to everybody without capabilities.
    let is_own = matches!(words[..], [_, "0", "1"]);
    (is_own && !is_capable_above(&pid.to_string(), "SETFCAP")).then(|| remedy::no_setfcap().into())
}

fn map_of_others(case: &Case<'_>) -> Option<Hint> {
    let (_, what) = map(case)?;
    let call = if what == "users" { "getuid" } else { "getgid" };
    Some(
        format!(
            "without capabilities over other {what}, a process can map only its own id, in one \
             line: `[[0, {call}(), 1]]`, with the id that it has outside the new user namespace"
        )
        .into(),
    )
}

fn map_malformed(case: &Case<'_>) -> Option<Hint> {
    let (_, what) = map(case)?;
    let file = if what == "users" { "uid_map" } else { "gid_map" };
    Some(
        format!(
            "write the whole map at once, in lines of `inside outside count`, with each id only \
             once; `read_file(\"/proc/self/{file}\")` shows an example"
        )
        .into(),
    )
}

fn process_not_there(case: &Case<'_>) -> Option<Hint> {
    map(case)?;
    Some("`/proc` shows no such process: choose one that `processes()` lists".into())
}

fn no_right_over_ids(case: &Case<'_>) -> Option<Hint> {
    let name = match case.raw()? {
        RawAction::SetUser(_) => "SETUID",
        RawAction::SetGroup(_) | RawAction::SetGroups(_) => "SETGID",
        _ => return None,
    };
    let lacks = format!("this process lacks CAP_{name}: change ids before dropping capabilities");
    (!is_capable(name)).then(|| lacks.into())
}

fn id_not_mapped(case: &Case<'_>) -> Option<Hint> {
    let (id, name) = match case.raw()? {
        RawAction::SetUser(user) => (&user.0, "uid_map"),
        RawAction::SetGroup(group) => (&group.0, "gid_map"),
        RawAction::SetGroups(groups) => (groups.0.first()?, "gid_map"),
        _ => return None,
    };
    Some(
        format!(
            "{id} is not mapped in this user namespace: choose an id that \
             `read_file(\"/proc/self/{name}\")` shows"
        )
        .into(),
    )
}

fn setgroups() -> String {
    fs::read_to_string("/proc/self/setgroups").unwrap_or_default().trim().to_owned()
}

fn groups_denied(case: &Case<'_>) -> Option<Hint> {
    let RawAction::SetGroups(_) = case.raw()? else { return None };
    (setgroups() == "deny").then(|| {
        "setgroups(2) is denied in this user namespace, because a user mapped its groups, and \
         dropping a group can add rights: remove this call"
            .into()
    })
}

fn groups_not_mapped(case: &Case<'_>) -> Option<Hint> {
    let RawAction::SetGroups(_) = case.raw()? else { return None };
    Some(
        "setgroups(2) works only after the groups of the user namespace are mapped: call \
         `map_ids` with `groups` first"
            .into(),
    )
}

fn no_process_to_signal(case: &Case<'_>) -> Option<Hint> {
    let RawAction::Signal(_) = case.raw()? else { return None };
    Some("choose a process that `processes()` lists".into())
}

fn process_of_others(case: &Case<'_>) -> Option<Hint> {
    let RawAction::Signal(_) = case.raw()? else { return None };
    Some(
        "the process belongs to another user, over whom this one has no rights: `processes()` \
          shows the user of each process"
            .into(),
    )
}
