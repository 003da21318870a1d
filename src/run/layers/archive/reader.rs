//! A reader of archives, member by member.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use tar::{EntryType, GnuExtSparseHeader, Header};

use super::error::{ArchiveError, ArchiveErrorKind};
use super::header::{BLOCK, DUMPED, MemberKind, kind, sums};
use super::pax::{self, Records};
use super::sparse::{self, Piece};
use crate::sys::FileAttributes;

/// The maximum size of the headers before a member, in bytes.
const LONGEST_HEADER: u64 = 1 << 20;
/// The maximum name and value of an extended attribute, in bytes: xattr(7).
const LONGEST_NAME: usize = 255;
const LARGEST_ATTRIBUTE: usize = 64 << 10;
/// The maximum size of the extended attributes of all members, in bytes: they are kept in memory.
const MOST_ATTRIBUTES: usize = 64 << 20;

/// A member of an archive, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::run) struct Member {
    /// Its path in the archive.
    pub path: PathBuf,
    /// Its kind.
    pub kind: MemberKind,
    /// Its permission bits.
    pub mode: u32,
    /// Its user and group.
    pub owner: (u32, u32),
    /// Its modification time, in seconds since 1970.
    pub modified: i64,
    /// Its size in bytes, with holes.
    pub size: u64,
    /// The stored pieces of a file with holes.
    pub pieces: Option<Vec<Piece>>,
    /// Its extended attributes.
    pub attributes: FileAttributes,
}

/// A reader of an archive.
#[derive(Debug)]
pub(in crate::run) struct Reader<R> {
    inner: R,
    /// The unread bytes of the last member's content.
    left: u64,
    /// The bytes after it, up to the next block.
    padding: u64,
    /// The records for all following members.
    global: Records,
    /// The path of the last member.
    last: Option<PathBuf>,
    /// The number of bytes read.
    read: u64,
    limit: u64,
    /// The size of the extended attributes so far, in bytes.
    attributes: usize,
}

/// The data of the headers before that of the member itself.
#[derive(Default)]
struct Before {
    records: Records,
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl<R: Read> Reader<R> {
    /// Creates a reader of `inner`, for an archive of at most `limit` bytes.
    pub fn new(inner: R, limit: u64) -> Self {
        let (left, padding, read, attributes) = (0, 0, 0, 0);
        let (global, last) = (Records::default(), None);
        Self { inner, left, padding, global, last, read, limit, attributes }
    }

    /// Reads the bytes after the end mark: padding blocks, and the end of the compressed data.
    ///
    /// # Errors
    /// They are damaged, or exceed the limit.
    pub fn rest(&mut self) -> Result<(), ArchiveError> {
        let left = self.limit.saturating_sub(self.read);
        let mut rest = (&mut self.inner).take(left.saturating_add(1));
        match io::copy(&mut rest, &mut io::sink()) {
            Ok(length) if length > left => {
                Err(ArchiveError::of_archive(ArchiveErrorKind::TooLarge(self.limit)))
            }
            done => done.map(drop).map_err(ArchiveError::of_archive),
        }
    }

    /// Reads the next member; `None` at the end of the archive. Skips unread content of the last
    /// one.
    pub fn next(&mut self) -> Result<Option<Member>, ArchiveError> {
        self.pass().map_err(|kind| self.after_last(kind))?;
        let mut before = Before::default();
        let mut begun = false;
        loop {
            let Some(header) = self.header(begun).map_err(|kind| self.after_last(kind))? else {
                return Ok(None);
            };
            let kind = header.entry_type();
            // A label of GNU tar is not a member. Headers before it belong to it, and it has no
            // content, although some archives state a size.
            if kind.as_byte() == b'V' {
                let size = header.entry_size().unwrap_or(0);
                (self.left, self.padding) = (size, padding(size));
                self.pass().map_err(|kind| self.after_last(kind))?;
                (before, begun) = (Before::default(), false);
                continue;
            }
            begun = true;
            let size = header.entry_size().map_err(|_| ArchiveErrorKind::Number("size"));
            let size = size.map_err(|kind| self.after_last(kind))?;
            let is_extension = kind.is_pax_local_extensions()
                || kind.is_pax_global_extensions()
                || kind.is_gnu_longname()
                || kind.is_gnu_longlink()
                || kind.as_byte() == b'X';
            if !is_extension {
                return self.member(&header, before).map(Some);
            }
            let text = self.extension(size).map_err(|kind| self.after_last(kind))?;
            if kind.is_gnu_longname() {
                before.path = Some(until_nul(text));
            } else if kind.is_gnu_longlink() {
                before.link = Some(until_nul(text));
            } else {
                let records = Records::read(&text).map_err(|kind| self.after_last(kind))?;
                if kind.is_pax_global_extensions() {
                    self.global = records.over(&self.global).of_use();
                    if self.global.size() as u64 > LONGEST_HEADER {
                        return Err(self.after_last(ArchiveErrorKind::HeaderTooLong));
                    }
                } else {
                    before.records = records;
                }
            }
        }
    }

    fn after_last(&self, kind: ArchiveErrorKind) -> ArchiveError {
        ArchiveError { member: self.last.clone(), kind }
    }

    /// Skips the rest of a member.
    fn pass(&mut self) -> Result<(), ArchiveErrorKind> {
        let rest = self.left.saturating_add(self.padding);
        (self.left, self.padding) = (0, 0);
        self.count(rest)?;
        let passed = io::copy(&mut (&mut self.inner).take(rest), &mut io::sink())?;
        if passed == rest { Ok(()) } else { Err(ArchiveErrorKind::Truncated) }
    }

    /// Counts bytes before they are read.
    fn count(&mut self, bytes: u64) -> Result<(), ArchiveErrorKind> {
        self.read = self.read.saturating_add(bytes);
        if self.read > self.limit { Err(ArchiveErrorKind::TooLarge(self.limit)) } else { Ok(()) }
    }

    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, ArchiveErrorKind> {
        self.count(BLOCK as u64)?;
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.inner.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(ArchiveErrorKind::Truncated),
                Ok(length) => filled += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some(block))
    }

