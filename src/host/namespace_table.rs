//! The existing namespaces, with their processes and mounts: namespaces(7).
//!
//! Like lsns(8). A namespace that only a descriptor keeps is not visible.

use std::collections::BTreeMap;
use std::fs;

use super::mountinfo::{self, Mount};
use super::process_table::{self, Entry};
use super::procfs::ProcError;
use super::tree::Tree;

/// The kinds, by the names of their files.
const KINDS: [&str; 8] = ["mnt", "uts", "ipc", "pid", "net", "user", "cgroup", "time"];

/// A namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its number.
    pub inode: u64,
    /// Its kind, as the kernel writes it: `mnt`.
    pub kind: &'static str,
    /// The number of processes in it.
    pub processes: usize,
    /// The process with the lowest number.
    pub first: Option<Entry>,
    /// The mount that keeps it.
    pub path: Option<String>,
}

/// The namespaces, sorted by number.
///
/// # Errors
/// /proc is not mounted.
pub fn read(tree: &Tree) -> Result<Vec<Found>, ProcError> {
    let proc = process_table::directory(tree);
    // Of processes of others nothing can be read: they are passed over.
    let links = |entry: &Entry| -> Vec<String> {
        let directory = proc.join(entry.pid.to_string()).join("ns");
        let links = KINDS.iter().filter_map(|kind| fs::read_link(directory.join(kind)).ok());
        links.map(|link| link.to_string_lossy().into_owned()).collect()
    };
    Ok(gather(&process_table::read(tree)?, links, &mountinfo::read(tree)?))
}

/// The namespaces of `processes`, which are sorted by number, and those that are mounted. `links`
/// returns the targets of a process's links to its namespaces.
fn gather(
    processes: &[Entry],
    links: impl Fn(&Entry) -> Vec<String>,
    mounts: &[Mount],
) -> Vec<Found> {
    let mut found: BTreeMap<u64, Found> = BTreeMap::new();
    let empty = |kind, inode| Found { inode, kind, processes: 0, first: None, path: None };
    for process in processes {
        for (kind, inode) in links(process).iter().filter_map(|link| kind_and_inode(link)) {
            let namespace = found.entry(inode).or_insert_with(|| empty(kind, inode));
            namespace.processes += 1;
            namespace.first.get_or_insert_with(|| process.clone());
        }
    }
    for mount in mounts.iter().filter(|mount| mount.kind == "nsfs") {
        if let Some((kind, inode)) = kind_and_inode(&mount.root) {
            let namespace = found.entry(inode).or_insert_with(|| empty(kind, inode));
            namespace.path.get_or_insert_with(|| mount.target.clone());
        }
    }
    found.into_values().collect()
}

/// The parts of `mnt:[4026531841]`.
fn kind_and_inode(link: &str) -> Option<(&'static str, u64)> {
    let (kind, inode) = link.strip_suffix(']')?.split_once(":[")?;
    let kind = KINDS.iter().find(|known| **known == kind)?;
    Some((*kind, inode.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{gather, kind_and_inode};
    use crate::host::mountinfo;
    use crate::host::process_table::Entry;

    fn entry(pid: i32) -> Entry {
        let text = |text: &str| text.to_owned();
        let (user, state, name) = (text("root"), text("sleeping"), text("x"));
        Entry { pid, ppid: 0, uid: 0, user, state, name, command: format!("x {pid}") }
    }

    #[test]
    fn namespaces_are_counted_and_those_without_processes_too() {
        let links = |entry: &Entry| match entry.pid {
            1 => vec!["mnt:[20]".to_owned(), "net:[30]".to_owned()],
            5 => vec!["mnt:[20]".to_owned(), "net:[10]".to_owned()],
            _ => Vec::new(),
        };
        let mounts = mountinfo::parse(
            "1 2 0:4 net:[30] /run/a rw - nsfs nsfs rw\n\
             2 2 0:4 net:[40] /run/b rw - nsfs nsfs rw\n\
             3 2 0:4 net:[40] /run/c rw - nsfs nsfs rw\n\
             4 2 0:4 net:[50] /run/d rw - tmpfs x rw\n",
        );
        let found = gather(&[entry(1), entry(3), entry(5)], links, &mounts);
        let told: Vec<_> = found
            .iter()
            .map(|one| {
                let pid = one.first.as_ref().map(|entry| entry.pid);
                (one.inode, one.kind, one.processes, pid, one.path.as_deref())
            })
            .collect();
        let expected = [
            (10, "net", 1, Some(5), None),
            (20, "mnt", 2, Some(1), None),
            (30, "net", 1, Some(1), Some("/run/a")),
            (40, "net", 0, None, Some("/run/b")),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn only_what_is_written_like_a_namespace_is_one() {
        assert_eq!(kind_and_inode("user:[4026531837]"), Some(("user", 4_026_531_837)));
        for other in ["", "pid:[", "pid:[x]", "pidfd:[1]", "/", "anon_inode:[eventfd]"] {
            assert_eq!(kind_and_inode(other), None, "{other}");
        }
    }
}
