//! Unpacking of archives to layers.
//!
//! Every path is resolved in memory, against the members so far, to a path without links, and is
//! then created by descriptor beneath the tree. Links are created last. So no path of an archive
//! leads out of the tree, or through a link on the disk.

mod content;
mod members;
mod writers;

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use self::members::Unpacker;
use self::writers::Writers;
use super::archive::{
    ArchiveError, ArchiveErrorKind, CUT_OFF, Decoded, MemberKind, Reader, decode,
};
use super::contents::Contents;
use super::hash::sha256;
use super::manifest::Manifest;
use super::progress::Task;
use super::root::described;
use super::store::{Building, Facts};
use crate::diag::{Origin, Report, os_error, quoted};
use crate::plan::{Below, Came, Kept, Layer};
use crate::run::layers::Layers;
use crate::spec::Archive;
use crate::sys::{self, Beneath, Errno};

/// The maximum number of decompressed pieces in the queue.
const PIECES: usize = 16;
/// The maximum number of members, each of which needs memory.
const MOST_MEMBERS: usize = 4_000_000;

impl Layers {
    /// The layer of an archive on top of others; unpacked at most once.
    pub(in crate::run) fn unpacked(
        &self,
        archive: &Archive,
        below: &[Layer],
        origin: Option<&Origin>,
    ) -> Result<Rc<Kept>, Report> {
        if archive.made {
            let came = Came::Archive(archive.file.clone());
            return Ok(Rc::new(Kept::unknown(came, origin.cloned())));
        }
        let cannot = |error: &io::Error| self.unopened(&archive.file, error);
        let file = sys::open_at_once(&archive.file).map_err(|error| cannot(&error))?;
        let found = file.metadata().map_err(|error| cannot(&error))?;
        if !found.is_file() {
            let shown = quoted(archive.file.to_string_lossy());
            let report = Report::error(format!("cannot unpack {shown}: it is not a file"));
            let directory = "add a directory of the host to a root with `copy`";
            return Err(if found.is_dir() { report.hint(directory) } else { report });
        }
        let key = key(archive, &found, below);
        let mut file = Some(file);
        let (mut warnings, mut elapsed) = (Vec::new(), None);
        let stored = self.store()?.layer(self, &key, None, &mut |building| {
            let started = Instant::now();
            let Some(file) = file.take() else { return Ok(()) };
            let what = format!("unpack {}", quoted(archive.file.to_string_lossy()));
            let task = self.task(what, found.len());
            let found = self.unpack(archive, file, below, building, &task)?;
            let found = found.into_iter().chain(self.unkept(archive));
            warnings.extend(found.map(|report| report.at(origin.cloned())));
            elapsed = Some(started.elapsed());
            Ok(())
        })?;
        let facts = Facts::read(stored.directory());
        let facts = facts.map_err(|error| super::store::unreadable(&stored.name, &error))?;
        let kept = facts.kept(&stored.name, stored.directory());
        self.hold(stored);
        Ok(Rc::new(Kept { origin: origin.cloned(), elapsed, warnings, ..kept }))
    }

    /// The warning that an archive is unpacked for this run only.
    fn unkept(&self, archive: &Archive) -> Option<Report> {
        if self.has_lasting_store() {
            return None;
        }
        let shown = quoted(archive.file.to_string_lossy());
        let message =
            format!("{shown} is unpacked for this run only, because no store can be created");
        let mut report = Report::warning(message);
        if let Some(why) = &*self.roots.no_store.borrow() {
            report = report.note(why.message.clone());
            report.notes.extend(why.notes.iter().cloned());
        }
        Some(report.hint(
            "set `XDG_CACHE_HOME` to a directory that you can write to, and whose parents only you \
             and root can change",
        ))
    }

    fn unopened(&self, file: &Path, error: &io::Error) -> Report {
        let shown = quoted(file.to_string_lossy());
        let mut report = Report::error(format!("cannot unpack {shown}: {}", os_error(error)));
        report.facts.operation = Some("unpack".into());
        report.facts.errno = error.raw_os_error();
        report.facts.source = Some(file.to_string_lossy().into_owned());
        match self.host().tree.near(file).filter(|_| error.kind() == io::ErrorKind::NotFound) {
            Some(near) => {
                let near = file.with_file_name(near);
                report.hint(format!("did you mean {}?", quoted(near.to_string_lossy())))
            }
            None if file.to_string_lossy().contains(":/") => {
                report.hint("download the archive first: nsscript reads only files of the host")
            }
            None if file.components().any(|it| it.as_os_str() == "~") => report.hint(
                "write `env(\"HOME\")` for the home directory: `~` is an ordinary \
                             name here",
            ),
            None => report,
        }
    }