    /// Reads the next header; `None` at the end mark. `begun` is whether an extension header for it
    /// was read.
    fn header(&mut self, begun: bool) -> Result<Option<Header>, ArchiveErrorKind> {
        let is_first = self.last.is_none() && !begun && self.read == 0;
        let block = match self.block() {
            Ok(Some(block)) => block,
            Ok(None) | Err(ArchiveErrorKind::Truncated) if is_first => {
                return Err(ArchiveErrorKind::NotAnArchive);
            }
            Ok(None) | Err(ArchiveErrorKind::Truncated) => return Err(ArchiveErrorKind::NoEnd),
            Err(kind) => return Err(kind),
        };
        if block.iter().all(|byte| *byte == 0) {
            return if begun { Err(ArchiveErrorKind::NoEnd) } else { Ok(None) };
        }
        let mut header = Header::new_old();
        header.as_mut_bytes().copy_from_slice(&block);
        if header.cksum().is_ok_and(|sum| sums(&block).contains(&i64::from(sum))) {
            return Ok(Some(header));
        }
        Err(if is_first { ArchiveErrorKind::NotAnArchive } else { ArchiveErrorKind::Checksum })
    }

    /// Reads the content of an extension header.
    fn extension(&mut self, size: u64) -> Result<Vec<u8>, ArchiveErrorKind> {
        if size > LONGEST_HEADER {
            return Err(ArchiveErrorKind::HeaderTooLong);
        }
        let mut text = Vec::new();
        (self.left, self.padding) = (size, padding(size));
        self.content().read_to_end(&mut text)?;
        if text.len() as u64 != size {
            return Err(ArchiveErrorKind::Truncated);
        }
        self.pass()?;
        Ok(text)
    }

