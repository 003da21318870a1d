//! Packing a root as a tar archive, reproducibly on every machine.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

use super::archive::{Encoder, Records, pax};
use super::contents::{Contents, Item, Kind, Source};
use super::hash::hexadecimal;
use super::progress::Task;
use super::store::TOO_LARGE;
use crate::diag::{Report, quoted};
use crate::plan::RootTree;
use crate::run::layers::Layers;
use crate::spec::Compression;
use crate::sys::{self, Errno, FileAttributes, Held, Node};

/// The maximum of an octal field of 8 bytes.
const LARGEST_ID: u32 = 0o7_777_777;
/// The maximum of the size field of a header.
const LARGEST_SIZE: u64 = 0o77_777_777_777;
/// The length of the name field of a header.
const NAME: usize = 100;
/// The two blocks at the end of an archive.
const END: [u8; 1024] = [0; 1024];

/// A writer with a digest.
struct Hashed {
    file: BufWriter<File>,
    digest: Sha256,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if crate::sys::interrupted().is_some() {
            // `Interrupted` would make the caller try again.
            return Err(io::Error::other("interrupted by a signal"));
        }
        let written = self.file.write(bytes)?;
        self.digest.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Layers {
    /// Packs a root to the file `path`, and returns the sha256 of that file as hexadecimal digits.
    ///
    /// Entries are sorted by path, the root first, with the owners of the manifest.
    ///
    /// # Errors
    /// The file exists and must not be replaced, or cannot be written, or a file of the root cannot
    /// be read. No archive is then left.
    pub fn pack(
        &self,
        tree: &Rc<RootTree>,
        path: &Path,
        compression: Compression,
        replace: bool,
    ) -> Result<String, Report> {
        self.mend(Some(tree))?;
        let contents = self.contents(tree)?;
        let time = self.time_of_entries()?;
        let cannot = |error: &io::Error| {
            let errno = Errno::from(error);
            let mut report =
                Report::error(format!("cannot pack {}: {errno}", quoted(path.to_string_lossy())));
            report.facts.operation = Some("pack".into());
            report.facts.errno = Some(errno.code());
            report.facts.target = Some(path.to_string_lossy().into_owned());
            match errno.name().as_str() {
                "EFBIG" => report.hint(TOO_LARGE),
                "EEXIST" => report.hint("pass `#{ replace: true }` to replace an existing archive"),
                "ENOENT" => report.hint("create the directory for the archive first"),
                _ => report,
            }
        };
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let held = Held::open(parent.unwrap_or(Path::new(".")));
        let held = held.map_err(|errno| cannot(&errno.into()))?;
        let name = path.file_name().ok_or_else(|| cannot(&ErrorKind::IsADirectory.into()))?;
        let (target, task) = (held.join(name), format!("pack {}", quoted(path.to_string_lossy())));
        let path = if replace { held.join(beside(name)) } else { target.clone() };
        let file = File::create_new(&path).map_err(|error| cannot(&error))?;
        let task = self.task(task, contents.size().1);
        let hashed =
            Hashed { file: BufWriter::with_capacity(1 << 18, file), digest: Sha256::new() };
        let packed = Encoder::new(hashed, compression).map_err(|error| cannot(&error));
        let packed = packed.and_then(|mut encoder| {
            let written = entries(&contents, time, &mut encoder, &task);
            if written.is_err() && crate::sys::interrupted().is_some() {
                // Dropping it would finish the compression.
                std::mem::forget(encoder);
                return Err(written.err().unwrap_or_else(|| cannot(&Errno::INTERRUPTED.into())));
            }
            written?;
            let done = encoder.write_all(&END).and_then(|()| encoder.finish());
            let mut hashed = done.map_err(|error| cannot(&error))?;
            hashed.flush().map_err(|error| cannot(&error))?;
            if replace {
                std::fs::rename(&path, &target).map_err(|error| cannot(&error))?;
            }
            Ok(hexadecimal(hashed.digest))
        });
        if packed.is_err() {
            let _ = std::fs::remove_file(&path);
        }
        packed
    }

    /// The time of every entry, in seconds since 1970: `SOURCE_DATE_EPOCH`, or 0.
    fn time_of_entries(&self) -> Result<u64, Report> {
        let Some(text) = self.host().environment.get("SOURCE_DATE_EPOCH") else { return Ok(0) };
        text.parse().map_err(|_| {
            let message = format!("invalid `SOURCE_DATE_EPOCH` {}", quoted(text));
            Report::error(message).hint("set it to a number of seconds since 1970")
        })
    }
}

/// The temporary name of an archive that replaces another one.
fn beside(name: &OsStr) -> String {
    format!(".{}.{}", name.to_string_lossy(), std::process::id())
}

fn entries(
    contents: &Contents,
    time: u64,
    archive: &mut dyn Write,
    task: &Task,
) -> Result<(), Report> {
    for (path, item) in &contents.items {
        let done = if crate::sys::interrupted().is_some() {
            Err(io::Error::from_raw_os_error(Errno::INTERRUPTED.code()))
        } else {
            entry(path, item, time, archive, task)
        };
        done.map_err(|error| {
            let errno = Errno::from(&error);
            let shown = quoted(path.to_string_lossy());
            let mut report = Report::error(format!("cannot pack {shown}: {errno}"));
            match errno.name().as_str() {
                "EFBIG" => report = report.hint(TOO_LARGE),
                "ENOSPC" | "EDQUOT" => {
                    report = report.hint(
                        "free space on the disk of the archive, or choose \
                                          another directory",
                    );
                }
                _ => {}
            }
            report.facts.operation = Some("pack".into());
            report.facts.errno = Some(errno.code());
            report.facts.source = Some(path.to_string_lossy().into_owned());
            report.at(item.origin.clone())
        })?;
    }
    Ok(())
}

/// The name of an entry in an archive: relative, with a final `/` for a directory.
fn name(path: &Path, item: &Item) -> Vec<u8> {
    let below = path.strip_prefix("/").unwrap_or(path);
    let mut name = below.as_os_str().as_bytes().to_vec();
    if name.is_empty() {
        name.push(b'.');
    }
    if item.is_directory() {
        name.push(b'/');
    }
    name
}

/// Writes an entry: a pax header for values that do not fit, the ordinary header, and the content.
fn entry(
    path: &Path,
    item: &Item,
    time: u64,
    archive: &mut dyn Write,
    task: &Task,
) -> io::Result<()> {
    let mut records = Records::default();
    let mut header = Header::new_ustar();
    let relative = |path: &Path| path.strip_prefix("/").unwrap_or(path).to_path_buf();
    let (kind, link, size) = match &item.kind {
        Kind::Directory { .. } => (EntryType::Directory, None, 0),
        Kind::File { size, .. } => (EntryType::Regular, None, *size),
        Kind::HardLink(first) => (EntryType::Link, Some(relative(first)), 0),
        Kind::Symlink(says) => (EntryType::Symlink, Some(says.clone()), 0),
        Kind::Node(Node::Fifo) => (EntryType::Fifo, None, 0),
        Kind::Node(Node::Character(..)) => (EntryType::Char, None, 0),
        Kind::Node(Node::Block(..)) => (EntryType::Block, None, 0),
        Kind::Gone => return Ok(()),
    };
    if let Kind::Node(Node::Character(major, minor) | Node::Block(major, minor)) = item.kind {
        header.set_device_major(major)?;
        header.set_device_minor(minor)?;
    }
    header.set_entry_type(kind);
    header.set_mode(item.mode);
    header.set_mtime(time);
    set_name(&mut header, &mut records, &name(path, item));
    set_link(&mut header, &mut records, link);
    let (uid, gid) = item.owner;
    for (key, id) in [("uid", uid), ("gid", gid)] {
        if id > LARGEST_ID {
            records.push(key, id.to_string());
        }
    }
    header.set_uid(u64::from(uid.min(LARGEST_ID)));
    header.set_gid(u64::from(gid.min(LARGEST_ID)));
    if size > LARGEST_SIZE {
        records.push("size", size.to_string());
    }
    header.set_size(size.min(LARGEST_SIZE));
    for (name, value) in attributes(item)?.iter() {
        let key = [b"SCHILY.xattr.".as_slice(), &pax::attribute_key(name)].concat();
        records.push(key, value.as_slice());
    }
    header.set_cksum();
    if !records.is_empty() {
        extension(&records, archive)?;
    }
    archive.write_all(header.as_bytes())?;
    let written = content(item, size, archive)?;
    task.add(written);
    pad(written, archive)
}

fn set_name(header: &mut Header, records: &mut Records, name: &[u8]) {
    let path = PathBuf::from(std::ffi::OsStr::from_bytes(name));
    let Some(ustar) = header.as_ustar_mut() else { return };
    // A long value is in the pax header; its start is also stored here.
    if ustar.set_path(&path).is_err() || ustar.path_bytes() != name {
        records.push("path", name);
        (ustar.name, ustar.prefix) = ([0; 100], [0; 155]);
        let length = name.len().min(NAME);
        ustar.name[..length].copy_from_slice(&name[..length]);
    }
}

fn set_link(header: &mut Header, records: &mut Records, link: Option<PathBuf>) {
    let Some(link) = link else { return };
    let bytes = link.as_os_str().as_bytes();
    let length = bytes.len().min(NAME);
    if bytes.len() > NAME {
        records.push("linkpath", bytes);
    }
    header.as_old_mut().linkname[..length].copy_from_slice(&bytes[..length]);
}

/// Writes a pax header.
fn extension(records: &Records, archive: &mut dyn Write) -> io::Result<()> {
    let text = records.to_bytes();
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::XHeader);
    header.as_old_mut().name[..PAX.len()].copy_from_slice(PAX);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(text.len() as u64);
    header.set_cksum();
    archive.write_all(header.as_bytes())?;
    archive.write_all(&text)?;
    pad(text.len() as u64, archive)
}

