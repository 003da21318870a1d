//! The kernel, who asks, and what confines programs.

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
    let admin = sys::capabilities().is_ok_and(|sets| sets.effective >> ADMIN & 1 == 1);
    let rights = if admin { "with CAP_SYS_ADMIN" } else { "without CAP_SYS_ADMIN" };
    let place = match (host.has_proc(), exam.runner.in_user_namespace()) {
        (true, true) => ", in a user namespace",
        _ => "",
    };
    // Whoever is a user needs no rights.
    Finding::ok(format!("{who}, {rights}{place}")).value(uid)
}

/// The number of `CAP_SYS_ADMIN`: capabilities(7).
const ADMIN: u32 = 21;

pub(super) fn seccomp(exam: &Exam<'_>) -> Finding {
    match sys::seccomp_actions() {
        Ok(actions) => {
            let found = format!("filters with the actions {}", list(&actions, "and"));
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
