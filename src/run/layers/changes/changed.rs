//! The differences between an upper tree and the trees below it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::run::layers::contents::{Contents, Item, Kind};
use crate::sys::Node;

/// The kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It did not exist before.
    Added,
    /// Its content or its properties changed.
    Changed,
    /// It no longer exists.
    Removed,
}

impl Change {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }
}

/// A change at a path, with the kind of entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The path inside.
    pub path: PathBuf,
    /// The kind of change.
    pub change: Change,
    /// The kind of entry: `file`, `directory`, `link`.
    pub kind: &'static str,
}

impl Changed {
    /// Encodes changes for a pipe.
    pub(super) fn to_bytes(all: &[Self]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for Self { path, change, kind } in all {
            bytes.extend(change.name().as_bytes());
            bytes.push(0);
            bytes.extend(kind.as_bytes());
            bytes.push(0);
            bytes.extend(path.as_os_str().as_bytes());
            bytes.push(0);
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Vec<Self> {
        let fields: Vec<&[u8]> = bytes.split(|byte| *byte == 0).collect();
        let one = |fields: &[&[u8]]| {
            let known = [Change::Added, Change::Changed, Change::Removed].into_iter();
            let change = known.clone().find(|it| it.name().as_bytes() == fields[0])?;
            let kind = NOUNS.into_iter().find(|it| it.as_bytes() == fields[1])?;
            let path = OsStr::from_bytes(fields[2]).into();
            Some(Self { path, change, kind })
        };
        fields.chunks_exact(3).filter_map(one).collect()
    }
}

/// The differences of `above` from `below`.
pub(super) fn compared(below: &Contents, above: &Contents) -> Vec<Changed> {
    let mut changes: BTreeMap<&PathBuf, (Change, &Item)> = BTreeMap::new();
    for (path, item) in above.items.iter().skip(1) {
        let before = below.items.get(path);
        match (&item.kind, before) {
            (Kind::Gone, Some(before)) => {
                changes.insert(path, (Change::Removed, before));
            }
            (Kind::Gone, None) => {}
            (_, None) => {
                changes.insert(path, (Change::Added, item));
            }
            (_, Some(before)) if same(below, before, above, item) => {}
            (_, Some(_)) => {
                changes.insert(path, (Change::Changed, item));
            }
        }
        // A directory that was created again hides the one below.
        if item.kind == (Kind::Directory { opaque: true }) {
            let hidden = below.items.iter().filter(|(other, _)| other.parent() == Some(path));
            for (other, before) in hidden.filter(|(other, _)| !above.items.contains_key(*other)) {
                changes.insert(other, (Change::Removed, before));
            }
        }
    }
    let told = |(path, (change, item)): (&PathBuf, (Change, &Item))| Changed {
        path: path.clone(),
        change,
        kind: noun(&item.kind),
    };
    changes.into_iter().map(told).collect()
}

/// The names of entries.
const NOUNS: [&str; 6] = ["directory", "file", "link", "fifo", "device", "nothing"];

pub(super) fn noun(kind: &Kind) -> &'static str {
    let [directory, file, link, fifo, device, nothing] = NOUNS;
    match kind {
        Kind::Directory { .. } => directory,
        Kind::File { .. } | Kind::HardLink(_) => file,
        Kind::Symlink(_) => link,
        Kind::Node(Node::Fifo) => fifo,
        Kind::Node(_) => device,
        Kind::Gone => nothing,
    }
}

/// Whether an entry has the same properties and content in both.
fn same(below: &Contents, before: &Item, above: &Contents, now: &Item) -> bool {
    let looks = |item: &Item| (item.mode, item.owner, item.attributes.clone());
    let file = |contents: &Contents, item: &Item| match &item.kind {
        Kind::HardLink(first) => contents.items.get(first).map(|item| item.kind.clone()),
        Kind::Directory { .. } => Some(Kind::Directory { opaque: false }),
        kind => Some(kind.clone()),
    };
    looks(before) == looks(now) && file(below, before) == file(above, now)
}

/// Whether two entries have the same type.
pub(super) fn is_like(one: &Item, other: &Item) -> bool {
    let kind = |item: &Item| match item.kind {
        Kind::HardLink(_) | Kind::File { .. } => "file",
        _ => noun(&item.kind),
    };
    kind(one) == kind(other)
}
