//! Facts about the ids that user namespaces can map.

use super::exam::Exam;
use super::{Finding, Verdict};
use crate::diag::list;
use crate::host::accounts;
use crate::json;
use crate::plan::Maps;
use crate::run::remedy;
use crate::run::session::Session;
use crate::run::session::idmap::{self, MapError, all_ids};
use crate::spec::{IdMap, IdRange, Kind};
use crate::sys::{CallError, Syscall};

pub(super) fn own(exam: &Exam<'_>) -> Finding {
    let (uid, gid) = (exam.host.uid, exam.host.gid);
    if !exam.has(Kind::User) {
        return Finding::new(Verdict::Unknown, "not tested: user namespaces do not work");
    }
    let Err(failed) = *exam.all_inside() else {
        let found = format!("user {uid} and group {gid} are mapped, as 0 inside");
        return Finding::ok(found).value(uid);
    };
    let refused = format!("{}(2): {}", failed.error.syscall.name(), failed.error.errno);
    let errno = failed.error.errno.name();
    let remedy = match errno.as_str() {
        "ENOENT" | "EXDEV" if !exam.host.has_proc() => Some(remedy::no_proc()),
        "EPERM" | "EACCES" => {
            remedy::restricted_by_apparmor(exam.host).or_else(|| Some(remedy::only_own_id()))
        }
        "EINVAL" => Some(remedy::ids_not_permitted()),
        _ => None,
    };
    Finding::new(Verdict::No, format!("cannot be mapped: {refused}")).value(uid).remedy(remedy)
}

/// Ranges in words, such as `100000–165535`.
fn shown(ranges: &[(u32, u32)]) -> String {
    let range = |(first, count): &(u32, u32)| {
        format!("{first}–{}", u64::from(*first) + u64::from(*count).saturating_sub(1))
    };
    let ranges: Vec<_> = ranges.iter().map(range).collect();
    list(&ranges, "and")
}

pub(super) fn subordinate(exam: &Exam<'_>) -> Finding {
    let host = exam.host;
    if host.is_root() {
        return of_root(exam);
    }
    let of = |file: &str| accounts::subordinate(&host.tree, file, host.uid);
    let (users, groups) = (of("/etc/subuid"), of("/etc/subgid"));
    let value = json::Finding::Ids { users: users.clone(), groups: groups.clone() };
    let missing = [(&users, "/etc/subuid"), (&groups, "/etc/subgid")];
    if let Some((_, file)) = missing.into_iter().find(|(ranges, _)| ranges.is_empty()) {
        let remedy = remedy::no_subordinate_ids(host, file);
        return Finding::new(Verdict::No, remedy.cause.clone()).value(value).remedy(remedy);
    }
    let found = format!("users {}, groups {}", shown(&users), shown(&groups));
    Finding::ok(found).value(value)
}

/// The finding for root, who can map all ids of its user namespace.
fn of_root(exam: &Exam<'_>) -> Finding {
    let Some(map) = own_map(exam, "uid_map") else { return Finding::unread() };
    let number = total(&map);
    match number {
        0..ENOUGH => {
            let found = format!("root of a user namespace of {}", count_ids(number));
            Finding::new(Verdict::Part, found).remedy(remedy::few_ids())
        }
        _ => Finding::ok(format!("not needed: root can map any of {}", count_ids(number))),
    }
    .value(number)
}

/// The number of ids of a complete system: subuid(5).
const ENOUGH: u64 = 65_536;

fn total(map: &IdMap) -> u64 {
    map.ranges.iter().map(|range| u64::from(range.count)).sum()
}

fn count_ids(number: u64) -> String {
    if number == 1 { "1 id".into() } else { format!("{number} ids") }
}

/// The ids of this process's user namespace, each mapped to itself.
fn own_map(exam: &Exam<'_>, name: &str) -> Option<IdMap> {
    let text = exam.host.tree.read(format!("/proc/self/{name}").as_ref()).ok()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let range = |line: &str| {
        let mut words = line.split_whitespace();
        let (first, _, count) = (words.next()?, words.next()?, words.next()?);
        let (first, count) = (first.parse().ok()?, count.parse().ok()?);
        Some(IdRange { inside: first, outside: first, count })
    };
    Some(IdMap { ranges: text.lines().filter_map(range).collect() })
}

/// Maps all ids of the caller; for a user, with newuidmap(1) and newgidmap(1).
pub(super) fn helpers(exam: &Exam<'_>) -> Finding {
    let host = exam.host;
    let helpers = ["newuidmap", "newgidmap"];
    let found = helpers.map(|helper| (helper, host.tree.which(helper, None)));
    let paths = found.iter().filter_map(|(_, path)| Some(path.as_ref()?.to_string_lossy()));
    let value = paths.map(Into::into).collect::<Vec<String>>();
    let finding = if !exam.has(Kind::User) {
        Finding::new(Verdict::Unknown, "not tested: user namespaces do not work")
    } else if host.is_root() {
        own_range(exam)
    } else if let Some((helper, _)) = found.iter().find(|(_, path)| path.is_none()) {
        let remedy = remedy::helper_missing(helper);
        Finding::new(Verdict::No, remedy.cause.clone()).remedy(remedy)
    } else {
        by_helpers(exam, &value)
    };
    finding.value(value)
}

fn by_helpers(exam: &Exam<'_>, paths: &[String]) -> Finding {
    let maps = match all_ids(exam.host) {
        Ok(maps) => maps,
        Err(report) => return Finding::new(Verdict::Unknown, report.message),
    };
    let found = list(paths, "and");
    if maps.own {
        let found = format!("{found} exist, but were not tested: there are no ids to map");
        return Finding::new(Verdict::Unknown, found);
    }
    match idmap::make(&maps, exam.host, &Session::default()) {
        Ok(_) => Finding::ok(format!("{found} mapped them")),
        Err(MapError::Helper(report)) => {
            Finding::new(Verdict::No, report.message).remedy(remedy::helper_fails())
        }
        Err(MapError::Call(error)) => refused(exam, error, Verdict::No),
    }
}

/// The finding if ids could not be mapped.
fn refused(exam: &Exam<'_>, error: CallError, verdict: Verdict) -> Finding {
    let found = format!("refused: {}(2): {}", error.syscall.name(), error.errno);
    let remedy = match (error.syscall, error.errno.name().as_str()) {
        (Syscall::Execveat | Syscall::MemfdCreate, _) => remedy::file_in_memory(exam.host),
        (_, "ENOENT") if !exam.host.has_proc() => Some(remedy::no_proc()),
        (_, "EPERM") => Some(remedy::only_own_id()),
        _ => None,
    };
    Finding::new(verdict, found).remedy(remedy)
}

/// Maps, as root, all ids of this process's user namespace.
fn own_range(exam: &Exam<'_>) -> Finding {
    let (Some(users), Some(groups)) = (own_map(exam, "uid_map"), own_map(exam, "gid_map")) else {
        return Finding::unread();
    };
    let number = count_ids(total(&users));
    let maps = Maps { users, groups, uid: 0, gid: 0, own: false };
    match idmap::make(&maps, exam.host, &Session::default()) {
        Ok(_) => Finding::ok(format!("not needed: root mapped {number} itself")),
        Err(MapError::Helper(report)) => Finding::new(Verdict::Part, report.message),
        Err(MapError::Call(error)) => refused(exam, error, Verdict::Part),
    }
}
