//! What helps where ids of the raw layer fail: maps, users, groups.

use std::fs;

use super::raw::is_capable;
use super::{Case, Row, raw_action as raw};
use crate::diag::quoted;
use crate::plan::RawAction;

/// The rows about ids. The first that has something to say is followed.
pub(super) const ROWS: &[Row] =
    &[map_is_written, map_of_others, map_wrong, id_not_mapped, groups_are_denied, signal_refused];

/// The process whose map is written, and whether it is one of users.
fn map<'a>(case: &Case<'a>) -> Option<(String, &'a str)> {
    match raw(case)? {
        RawAction::MapIds { pid, what, .. } => Some((pid.to_string(), what)),
        RawAction::WriteFile { path, .. } => {
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

fn map_is_written(case: &Case<'_>) -> Option<String> {
    let (pid, what) = map(case).filter(|_| case.is(&["EPERM"]))?;
    let name = if what == "users" { "uid_map" } else { "gid_map" };
    let text = fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let written = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (!written.is_empty()).then(|| {
        format!("the {what} of a user namespace are mapped once, and they are: {}", quoted(written))
    })
}

fn map_of_others(case: &Case<'_>) -> Option<String> {
    let (pid, what) = map(case).filter(|_| case.is(&["EPERM"]))?;
    let setgroups = fs::read_to_string(format!("/proc/{pid}/setgroups")).unwrap_or_default();
    let own = std::process::id().to_string();
    if [own.as_str(), "self"].contains(&pid.as_str()) && !is_capable("SYS_ADMIN") {
        return Some("this process lacks CAP_SYS_ADMIN in its user namespace".into());
    }
    if what == "groups" && setgroups.trim() == "allow" {
        return Some(
            "a user's own group is mapped only once setgroups(2) is denied: `deny` has to be \
             written to `/proc/PID/setgroups` first, as `map_ids` does"
                .into(),
        );
    }
    Some(format!(
        "without capabilities over other {what} a process can map one line of one id, its own: \
         `[[0, {}(), 1]]`; more ids are mapped from outside of the new user namespace, by a \
         process that has them all",
        if what == "users" { "getuid" } else { "getgid" }
    ))
}

fn map_wrong(case: &Case<'_>) -> Option<String> {
    let (_, what) = map(case)?;
    match case.errno {
        "EINVAL" => Some(format!(
            "a map is lines `inside outside count` in one write, without overlaps, of {what} that \
             the user namespace above maps; `cat /proc/self/uid_map` shows those"
        )),
        "ENOENT" | "ESRCH" => Some("there is no such process here, or no /proc".into()),
        _ => None,
    }
}

fn signal_refused(case: &Case<'_>) -> Option<String> {
    let RawAction::Signal { .. } = raw(case)? else { return None };
    match case.errno {
        "ESRCH" => Some("`processes()` lists those that there are".into()),
        "EPERM" => Some("it belongs to another user".into()),
        _ => None,
    }
}

fn id_not_mapped(case: &Case<'_>) -> Option<String> {
    let (id, name) = match raw(case)? {
        RawAction::SetUser(uid) => (uid, "uid_map"),
        RawAction::SetGroup(gid) => (gid, "gid_map"),
        RawAction::SetGroups(groups) => (groups.first()?, "gid_map"),
        _ => return None,
    };
    case.is(&["EINVAL"]).then(|| {
        format!(
            "an id has to be mapped in this user namespace: `read_file(\"/proc/self/{name}\")` \
             shows which are, and {id} is not"
        )
    })
}

fn groups_are_denied(case: &Case<'_>) -> Option<String> {
    let RawAction::SetGroups(_) = raw(case)? else { return None };
    case.is(&["EPERM"]).then(|| {
        let text = fs::read_to_string("/proc/self/setgroups").unwrap_or_default();
        match text.trim() {
            "deny" => {
                "setgroups(2) is denied in this user namespace, as a user has mapped its \
                       groups: a group that takes rights away could be left otherwise"
            }
            _ => "setgroups(2) works in a user namespace only once its groups are mapped",
        }
        .into()
    })
}
