//! Paths of archive members, resolved in memory.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read;
use std::ops::Bound;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::below;
use super::content::{disk, write};
use super::writers::{Small, Writers, WrittenFile};
use crate::plan::{Below, Found, Way, follow};
use crate::run::layers::archive::{ArchiveError, ArchiveErrorKind, Member, MemberKind};
use crate::run::layers::contents::{Contents, Item, Kind, Source};
use crate::run::layers::left_out::LeftOut;
use crate::run::layers::tree::set_attributes;
use crate::spec::Archive;
use crate::sys::{self, Beneath, Errno, Node};

/// The maximum size, in bytes, of files that are read whole and written by another thread.
const SMALL: u64 = 256 << 10;
/// The maximum length of a file name, in bytes.
const LONGEST_NAME: usize = 255;
/// The maximum path of the kernel in bytes, with its final NUL: `PATH_MAX` of limits.h.
const LONGEST_PATH: usize = 4096;
/// The maximum number of names in a path: the work grows with their square.
const MOST_NAMES: usize = 256;

/// Returns a directory of the layers below.
type Look<'a> = &'a mut dyn FnMut(&Path) -> Option<Item>;

/// The state of unpacking.
pub(super) struct Unpacker<'a, 'l> {
    archive: &'a Archive,
    below: Below<'a>,
    look: Look<'l>,
    writers: Writers<'a>,
    items: BTreeMap<PathBuf, Item>,
    /// The hard links of files, by target.
    names: BTreeMap<PathBuf, Vec<PathBuf>>,
    /// The modification times of directories.
    times: BTreeMap<PathBuf, i64>,
    /// The total size of files with holes, in bytes.
    total: u64,
}

impl<'a, 'l> Unpacker<'a, 'l> {
    pub fn new(
        archive: &'a Archive,
        below: Below<'a>,
        look: Look<'l>,
        writers: Writers<'a>,
    ) -> Self {
        let root = if below.layers.is_empty() { None } else { look(Path::new("/")) };
        let root = root.unwrap_or(Item::directory(0o755));
        let items = BTreeMap::from([(PathBuf::from("/"), root)]);
        let (names, times) = (BTreeMap::new(), BTreeMap::new());
        Self { archive, below, look, writers, items, names, times, total: 0 }
    }

    /// The number of entries, including implicit directories.
    pub fn number(&self) -> usize {
        self.items.len()
    }

    /// Unpacks a file.
    pub fn file(
        &mut self,
        member: &Member,
        content: &mut dyn Read,
    ) -> Result<(), ArchiveErrorKind> {
        self.total = self.total.saturating_add(member.size);
        if self.total > self.archive.limit {
            return Err(ArchiveErrorKind::TooLarge(self.archive.limit));
        }
        let Some(place) = self.place(member, false)? else { return Ok(()) };
        self.clear(&place, false)?;
        let kind = Kind::File { size: member.size, hash: None };
        let item = item(member, kind);
        let mode = item.mode_on_disk();
        let attributes = item.attributes.clone();
        let path = below(&place);
        self.items.insert(place.clone(), item);
        if member.size <= SMALL && member.pieces.is_none() {
            let mut bytes = Vec::with_capacity(usize::try_from(member.size).unwrap_or(0));
            content.read_to_end(&mut bytes)?;
            let modified = member.modified;
            self.writers.write(Small { path, content: bytes, mode, modified, attributes });
            while let Some(written) = self.writers.heard() {
                self.note(written)?;
            }
            return Ok(());
        }
        let root = self.writers.root();
        let target = root.create(&path).map_err(disk)?;
        let hash = write(&target, member, content)?;
        set_attributes(&target, &attributes, false).map_err(disk)?;
        sys::finish(&target, mode, Some((member.modified, 0))).map_err(disk)?;
        self.note((path, Ok(hash)))
    }

    /// Notes the result of writing a file.
    fn note(&mut self, (path, hash): WrittenFile) -> Result<(), ArchiveErrorKind> {
        let found =
            hash.map_err(|errno| ArchiveErrorKind::Of(path.clone(), Box::new(disk(errno))))?;
        if let Some(item) = self.items.get_mut(&Path::new("/").join(path))
            && let Kind::File { hash, .. } = &mut item.kind
        {
            *hash = Some(found);
        }
        Ok(())
    }

    /// Waits until every file is written.
    fn settle(&mut self) -> Result<(), ArchiveErrorKind> {
        while let Some(written) = self.writers.wait() {
            self.note(written)?;
        }
        Ok(())
    }

