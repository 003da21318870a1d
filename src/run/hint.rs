//! What helps, by what failed and why. Consulted only when something has failed; a row is added
//! whenever a failure puzzled somebody.

mod identity;
mod mount;
mod overlay;
mod raw;

use std::path::Path;

use super::failure::Failure;
use crate::diag::{Report, quoted};
use crate::host::Host;
use crate::plan::{Action, Lower, RawAction, RootKind};
use crate::spec::{GuestPath, Kind};
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
    users_disabled_by_sysctl,
    users_restricted_by_apparmor,
    namespaces_exhausted,
    namespace_not_built_in,
    too_many_processes,
    groups_without_setgroups,
    ids_not_permitted,
    proc_is_covered,
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
        | Action::Protect(path)
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
    let since = case.failure.syscall.since();
    let (major, minor) = case.host.kernel;
    (case.is(&["ENOSYS"]) && !since.is_empty()).then(|| {
        let call = case.failure.syscall.name();
        format!(
            "{call}(2) is in Linux since {since}, and this is {major}.{minor}; a seccomp filter \
                 around nsscript can also refuse it so"
        )
    })
}

fn users_disabled_by_sysctl(case: &Case<'_>) -> Option<String> {
    if !case.starts() || !case.is(&["EPERM", "ENOSPC", "EUSERS"]) {
        return None;
    }
    let is_zero = |name: &str| case.host.setting(name).as_deref() == Some("0");
    if is_zero("kernel/unprivileged_userns_clone") && !case.host.is_root() {
        return Some(
            "user namespaces are off for users on this machine: \
                     `sysctl kernel.unprivileged_userns_clone=1` allows them"
                .into(),
        );
    }
    let zero = Kind::ALL
        .into_iter()
        .find(|kind| case.failure.plan.namespaces.has(*kind) && is_zero(&limit(*kind)))?;
    let name = limit(zero).replace('/', ".");
    Some(format!(
        "`{}` namespaces are off on this machine: `{name}` is 0; \
                  `sysctl {name}=10000` allows them",
        zero.constant()
    ))
}

/// The sysctl that bounds how many namespaces of a kind a user may have: namespaces(7).
fn limit(kind: Kind) -> String {
    format!("user/max_{}_namespaces", kind.file())
}

fn users_restricted_by_apparmor(case: &Case<'_>) -> Option<String> {
    if !case.is(&["EPERM", "EACCES"]) || case.host.is_root() {
        return None;
    }
    let setting = case.host.setting("kernel/apparmor_restrict_unprivileged_userns")?;
    (setting == "1").then(|| {
        "AppArmor lets programs without a profile have no user namespace of use on this machine: \
         `sysctl kernel.apparmor_restrict_unprivileged_userns=0` allows them, or a profile with \
         `userns,` for nsscript in /etc/apparmor.d"
            .into()
    })
}

fn namespaces_exhausted(case: &Case<'_>) -> Option<String> {
    (case.starts() && case.is(&["ENOSPC", "EUSERS"])).then(|| {
        "there are too many namespaces, or they are nested more than 32 deep; the limits are \
         `sysctl user | grep namespaces`"
            .into()
    })
}

fn namespace_not_built_in(case: &Case<'_>) -> Option<String> {
    if !case.starts() || !case.is(&["EINVAL"]) {
        return None;
    }
    let missing = Kind::ALL.into_iter().find(|kind| {
        let file = Path::new("/proc/self/ns").join(kind.file());
        case.failure.plan.namespaces.has(*kind) && case.host.tree.symlink_metadata(&file).is_err()
    })?;
    let name = missing.constant();
    Some(match case.action {
        Action::Raw(_) => format!("this kernel has no {name} namespaces"),
        _ => format!("this kernel has no {name} namespaces; share it: `.share({name})`"),
    })
}

fn too_many_processes(case: &Case<'_>) -> Option<String> {
    (case.starts() && case.is(&["EAGAIN"])).then(|| {
        "there are too many processes: the limit of this user (`ulimit -u`) or of its cgroup \
         (`pids.max`) is reached"
            .into()
    })
}

fn groups_without_setgroups(case: &Case<'_>) -> Option<String> {
    let maps = matches!(case.action, Action::MapOwnIds(_) | Action::PrepareMaps(_));
    (maps && case.is(&["EPERM"])).then(|| {
        "the kernel lets a user map only the own id, and groups only once `setgroups` is denied; \
         something around nsscript (a container, a security module) forbids even that"
            .into()
    })
}

fn ids_not_permitted(case: &Case<'_>) -> Option<String> {
    let maps = matches!(case.action, Action::MapOwnIds(_) | Action::PrepareMaps(_));
    (maps && case.is(&["EINVAL"])).then(|| {
        "an id in the map is no id of the namespace that nsscript runs in; \
         `cat /proc/self/uid_map` shows those"
            .into()
    })
}

fn proc_is_covered(case: &Case<'_>) -> Option<String> {
    let Action::Mount { kind, .. } = case.action else { return None };
    (kind == "proc" && case.is(&["EPERM"])).then(|| {
        "in a container whose own /proc has masked files, the kernel refuses a new one; start that \
         container with an unmasked /proc, or bind the one that is there: \
         `.bind(\"/proc\", \"/proc\", #{ read_only: true })`"
            .into()
    })
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
    case.is(&["ENODEV"]).then(|| unknown_file_system(kind, case.host))
}

/// What is said of a type that the kernel does not know.
fn unknown_file_system(kind: &str, host: &Host) -> String {
    let text = host.tree.read(Path::new("/proc/filesystems")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let names = text.lines().filter_map(|line| line.split('\t').nth(1));
    match crate::diag::closest(kind, names) {
        Some(near) => {
            format!("this kernel knows no {}; did you mean {}?", quoted(kind), quoted(near))
        }
        None => {
            format!("this kernel knows no {}; /proc/filesystems lists those it knows", quoted(kind))
        }
    }
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
    let (major, minor) = case.host.kernel;
    match (case.errno, lower) {
        ("EPERM" | "ENODEV", _) if (major, minor) < (5, 11) => Some(format!(
            "a user may mount an overlay since Linux 5.11, and this is {major}.{minor}"
        )),
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
        ("ENODEV", _) => Some("this kernel has no overlay file system".into()),
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
