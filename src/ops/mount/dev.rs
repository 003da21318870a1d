//! A small `/dev`: harmless devices, terminals, shared memory.

use std::path::{Path, PathBuf};

use super::{Bound, Mounted, tmpfs};
use crate::diag::{Origin, Report};
use crate::host::Host;
use crate::ops::planning::file_id;
use crate::ops::{Asking, Backing, Changes, Directory, Op, Planning, Presence, Symlink};
use crate::spec::{FileOptions, GuestPath, MountAttributes, MountOptions, ValueError};

/// The attributes of a mount that provides devices.
const DEVICES_WORK: MountAttributes = MountAttributes { devices: true, ..MountAttributes::DATA };

/// The devices that every program may use.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// The links that programs expect, with their targets.
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// A small directory of harmless devices.
#[derive(Clone, Debug, PartialEq)]
pub struct Dev(pub GuestPath);

impl Asking for Dev {
    fn name(&self) -> &'static str {
        "dev"
    }

    fn say(&self) -> String {
        format!("devices on {}", self.0)
    }

    fn changes(&self) -> Changes {
        Changes::Root
    }

    fn key(&self) -> Option<&str> {
        None
    }

    fn target(&self) -> Option<&GuestPath> {
        Some(&self.0)
    }

    fn plan(&self, to: &mut Planning<'_>, origin: Option<&Origin>) -> Result<(), ValueError> {
        let create = to.place(&self.0, Presence::Directory, origin);
        match devices(&self.0, to.host, create) {
            Ok(operations) => operations.into_iter().for_each(|one| to.push(one, origin)),
            Err(report) => to.reports.push(report.at(origin.cloned())),
        }
        to.view.cover(&self.0, Backing::Private, origin.cloned());
        Ok(())
    }
}

/// Private terminals of the sandbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Devpts(pub GuestPath);

impl Asking for Devpts {
    fn name(&self) -> &'static str {
        "devpts"
    }

    fn say(&self) -> String {
        format!("devpts on {}", self.0)
    }

    fn changes(&self) -> Changes {
        Changes::Root
    }

    fn key(&self) -> Option<&str> {
        None
    }

    fn target(&self) -> Option<&GuestPath> {
        Some(&self.0)
    }

    fn plan(&self, to: &mut Planning<'_>, origin: Option<&Origin>) -> Result<(), ValueError> {
        let create = to.place(&self.0, Presence::Directory, origin);
        to.push(devpts(self.0.clone(), create), origin);
        to.view.cover(&self.0, Backing::Private, origin.cloned());
        Ok(())
    }
}

/// The operations that create a small `/dev` at `target`.
fn devices(target: &GuestPath, host: &Host, create: bool) -> Result<Vec<Op>, Report> {
    let join = |name: &str| target.join(name).map_err(|invalid| Report::from(&invalid));
    // Mode 0755: in a world-writable sticky directory, the kernel refuses to open `/dev/null` with
    // O_CREAT, as `>` of a shell does (fs.protected_regular).
    let mut actions: Vec<Op> = vec![
        Mounted {
            kind: "tmpfs".into(),
            source: "dev".into(),
            target: target.clone(),
            options: tmpfs(Some(1 << 20), 0o755, MountAttributes::DATA),
            usual: MountAttributes::DATA,
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
        actions.push(Symlink { path: join(name)?, says: says.into() }.into());
    }
    actions.push(devpts(join("pts")?, true).into());
    let shared = FileOptions { mode: Some(0o1777), ..FileOptions::default() };
    actions.push(Directory { path: join("shm")?, options: shared }.into());
    Ok(actions)
}

/// A device of the host at a place inside.
#[must_use]
pub fn device(source: PathBuf, id: (u64, u64), target: GuestPath) -> Bound {
    Bound {
        source,
        id: Some(id),
        directory: false,
        target,
        attributes: DEVICES_WORK,
        usual: DEVICES_WORK,
        recursive: true,
        create: true,
    }
}

/// Private terminals of the sandbox. The group of a terminal is not `tty`, because that needs a
/// second id in the map.
fn devpts(target: GuestPath, create: bool) -> Mounted {
    let option = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
    let mut data = vec![option("ptmxmode", "0666"), option("mode", "0620")];
    data.insert(0, ("newinstance".to_owned(), None));
    let options = MountOptions { data, attributes: DEVICES_WORK };
    let (kind, instead) = ("devpts".to_owned(), None);
    Mounted { source: kind.clone(), kind, target, options, usual: DEVICES_WORK, create, instead }
}