    /// Unpacks an archive to a layer under construction, and returns warnings.
    fn unpack(
        &self,
        archive: &Archive,
        file: File,
        below: &[Layer],
        building: &Building<'_>,
        task: &Task,
    ) -> Result<Vec<Report>, Report> {
        let tree = building.tree();
        let root = Beneath::open(&tree).map_err(|errno| written(&tree, errno))?;
        // Directories of the layers below are read only if needed.
        let looks = std::cell::OnceCell::new();
        let mut look = |path: &Path| {
            let merged = looks.get_or_init(|| self.contents_of(below).unwrap_or_default());
            merged.items.get(path).cloned()
        };
        let host = self.host();
        let below = Below { host, layers: below };
        let (sender, receiver) = sync_channel(PIECES);
        let (compression, hashes) = (archive.compression, archive.sha256.is_some());
        let unpacked = std::thread::scope(|scope| {
            let decoder = std::thread::Builder::new()
                .spawn_scoped(scope, move || decode(file, compression, hashes, task, &sender))
                .map_err(|error| {
                    ArchiveError::of_archive(ArchiveErrorKind::Thread((&error).into()))
                })?;
            let writers = Writers::start(scope, &root);
            let mut reader = Reader::new(Decoded::new(receiver), archive.limit);
            let mut unpacker = Unpacker::new(archive, below, &mut look, writers);
            let read = members(&mut reader, &mut unpacker).and_then(|()| reader.rest());
            // Without a receiver, the decoder ends.
            drop(reader);
            let found = decoder.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            read?;
            if let Some(wanted) = &archive.sha256
                && found.as_ref() != Some(wanted)
            {
                let (wanted, found) = (wanted.clone(), found.unwrap_or_default());
                return Err(ArchiveError::of_archive(ArchiveErrorKind::Digest { wanted, found }));
            }
            unpacker.finish(&root)
        });
        let (contents, left_out) = unpacked.map_err(|error| unsound(archive, &error))?;
        if let (1, Some(strip @ 1..)) = (contents.items.len(), Some(archive.strip)) {
            let error = ArchiveError::of_archive(ArchiveErrorKind::Stripped(strip));
            return Err(unsound(archive, &error));
        }
        let came = Some(Came::Archive(archive.file.clone()));
        building.note(&Manifest::of(&contents), &Facts::of(&contents, came))?;
        Ok(left_out.report().into_iter().chain(image(archive, &contents)).collect())
    }

    fn contents_of(&self, layers: &[Layer]) -> Result<Contents, Report> {
        self.contents(&crate::plan::RootTree { layers: layers.to_vec() })
    }
}

/// The warning that the archive is an image, whose layers are archives.
fn image(archive: &Archive, contents: &Contents) -> Option<Report> {
    let has = |path: &str| contents.items.contains_key(Path::new(path));
    if !(has("/oci-layout") || has("/manifest.json") && (has("/blobs") || has("/repositories"))) {
        return None;
    }
    let shown = quoted(archive.file.to_string_lossy());
    let report = Report::warning(format!(
        "{shown} is an image, which contains its layers as \
                                          archives"
    ));
    Some(report.hint("create an archive of a container's files with `docker export`"))
}

/// Unpacks every member.
fn members(
    reader: &mut Reader<Decoded>,
    unpacker: &mut Unpacker<'_, '_>,
) -> Result<(), ArchiveError> {
    let mut number = 0;
    while let Some(member) = reader.next()? {
        number += 1;
        if number.max(unpacker.number()) > MOST_MEMBERS {
            return Err(ArchiveError::of_archive(ArchiveErrorKind::TooMany(MOST_MEMBERS)));
        }
        if crate::sys::interrupted().is_some() {
            return Err(ArchiveError::of_archive(ArchiveErrorKind::Write(Errno::INTERRUPTED)));
        }
        let done = match member.kind {
            MemberKind::File => unpacker.file(&member, &mut reader.content()),
            _ => unpacker.other(&member),
        };
        done.map_err(|fault| ArchiveError::of(&member.path, fault))?;
    }
    Ok(())
}

/// The key of an archive in its current state, with the layers below it.
fn key(archive: &Archive, found: &std::fs::Metadata, below: &[Layer]) -> String {
    let file = (found.dev(), found.ino(), found.len(), found.mtime(), found.mtime_nsec());
    let changed = (found.ctime(), found.ctime_nsec());
    let Archive { sha256: wanted, strip, compression, limit, .. } = archive;
    // The number changes if unpacking changes, so that old results are not found.
    let mut text = format!("archive 2 {:?}", (file, changed, wanted, strip, compression, limit));
    for layer in below {
        match layer {
            Layer::Kept(kept) => text.push_str(&format!("\nkept {}", kept.name)),
            Layer::Assembled(assembled) => {
                text.push_str(&format!("\n{}", sha256(described(assembled))));
            }
        }
    }
    sha256(text)
}

