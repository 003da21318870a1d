//! The contents of a layer or root, path by path, wherever the bytes of its files are.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::manifest::Manifest;
use crate::diag::Origin;
use crate::host::Host;
use crate::plan::{Assembled, Entry, Owner};
use crate::sys::{self, FileAttributes, Node};

/// The kind of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory; an opaque one hides the layers below.
    Directory {
        /// Whether it is opaque.
        opaque: bool,
    },
    /// A file.
    File {
        /// Its size in bytes.
        size: u64,
        /// The sha256 of its content, if known.
        hash: Option<String>,
    },
    /// A hard link to the file at this path.
    HardLink(PathBuf),
    /// A symbolic link, with its target.
    Symlink(PathBuf),
    /// A FIFO or a device.
    Node(Node),
    /// The path is removed from the layers below.
    Gone,
}

/// The source of a file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// No content.
    None,
    /// These bytes.
    Bytes(Rc<[u8]>),
    /// A file of the host, which was examined before.
    Host {
        /// The file.
        path: PathBuf,
        /// Its device and inode.
        id: (u64, u64),
        /// Its modification time.
        modified: (i64, i64),
    },
    /// A file of a stored layer.
    Kept(PathBuf),
    /// A device of the host, which a launch binds on an empty file.
    Device,
}

/// One entry.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its kind.
    pub kind: Kind,
    /// Its permission bits.
    pub mode: u32,
    /// Its user and group inside.
    pub owner: (u32, u32),
    /// Its extended attributes.
    pub attributes: FileAttributes,
    /// The source of its content.
    pub source: Source,
    /// The line that asked for it.
    pub origin: Option<Origin>,
}

impl Item {
    /// The entry of an implicit parent directory.
    #[must_use]
    pub fn directory(mode: u32) -> Self {
        Self {
            kind: Kind::Directory { opaque: false },
            mode,
            owner: (0, 0),
            attributes: Vec::new(),
            source: Source::None,
            origin: None,
        }
    }

    /// Its permission bits in a tree for sandboxes: without set-user-ID bits, and readable by the
    /// owner.
    #[must_use]
    pub fn mode_on_disk(&self) -> u32 {
        if self.is_directory() { self.mode | 0o500 } else { self.mode & 0o777 | 0o400 }
    }

    /// Whether it is a directory.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        matches!(self.kind, Kind::Directory { .. })
    }

    /// Whether it replaces everything in the layers below.
    fn covers(&self) -> bool {
        !matches!(self.kind, Kind::Directory { opaque: false })
    }
}

/// Entries by absolute path, including the root, directories before their contents.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// The entries.
    pub items: BTreeMap<PathBuf, Item>,
}

impl Contents {
    /// The contents of an assembled layer. `below` returns directories of the layers below.
    #[must_use]
    pub fn of_assembled(
        assembled: &Assembled,
        host: &Host,
        below: &mut dyn FnMut(&Path) -> Option<Item>,
    ) -> Self {
        let root = below(Path::new("/")).unwrap_or(Item::directory(0o755));
        let mut items = BTreeMap::from([(PathBuf::from("/"), root)]);
        for (path, made) in &assembled.entries {
            let Owner { uid, gid } = made.owner;
            let owner = (uid.unwrap_or(0), gid.unwrap_or(0));
            let (kind, mode, source) = match &made.entry {
                Entry::Inherited { mode } => {
                    let item = below(path).unwrap_or(Item::directory(*mode));
                    items.insert(path.clone(), item);
                    continue;
                }
                Entry::Directory { mode } => {
                    (Kind::Directory { opaque: false }, *mode, Source::None)
                }
                Entry::File { content, mode } => {
                    let kind = Kind::File { size: content.len() as u64, hash: None };
                    (kind, *mode, Source::Bytes(content.clone()))
                }
                Entry::Copy { source, id, mode, size, modified, .. } => {
                    let (path, id, modified) = (source.clone(), *id, *modified);
                    let source = Source::Host { path, id, modified };
                    (Kind::File { size: *size, hash: None }, *mode, source)
                }
                Entry::HardLink { first } => (Kind::HardLink(first.clone()), 0, Source::None),
                Entry::Symlink { target } => (Kind::Symlink(target.clone()), 0o777, Source::None),
                Entry::Device => {
                    let number = host.tree.metadata(path).map_or(0, |found| found.rdev());
                    let (major, minor) = sys::device_numbers(number);
                    (Kind::Node(Node::Character(major, minor)), 0o666, Source::Device)
                }
            };
            let (attributes, origin) = (Vec::new(), made.origin.clone());
            let item = Item { kind, mode, owner, attributes, source, origin };
            items.insert(path.clone(), item);
        }
        let looks = |first: &Path| items.get(first).map(|file: &Item| (file.mode, file.owner));
        let links = items.iter().filter_map(|(path, item)| match &item.kind {
            Kind::HardLink(first) => Some((path.clone(), looks(first)?)),
            _ => None,
        });
        for (path, (mode, owner)) in links.collect::<Vec<_>>() {
            if let Some(link) = items.get_mut(&path) {
                (link.mode, link.owner) = (mode, owner);
            }
        }
        Self { items }
    }

