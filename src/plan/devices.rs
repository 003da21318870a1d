//! A small `/dev`: devices that are harmless, terminals, shared memory.

use std::path::{Path, PathBuf};

use super::mounts::file_id;
use crate::diag::Report;
use crate::host::Host;
use crate::ops::{Bound, MakeDirectory, MakeSymlink, Mounted, Op};
use crate::spec::{BindOptions, FileOptions, GuestPath, MountOptions};

/// The devices that every program may use.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// The links that programs expect, and what they say.
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// A tmpfs: its options and attributes. tmpfs(5).
pub(super) fn tmpfs(size: Option<u64>, mode: u32, exec: bool) -> MountOptions {
    let mut data = vec![("mode".to_owned(), Some(format!("{mode:04o}")))];
    data.extend(size.map(|size| ("size".to_owned(), Some(size.to_string()))));
    MountOptions { data, exec, ..MountOptions::default() }
}

/// The actions that make a small `/dev` at `target`.
pub(super) fn devices(target: &GuestPath, host: &Host, create: bool) -> Result<Vec<Op>, Report> {
    let join = |name: &str| target.join(name).map_err(|invalid| Report::from(&invalid));
    // Mode 0755: in a sticky directory that all may write to, opening `/dev/null` with O_CREAT, as
    // `>` of a shell does, is refused (fs.protected_regular).
    let mut actions: Vec<Op> = vec![
        Mounted {
            kind: "tmpfs".into(),
            source: "dev".into(),
            target: target.clone(),
            options: tmpfs(Some(1 << 20), 0o755, false),
            create,
            instead: None,
        }
        .into(),
    ];
    for name in DEVICES {
        let source = Path::new("/dev").join(name);
        if let Some(id) = file_id(host, &source)? {
            actions.push(device(source, id, join(name)?).into());
        }
    }
    for (name, says) in LINKS {
        actions.push(MakeSymlink { path: join(name)?, says: says.into() }.into());
    }
    actions.push(devpts(join("pts")?, true).into());
    let shared = FileOptions { mode: Some(0o1777), ..FileOptions::default() };
    actions.push(MakeDirectory { path: join("shm")?, options: shared }.into());
    Ok(actions)
}

/// One device of the host at a place inside.
pub(super) fn device(source: PathBuf, id: (u64, u64), target: GuestPath) -> Bound {
    let options = BindOptions { devices: true, exec: false, ..BindOptions::default() };
    Bound { source, id: Some(id), directory: false, target, options, create: true }
}

/// Terminals of the sandbox's own. The group of a terminal is not set to `tty`: that needs a
/// second id in the map.
pub(super) fn devpts(target: GuestPath, create: bool) -> Mounted {
    let option = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
    let mut data = vec![option("ptmxmode", "0666"), option("mode", "0620")];
    data.insert(0, ("newinstance".to_owned(), None));
    let options = MountOptions { data, devices: true, ..MountOptions::default() };
    let (kind, instead) = ("devpts".to_owned(), None);
    Mounted { source: kind.clone(), kind, target, options, create, instead }
}

/// The kind of the terminal that nsscript has, which that of a program is then too: its own kind
/// would be known to nobody. None where the sandbox says another.
#[must_use]
pub fn terminal_kind(environment: &[(String, String)], host: &Host) -> Option<(String, String)> {
    if environment.iter().any(|(name, _)| name == "TERM") {
        return None;
    }
    Some(("TERM".to_owned(), host.environment.get("TERM")?.clone()))
}