    fn member(&mut self, header: &Header, before: Before) -> Result<Member, ArchiveError> {
        let records = before.records.over(&self.global);
        let path = records.get("GNU.sparse.name").or(records.get("path")).map(<[u8]>::to_vec);
        let path = path.or(before.path).unwrap_or_else(|| header.path_bytes().into_owned());
        let named_directory = path.ends_with(b"/");
        let path = PathBuf::from(OsString::from_vec(path));
        self.last = Some(path.clone());
        let link = records.get("linkpath").map(<[u8]>::to_vec).or(before.link);
        let link = link.or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned));
        let link = PathBuf::from(OsString::from_vec(link.unwrap_or_default()));
        let fails = |kind: ArchiveErrorKind| ArchiveError::of(&path, kind);
        self.attend(header, &records, link, named_directory, &path).map_err(fails)
    }

    fn attend(
        &mut self,
        header: &Header,
        records: &Records,
        link: PathBuf,
        named_directory: bool,
        path: &Path,
    ) -> Result<Member, ArchiveErrorKind> {
        let number = |key: &'static str, field: io::Result<u64>| match records.number(key)? {
            Some(number) => Ok(number),
            None => field.map_err(|_| ArchiveErrorKind::Number(key)),
        };
        let id = |key, field| {
            number(key, field).and_then(|id| {
                u32::try_from(id)
                    .ok()
                    .filter(|id| *id != u32::MAX)
                    .ok_or(ArchiveErrorKind::Number(key))
            })
        };
        let kind = kind(header, link, named_directory)?;
        let stored = number("size", header.entry_size())?;
        // Members without content sometimes state a size, but store nothing.
        let has_content = kind == MemberKind::File || header.entry_type().as_byte() == DUMPED;
        let stored = if has_content { stored } else { 0 };
        if stored > self.limit {
            return Err(ArchiveErrorKind::TooLarge(self.limit));
        }
        (self.left, self.padding) = (stored, padding(stored));
        let (mut size, mut pieces) = (stored, None);
        if kind == MemberKind::File {
            (size, pieces) = self.holes(header, records, stored)?;
        }
        let attributes = self.attributes(records)?;
        let modified = number("mtime", header.mtime()).unwrap_or(0);
        Ok(Member {
            path: path.to_path_buf(),
            kind,
            mode: header.mode().map_err(|_| ArchiveErrorKind::Number("mode"))? & 0o7777,
            owner: (id("uid", header.uid())?, id("gid", header.gid())?),
            modified: i64::try_from(modified).unwrap_or(0),
            size,
            pieces,
            attributes,
        })
    }

    /// The extended attributes of a member: the last value of each.
    fn attributes(&mut self, records: &Records) -> Result<FileAttributes, ArchiveErrorKind> {
        let mut attributes = BTreeMap::new();
        for (key, value) in records.iter() {
            let Some(name) = key.strip_prefix(b"SCHILY.xattr.") else { continue };
            let name = pax::attribute_name(name);
            let is_one = !name.is_empty() && name.len() <= LONGEST_NAME && !name.contains(&0);
            if !is_one || value.len() > LARGEST_ATTRIBUTE {
                return Err(ArchiveErrorKind::Attribute(name));
            }
            attributes.insert(name, value.to_vec());
        }
        let sizes = attributes.iter().map(|(name, value)| name.len() + value.len());
        self.attributes = self.attributes.saturating_add(sizes.sum());
        if self.attributes > MOST_ATTRIBUTES {
            return Err(ArchiveErrorKind::TooManyAttributes);
        }
        Ok(attributes.into_iter().collect())
    }

    /// The size of a file with holes, and its pieces.
    fn holes(
        &mut self,
        header: &Header,
        records: &Records,
        stored: u64,
    ) -> Result<(u64, Option<Vec<Piece>>), ArchiveErrorKind> {
        if header.entry_type() == EntryType::GNUSparse {
            let gnu = header.as_gnu().ok_or(ArchiveErrorKind::Sparse)?;
            let mut pieces = Vec::new();
            let add = |pieces: &mut Vec<Piece>, headers: &[tar::GnuSparseHeader]| {
                for header in headers.iter().filter(|header| !header.is_empty()) {
                    let number =
                        |field: io::Result<u64>| field.map_err(|_| ArchiveErrorKind::Sparse);
                    pieces.push((number(header.offset())?, number(header.length())?));
                }
                Ok::<_, ArchiveErrorKind>(())
            };
            add(&mut pieces, &gnu.sparse)?;
            let mut goes_on = gnu.is_extended();
            while goes_on {
                let mut more = GnuExtSparseHeader::new();
                let block = self.block()?.ok_or(ArchiveErrorKind::Truncated)?;
                more.as_mut_bytes().copy_from_slice(&block);
                add(&mut pieces, more.sparse())?;
                if pieces.len() > sparse::MOST_PIECES || crate::sys::interrupted().is_some() {
                    return Err(ArchiveErrorKind::Sparse);
                }
                goes_on = more.is_extended();
            }
            let size = gnu.real_size().map_err(|_| ArchiveErrorKind::Number("size"))?;
            sparse::check(&pieces, size, stored)?;
            return Ok((size, Some(pieces)));
        }
        let real = records.number("GNU.sparse.realsize")?.or(records.number("GNU.sparse.size")?);
        let Some(size) = real else { return Ok((stored, None)) };
        let (pieces, taken) = match records.number("GNU.sparse.major")? {
            Some(1) => {
                let limit = self.limit.saturating_sub(self.read);
                let mut content = (&mut self.inner).take(stored.min(limit));
                let (pieces, taken) = sparse::before_content(&mut content)?;
                self.count(taken)?;
                self.left -= taken;
                (pieces, taken)
            }
            _ => (sparse::in_records(records)?.unwrap_or_default(), 0),
        };
        sparse::check(&pieces, size, stored - taken)?;
        Ok((size, Some(pieces)))
    }

    /// The stored content of the last member.
    pub fn content(&mut self) -> Content<'_, R> {
        Content { reader: self }
    }
}

/// The content of a member.
pub(in crate::run) struct Content<'a, R> {
    reader: &'a mut Reader<R>,
}

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.reader.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let length = self.reader.inner.read(&mut buffer[..most])?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.reader.left -= length as u64;
        match self.reader.count(length as u64) {
            Ok(()) => Ok(length),
            Err(kind) => Err(kind.into()),
        }
    }
}

/// The number of bytes to the next block.
fn padding(size: u64) -> u64 {
    size.next_multiple_of(BLOCK as u64) - size
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    bytes.truncate(end);
    bytes
}