    /// Unpacks a member that is not a file.
    pub fn other(&mut self, member: &Member) -> Result<(), ArchiveErrorKind> {
        let is_directory = member.kind == MemberKind::Directory;
        let Some(place) = self.place(member, is_directory)? else { return Ok(()) };
        let item = match &member.kind {
            MemberKind::Directory => {
                return self.directory(member, place);
            }
            MemberKind::HardLink(first) => match self.linked(first)? {
                // A link to itself, which some archives contain.
                Some((first, linked))
                    if first == place || linked.kind == Kind::HardLink(place.clone()) =>
                {
                    return Ok(());
                }
                Some((_, linked)) => linked,
                None => return Ok(()),
            },
            MemberKind::Symlink(says) if says.as_os_str().is_empty() => {
                return Err(ArchiveErrorKind::Name);
            }
            MemberKind::Symlink(says) => item(member, Kind::Symlink(says.clone())),
            // The device 0:0 of an overlay is not a valid device.
            MemberKind::Node(Node::Character(0, 0)) => return Err(ArchiveErrorKind::Whiteout),
            MemberKind::Node(node) => item(member, Kind::Node(*node)),
            MemberKind::File => return Ok(()),
        };
        self.clear(&place, false)?;
        if let Kind::HardLink(first) = &item.kind {
            self.names.entry(first.clone()).or_default().push(place.clone());
        }
        self.items.insert(place, item);
        Ok(())
    }

    fn directory(&mut self, member: &Member, place: PathBuf) -> Result<(), ArchiveErrorKind> {
        let there = self.items.get(&place).is_some_and(Item::is_directory);
        if !there {
            self.clear(&place, true)?;
            self.writers.root().directory(&below(&place)).map_err(disk)?;
        }
        self.times.insert(place.clone(), member.modified);
        self.items.insert(place, item(member, Kind::Directory { opaque: false }));
        Ok(())
    }

    /// The target file of a hard link, and the kind of the new entry.
    fn linked(&mut self, target: &Path) -> Result<Option<(PathBuf, Item)>, ArchiveErrorKind> {
        let Some(path) = self.stripped(target)? else { return Ok(None) };
        let nothing = || ArchiveErrorKind::LinkToNothing(target.to_path_buf());
        let place = follow(&path, &mut |place| self.way(place, None)).map_err(|_| nothing())?;
        let found = self.items.get(&place).ok_or_else(nothing)?;
        let mut item = found.clone();
        match &found.kind {
            Kind::File { .. } => item.kind = Kind::HardLink(place.clone()),
            Kind::HardLink(_) | Kind::Symlink(_) | Kind::Node(_) => {}
            Kind::Directory { .. } | Kind::Gone => return Err(nothing()),
        }
        Ok(Some((place, item)))
    }

    /// Removes the stripped names from a path; `None` if nothing is left.
    fn stripped(&self, path: &Path) -> Result<Option<PathBuf>, ArchiveErrorKind> {
        let bytes = path.as_os_str().as_bytes();
        if bytes.is_empty() || bytes.contains(&0) {
            return Err(ArchiveErrorKind::Name);
        }
        if bytes.len() >= LONGEST_PATH || path.components().count() > MOST_NAMES {
            return Err(ArchiveErrorKind::Deep);
        }
        let mut names = Vec::new();
        for component in path.components() {
            match component {
                Component::Normal(name) if name.len() <= LONGEST_NAME => names.push(name),
                Component::Normal(_) => return Err(ArchiveErrorKind::Name),
                Component::CurDir => {}
                Component::ParentDir => return Err(ArchiveErrorKind::Upward),
                Component::RootDir | Component::Prefix(_) => {
                    return Err(ArchiveErrorKind::Absolute);
                }
            }
        }
        let strip = usize::try_from(self.archive.strip).unwrap_or(usize::MAX);
        if strip > 0 && names.len() <= strip {
            return Ok(None);
        }
        let names = names.into_iter().skip(strip);
        Ok(Some(std::iter::once(OsStr::new("/")).chain(names).collect()))
    }

    /// The place of a member, through links in the tree; creates parent directories. `None` if the
    /// member is left out.
    fn place(
        &mut self,
        member: &Member,
        is_directory: bool,
    ) -> Result<Option<PathBuf>, ArchiveErrorKind> {
        let Some(path) = self.stripped(&member.path)? else { return Ok(None) };
        if path.parent().is_none() {
            return if is_directory { Ok(Some(path)) } else { Err(ArchiveErrorKind::Root) };
        }
        let place = self.make_way(&path)?;
        // A link to a directory stays if the member is a directory, as with `tar
        // --keep-directory-symlink`.
        if is_directory && let Way::Link(_) = self.way(&place, None) {
            let below = place.join("x");
            if follow(&below, &mut |place| self.way(place, None)).is_ok() {
                return Ok(self.make_way(&below)?.parent().map(Path::to_path_buf));
            }
        }
        Ok(Some(place))
    }

    /// The place of a path; creates parent directories.
    fn make_way(&mut self, path: &Path) -> Result<PathBuf, ArchiveErrorKind> {
        let mut failed = None;
        let place = follow(path, &mut |place| self.way(place, Some(&mut failed)));
        match (place, failed) {
            (_, Some(errno)) => Err(disk(errno)),
            (Ok(place), None) => Ok(place),
            (Err(error), None) => Err(ArchiveErrorKind::NotADirectory(error.place)),
        }
    }

