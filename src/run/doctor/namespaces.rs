//! Facts about each kind of namespace, and about restrictions for users.

use super::exam::Exam;
use super::{Finding, Verdict};
use crate::diag::escape;
use crate::host::{APPARMOR, DEBIAN, MOST_USER_NAMESPACES};
use crate::run::remedy;
use crate::spec::{Kind, Namespaces};

/// The name in sysctl(8) of a file of /proc/sys.
fn dotted(setting: &str) -> String {
    setting.replace('/', ".")
}

pub(super) fn kind(exam: &Exam<'_>, kind: Kind) -> Finding {
    let tried = exam.kind(kind);
    let setting = remedy::limit(kind);
    let limit = exam.host.setting(&setting);
    let name = dotted(&setting);
    let number = limit.as_ref().and_then(|text| text.parse::<u64>().ok());
    let failed = match tried.answer {
        Ok(()) => {
            let how = if tried.with_user { "created, with a user namespace" } else { "created" };
            let bound = match (&limit, kind) {
                (Some(limit), _) => format!("at most {} (`{name}`)", escape(limit)),
                (None, Kind::Time) if exam.host.has_proc() => {
                    format!("no limit (`{name}` does not exist)")
                }
                (None, _) => format!("the limit cannot be read (`{name}`)"),
            };
            return Finding::ok(format!("{how}; {bound}")).value(number);
        }
        Err(failed) => failed,
    };
    let asked = Namespaces::from(kind);
    let asked = if tried.with_user { asked | Kind::User.into() } else { asked };
    // Without a user namespace, no other one can be created with it.
    if tried.with_user && !exam.has(Kind::User) {
        let found = "not tested: it needs a user namespace, and those do not work";
        return Finding::new(Verdict::Unknown, found).value(number);
    }
    let errno = failed.error.errno.name();
    let found = format!("refused: {}", failed.error.errno);
    let remedy = match errno.as_str() {
        "ENOSYS" => remedy::unknown_call(exam.host, failed.error.syscall),
        _ => remedy::refused(exam.host, asked, &errno),
    };
    let denied = matches!(errno.as_str(), "EPERM" | "EACCES");
    let remedy = remedy.or_else(|| denied.then(remedy::around));
    Finding::new(Verdict::No, found).value(number).remedy(remedy)
}

/// Whether user namespaces are useful for users here, according to the probes: one can be created,
/// and grants the right to mount.
fn are_of_use(exam: &Exam<'_>) -> bool {
    exam.has(Kind::User) && exam.all_inside().is_ok()
}

pub(super) fn sysctl(exam: &Exam<'_>) -> Finding {
    if !exam.host.has_proc() {
        return Finding::unread();
    }
    let told: Vec<_> = [MOST_USER_NAMESPACES, DEBIAN]
        .into_iter()
        .map(|name| match exam.host.setting(name) {
            Some(value) => format!("`{}` is {}", dotted(name), escape(&value)),
            None => format!("`{}` does not exist", dotted(name)),
        })
        .collect();
    let found = told.join(", ");
    let value = exam.host.setting(DEBIAN).and_then(|text| text.parse::<u64>().ok());
    let remedy = remedy::switched_off(exam.host, Kind::User.into());
    let verdict = match (&remedy, exam.has(Kind::User)) {
        (None, _) => Verdict::Ok,
        (Some(_), true) => Verdict::Part,
        (Some(_), false) => Verdict::No,
    };
    Finding::new(verdict, found).value(value).remedy(remedy)
}

pub(super) fn apparmor(exam: &Exam<'_>) -> Finding {
    if !exam.host.has_proc() {
        return Finding::unread();
    }
    let profile = exam.host.apparmor_profile();
    let Some(setting) = exam.host.setting(APPARMOR) else {
        let profile = profile.map(|profile| format!("; the profile is `{}`", escape(&profile)));
        let found = format!("no restriction (`{}` does not exist)", dotted(APPARMOR));
        return Finding::ok(format!("{found}{}", profile.unwrap_or_default()));
    };
    let profile = profile.unwrap_or_else(|| "unknown".into());
    let found = format!(
        "`{}` is {}; the profile is `{}`",
        dotted(APPARMOR),
        escape(&setting),
        escape(&profile)
    );
    let remedy = remedy::restricted_by_apparmor(exam.host);
    let verdict = match (&remedy, are_of_use(exam)) {
        (None, _) => Verdict::Ok,
        (Some(_), true) => Verdict::Part,
        (Some(_), false) => Verdict::No,
    };
    Finding::new(verdict, found).value(setting.parse::<u64>().ok()).remedy(remedy)
}

pub(super) fn filter(exam: &Exam<'_>) -> Finding {
    match exam.host.status("Seccomp").as_deref() {
        None => Finding::unread(),
        Some("0") => Finding::ok("no seccomp filter on nsscript").value(0_u64),
        Some(mode) => {
            let filters = exam.host.status("Seccomp_filters").and_then(|it| it.parse::<u64>().ok());
            let value = filters.or_else(|| mode.parse().ok());
            let user = exam.kind(Kind::User).answer;
            let refused = user.is_err_and(|failed| {
                matches!(failed.error.errno.name().as_str(), "EPERM" | "EACCES" | "ENOSYS")
            });
            match remedy::filtered(exam.host).filter(|_| refused) {
                Some(remedy) => Finding::new(Verdict::Part, remedy.cause.clone()).remedy(remedy),
                None => Finding::ok("a seccomp filter, which allows user namespaces"),
            }
            .value(value)
        }
    }
}

pub(super) fn chroot(exam: &Exam<'_>) -> Finding {
    match exam.host.is_in_chroot() {
        None => Finding::unread(),
        Some(true) => {
            let found = "the root of this process is not a mount point";
            Finding::new(Verdict::No, found).value(true).remedy(remedy::chrooted())
        }
        Some(false) => Finding::ok("the root of this process is a mount point").value(false),
    }
}
