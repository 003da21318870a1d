//! What a root is made of, layer by layer and entry by entry, before anything is written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use super::below::Below;
use crate::diag::{Origin, Report};
use crate::host::{Host, accounts};

/// One entry of a layer that is put together.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A directory.
    Directory {
        /// Its permission bits.
        mode: u32,
    },
    /// A directory that is there below, and looks here as it does there.
    Inherited {
        /// Its permission bits.
        mode: u32,
    },
    /// A file with this content.
    File {
        /// The content.
        content: Rc<[u8]>,
        /// Its permission bits.
        mode: u32,
    },
    /// A copy of a file of the host.
    Copy {
        /// The file, without links.
        source: PathBuf,
        /// Its device and inode.
        id: (u64, u64),
        /// Its permission bits, without set-user-ID and set-group-ID.
        mode: u32,
        /// Its size in bytes.
        size: u64,
        /// How many names it has on the host.
        names: u64,
        /// When it was changed last: seconds and nanoseconds since 1970.
        modified: (i64, i64),
        /// When anything about it was changed last, its owner and mode too.
        changed: (i64, i64),
    },
    /// Another name of a file of this layer, which is copied from the same file of the host.
    HardLink {
        /// The first of its names.
        first: PathBuf,
    },
    /// A symbolic link.
    Symlink {
        /// What it says.
        target: PathBuf,
    },
    /// A device of the host: an empty file here, on which the device is bound at every launch.
    Device,
}

impl Entry {
    /// Its permission bits, where it is a directory.
    #[must_use]
    pub fn directory_mode(&self) -> Option<u32> {
        match self {
            Self::Directory { mode } | Self::Inherited { mode } => Some(*mode),
            _ => None,
        }
    }
}

/// The owner that a recipe gives an entry; user or group 0 where it gives none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// The user inside.
    pub uid: Option<u32>,
    /// The group inside.
    pub gid: Option<u32>,
}

/// An entry and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// The entry.
    pub entry: Entry,
    /// Whom it belongs to.
    pub owner: Owner,
    /// The line that asked for it.
    pub origin: Option<Origin>,
    /// Whether it was asked for by its own path, and does not only come along with another.
    pub explicit: bool,
}

/// A layer that is put together: its entries by absolute path, directories before what is in
/// them. The root itself is not among them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assembled {
    /// The entries.
    pub entries: BTreeMap<PathBuf, Made>,
    /// What is odd about it.
    pub warnings: Vec<Report>,
}

impl Assembled {
    /// The bytes in all its files.
    #[must_use]
    pub fn size(&self) -> u64 {
        let size = |made: &Made| match &made.entry {
            Entry::File { content, .. } => content.len() as u64,
            Entry::Copy { size, .. } => *size,
            _ => 0,
        };
        self.entries.values().map(size).sum()
    }
}

/// Where a layer that is kept has come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// An archive was unpacked.
    Archive(PathBuf),
    /// A sandbox has changed its root.
    Changes,
}

/// A layer that is ready in a directory: its `tree`, and the `manifest` that says what it holds.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its name in the store.
    pub name: String,
    /// The directory.
    pub directory: PathBuf,
    /// Where it has come from.
    pub came: Came,
    /// How many entries it has.
    pub entries: usize,
    /// The bytes in all its files.
    pub size: u64,
    /// The users and groups that its entries belong to, as they are called inside.
    pub owners: Vec<(u32, u32)>,
    /// What it takes away from the layers below.
    pub removed: BTreeSet<PathBuf>,
    /// The directories of which nothing below is seen.
    pub opaque: BTreeSet<PathBuf>,
    /// The line that asked for it.
    pub origin: Option<Origin>,
    /// How long it took to make, where that was done in this run.
    pub elapsed: Option<Duration>,
    /// What is odd about it, where it was made in this run.
    pub warnings: Vec<Report>,
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Kept {
    /// A layer of which nothing is known, as a dry run has not made it.
    #[must_use]
    pub fn unknown(came: Came, origin: Option<Origin>) -> Self {
        Self {
            name: String::new(),
            directory: PathBuf::new(),
            came,
            entries: 0,
            size: 0,
            owners: Vec::new(),
            removed: BTreeSet::new(),
            opaque: BTreeSet::new(),
            origin,
            elapsed: None,
            warnings: Vec::new(),
        }
    }

    /// Whether nothing is known of it.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.name.is_empty()
    }

    /// Where its tree is.
    #[must_use]
    pub fn tree(&self) -> PathBuf {
        self.directory.join("tree")
    }
}

/// One of the layers that lie on each other as a root.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// Put together from the host and from what the recipe says.
    Assembled(Rc<Assembled>),
    /// There already.
    Kept(Rc<Kept>),
}

/// A root: its layers, the lowest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RootTree {
    /// The layers.
    pub layers: Vec<Layer>,
}

impl RootTree {
    /// The layers that are put together.
    pub fn assembled(&self) -> impl Iterator<Item = &Rc<Assembled>> {
        self.layers.iter().filter_map(|layer| match layer {
            Layer::Assembled(assembled) => Some(assembled),
            Layer::Kept(_) => None,
        })
    }

    /// What is odd about it.
    pub fn warnings(&self) -> impl Iterator<Item = &Report> {
        self.layers.iter().flat_map(|layer| match layer {
            Layer::Assembled(assembled) => &assembled.warnings,
            Layer::Kept(kept) => &kept.warnings,
        })
    }

    /// The number that `name` has in the passwd or group file of the root.
    #[must_use]
    pub fn number(&self, host: &Host, file: &str, name: &str) -> Option<u32> {
        let text = Below { host, layers: &self.layers }.content(Path::new(file))?;
        accounts::number_in(&String::from_utf8_lossy(&text), name)
    }

    /// What a recipe gives to others than user and group 0.
    pub fn owners(&self) -> impl Iterator<Item = (Owner, Option<&Origin>)> {
        let entries = self.assembled().flat_map(|assembled| assembled.entries.values());
        let given = entries.filter(|made| made.owner != Owner::default());
        given.map(|made| (made.owner, made.origin.as_ref()))
    }

    /// The devices of the host in it.
    pub fn devices(&self) -> impl Iterator<Item = (&Path, Option<&Origin>)> {
        let entries = self.assembled().flat_map(|assembled| &assembled.entries);
        let devices = entries.filter(|(_, made)| made.entry == Entry::Device);
        devices.map(|(path, made)| (path.as_path(), made.origin.as_ref()))
    }
}
