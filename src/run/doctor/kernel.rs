//! Facts about the kernel, the caller, and the confinement of programs.

use super::exam::Exam;
use super::{Finding, Verdict};
use crate::diag::list;
use crate::run::remedy;
use crate::sys;

pub(super) fn release(exam: &Exam<'_>) -> Finding {
    let uname = sys::uname();
    let (major, minor) = remedy::OLDEST;
    let found = format!("Linux {} on {}; {major}.{minor} is needed", uname.release, uname.machine);
    let is_old = exam.host.kernel < remedy::OLDEST;
    let verdict = if is_old { Verdict::No } else { Verdict::Ok };
    let remedy = is_old.then(|| remedy::old_kernel(exam.host));
    Finding::new(verdict, found).value(uname.release).remedy(remedy)
}

pub(super) fn caller(exam: &Exam<'_>) -> Finding {
    let (uid, host) = (exam.host.uid, exam.host);
    let who = if host.is_root() { "root".to_owned() } else { format!("user {uid}") };
    let rights =
        if remedy::has_all_rights() { "with CAP_SYS_ADMIN" } else { "without CAP_SYS_ADMIN" };
    let place = match (host.has_proc(), exam.launcher.in_user_namespace()) {
        (true, true) => ", in a user namespace",
        _ => "",
    };
    let verdict = if remedy::has_all_rights() { Verdict::Ok } else { Verdict::Part };
    Finding::new(verdict, format!("{who}, {rights}{place}")).value(uid)
}

/// Whether /proc shows the processes of other users.
pub(super) fn processes(exam: &Exam<'_>) -> Finding {
    if !exam.host.has_proc() {
        return Finding::unread();
    }
    match remedy::processes_hidden(exam.host) {
        Some(remedy) => {
            let option = exam.host.hidepid();
            Finding::new(Verdict::Part, remedy.cause.clone()).value(option).remedy(remedy)
        }
        None => Finding::ok("`/proc` shows the processes of other users"),
    }
}

pub(super) fn seccomp(exam: &Exam<'_>) -> Finding {
    match sys::seccomp_actions() {
        Ok(actions) => {
            let found = format!("filters with the actions {}", list(&actions, "and"));
            let actions: Vec<_> = actions.into_iter().map(str::to_owned).collect();
            Finding::ok(found).value(actions)
        }
        Err(errno) => {
            let remedy = remedy::no_seccomp(exam.host);
            Finding::new(Verdict::No, format!("seccomp(2): {errno}")).remedy(remedy)
        }
    }
}

pub(super) fn landlock(_: &Exam<'_>) -> Finding {
    match sys::landlock_version() {
        Ok(version) => Finding::ok(format!("ABI {version}")).value(version),
        Err(errno) => {
            let remedy = remedy::no_landlock(errno);
            let found = format!("landlock_create_ruleset(2): {errno}");
            Finding::new(Verdict::No, found).remedy(remedy)
        }
    }
}
