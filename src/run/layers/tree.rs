//! Trees on disk, written from the contents of a layer or root.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::contents::{Contents, Item, Kind, Source};
use super::hash::{in_parallel, read_hashed, sha256};
use super::left_out::LeftOut;
use super::progress::Task;
use crate::diag::{Origin, Report, quoted};
use crate::run::layers::unwritable;
use crate::sys::{self, Beneath, Errno, FileAttributes, Node};

/// The manner of writing a tree to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// For sandboxes: no set-user-ID bits, only `user.*` attributes, and an empty file where a
    /// launch binds a device.
    ForSandboxes,
    /// Everything that this user may write.
    Whole {
        /// Whether set-user-ID and set-group-ID bits and capabilities are included.
        setuid: bool,
        /// Whether owners are set, which only root can do.
        owners: bool,
    },
}

impl Manner {
    /// The permission bits of an entry on the disk.
    fn mode(self, item: &Item) -> u32 {
        match self {
            Self::ForSandboxes => item.mode_on_disk(),
            Self::Whole { setuid: false, .. } if !item.is_directory() => item.mode & 0o1777,
            Self::Whole { .. } => item.mode,
        }
    }

    /// The owner to set for an entry, if any.
    fn owner(self, item: &Item) -> Option<(u32, u32)> {
        matches!(self, Self::Whole { owners: true, .. }).then_some(item.owner)
    }

    fn keeps_every_attribute(self) -> bool {
        matches!(self, Self::Whole { setuid: true, .. })
    }
}

/// A file for one of several threads to copy.
struct Job<'a> {
    path: &'a Path,
    source: From<'a>,
    size: u64,
    mode: u32,
    owner: Option<(u32, u32)>,
    attributes: &'a FileAttributes,
    /// Whether the content is hashed.
    hashes: bool,
    every_attribute: bool,
}