    /// The contents of a stored layer, from its manifest, with the files of its tree.
    #[must_use]
    pub fn of_manifest(manifest: &Manifest, tree: &Path) -> Self {
        let mut items = BTreeMap::new();
        for line in manifest.lines() {
            let Some((path, mut item)) = line.item() else { continue };
            if matches!(item.kind, Kind::File { .. } | Kind::HardLink(_)) {
                item.source = Source::Kept(tree.join(path.strip_prefix("/").unwrap_or(&path)));
            }
            items.insert(path, item);
        }
        Self { items }
    }

    /// Adds a layer on top.
    pub fn cover(&mut self, above: Self) {
        let names = self.names_of_files();
        let mut gone = BTreeMap::new();
        for (path, item) in &above.items {
            if item.covers() {
                self.uncover(path, &mut gone);
            }
            // The directory's properties change, and its contents stay.
            let stays = self.items.get(path).is_some_and(Item::is_directory);
            if !item.is_directory() || !stays {
                gone.extend(self.items.remove_entry(path));
            }
        }
        self.promote(names, &gone);
        self.items.extend(above.items);
    }

    /// Removes the entries below `path`.
    fn uncover(&mut self, path: &Path, gone: &mut BTreeMap<PathBuf, Item>) {
        let after = (Bound::Excluded(path.to_path_buf()), Bound::Unbounded);
        let below = self.items.range(after).take_while(|(other, _)| other.starts_with(path));
        let below: Vec<PathBuf> = below.map(|(path, _)| path.clone()).collect();
        gone.extend(below.iter().filter_map(|path| self.items.remove_entry(path)));
    }

    /// The hard links of files, by target.
    fn names_of_files(&self) -> BTreeMap<PathBuf, Vec<PathBuf>> {
        let mut names: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
        for (path, item) in &self.items {
            if let Kind::HardLink(first) = &item.kind {
                names.entry(first.clone()).or_default().push(path.clone());
            }
        }
        names
    }

    /// If the target of hard links was removed, the next link becomes the file.
    fn promote(&mut self, names: BTreeMap<PathBuf, Vec<PathBuf>>, gone: &BTreeMap<PathBuf, Item>) {
        for (first, names) in names {
            let Some(file) = gone.get(&first) else { continue };
            let mut left = names.into_iter().filter(|name| self.items.contains_key(name));
            let Some(next) = left.next() else { continue };
            for other in left.collect::<Vec<_>>() {
                if let Some(link) = self.items.get_mut(&other) {
                    link.kind = Kind::HardLink(next.clone());
                }
            }
            if let Some(link) = self.items.get_mut(&next) {
                link.kind = file.kind.clone();
                if link.source == Source::None {
                    link.source = file.source.clone();
                }
            }
        }
    }

    /// Makes the first path of each file with hard links the file itself.
    pub fn name_files_by_first(&mut self) {
        for (first, mut names) in self.names_of_files() {
            names.push(first.clone());
            names.sort_unstable();
            let least = names.remove(0);
            if least == first {
                continue;
            }
            let (Some(file), Some(link)) = (self.items.remove(&first), self.items.remove(&least))
            else {
                continue;
            };
            self.items.insert(least.clone(), Item { source: link.source.clone(), ..file });
            self.items.insert(first, link);
            for name in names {
                if let Some(item) = self.items.get_mut(&name) {
                    item.kind = Kind::HardLink(least.clone());
                }
            }
        }
    }

    /// The merged contents, without removed or hidden entries.
    #[must_use]
    pub fn settled(mut self) -> Self {
        self.items.retain(|_, item| item.kind != Kind::Gone);
        for item in self.items.values_mut().filter(|item| item.is_directory()) {
            item.kind = Kind::Directory { opaque: false };
        }
        self
    }

