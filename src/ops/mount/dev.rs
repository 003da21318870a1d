//! A small `/dev`: harmless devices, terminals, shared memory.

use std::path::{Path, PathBuf};

use super::{Bound, Mounted, tmpfs};
use crate::diag::{Origin, Report};
use crate::host::Host;
use crate::ops::planning::file_id;
use crate::ops::{Asking, Backing, Changes, Op, Planning, Presence, Symlink};
use crate::spec::{GuestPath, MountAttributes, MountOptions, ValueError};

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
pub struct Dev {
    /// The place inside.
    pub target: GuestPath,
    /// The maximum size of the shared memory, in bytes.
    pub shm: u64,
}

impl Dev {
    /// The usual size of the shared memory, as in Docker: 64 MiB.
    const SHM: u64 = 64 << 20;

    /// Devices at this place.
    #[must_use]
    pub fn new(target: GuestPath) -> Self {
        Self { target, shm: Self::SHM }
    }

    /// The same with shared memory of this size, in bytes.
    ///
    /// # Errors
    /// The size is 0.
    pub fn with_shm(self, size: Option<u64>) -> Result<Self, ValueError> {
        match size {
            // For the kernel, `size=0` means no limit.
            Some(0) => Err(ValueError::new("shared memory of size 0 would be unlimited")),
            Some(shm) => Ok(Self { shm, ..self }),
            None => Ok(self),
        }
    }
}

impl Asking for Dev {
    fn name(&self) -> &'static str {
        "dev"
    }

    fn say(&self) -> String {
        format!("devices on {}", self.target)
    }

    fn changes(&self) -> Changes {
        Changes::Root
    }

    fn key(&self) -> Option<&str> {
        None
    }

    fn target(&self) -> Option<&GuestPath> {
        Some(&self.target)
    }

    fn plan(&self, to: &mut Planning<'_>, origin: Option<&Origin>) -> Result<(), ValueError> {
        let create = to.place(&self.target, Presence::Directory, None, origin);
        match devices(self, to.host, create) {
            Ok(operations) => operations.into_iter().for_each(|one| to.push(one, origin)),
            Err(report) => to.reports.push(report.at(origin.cloned())),
        }
        to.view.cover(&self.target, Backing::Private, origin.cloned());
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
        let create = to.place(&self.0, Presence::Directory, None, origin);
        to.push(devpts(self.0.clone(), create), origin);
        to.view.cover(&self.0, Backing::Private, origin.cloned());
        Ok(())
    }
}

/// The operations that create a small `/dev`.
fn devices(dev: &Dev, host: &Host, create: bool) -> Result<Vec<Op>, Report> {
    let Dev { target, shm } = dev;
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
    let shared = Mounted {
        kind: "tmpfs".into(),
        source: "shm".into(),
        target: join("shm")?,
        options: tmpfs(Some(*shm), 0o1777, MountAttributes::DATA),
        usual: MountAttributes::DATA,
        create: true,
        instead: None,
    };
    actions.push(shared.into());
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
        mapped: None,
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