/// The source of a file, in a form that threads can share.
enum From<'a> {
    Bytes(&'a [u8]),
    File { path: &'a Path, id: Option<(u64, u64)>, modified: Option<(i64, i64)> },
}

/// The result of copying a file.
struct Copied {
    hash: Option<String>,
    attributes: Option<FileAttributes>,
}

/// The report of an entry that could not be written.
fn cannot(path: &Path, origin: Option<Origin>, errno: Errno, directory: &Path) -> Report {
    let (path, directory) = (sys::shown(path), sys::shown(directory));
    let mut report =
        Report::error(format!("cannot build {}: {errno}", quoted(path.to_string_lossy())));
    report.origin = origin;
    report.facts.operation = Some("build".into());
    report.facts.errno = Some(errno.code());
    report.facts.target = Some(path.to_string_lossy().into_owned());
    unwritable::for_build(report, errno, &directory)
}

fn below(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}

/// Writes `contents` to the existing, empty `directory`. Notes newly known hashes and attributes in
/// them, and the number of written bytes in `task`.
///
/// # Errors
/// The first entry that cannot be written, with its line.
pub(in crate::run) fn write(
    contents: &mut Contents,
    directory: &Path,
    manner: Manner,
    task: &Task,
) -> Result<LeftOut, Report> {
    let root = Beneath::open(directory).map_err(|it| cannot(directory, None, it, directory))?;
    let fails = |path: &Path, item: &Item| {
        let (path, origin) = (path.to_path_buf(), item.origin.clone());
        move |errno| cannot(&path, origin, errno, directory)
    };
    for (path, item) in contents.items.iter().filter(|(_, item)| item.is_directory()) {
        if path.parent().is_some() {
            root.directory(below(path)).map_err(fails(path, item))?;
        }
    }
    files(contents, &root, manner, task).map_err(|(path, errno)| {
        let origin = contents.items.get(&path).and_then(|item| item.origin.clone());
        cannot(&path, origin, errno, directory)
    })?;
    let mut left_out = LeftOut::default();
    for (path, item) in &contents.items {
        special(&root, path, item, manner, &mut left_out).map_err(fails(path, item))?;
    }
    // Modes are set last, because entries could not be created in a directory without write
    // permission.
    for (path, item) in contents.items.iter().rev().filter(|(_, item)| item.is_directory()) {
        self::directory(&root, below(path), item, manner).map_err(fails(path, item))?;
    }
    Ok(left_out)
}

/// Hashes the files of the host without known hashes, on all processors.
///
/// # Errors
/// A file cannot be read, or was replaced; with its line.
pub(in crate::run) fn hash(contents: &mut Contents, task: &Task) -> Result<(), Report> {
    let jobs: Vec<(PathBuf, PathBuf, (u64, u64), u64)> = contents
        .items
        .iter()
        .filter_map(|(path, item)| match (&item.kind, &item.source) {
            (Kind::File { size, hash: None }, Source::Host { path: source, id, .. }) => {
                Some((path.clone(), source.clone(), *id, *size))
            }
            _ => None,
        })
        .collect();
    let done = in_parallel(&jobs, &|(_, source, id, size)| {
        let errno = |error: io::Error| Errno::from(&error);
        let file = sys::open_at_once(source).map_err(errno)?;
        let found = file.metadata().map_err(errno)?;
        let (read, hash) = read_hashed(&file, None).map_err(errno)?;
        task.add(read);
        if ((found.dev(), found.ino()), read) != (*id, *size) {
            // The file was replaced.
            return Err(Errno::STALE);
        }
        Ok((hash, sys::user_attributes(&file)?))
    });
    let done = done.map_err(|(index, errno)| {
        let (path, source, ..) = &jobs[index];
        let message = format!("cannot read {}: {errno}", quoted(path.to_string_lossy()));
        let origin = contents.items.get(path).and_then(|item| item.origin.clone());
        let mut report = Report::error(message).at(origin);
        report.facts.errno = Some(errno.code());
        report.facts.source = Some(source.to_string_lossy().into_owned());
        report
    })?;
    for ((path, ..), (found, attributes)) in jobs.iter().zip(done) {
        let Some(item) = contents.items.get_mut(path) else { continue };
        item.attributes = attributes;
        if let Kind::File { hash, .. } = &mut item.kind {
            *hash = Some(found);
        }
    }
    for item in contents.items.values_mut() {
        if let (Kind::File { hash: hash @ None, .. }, Source::Bytes(bytes)) =
            (&mut item.kind, &item.source)
        {
            *hash = Some(sha256(bytes));
        }
    }
    Ok(())
}

/// Writes files with their contents, on all processors.
fn files(
    contents: &mut Contents,
    root: &Beneath,
    manner: Manner,
    task: &Task,
) -> Result<(), (PathBuf, Errno)> {
    let every_attribute = manner.keeps_every_attribute();
    let jobs: Vec<Job<'_>> = contents
        .items
        .iter()
        .filter_map(|(path, item)| {
            let (size, hashes) = match (&item.kind, &item.source) {
                (Kind::File { size, hash }, _) => (*size, hash.is_none()),
                (Kind::Node(_), _) if is_place(item, manner) => (0, false),
                _ => return None,
            };
            let source = match &item.source {
                Source::Bytes(bytes) => From::Bytes(bytes),
                Source::Device => From::Bytes(&[]),
                Source::Host { path, id, modified } => {
                    From::File { path, id: Some(*id), modified: Some(*modified) }
                }
                Source::Kept(path) => From::File { path, id: None, modified: None },
                Source::None => return None,
            };
            let (mode, owner) = (manner.mode(item), manner.owner(item));
            let attributes = &item.attributes;
            Some(Job { path, source, size, mode, owner, attributes, hashes, every_attribute })
        })
        .collect();
    let done = in_parallel(&jobs, &|job| {
        let copied = job.perform(root);
        task.add(job.size);
        copied
    });
    let done = done.map_err(|(index, errno)| (jobs[index].path.to_path_buf(), errno))?;
    let paths: Vec<PathBuf> = jobs.iter().map(|job| job.path.to_path_buf()).collect();
    drop(jobs);
    for (path, copied) in paths.iter().zip(done) {
        let Some(item) = contents.items.get_mut(path) else { continue };
        if let (Kind::File { hash, .. }, Some(found)) = (&mut item.kind, copied.hash) {
            *hash = Some(found);
        }
        if let Some(found) = copied.attributes {
            item.attributes = found;
        }
    }
    Ok(())
}

impl Job<'_> {
    fn perform(&self, root: &Beneath) -> Result<Copied, Errno> {
        if sys::interrupted().is_some() {
            return Err(Errno::INTERRUPTED);
        }
        let target = root.create(below(self.path))?;
        let errno = |error: io::Error| Errno::from(&error);
        let (hash, found, modified) = match &self.source {
            From::Bytes(bytes) => {
                (&target).write_all(bytes).map_err(errno)?;
                (self.hashes.then(|| sha256(bytes)), None, None)
            }
            From::File { path, id, modified } => {
                let source = sys::open_at_once(path).map_err(errno)?;
                let metadata = source.metadata().map_err(errno)?;
                if id.is_some_and(|id| id != (metadata.dev(), metadata.ino())) {
                    // The file was replaced.
                    return Err(Errno::STALE);
                }
                let (size, hash) = copy(&source, &target, self.hashes).map_err(errno)?;
                if size != self.size {
                    return Err(Errno::STALE);
                }
                let own = id.is_some().then(|| sys::user_attributes(&source)).transpose()?;
                let time = modified.unwrap_or((metadata.mtime(), metadata.mtime_nsec()));
                (hash, own, Some(time))
            }
        };
        // Changing the owner clears set-user-ID bits, so they are set later.
        give_file(&target, self.owner)?;
        set_attributes(&target, found.as_ref().unwrap_or(self.attributes), self.every_attribute)?;
        sys::finish(&target, self.mode, modified)?;
        Ok(Copied { hash, attributes: found })
    }
}

