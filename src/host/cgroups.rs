//! The control groups of a process, and their versions: cgroups(7).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::mountinfo::Mount;
use super::procfs::{self, ProcError};
use super::tree::Tree;

/// The cgroup of this process in every hierarchy: see [`parse`].
///
/// # Errors
/// /proc is not mounted.
pub fn read(tree: &Tree) -> Result<BTreeMap<String, String>, ProcError> {
    Ok(parse(&procfs::text(tree, "/proc/self/cgroup")?))
}

/// Parses a cgroup file: version 2 is `unified`; version 1 has one entry for every controller, even
/// if several share a hierarchy, and for every named hierarchy.
#[must_use]
pub fn parse(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        for controller in controllers.split(',') {
            let name = controller.strip_prefix("name=").unwrap_or(controller);
            let name = if name.is_empty() { "unified" } else { name };
            found.insert(name.to_owned(), path.to_owned());
        }
    }
    found
}

/// The file by which a process enters the cgroup in a line of /proc/PID/cgroup; `None` if no mount
/// shows that cgroup.
///
/// In version 1 it is `tasks`, which moves one thread: `cgroup.procs` waits for a grace period
/// there.
#[must_use]
pub fn entrance(mounts: &[Mount], line: &str) -> Option<PathBuf> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?);
    let has = |options: &str, wanted: &str| options.split(',').any(|option| option == wanted);
    let (kind, file) =
        if controllers.is_empty() { ("cgroup2", "cgroup.procs") } else { ("cgroup", "tasks") };
    // Later mounts lie on earlier ones.
    let shows = |mount: &&Mount| {
        mount.kind == kind
            && controllers.split(',').all(|it| it.is_empty() || has(&mount.super_options, it))
    };
    let places = mounts.iter().rev().filter(shows).filter_map(|mount| {
        let below = Path::new(path).strip_prefix(&mount.root).ok()?;
        Some(Path::new(&mount.target).join(below).join(file))
    });
    // A cgroup above the one that the namespace begins with is shown by `..`.
    places.into_iter().next().filter(|_| !path.split('/').any(|name| name == ".."))
}

/// The mounted versions: `v1`, `v2`, `hybrid` (both), `none`.
#[must_use]
pub fn layout(mounts: &[Mount]) -> &'static str {
    let has = |kind: &str| mounts.iter().any(|mount| mount.kind == kind);
    match (has("cgroup"), has("cgroup2")) {
        (true, true) => "hybrid",
        (true, false) => "v1",
        (false, true) => "v2",
        (false, false) => "none",
    }
}

#[cfg(test)]
mod tests {
    use super::{entrance, layout, parse};
    use crate::host::mountinfo;

    #[test]
    fn every_controller_has_its_path() {
        let found = parse("9:name=systemd:/init\n3:cpu,cpuacct:/a:b\n0::/user.slice\nno line\n");
        let told: Vec<_> =
            found.iter().map(|(name, path)| (name.as_str(), path.as_str())).collect();
        let expected = [
            ("cpu", "/a:b"),
            ("cpuacct", "/a:b"),
            ("systemd", "/init"),
            ("unified", "/user.slice"),
        ];
        assert_eq!(told, expected);
        assert!(parse("").is_empty());
    }

    #[test]
    fn a_group_is_entered_by_the_mount_that_shows_it() {
        let mounts = mountinfo::parse(
            "1 2 0:4 / /sys/fs/cgroup/cpu rw - cgroup c rw,cpu,cpuacct\n\
             2 2 0:5 /top /sys/fs/cgroup/unified rw - cgroup2 c rw\n\
             3 2 0:6 / /sys/fs/cgroup/systemd rw - cgroup c rw,xattr,name=systemd\n",
        );
        let of = |line: &str| entrance(&mounts, line).map(|it| it.to_string_lossy().into_owned());
        let some = |path: &str| Some(path.to_owned());
        assert_eq!(of("3:cpu,cpuacct:/a"), some("/sys/fs/cgroup/cpu/a/tasks"));
        assert_eq!(of("0::/top/b"), some("/sys/fs/cgroup/unified/b/cgroup.procs"));
        assert_eq!(of("9:name=systemd:/"), some("/sys/fs/cgroup/systemd/tasks"));
        for hidden in ["0::/other", "0::/top/../x", "5:memory:/a", "nothing"] {
            assert_eq!(of(hidden), None, "{hidden}");
        }
    }

    #[test]
    fn the_layout_is_what_is_mounted() {
        let of = |kinds: &[&str]| {
            let line = |kind: &&str| format!("1 2 0:4 / /x rw - {kind} x rw\n");
            layout(&mountinfo::parse(&kinds.iter().map(line).collect::<String>()))
        };
        assert_eq!(of(&["tmpfs", "cgroup2"]), "v2");
        assert_eq!(of(&["cgroup", "cgroup"]), "v1");
        assert_eq!(of(&["cgroup", "cgroup2"]), "hybrid");
        assert_eq!(of(&["tmpfs"]), "none");
    }
}