/// The report of an entry that could not be written.
pub(in crate::run) fn written(path: &Path, errno: Errno) -> Report {
    let path = crate::sys::shown(path);
    let mut report =
        Report::error(format!("cannot unpack {}: {errno}", quoted(path.to_string_lossy())));
    report.facts.operation = Some("unpack".into());
    report.facts.errno = Some(errno.code());
    report.facts.target = Some(path.to_string_lossy().into_owned());
    report
}

/// The report of an archive that cannot be unpacked.
fn unsound(archive: &Archive, error: &ArchiveError) -> Report {
    let shown = quoted(archive.file.to_string_lossy());
    let mut report = Report::error(format!("cannot unpack {shown}: {error}"));
    report.facts.operation = Some("unpack".into());
    report.facts.source = Some(archive.file.to_string_lossy().into_owned());
    report.facts.target = error.member.as_ref().map(|it| it.to_string_lossy().into_owned());
    match &error.kind {
        ArchiveErrorKind::Io(error) => {
            report.facts.errno = error.raw_os_error();
            report
        }
        ArchiveErrorKind::Write(errno) => {
            report.facts.errno = Some(errno.code());
            if errno.name() == "EFBIG" { report.hint(super::store::TOO_LARGE) } else { report }
        }
        ArchiveErrorKind::Thread(errno) => {
            report.facts.errno = Some(errno.code());
            report.hint("check the number of processes, which `ulimit -u` limits")
        }
        ArchiveErrorKind::Digest { wanted, .. } => report
            .note(format!("expected: {wanted}"))
            .hint("use the file that the recipe was written for, or correct its `sha256`"),
        ArchiveErrorKind::Compression(_, why) if why != CUT_OFF => report,
        ArchiveErrorKind::Compression(..)
        | ArchiveErrorKind::Truncated
        | ArchiveErrorKind::NoEnd => {
            report.hint("copy or download the archive again: it is truncated")
        }
        ArchiveErrorKind::NotAnArchive => match other_format(&archive.file) {
            Some(name) => report.hint(format!(
                "the file is {name}: use a tar archive, plain or compressed by gzip, xz or zstd"
            )),
            None => report,
        },
        ArchiveErrorKind::TooLarge(limit) => {
            let more = size(limit.saturating_mul(2));
            report.hint(format!(
                "if you trust the archive, raise the limit with `limit: {more}` in \
                               the options"
            ))
        }
        ArchiveErrorKind::Absolute | ArchiveErrorKind::Upward => report.hint(
            "pack the archive again with relative paths: every member must be in the \
                         root",
        ),
        ArchiveErrorKind::LinkToNothing(_) => {
            report.hint("pack the archive again with each hard link after its target")
        }
        _ => report,
    }
}

/// A size in the notation of recipes, rounded up.
fn size(bytes: u64) -> String {
    let units = [(1_u64 << 30, 'G'), (1 << 20, 'M'), (1 << 10, 'K')];
    match units.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, letter)) => format!("\"{}{letter}\"", bytes.div_ceil(*unit)),
        None => bytes.to_string(),
    }
}

/// The format of a file that is not a tar archive.
fn other_format(path: &Path) -> Option<&'static str> {
    let mut first = [0; 262];
    let length = sys::open_at_once(path).ok()?.read(&mut first).ok()?;
    let known: [(&[u8], &str); 10] = [
        (b"BZh", "compressed by bzip2"),
        (b"LZIP", "compressed by lzip"),
        (&[0x04, 0x22, 0x4d, 0x18], "compressed by lz4"),
        (&[0x1f, 0x9d], "compressed by compress"),
        (&[0x5d, 0, 0], "compressed by lzma"),
        (b"PK\x03\x04", "a zip archive"),
        (b"7z\xbc\xaf", "a 7z archive"),
        (b"!<arch>", "an ar archive, such as a Debian package"),
        (&[0xed, 0xab, 0xee, 0xdb], "an RPM package"),
        (b"hsqs", "a squashfs image"),
    ];
    let first = &first[..length];
    let found = known.iter().find(|(magic, _)| first.starts_with(magic)).map(|(_, name)| *name);
    found.or_else(|| first.is_empty().then_some("empty"))
}

/// A path relative to a tree.
pub(in crate::run) fn below(path: &Path) -> PathBuf {
    path.strip_prefix("/").unwrap_or(path).to_path_buf()
}
