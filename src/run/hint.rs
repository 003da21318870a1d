//! What helps, by what failed and why. Consulted only when something has failed; a row is added
//! whenever a failure puzzled somebody.

mod identity;
mod mount;
mod overlay;
mod raw;

use std::path::Path;

use super::failure::Failure;
use super::remedy::{self, Remedy};
use crate::diag::{Report, quoted};
use crate::host::Host;
use crate::plan::{Action, Lower, RawAction, RootKind};
use crate::spec::{GuestPath, Kind, Namespaces};
use crate::sys::Errno;

/// What failed, on which machine.
struct Case<'a> {
    failure: &'a Failure<'a>,
    action: &'a Action,
    errno: &'a str,
    host: &'a Host,
}

/// A row of the table: what helps in a case, where the row is about it.
type Row = fn(&Case<'_>) -> Option<String>;

/// The table. The first row that has something to say is followed.
const ROWS: &[Row] = &[
    old_kernel,
    files_in_memory,
    namespaces_refused,
    users_restricted_by_apparmor,
    groups_without_setgroups,
    ids_not_permitted,
    no_proc_for_maps,
    proc_is_covered,
    no_sysfs,
    source_out_of_reach,
    target_below_read_only,
    target_is_not_there,
    file_system_unknown,
    option_unknown_to_file_system,
    overlay_refused,
    place_belongs_to_nobody,
    working_directory_missing,
];

/// The report with what helps.
pub(super) fn add(mut report: Report, failure: &Failure<'_>, host: &Host) -> Report {
    let Some(planned) = failure.plan.actions.get(failure.action) else { return report };
    let errno = failure.errno.name();
    let case = Case { failure, action: &planned.action, errno: &errno, host };
    let rows = ROWS.iter().chain(raw::ROWS).chain(identity::ROWS).chain(mount::ROWS);
    if let Some(hint) = rows.into_iter().find_map(|row| row(&case)) {
        report = report.hint(hint);
    }
    if let (Some(target), "EROFS") = (target(&planned.action), errno.as_str())
        && let Some((_, _, by)) = failure.plan.view.holder(target)
    {
        report = report.related(by, "read-only since here");
    }
    report
}

/// What helps where a root could not be built.
pub(super) fn for_build(report: Report, errno: Errno, directory: &Path) -> Report {
    let directory = quoted(directory.to_string_lossy());
    match errno.name().as_str() {
        "ENOSPC" | "EDQUOT" => {
            report.hint(format!("no room is left at {directory}; set `TMPDIR` to a larger place"))
        }
        "EACCES" => report.hint("the file on the host cannot be read by you"),
        "ESTALE" => {
            report.hint("the file was replaced while the root was being built; run it again")
        }
        _ => report,
    }
}

fn target(action: &Action) -> Option<&GuestPath> {
    match action {
        Action::Bind { target, .. } | Action::Mount { target, .. } => Some(target),
        Action::MakeDirectory(path, _)
        | Action::MakeFile(path, ..)
        | Action::MakeSymlink { path, .. }
        | Action::Protect { target: path, .. }
        | Action::Mask(path) => Some(path),
        _ => None,
    }
}

impl Case<'_> {
    fn starts(&self) -> bool {
        matches!(
            self.action,
            Action::Start(_)
                | Action::PrepareMaps(_)
                | Action::Raw(
                    RawAction::Clone(_) | RawAction::Unshare(_) | RawAction::EnterSession { .. }
                )
        )
    }

    fn is(&self, errnos: &[&str]) -> bool {
        errnos.contains(&self.errno)
    }
}

/// The action of the raw layer that failed.
fn raw_action<'a>(case: &Case<'a>) -> Option<&'a RawAction> {
    match case.action {
        Action::Raw(raw) => Some(raw),
        _ => None,
    }
}

fn old_kernel(case: &Case<'_>) -> Option<String> {
    let asked = case.is(&["ENOSYS"]);
    let remedy = asked.then(|| remedy::unknown_call(case.host, case.failure.syscall));
    Some(remedy.flatten()?.hint())
}