    /// The state of `place` in a path. With `make`, creates a missing directory, and stores the
    /// error of a failure there.
    fn way(&mut self, place: &Path, make: Option<&mut Option<Errno>>) -> Way {
        match self.items.get(place).map(|item| &item.kind) {
            Some(Kind::Directory { .. }) => return Way::Directory,
            Some(Kind::Symlink(says)) => return Way::Link(says.clone()),
            Some(_) => return Way::Blocked,
            None => {}
        }
        let item = match self.below.find(place) {
            Some((Found::Symlink(says), _)) => return Way::Link(says),
            Some((Found::Other, _)) => return Way::Blocked,
            Some((Found::Directory { mode }, _)) => {
                (self.look)(place).unwrap_or(Item::directory(mode))
            }
            None if make.is_some() => Item::directory(0o755),
            None => return Way::Nothing,
        };
        if let Some(failed) = make {
            if let Err(errno) = self.writers.root().directory(&below(place)) {
                *failed = Some(errno);
                return Way::Blocked;
            }
            self.items.insert(place.to_path_buf(), item);
        }
        Way::Directory
    }

    /// Removes the entry at `place` for a new one.
    fn clear(&mut self, place: &Path, is_directory: bool) -> Result<(), ArchiveErrorKind> {
        if !is_directory
            && matches!(self.below.find(place), Some((Found::Directory { .. }, _)))
            && !self.below.is_empty(place)
        {
            return Err(ArchiveErrorKind::Directory);
        }
        let Some(there) = self.items.get(place) else { return Ok(()) };
        let on_disk = matches!(there.kind, Kind::Directory { .. } | Kind::File { .. });
        if there.is_directory() {
            let after = (Bound::Excluded(place.to_path_buf()), Bound::Unbounded);
            let next = self.items.range(after).next();
            if next.is_some_and(|(path, _)| path.starts_with(place)) {
                return Err(ArchiveErrorKind::Directory);
            }
        }
        self.keep_names(place)?;
        if on_disk {
            self.settle()?;
            self.writers.root().remove(&below(place)).map_err(disk)?;
        }
        self.items.remove(place);
        Ok(())
    }

    /// Makes the next hard link of the file at `place` the file itself, also on the disk, before it
    /// is replaced.
    fn keep_names(&mut self, place: &Path) -> Result<(), ArchiveErrorKind> {
        let Some(mut names) = self.names.remove(place) else { return Ok(()) };
        let kind = Kind::HardLink(place.to_path_buf());
        names.retain(|name| self.items.get(name).is_some_and(|item| item.kind == kind));
        let Some(next) = (!names.is_empty()).then(|| names.remove(0)) else { return Ok(()) };
        self.settle()?;
        self.writers.root().hard_link(&below(place), &below(&next)).map_err(disk)?;
        if let Some(file) = self.items.get(place).cloned() {
            self.items.insert(next.clone(), file);
        }
        for name in &names {
            if let Some(item) = self.items.get_mut(name) {
                item.kind = Kind::HardLink(next.clone());
            }
        }
        self.names.insert(next, names);
        Ok(())
    }

    /// Creates the entries that had to wait, and returns the contents of the layer.
    pub fn finish(mut self, root: &Beneath) -> Result<(Contents, LeftOut), ArchiveError> {
        self.settle().map_err(ArchiveError::of_archive)?;
        let mut left_out = LeftOut::default();
        let fails = |path: &Path, errno: Errno| ArchiveError::of(&below(path), disk(errno));
        for (path, item) in &self.items {
            let place = below(path);
            let made = match &item.kind {
                Kind::Symlink(says) => root.symlink(&place, says),
                Kind::HardLink(first) => root.hard_link(&below(first), &place),
                Kind::Node(node) => match root.node(&place, *node, item.mode_on_disk()) {
                    Err(Errno::PERMISSION) if *node != Node::Fifo => {
                        left_out.devices.push(path.clone());
                        Ok(())
                    }
                    Ok(()) if *node != Node::Fifo => {
                        left_out.closed.push(path.clone());
                        Ok(())
                    }
                    made => made,
                },
                Kind::Directory { .. } | Kind::File { .. } | Kind::Gone => Ok(()),
            };
            made.map_err(|errno| fails(path, errno))?;
        }
        for (path, item) in self.items.iter().rev().filter(|(_, item)| item.is_directory()) {
            let directory = root.open_directory(&below(path));
            let time = self.times.get(path).map(|seconds| (*seconds, 0));
            let done = directory.and_then(|directory| {
                set_attributes(&directory, &item.attributes, false)?;
                sys::finish(&directory, item.mode_on_disk(), time)
            });
            done.map_err(|errno| fails(path, errno))?;
        }
        let mut contents = Contents { items: self.items };
        contents.name_files_by_first();
        Ok((contents, left_out))
    }
}

/// The entry of a member.
fn item(member: &Member, kind: Kind) -> Item {
    Item {
        mode: if matches!(kind, Kind::Symlink(_)) { 0o777 } else { member.mode },
        kind,
        owner: member.owner,
        attributes: member.attributes.clone(),
        source: Source::None,
        origin: None,
    }
}
