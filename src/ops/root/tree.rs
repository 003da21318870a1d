//! The content of a root, layer by layer and entry by entry, before anything is written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use super::below::Below;
use crate::diag::{Origin, Report};
use crate::host::{Host, accounts};

/// An entry of an assembled layer.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A directory.
    Directory {
        /// Its permission bits.
        mode: u32,
    },
    /// A directory of a layer below, with the same mode and owner.
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
        /// The path of the file, without links.
        source: PathBuf,
        /// Its device and inode.
        id: (u64, u64),
        /// Its permission bits, without set-user-ID and set-group-ID.
        mode: u32,
        /// Its size in bytes.
        size: u64,
        /// Its number of hard links on the host.
        names: u64,
        /// Its modification time, in seconds and nanoseconds since 1970.
        modified: (i64, i64),
        /// Its status change time, in seconds and nanoseconds since 1970.
        changed: (i64, i64),
    },
    /// A hard link to another file of this layer, which is a copy of the same file of the host.
    HardLink {
        /// The path of that file.
        first: PathBuf,
    },
    /// A symbolic link.
    Symlink {
        /// Its target.
        target: PathBuf,
    },
    /// A device of the host: an empty file on which the device is bound at every launch.
    Device,
}

impl Entry {
    /// Its permission bits, if it is a directory.
    #[must_use]
    pub fn directory_mode(&self) -> Option<u32> {
        match self {
            Self::Directory { mode } | Self::Inherited { mode } => Some(*mode),
            _ => None,
        }
    }
}

/// The owner of an entry in a recipe; user or group 0 if not set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// The user inside.
    pub uid: Option<u32>,
    /// The group inside.
    pub gid: Option<u32>,
}

/// An entry with its origin.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// The entry.
    pub entry: Entry,
    /// Its owner.
    pub owner: Owner,
    /// The line that asked for it.
    pub origin: Option<Origin>,
    /// Whether the recipe requested its path, instead of another entry that needs it.
    pub explicit: bool,
}

/// An assembled layer: its entries by absolute path, directories before their contents. The root
/// itself is not included.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assembled {
    /// The entries.
    pub entries: BTreeMap<PathBuf, Made>,
    /// Its warnings.
    pub warnings: Vec<Report>,
}

impl Assembled {
    /// The total size of its files, in bytes.
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

/// The source of a stored layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// An unpacked archive.
    Archive(PathBuf),
    /// The changes of a sandbox.
    Changes,
}

/// A stored layer: a directory with its `tree`, and a `manifest` of the contents.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its name in the store.
    pub name: String,
    /// The directory.
    pub directory: PathBuf,
    /// Its source.
    pub came: Came,
    /// Its number of entries.
    pub entries: usize,
    /// The total size of its files, in bytes.
    pub size: u64,
    /// The owners of its entries, as ids inside.
    pub owners: Vec<(u32, u32)>,
    /// The paths that it removes from the layers below.
    pub removed: BTreeSet<PathBuf>,
    /// The directories that hide the layers below.
    pub opaque: BTreeSet<PathBuf>,
    /// The line that asked for it.
    pub origin: Option<Origin>,
    /// The time that it took to make, if it was made in this run.
    pub elapsed: Option<Duration>,
    /// Its warnings, if it was made in this run.
    pub warnings: Vec<Report>,
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Kept {
    /// An unknown layer, which a dry run does not make.
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

    /// Whether its contents are unknown.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.name.is_empty()
    }

    /// The path of its tree.
    #[must_use]
    pub fn tree(&self) -> PathBuf {
        self.directory.join("tree")
    }
}

/// One of the stacked layers of a root.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// A layer assembled from the host and the recipe.
    Assembled(Rc<Assembled>),
    /// A stored layer.
    Kept(Rc<Kept>),
}

/// A root: its layers, the lowest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RootTree {
    /// The layers.
    pub layers: Vec<Layer>,
}

impl RootTree {
    /// The assembled layers.
    pub fn assembled(&self) -> impl Iterator<Item = &Rc<Assembled>> {
        self.layers.iter().filter_map(|layer| match layer {
            Layer::Assembled(assembled) => Some(assembled),
            Layer::Kept(_) => None,
        })
    }

    /// Its warnings.
    pub fn warnings(&self) -> impl Iterator<Item = &Report> {
        self.layers.iter().flat_map(|layer| match layer {
            Layer::Assembled(assembled) => &assembled.warnings,
            Layer::Kept(kept) => &kept.warnings,
        })
    }

    /// The number of `name` in the passwd or group file of the root.
    #[must_use]
    pub fn number(&self, host: &Host, file: &str, name: &str) -> Option<u32> {
        let text = Below { host, layers: &self.layers }.content(Path::new(file))?;
        accounts::number_in(&String::from_utf8_lossy(&text), name)
    }

    /// The owners in the recipe other than user and group 0.
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
