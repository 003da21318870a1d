//! Facts about the file systems that can be mounted in the namespaces of a sandbox.

use super::exam::{Exam, Inside};
use super::{Finding, Verdict};
use crate::run::remedy::{self, Remedy};
use crate::spec::Kind;
use crate::sys::CallError;

fn shown(error: CallError) -> String {
    format!("{}(2): {}", error.syscall.name(), error.errno)
}

/// The finding on something that could not be tested.
fn untested(why: &str) -> Finding {
    Finding::new(Verdict::Unknown, format!("not tested: {why}"))
}

/// The finding of a probe inside; `remedy` returns the remedy for an error.
fn finding(
    exam: &Exam<'_>,
    what: Inside,
    (works, fails): (&str, Verdict),
    remedy: impl Fn(&str) -> Option<Remedy>,
) -> Finding {
    let error = match exam.inside(what) {
        None => return untested("mount namespaces do not work"),
        Some(Ok(())) => return Finding::ok(works),
        Some(Err(error)) => error,
    };
    let errno = error.errno.name();
    let known = match errno.as_str() {
        "ENOSYS" => remedy::unknown_call(exam.host, error.syscall),
        "EPERM" | "EACCES" => remedy::restricted_by_apparmor(exam.host),
        _ => None,
    };
    let remedy = known.or_else(|| remedy(&errno));
    Finding::new(fails, format!("refused: {}", shown(error))).remedy(remedy)
}

/// Whether mounting works, or is unknown.
fn mounts(exam: &Exam<'_>) -> bool {
    exam.inside(Inside::MountApi).is_none_or(|answer| answer.is_ok())
}

pub(super) fn api(exam: &Exam<'_>) -> Finding {
    if !exam.has(Kind::Mount) {
        return untested("mount namespaces do not work");
    }
    let works = "fsopen(2), fsmount(2), move_mount(2), open_tree(2) and mount_setattr(2) work";
    finding(exam, Inside::MountApi, (works, Verdict::No), |errno| {
        (errno == "EINVAL").then(remedy::root_is_no_mount)
    })
}

pub(super) fn overlay(exam: &Exam<'_>) -> Finding {
    let works = "mounted, with changes in a tmpfs";
    if !mounts(exam) {
        return untested("mounting does not work");
    }
    let found = finding(exam, Inside::Overlay, (works, Verdict::Part), |errno| {
        let of_users = remedy::no_overlay_for_users(exam.host);
        of_users.or_else(|| (errno == "ENODEV").then(remedy::no_overlay))
    });
    // Layers of a root that cannot be stacked are copied.
    match found.verdict {
        Verdict::Part => {
            Finding { found: format!("{}; roots are copied instead", found.found), ..found }
        }
        _ => found,
    }
}

pub(super) fn root(exam: &Exam<'_>) -> Finding {
    if !mounts(exam) {
        return untested("mounting does not work");
    }
    let works = ("pivot_root(2) can replace it", Verdict::Part);
    let found = finding(exam, Inside::PivotRoot, works, |errno| {
        (errno == "EINVAL").then(remedy::root_is_on_nothing)
    });
    match found.verdict {
        Verdict::Part => {
            Finding { found: format!("{}; it is bound on itself instead", found.found), ..found }
        }
        _ => found,
    }
}

pub(super) fn proc(exam: &Exam<'_>) -> Finding {
    if !exam.has(Kind::Pid) {
        return untested("PID namespaces do not work");
    }
    finding(exam, Inside::Proc, ("a new one can be mounted", Verdict::No), |errno| {
        (errno == "EPERM").then(remedy::proc_is_covered)
    })
}

pub(super) fn sysfs(exam: &Exam<'_>) -> Finding {
    if !exam.has(Kind::Net) {
        return untested("network namespaces do not work");
    }
    finding(exam, Inside::Sysfs, ("a new one can be mounted", Verdict::Part), |errno| {
        (errno == "EPERM").then(remedy::sysfs_is_covered)
    })
}
