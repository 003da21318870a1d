//! Facts about devices, and about programs that use them.

use std::fs::{self, File};
use std::path::Path;

use super::exam::Exam;
use super::{Finding, Verdict};
use crate::diag::{count, escape, quoted};
use crate::run::launch::outside;
use crate::run::remedy;
use crate::run::remedy::NetworkPart;
use crate::spec::Kind;
use crate::sys::{self, Errno, KernelProbe, Syscall};

/// Creates an interface in a temporary network namespace.
pub(super) fn tun(exam: &Exam<'_>) -> Finding {
    if !exam.has(Kind::Net) {
        let found = "not tested: network namespaces do not work";
        return Finding::new(Verdict::Unknown, found);
    }
    let tried = sys::probe_kernel(&exam.with_rights(), &[KernelProbe::Tun]);
    let (syscall, errno) = match tried.as_deref() {
        Ok([Err(error)]) => (error.syscall, error.errno),
        Err(failed) => (failed.error.syscall, failed.error.errno),
        Ok(_) => return Finding::ok("`/dev/net/tun` can create an interface in a new network"),
    };
    let remedy = remedy::no_tun(errno);
    match syscall {
        Syscall::Openat => Finding::new(Verdict::No, remedy.cause.clone()).remedy(remedy),
        _ => Finding::new(Verdict::No, format!("refused: {}(2): {errno}", syscall.name())),
    }
}

/// Probes a part of networks that may be a missing module.
pub(super) fn part(exam: &Exam<'_>, part: NetworkPart, works: &'static str) -> Finding {
    let tried = exam.has(Kind::Net).then(|| exam.network(part)).flatten();
    let Some(tried) = tried else {
        let found = "not tested: network namespaces do not work";
        return Finding::new(Verdict::Unknown, found);
    };
    let Err(error) = tried else { return Finding::ok(works) };
    let found = format!("refused: {}", error.errno);
    Finding::new(Verdict::No, found).remedy(remedy::no_part_of_networks(part, error.errno))
}

pub(super) fn pasta(exam: &Exam<'_>) -> Finding {
    let Some(path) = outside::pasta(exam.host) else {
        let remedy = remedy::no_pasta();
        return Finding::new(Verdict::No, remedy.cause.clone()).remedy(remedy);
    };
    let shown = quoted(path.to_string_lossy());
    let finding = match sys::version_of(&path) {
        // A shell would execute files that the kernel refuses.
        Ok(Some(version)) if version.starts_with("pasta ") => {
            Finding::ok(format!("{shown}: {}", escape(&version)))
        }
        Ok(_) => {
            let remedy = if exam.host.has_proc() { remedy::no_pasta() } else { remedy::no_proc() };
            let found = format!("{shown} does not print its version");
            Finding::new(Verdict::No, found).remedy(remedy)
        }
        Err(error) => {
            let found = format!("{shown} cannot be run: {}", Errno::from(&error));
            Finding::new(Verdict::No, found).remedy(remedy::no_pasta())
        }
    };
    finding.value(path.to_string_lossy().into_owned())
}

/// Requests no device, because the kernel would create one if none is free.
pub(super) fn loops(_: &Exam<'_>) -> Finding {
    let opened = File::options().read(true).write(true).open("/dev/loop-control");
    let names = fs::read_dir("/dev").into_iter().flatten().flatten();
    let is_number = |name: &str| !name.is_empty() && name.bytes().all(|it| it.is_ascii_digit());
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let devices = names.filter(|name| name.strip_prefix("loop").is_some_and(is_number)).count();
    let found = count(devices, "device");
    match opened {
        Ok(_) => Finding::ok(format!("`/dev/loop-control` can be used; {found} in /dev")),
        Err(error) => {
            let errno = Errno::from(&error);
            let found = format!("`/dev/loop-control`: {errno}; {found} in /dev");
            let remedy = match errno.name().as_str() {
                "EACCES" | "EPERM" => remedy::loop_refused(),
                _ => remedy::no_loop_devices(),
            };
            Finding::new(Verdict::No, found).remedy(remedy)
        }
    }
    .value(u64::try_from(devices).unwrap_or(u64::MAX))
}

/// Lists the entries of binfmt_misc, by which the kernel executes other programs.
pub(super) fn binfmt(exam: &Exam<'_>) -> Finding {
    if !exam.host.has_proc() {
        return Finding::unread();
    }
    let place = Path::new("/proc/sys/fs/binfmt_misc");
    let status = fs::read_to_string(place.join("status")).unwrap_or_default();
    if status.is_empty() {
        let remedy = remedy::binfmt_missing();
        return Finding::new(Verdict::No, remedy.cause.clone()).remedy(remedy);
    }
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let is_on = |name: &String| {
        let text = fs::read_to_string(place.join(name)).unwrap_or_default();
        text.lines().next() == Some("enabled")
    };
    let mut names: Vec<_> = names
        .filter(|name| !["register", "status"].contains(&name.as_str()) && is_on(name))
        .map(|name| escape(&name))
        .collect();
    names.sort();
    let finding = match (status.trim(), names.as_slice()) {
        ("disabled", _) => {
            let found = "disabled";
            Finding::new(Verdict::No, found).remedy(remedy::binfmt_off())
        }
        (_, []) => {
            let found = "mounted, with no entries";
            Finding::new(Verdict::Part, found).remedy(remedy::binfmt_empty())
        }
        (_, names) => Finding::ok(names.join(" ")),
    };
    finding.value(names)
}