fn give_file(file: &File, owner: Option<(u32, u32)>) -> Result<(), Errno> {
    owner.map_or(Ok(()), |(uid, gid)| sys::own(file, uid, gid))
}

/// The number of bytes to copy between checks for signals.
const PIECE: u64 = 64 << 20;

/// Copies a file: by sharing blocks if the file system supports it, or within the kernel if the
/// content is not hashed.
fn copy(source: &File, target: &File, hashes: bool) -> io::Result<(u64, Option<String>)> {
    let shared = sys::share_blocks(source, target);
    if hashes {
        let (size, hash) = read_hashed(source, (!shared).then_some(target))?;
        return Ok((size, Some(hash)));
    }
    if shared {
        return Ok((source.metadata()?.len(), None));
    }
    // std copies by copy_file_range(2), sendfile(2) or read and write, whichever works.
    let (source, mut target) = (source, target);
    let mut size = 0;
    loop {
        if sys::interrupted().is_some() {
            return Err(Errno::INTERRUPTED.into());
        }
        match io::copy(&mut source.take(PIECE), &mut target)? {
            0 => return Ok((size, None)),
            copied => size += copied,
        }
    }
}

/// Sets the attributes that the disk keeps. A file system without support, or without space for
/// large ones, loses them; the manifest keeps them.
pub(in crate::run) fn set_attributes(
    file: &File,
    attributes: &FileAttributes,
    every: bool,
) -> Result<(), Errno> {
    for (name, value) in attributes {
        let is_overlay = |name: &[u8]| name.windows(9).any(|part| part == b".overlay.");
        if !(sys::is_kept(name) || (every && !is_overlay(name))) {
            continue;
        }
        match sys::set_attribute(file, name, value) {
            // ENOSPC means an attribute that is larger than a block.
            Err(errno)
                if matches!(errno.name().as_str(), "EOPNOTSUPP" | "EPERM" | "ENOSPC" | "E2BIG") => {
            }
            done => done?,
        }
    }
    Ok(())
}

/// Whether an entry is only an empty file, on which a launch binds a device.
fn is_place(item: &Item, manner: Manner) -> bool {
    item.source == Source::Device && manner == Manner::ForSandboxes
}

/// Creates an entry that is neither a directory nor has content.
fn special(
    root: &Beneath,
    path: &Path,
    item: &Item,
    manner: Manner,
    left_out: &mut LeftOut,
) -> Result<(), Errno> {
    let give = || match manner.owner(item) {
        Some((uid, gid)) => root.give(below(path), uid, gid),
        None => Ok(()),
    };
    match &item.kind {
        Kind::Symlink(says) => root.symlink(below(path), says).and_then(|()| give()),
        Kind::HardLink(first) => root.hard_link(below(first), below(path)),
        // In an overlay, this device removes a path.
        Kind::Gone => root.node(below(path), Node::Character(0, 0), 0),
        Kind::Node(_) if is_place(item, manner) => Ok(()),
        Kind::Node(node) => match root.node(below(path), *node, manner.mode(item)) {
            Err(errno) if *node != Node::Fifo && errno == Errno::PERMISSION => {
                left_out.devices.push(path.to_path_buf());
                Ok(())
            }
            made => made.and_then(|()| give()),
        },
        Kind::Directory { .. } | Kind::File { .. } => Ok(()),
    }
}

fn directory(root: &Beneath, path: &Path, item: &Item, manner: Manner) -> Result<(), Errno> {
    let file = root.open_directory(path)?;
    give_file(&file, manner.owner(item))?;
    set_attributes(&file, &item.attributes, manner.keeps_every_attribute())?;
    if item.kind == (Kind::Directory { opaque: true }) {
        sys::set_attribute(&file, OPAQUE.to_bytes(), b"y")?;
    }
    sys::finish(&file, manner.mode(item), None)
}

/// The attribute that makes a directory opaque to an overlay.
pub(in crate::run) const OPAQUE: &CStr = c"user.overlay.opaque";

/// Sets the owners of entries of the tree at `directory`, in ids of this process.
///
/// # Errors
/// The first entry that fails, with its path.
pub(in crate::run) fn give(
    directory: &Path,
    owners: &[(PathBuf, (u32, u32))],
) -> Result<(), (PathBuf, Errno)> {
    let root = Beneath::open(directory).map_err(|errno| (directory.to_path_buf(), errno))?;
    for (path, (uid, gid)) in owners {
        match root.give(below(path), *uid, *gid) {
            // A device that only root could create is missing.
            Err(errno) if errno.name() == "ENOENT" => {}
            given => given.map_err(|errno| (path.clone(), errno))?,
        }
    }
    Ok(())
}