/// The name of pax headers: programs without support for them unpack files of this name.
const PAX: &[u8] = b"././@PaxHeader";

/// The extended attributes of an entry, read from the file for a file of the host; a hard link has
/// none.
fn attributes(item: &Item) -> io::Result<Cow<'_, FileAttributes>> {
    match (&item.kind, &item.source) {
        (Kind::HardLink(_), _) => Ok(Cow::Owned(Vec::new())),
        (Kind::File { .. }, Source::Host { path, .. }) => {
            Ok(Cow::Owned(sys::user_attributes(&sys::open_at_once(path)?)?))
        }
        _ => Ok(Cow::Borrowed(&item.attributes)),
    }
}

/// Writes the content of a file of `size` bytes.
fn content(item: &Item, size: u64, archive: &mut dyn Write) -> io::Result<u64> {
    if !matches!(item.kind, Kind::File { .. }) {
        return Ok(0);
    }
    let (path, id) = match &item.source {
        Source::Bytes(bytes) => {
            archive.write_all(bytes)?;
            return Ok(bytes.len() as u64);
        }
        Source::Host { path, id, .. } => (path, Some(*id)),
        Source::Kept(path) => (path, None),
        Source::None | Source::Device => return Ok(0),
    };
    let file = sys::open_at_once(path)?;
    let found = file.metadata()?;
    let other = id.is_some_and(|id| id != (found.dev(), found.ino())) || found.len() != size;
    let copied = if other { 0 } else { copy(file.take(size), archive)? };
    if copied != size || other {
        // The file was replaced.
        return Err(io::Error::from_raw_os_error(Errno::STALE.code()));
    }
    Ok(size)
}

fn copy(mut from: impl Read, to: &mut dyn Write) -> io::Result<u64> {
    let mut buffer = vec![0; 128 << 10];
    let mut copied = 0;
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(copied),
            Ok(length) => {
                to.write_all(&buffer[..length])?;
                copied += length as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Fills the last block.
fn pad(size: u64, archive: &mut dyn Write) -> io::Result<()> {
    let rest = usize::try_from(size.next_multiple_of(512) - size).unwrap_or(0);
    archive.write_all(&END[..rest])
}
