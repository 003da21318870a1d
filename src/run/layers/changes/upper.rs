//! The upper directory of an overlay, and the entries below it at the same paths.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::cannot;
use crate::diag::Report;
use crate::run::layers::contents::{Contents, Item, Kind, Source};
use crate::run::layers::progress::Task;
use crate::run::layers::tree::{self, OPAQUE};
use crate::sys::{self, Errno, Node};

/// Converts an owner to the one inside.
pub(super) type Who<'a> = &'a dyn Fn((u32, u32)) -> (u32, u32);

/// Reads the upper directory of an overlay as a layer, without hashes.
pub(super) fn scan(upper: &Path, who: Who<'_>) -> Result<Contents, Report> {
    let fails = |path: &Path, error: &io::Error| cannot("read", path, Errno::from(error));
    let top = fs::symlink_metadata(upper).map_err(|error| {
        let report = fails(upper, &error);
        match error.kind() {
            io::ErrorKind::NotFound => report.hint(
                "no sandbox has kept changes there: run one \
                                                    with `.keep_changes(…)` first",
            ),
            _ => report,
        }
    })?;
    let mut contents = Contents::default();
    contents.items.insert("/".into(), Item::directory(top.mode() & 0o7777));
    let mut names: BTreeMap<(u64, u64), PathBuf> = BTreeMap::new();
    let mut directories = vec![PathBuf::from("/")];
    while let Some(directory) = directories.pop() {
        let place = upper.join(directory.strip_prefix("/").unwrap_or(&directory));
        let entries = fs::read_dir(&place).map_err(|error| fails(&place, &error))?;
        let mut entries = entries
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<io::Result<Vec<_>>>()
            .map_err(|error| fails(&place, &error))?;
        entries.sort();
        for name in entries {
            let (path, real) = (directory.join(&name), place.join(&name));
            let found = fs::symlink_metadata(&real).map_err(|error| fails(&real, &error))?;
            let item = entry(&real, &found, who).map_err(|error| fails(&real, &error))?;
            let Some(mut item) = item else { continue };
            if item.is_directory() {
                directories.push(path.clone());
            } else if found.is_file() && found.nlink() > 1 {
                let first = names.entry((found.dev(), found.ino())).or_insert(path.clone());
                if *first != path {
                    item.kind = Kind::HardLink(first.clone());
                    item.source = Source::None;
                }
            }
            contents.items.insert(path, item);
        }
    }
    contents.name_files_by_first();
    Ok(contents)
}

/// An entry of an upper directory; `None` for one that a root cannot contain, such as a socket.
fn entry(path: &Path, found: &fs::Metadata, who: Who<'_>) -> io::Result<Option<Item>> {
    let kind = found.file_type();
    let (mut attributes, mut source) = (Vec::new(), Source::None);
    let what = if kind.is_dir() {
        let file = File::open(path)?;
        attributes = own_attributes(&file)?;
        Kind::Directory { opaque: sys::has_attribute(&file, OPAQUE, b"y")? }
    } else if kind.is_symlink() {
        Kind::Symlink(fs::read_link(path)?)
    } else if kind.is_file() {
        attributes = own_attributes(&File::open(path)?)?;
        let (id, modified) = ((found.dev(), found.ino()), (found.mtime(), found.mtime_nsec()));
        source = Source::Host { path: path.to_path_buf(), id, modified };
        Kind::File { size: found.len(), hash: None }
    } else if kind.is_fifo() {
        Kind::Node(Node::Fifo)
    } else if kind.is_char_device() && found.rdev() == 0 {
        Kind::Gone
    } else if kind.is_char_device() || kind.is_block_device() {
        let (major, minor) = sys::device_numbers(found.rdev());
        let node = if kind.is_char_device() { Node::Character } else { Node::Block };
        Kind::Node(node(major, minor))
    } else {
        return Ok(None);
    };
    let owner = match what {
        Kind::Gone => (0, 0),
        _ => who((found.uid(), found.gid())),
    };
    let mode = match what {
        Kind::Gone => 0,
        Kind::Symlink(_) => 0o777,
        _ => found.mode() & 0o7777,
    };
    Ok(Some(Item { kind: what, mode, owner, attributes, source, origin: None }))
}

fn own_attributes(file: &File) -> io::Result<sys::FileAttributes> {
    let found = sys::user_attributes(file);
    found.map_err(|errno| io::Error::from_raw_os_error(errno.code()))
}

/// The entries of a root at changed paths, with hashes.
pub(super) fn beneath(base: &Contents, above: &Contents) -> Result<Contents, Report> {
    let is_opaque = |path: &Path| {
        let item = above.items.get(path);
        item.is_some_and(|item| item.kind == Kind::Directory { opaque: true })
    };
    let mut contents = Contents::default();
    for (path, item) in &base.items {
        if above.items.contains_key(path) || path.parent().is_some_and(is_opaque) {
            contents.items.insert(path.clone(), item.clone());
            if let Kind::HardLink(first) = &item.kind
                && let Some(file) = base.items.get(first)
            {
                contents.items.insert(first.clone(), file.clone());
            }
        }
    }
    tree::hash(&mut contents, &Task::begin(None, String::new(), 0))?;
    Ok(contents)
}

/// The entries of a directory that is a sandbox's root, at changed paths.
pub(super) fn below(directory: &Path, above: &Contents, who: Who<'_>) -> Contents {
    let mut contents = Contents::default();
    for (path, item) in &above.items {
        let place = directory.join(path.strip_prefix("/").unwrap_or(path));
        let mut add = |path: PathBuf, place: &Path| {
            let found = fs::symlink_metadata(place).ok();
            let found = found.and_then(|found| entry(place, &found, who).ok().flatten());
            contents.items.extend(found.map(|item| (path, item)));
        };
        add(path.clone(), &place);
        if item.kind == (Kind::Directory { opaque: true }) {
            for entry in fs::read_dir(&place).into_iter().flatten().flatten() {
                add(path.join(entry.file_name()), &entry.path());
            }
        }
    }
    let task = Task::begin(None, String::new(), 0);
    let _ = tree::hash(&mut contents, &task);
    contents
}
