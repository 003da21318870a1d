//! Contradictions in a sandbox, reported before anything happens.

use super::settings::{Asked, Settings};
use crate::diag::{Report, os_error, quoted};
use crate::host::Host;
use crate::ops::{Ask, Changes, KeepSession, Pod, What};
use crate::spec::{Kind, Namespaces, Root};

/// Reports every contradiction between the namespaces of a sandbox and its other settings.
pub(super) fn check(settings: &Settings, host: &Host) -> Vec<Report> {
    let mut reports = Vec::new();
    let new = |kind| settings.namespaces.has(kind);
    let shared = |report: Report| report.related(settings.shared.as_ref(), "shared here");
    if let Some(pod) = &settings.pod {
        joined(settings, pod, &mut reports);
    } else if !new(Kind::User) && !host.is_root() {
        let others = settings.namespaces;
        if others != Namespaces::NONE {
            let flags = quoted(others.constants());
            let message = format!("cannot create new {flags} namespaces while USER is shared");
            let hint = "leave USER out of `share`, or run as root: only root can create other \
                        namespaces without a new USER namespace";
            let report = Report::error(message).at(settings.shared.clone());
            let report = report.advise("user_shared", hint);
            reports.push(report);
        } else if let Some(chroot) = &settings.chroot {
            let message = "only root can use `chroot` while USER is shared";
            let report = shared(Report::error(message).at(chroot.origin.clone()));
            let hint = "leave USER out of `share`, or run as root";
            reports.push(report.advise("chroot_of_users", hint));
        }
    }
    for step in settings.others.iter().filter(|_| !new(Kind::Uts)) {
        if let What::Ask(ask) = &step.what
            && ask.changes() == Changes::Uts
        {
            let verb = ask.name();
            let message = format!("`{verb}` would change the host's name, because UTS is shared");
            let report = Report::error(message).at(step.origin.clone());
            reports.push(shared(report).advise("name_of_host", "leave UTS out of `share`"));
        }
    }
    if !new(Kind::Mount) {
        mounts_shared(settings, &mut reports);
    }
    root(settings, host, &mut reports);
    writable_root(settings, &mut reports);
    changes(settings, &mut reports);
    outliving(settings, &mut reports);
    reports
}

/// Reports namespaces that are both joined and chosen otherwise.
fn joined(settings: &Settings, pod: &Asked<Pod>, reports: &mut Vec<Report>) {
    let error = |message: &str| Report::error(message).at(pod.origin.clone());
    let both = settings.namespaces & (pod.value.kinds | Kind::User.into());
    if !both.is_empty() {
        let kinds = quoted(both.constants());
        let report = error(&format!("{kinds} cannot be both new and those of another sandbox"));
        reports.push(report.advise("joined_and_new", "leave out `unshare`"));
    }
    if !settings.namespaces.has(Kind::Mount) {
        let report = error("a sandbox that shares MOUNT cannot join another one");
        reports.push(report.advise("joined_without_mounts", "leave MOUNT out of `share`"));
    }
    if settings.network.is_some() && pod.value.kinds.has(Kind::Net) {
        let report = error("the network is that of the sandbox that is joined");
        let hint = "leave out `network`, or NET of the namespaces to join";
        reports.push(report.advise("joined_and_network", hint));
    }
}

/// Reports a program that would outlive nsscript at its terminal.
fn outliving(settings: &Settings, reports: &mut Vec<Report>) {
    let find = |wanted: fn(&Ask) -> bool| {
        settings.others.iter().find(|step| matches!(&step.what, What::Ask(ask) if wanted(ask)))
    };
    let outlives = find(|ask| matches!(ask, Ask::OutliveParent(_)));
    let stays = find(|ask| matches!(ask, Ask::KeepSession(KeepSession(true))));
    if let (Some(outlives), Some(stays)) = (outlives, stays) {
        let message = "a program that outlives nsscript cannot stay at its terminal";
        let report = Report::error(message).at(outlives.origin.clone());
        let report = report.related(stays.origin.as_ref(), "it stays there since here");
        let hint = "leave out `session(false)`, or `outlive_parent()`";
        reports.push(report.advise("outliving_at_terminal", hint));
    }
}