fn files_in_memory(case: &Case<'_>) -> Option<String> {
    let asked = case.failure.syscall.name() == "memfd_create" && case.is(&["EACCES"]);
    let remedy = asked.then(|| remedy::file_in_memory(case.host));
    Some(remedy.flatten()?.hint())
}

fn namespaces_refused(case: &Case<'_>) -> Option<String> {
    let asked = case.starts().then_some(case.failure.plan.namespaces)?;
    let refused = remedy::refused(case.host, asked, case.errno);
    // What the raw layer does, later rows know more of.
    let last = raw_action(case).is_none() && asked.has(Kind::User) && case.is(&["EPERM"]);
    let hint = refused.or_else(|| last.then(remedy::around))?.hint();
    // A sandbox can do without some.
    let missing = asked
        .kinds()
        .find(|kind| case.is(&["EINVAL"]) && remedy::not_built_in(case.host, *kind).is_some());
    if sharing_users_helps(case, asked) {
        return Some(format!("{hint}; root does without one: `.share(USER)`"));
    }
    Some(match (missing, case.action) {
        (Some(kind), Action::Start(_) | Action::PrepareMaps(_)) => {
            format!("{hint}; share it: `.share({})`", kind.constant())
        }
        _ => hint,
    })
}

/// Whether a sandbox of root starts where its user namespace is the one of nsscript.
fn sharing_users_helps(case: &Case<'_>, asked: Namespaces) -> bool {
    let starts = matches!(case.action, Action::Start(_) | Action::PrepareMaps(_));
    let is_off = case.host.forbids_user_namespaces().is_some();
    starts && asked.has(Kind::User) && case.host.is_root() && is_off && remedy::has_all_rights()
}

fn users_restricted_by_apparmor(case: &Case<'_>) -> Option<String> {
    let asked = case.is(&["EPERM", "EACCES"]) && !case.host.is_root();
    let remedy = asked.then(|| remedy::restricted_by_apparmor(case.host));
    Some(remedy.flatten()?.hint())
}

fn groups_without_setgroups(case: &Case<'_>) -> Option<String> {
    let maps = matches!(case.action, Action::MapOwnIds(_) | Action::PrepareMaps(_));
    (maps && case.is(&["EPERM"])).then(|| remedy::only_own_id().hint())
}

fn ids_not_permitted(case: &Case<'_>) -> Option<String> {
    let maps = matches!(case.action, Action::MapOwnIds(_) | Action::PrepareMaps(_));
    (maps && case.is(&["EINVAL"])).then(|| remedy::ids_not_permitted().hint())
}

fn no_proc_for_maps(case: &Case<'_>) -> Option<String> {
    let maps = matches!(case.action, Action::MapOwnIds(_) | Action::PrepareMaps(_));
    let is_missing = maps && case.is(&["ENOENT", "EXDEV"]) && !case.host.has_proc();
    is_missing.then(|| remedy::no_proc().hint())
}

fn proc_is_covered(case: &Case<'_>) -> Option<String> {
    let Action::Mount { kind, .. } = case.action else { return None };
    (kind == "proc" && case.is(&["EPERM"])).then(|| remedy::proc_is_covered().hint())
}

fn no_sysfs(case: &Case<'_>) -> Option<String> {
    let Action::Mount { kind, .. } = case.action else { return None };
    (kind == "sysfs" && case.is(&["EPERM"])).then(|| remedy::no_sysfs().hint())
}

