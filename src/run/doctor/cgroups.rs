//! Facts about cgroups: which exist, and whether the caller may create some: cgroups(7).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::exam::Exam;
use super::{Finding, Verdict};
use crate::diag::{escape, quoted};
use crate::host::cgroups;
use crate::host::mountinfo::{self, Mount};
use crate::run::remedy;
use crate::sys::{self, Errno};

/// The usual mount point of hierarchies.
const CUSTOM: &str = "/sys/fs/cgroup";

/// The mount point of the hierarchy of version 2, and the mount if /proc shows it.
fn unified(mounts: Option<&[Mount]>) -> Option<(PathBuf, Option<&Mount>)> {
    let Some(mounts) = mounts else {
        let custom = Path::new(CUSTOM);
        return (sys::cgroup_version(custom) == Some(2)).then(|| (custom.into(), None));
    };
    let is_it = |mount: &&Mount| {
        mount.kind == "cgroup2" && sys::cgroup_version(Path::new(&mount.target)) == Some(2)
    };
    let mount = mounts.iter().find(is_it)?;
    Some((PathBuf::from(&mount.target), Some(mount)))
}

/// The controllers of a cgroup of version 2.
fn controllers(directory: &Path) -> Vec<String> {
    let text = fs::read_to_string(directory.join("cgroup.controllers")).unwrap_or_default();
    text.split_whitespace().map(escape).collect()
}

fn named(controllers: &[String]) -> String {
    match controllers {
        [] => "without controllers".into(),
        some => format!("with {}", some.join(" ")),
    }
}

pub(super) fn version(exam: &Exam<'_>) -> Finding {
    let mounts = mountinfo::read(&exam.host.tree).ok();
    let two = unified(mounts.as_deref());
    let two = two.map(|(place, _)| {
        let controllers = controllers(&place);
        format!("version 2 at {}, {}", quoted(place.to_string_lossy()), named(&controllers))
    });
    let Some(mounts) = mounts else {
        return match two {
            Some(found) => Finding::ok(found).value("v2"),
            None => Finding::unread(),
        };
    };
    let is_one = |mount: &&Mount| sys::cgroup_version(Path::new(&mount.target)) == Some(1);
    let ones = mounts.iter().filter(|mount| mount.kind == "cgroup").filter(is_one).count();
    let noun = if ones == 1 { "hierarchy" } else { "hierarchies" };
    let one = format!("{ones} {noun} of version 1");
    let layout = cgroups::layout(&mounts);
    let finding = match (two, ones) {
        (Some(found), 0) => Finding::ok(found),
        (Some(found), _) => {
            let found = format!("{one}, and {found}");
            Finding::new(Verdict::Part, found).remedy(remedy::old_cgroups())
        }
        (None, 0) => Finding::new(Verdict::No, "none are mounted").remedy(remedy::no_cgroups()),
        (None, _) => Finding::new(Verdict::Part, one).remedy(remedy::old_cgroups()),
    };
    finding.value(layout)
}

/// The directory of nsscript's cgroup of version 2.
fn own(exam: &Exam<'_>) -> Option<PathBuf> {
    let mounts = mountinfo::read(&exam.host.tree).ok()?;
    let (place, mount) = unified(Some(&mounts))?;
    let path = cgroups::read(&exam.host.tree).ok()?.remove("unified")?;
    // If only a part of the hierarchy is mounted, paths start above it. The path of a cgroup
    // outside the cgroup namespace starts with `..`, and is not visible here.
    let inside = Path::new(&path).strip_prefix(&mount?.root).ok()?;
    let is_seen = !inside.iter().any(|name| name == "..");
    let directory: PathBuf = place.iter().chain(inside.iter()).collect();
    (is_seen && directory.is_dir()).then_some(directory)
}

/// Creates and removes a cgroup in nsscript's own, if that was delegated to the caller.
pub(super) fn delegation(exam: &Exam<'_>) -> Finding {
    if !exam.host.has_proc() {
        return Finding::unread();
    }
    let Some(directory) = own(exam) else {
        let found = "no cgroup file system of version 2 that is mounted here shows the cgroup of \
                     nsscript";
        return Finding::new(Verdict::No, found).remedy(remedy::no_cgroups());
    };
    let shown = quoted(directory.to_string_lossy());
    let owner = fs::metadata(&directory).map(|found| found.uid());
    if owner.ok() != Some(exam.host.uid) {
        let found = format!("the cgroup of nsscript, {shown}, belongs to another user");
        return Finding::new(Verdict::No, found).remedy(remedy::not_delegated());
    }
    let child = directory.join(format!("nsscript-doctor-{}", std::process::id()));
    let made = fs::create_dir(&child).and_then(|()| fs::remove_dir(&child));
    if let Err(error) = made {
        let found =
            format!("cannot create a cgroup in that of nsscript, {shown}: {}", Errno::from(&error));
        return Finding::new(Verdict::No, found).remedy(remedy::not_delegated());
    }
    let controllers = controllers(&directory);
    let found = format!("cgroups can be created in {shown}, {}", named(&controllers));
    let verdict = if controllers.is_empty() { Verdict::Part } else { Verdict::Ok };
    Finding::new(verdict, found).value(controllers).remedy(remedy::no_controllers())
}