/// Reports changes that can never be kept.
fn changes(settings: &Settings, reports: &mut Vec<Report>) {
    let Some(keep) = &settings.keep_changes else { return };
    if let Some(read_only) = &settings.read_only_root {
        let message = "cannot keep changes of a read-only root";
        let report = Report::error(message).at(keep.origin.clone());
        reports.push(report.related(read_only.origin.as_ref(), "read-only since here"));
    } else if let Some(writable) = &settings.writable_root {
        let message = "changes of the host's tree are made on the host, not kept elsewhere";
        let report = Report::error(message).at(keep.origin.clone());
        reports.push(report.related(writable.origin.as_ref(), "writable since here"));
    } else if !settings.namespaces.has(Kind::Mount) {
        let message = "cannot keep changes if MOUNT is shared";
        let report = Report::error(message).at(keep.origin.clone());
        reports.push(report.related(settings.shared.as_ref(), "shared here"));
    }
}

fn mounts_shared(settings: &Settings, reports: &mut Vec<Report>) {
    let shared = settings.shared.as_ref();
    for step in &settings.inside {
        let message = "cannot mount or create anything in the root if MOUNT is shared";
        let report = Report::error(message).at(step.origin.clone());
        reports.push(report.related(shared, "shared here"));
    }
    if let Some(asked) = settings.read_only_root.as_ref().filter(|_| !settings.host_view) {
        let message = "cannot make the root read-only if MOUNT is shared";
        let report = Report::error(message).at(asked.origin.clone());
        reports.push(report.related(shared, "shared here"));
    }
    if settings.host_view {
        let message = "cannot show the host's system without mounts, because MOUNT is shared";
        let hint = "leave MOUNT out of `share`, or choose another directory";
        let report = Report::error(message).at(settings.root.origin.clone());
        let report = report.related(shared, "shared here");
        reports.push(report.advise("system_with_mount_shared", hint));
    } else if !matches!(settings.root.value, Root::Directory(_)) || settings.chroot.is_none() {
        let message = "a sandbox that shares MOUNT can only chroot into a directory";
        let hint = "write `sandbox(\"dir\").chroot()`: nothing can be mounted if MOUNT is shared";
        let origin = settings.shared.clone().or_else(|| settings.root.origin.clone());
        reports.push(Report::error(message).at(origin).advise("mount_shared", hint));
    }
}

/// Reports a root that is writable anyway.
fn writable_root(settings: &Settings, reports: &mut Vec<Report>) {
    let Some(asked) = settings.writable_root.as_ref().filter(|_| !settings.root.value.is_host())
    else {
        return;
    };
    let message = "`writable_root` is only for the host's tree: this root is writable, and changes \
                   to it are discarded";
    let hint = "remove it; to keep changes, use `keep_changes(directory)`";
    let report = Report::error(message).at(asked.origin.clone());
    reports.push(report.advise("root_writable_already", hint));
}

fn root(settings: &Settings, host: &Host, reports: &mut Vec<Report>) {
    let Root::Directory(path) = &settings.root.value else { return };
    let origin = settings.root.origin.clone();
    let shown = quoted(path.to_string_lossy());
    match host.tree.metadata(path) {
        Err(error) => {
            let message = format!("cannot use {shown} as the root: {}", os_error(&error));
            let mut report = Report::error(message).at(origin);
            if let Some(near) = host.tree.near(path) {
                let near = path.with_file_name(near);
                let near = quoted(near.to_string_lossy());
                report = report.advise("root_near", format!("did you mean {near}?"));
            }
            reports.push(report);
        }
        Ok(found) if !found.is_dir() => {
            let message = format!("cannot use {shown} as the root: it is not a directory");
            reports.push(Report::error(message).at(origin));
        }
        Ok(_) => {}
    }
}
