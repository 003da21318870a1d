//! The whereabouts of a process: its namespaces, ids, root and mounts.

use std::fs;
use std::path::PathBuf;

use super::Trace;
use crate::host::mountinfo::{self, Mount};
use crate::spec::Kind;
use crate::sys;

/// The whereabouts of a process; empty where they may not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whereabouts {
    /// Its number.
    pub pid: i32,
    /// Its namespaces by inode number.
    pub namespaces: Vec<(Kind, u64)>,
    /// User and group, in ids of this process.
    pub ids: Option<(u32, u32)>,
    /// The user map of its user namespace: proc_pid_uid_map(5).
    pub map: String,
    /// Its root, as this process sees it.
    pub root: Option<PathBuf>,
    /// Its mounts.
    pub mounts: Vec<Mount>,
}

impl Trace {
    /// The whereabouts of this process.
    #[must_use]
    pub fn whereabouts(&self) -> Whereabouts {
        of(sys::process_id())
    }
}

impl Whereabouts {
    /// The whereabouts of this process, even if /proc does not show its number.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self { pid: sys::process_id(), ..read("self") }
    }

    /// The user map in a sentence.
    #[must_use]
    pub fn mapped(&self) -> String {
        if self.map.is_empty() {
            return "no ids are mapped".into();
        }
        format!("users are mapped {}", self.map)
    }
}

/// The whereabouts of process `pid`.
pub(in crate::run) fn of(pid: i32) -> Whereabouts {
    Whereabouts { pid, ..read(&pid.to_string()) }
}

fn read(pid: &str) -> Whereabouts {
    let text = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let inode = |kind: Kind| {
        let link = fs::read_link(format!("/proc/{pid}/ns/{}", kind.file())).ok()?;
        let number = link.to_str()?.split_once('[')?.1.trim_end_matches(']').parse().ok()?;
        Some((kind, number))
    };
    let status = text("status");
    let id = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    let map = text("uid_map");
    Whereabouts {
        pid: 0,
        namespaces: Kind::ALL.into_iter().filter_map(inode).collect(),
        ids: id("Uid:").zip(id("Gid:")),
        map: map.split_whitespace().collect::<Vec<_>>().join(" "),
        root: fs::read_link(format!("/proc/{pid}/root")).ok(),
        mounts: mountinfo::parse(&text("mountinfo")),
    }
}