fn source_out_of_reach(case: &Case<'_>) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let Action::Bind { source, .. } = case.action else { return None };
    if case.is(&["ENOENT"]) && case.failure.syscall.name() == "open_tree" {
        return Some(
            "the source was there when the plan was made; something has removed it".into(),
        );
    }
    if !case.is(&["EACCES"]) {
        return None;
    }
    let blocked = source.ancestors().filter_map(|path| {
        let found = case.host.tree.metadata(path).ok()?;
        (found.mode() & 0o001 == 0).then(|| (path.to_owned(), found))
    });
    let (path, found) = blocked.last()?;
    let path = quoted(path.to_string_lossy());
    let (mode, uid) = (found.mode() & 0o7777, found.uid());
    let mapped = case.failure.plan.maps.users.inside(uid).is_some();
    let who = if mapped { "" } else { ", which is not mapped in this sandbox" };
    Some(format!("{path} is mode {mode:04o} and belongs to uid {uid}{who}"))
}

fn target_below_read_only(case: &Case<'_>) -> Option<String> {
    target(case.action)?;
    case.is(&["EROFS"]).then(|| {
        "the place lies below a read-only mount and does not exist there; mount a tmpfs above it \
         first, or make it before the read-only mount"
            .into()
    })
}

fn target_is_not_there(case: &Case<'_>) -> Option<String> {
    let path = target(case.action)?;
    let path = quoted(path.as_str());
    match case.errno {
        "ENOENT" => Some(format!("nothing is at {path} in the root that was made so far")),
        "ENOTDIR" => Some(format!(
            "something on the way to {path} is no directory, or a file is \
                                   mounted on a directory"
        )),
        "ELOOP" => Some(format!(
            "links on the way to {path} lead in a circle, or through the links \
                                 of a process, which are not followed"
        )),
        "EEXIST" => Some(format!("{path} exists already")),
        _ => None,
    }
}

fn file_system_unknown(case: &Case<'_>) -> Option<String> {
    let Action::Mount { kind, .. } = case.action else { return None };
    case.is(&["ENODEV"]).then(|| remedy::unknown_file_system(kind, case.host).hint())
}

fn option_unknown_to_file_system(case: &Case<'_>) -> Option<String> {
    let Action::Mount { kind, options, .. } = case.action else { return None };
    let asked = case.failure.syscall.name() == "fsconfig" && case.is(&["EINVAL"]);
    let names: Vec<_> = options.data.iter().map(|(key, _)| quoted(key)).collect();
    (asked && !names.is_empty())
        .then(|| format!("{kind} does not take one of {}, or not that value", names.join(", ")))
}

fn overlay_refused(case: &Case<'_>) -> Option<String> {
    let Action::MakeRoot(RootKind::Overlay { lower, changes }) = case.action else { return None };
    let of_users = remedy::no_overlay_for_users(case.host);
    match (case.errno, lower) {
        ("EPERM" | "ENODEV", _) if of_users.is_some() => of_users.map(Remedy::hint),
        ("EINVAL", Lower::Directory(path)) => Some(format!(
            "something is mounted below {}, which an overlay does not show; use it read-only: \
             `.read_only_root()`",
            quoted(path.to_string_lossy())
        )),
        ("EINVAL" | "EOPNOTSUPP", _) if let Some(path) = changes => Some(format!(
            "the file system of {} may not be one that takes the changes of an overlay, as NFS or \
             another overlay: a disk of the machine is",
            quoted(path.to_string_lossy())
        )),
        ("ESTALE", _) => Some("what is kept was changed on top of another root".into()),
        ("ENODEV", _) => Some(remedy::no_overlay().hint()),
        _ => None,
    }
}

fn place_belongs_to_nobody(case: &Case<'_>) -> Option<String> {
    target(case.action)?;
    case.is(&["EACCES", "EPERM", "EOVERFLOW"]).then(|| {
        "the directory belongs to a user that is not mapped in this sandbox, or may not be written \
         to; `map_user` and `map_group` map more ids"
            .into()
    })
}

fn working_directory_missing(case: &Case<'_>) -> Option<String> {
    let Action::Enter(path) = case.action else { return None };
    let shown = quoted(path.as_str());
    case.is(&["ENOENT", "ENOTDIR"])
        .then(|| format!("{shown} is no directory in the root; `.directory(\"{path}\")` makes it"))
}