    /// The number of entries without the root, and the bytes in all files.
    #[must_use]
    pub fn size(&self) -> (usize, u64) {
        let size = |item: &Item| match item.kind {
            Kind::File { size, .. } => size,
            _ => 0,
        };
        (self.items.len().saturating_sub(1), self.items.values().map(size).sum())
    }

    /// The tree in the form of tree(1).
    #[must_use]
    pub fn drawing(&self) -> String {
        let paths: Vec<&PathBuf> =
            self.items.keys().filter(|path| path.parent().is_some()).collect();
        let last = last_of_directories(&paths);
        let mut out = String::from("/");
        for path in &paths {
            out.push('\n');
            let above: Vec<&Path> = path.ancestors().skip(1).collect();
            for place in above.iter().rev().skip(1) {
                out.push_str(if last.contains(place) { "    " } else { "│   " });
            }
            out.push_str(if last.contains(path.as_path()) { "└── " } else { "├── " });
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            out.push_str(&crate::diag::escape(&name));
            match &self.items[*path].kind {
                Kind::Symlink(target) => {
                    let target = crate::diag::escape(&target.to_string_lossy());
                    out.push_str(&format!(" -> {target}"));
                }
                Kind::HardLink(first) => {
                    let first = crate::diag::escape(&first.to_string_lossy());
                    out.push_str(&format!(" (the same file as {first})"));
                }
                Kind::Directory { .. } => out.push('/'),
                Kind::Node(Node::Fifo) => out.push_str(" (fifo)"),
                Kind::Node(_) => out.push_str(" (device)"),
                Kind::File { .. } | Kind::Gone => {}
            }
        }
        out
    }
}

/// The last path of each directory; the paths are sorted.
fn last_of_directories<'a>(paths: &[&'a PathBuf]) -> BTreeSet<&'a Path> {
    let mut last: BTreeMap<&Path, &Path> = BTreeMap::new();
    for path in paths {
        if let Some(parent) = path.parent() {
            last.insert(parent, path);
        }
    }
    last.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(lines: &[&str]) -> Contents {
        let text = format!("{}\n{}\n", Manifest::HEAD, lines.join("\n"));
        Contents::of_manifest(&Manifest::read(text).unwrap(), Path::new("/kept"))
    }

    fn lines(contents: &Contents) -> Vec<String> {
        let manifest = Manifest::of(contents);
        manifest.lines().map(|line| line.text().to_owned()).collect()
    }

    #[test]
    fn what_is_above_hides_what_is_below() {
        let mut below = contents(&[
            "d 0755 0:0 - /",
            "d 0700 0:0 - /a",
            "f 0644 0:0 1:aa /a/x",
            "f 0644 0:0 1:bb /a/y",
            "d 0755 0:0 - /b",
            "f 0644 0:0 1:cc /b/z",
            "l 0777 0:0 a /c",
            "d 0755 0:0 - /d",
            "f 0644 0:0 1:dd /d/e",
        ]);
        below.cover(contents(&[
            "d 0755 0:0 - /",
            "d 0755 1:0 - /a",
            "w 0000 0:0 - /a/x",
            "f 0644 0:0 1:ee /b",
            "d 0755 0:0 - /c",
            "d 0755 0:0 opaque /d",
            "f 0644 0:0 1:ff /d/g",
            "w 0000 0:0 - /none",
        ]));
        let expected = [
            "d 0755 0:0 - /",
            "d 0755 1:0 - /a",
            "f 0644 0:0 1:bb /a/y",
            "f 0644 0:0 1:ee /b",
            "d 0755 0:0 - /c",
            "d 0755 0:0 - /d",
            "f 0644 0:0 1:ff /d/g",
        ];
        assert_eq!(lines(&below.settled()), expected);
    }

    #[test]
    fn a_file_keeps_its_other_names_when_the_first_is_gone() {
        let names = ["f 0755 0:0 1:aa /a", "h 0755 0:0 /a /b", "h 0755 0:0 /a /c"];
        let mut below = contents(&names);
        below.cover(contents(&["f 0644 0:0 1:bb /a"]));
        let expected = ["f 0644 0:0 1:bb /a", "f 0755 0:0 1:aa /b", "h 0755 0:0 /b /c"];
        assert_eq!(below.items[Path::new("/b")].source, Source::Kept("/kept/b".into()));
        assert_eq!(lines(&below), expected);
        let mut below = contents(&names);
        below.cover(contents(&["w 0000 0:0 - /b"]));
        assert_eq!(lines(&below.settled()), ["f 0755 0:0 1:aa /a", "h 0755 0:0 /a /c"]);
    }
}
