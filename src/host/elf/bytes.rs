//! The bytes of a file, read on demand.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::error::ElfErrorKind;

/// The size of the first read: headers and interpreter are there, and often the dynamic strings of
/// a small library.
const HEAD: usize = 4096;

/// No valid table or string here is larger; a larger size is bogus.
const LARGEST: u64 = 4 << 20;

/// The size of one read in search of the end of a string.
const STRIDE: u64 = 256;

/// The bytes of a file: its beginning in memory, the rest read on demand, so that a program of 100
/// MB costs no more than a small one.
pub(super) struct Bytes<'f> {
    file: &'f File,
    length: u64,
    head: Vec<u8>,
}

impl<'f> Bytes<'f> {
    /// Reads the beginning of `file`, which is `length` bytes long.
    pub fn of(file: &'f File, length: u64) -> Result<Self, ElfErrorKind> {
        let mut head = vec![0; usize::try_from(length).map_or(HEAD, |length| length.min(HEAD))];
        let mut filled = 0;
        while filled < head.len() {
            match file.read_at(&mut head[filled..], filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        head.truncate(filled);
        Ok(Self { file, length, head })
    }

    /// The beginning of the file, up to a few thousand bytes.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// The `size` bytes at `offset`; `what` names them in the error.
    pub fn at(
        &self,
        offset: u64,
        size: u64,
        what: &'static str,
    ) -> Result<Cow<'_, [u8]>, ElfErrorKind> {
        let end = offset.checked_add(size).filter(|end| *end <= self.length && size <= LARGEST);
        let end = end.ok_or(ElfErrorKind::Malformed(what))?;
        let within = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
        if let Some(held) = self.head.get(within(offset)..within(end)) {
            return Ok(Cow::Borrowed(held));
        }
        let mut read = vec![0; within(size)];
        self.file.read_exact_at(&mut read, offset)?;
        Ok(Cow::Owned(read))
    }

    /// The string that begins at `offset` and ends, with a NUL, before `offset + most`.
    pub fn string(
        &self,
        offset: u64,
        most: u64,
        what: &'static str,
    ) -> Result<Vec<u8>, ElfErrorKind> {
        let most = most.min(self.length.saturating_sub(offset)).min(LARGEST);
        let mut string = Vec::new();
        let mut read = 0;
        while read < most {
            let size = STRIDE.min(most - read);
            let piece = self.at(offset + read, size, what)?;
            if let Some(end) = piece.iter().position(|byte| *byte == 0) {
                string.extend_from_slice(&piece[..end]);
                return Ok(string);
            }
            string.extend_from_slice(&piece);
            read += size;
        }
        Err(ElfErrorKind::Malformed(what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fixture::Fixture;

    #[test]
    fn pieces_are_read_within_the_file_only() {
        let made = Fixture::new("elf-bytes");
        let mut content = vec![b'a'; 5000];
        content[4999] = 0;
        made.file("x", &content);
        let file = File::open(made.path("x")).unwrap();
        let bytes = Bytes::of(&file, 5000).unwrap();
        assert_eq!(bytes.head().len(), HEAD);
        assert_eq!(bytes.at(4090, 10, "x").unwrap().len(), 10);
        assert_eq!(bytes.string(10, u64::MAX, "x").unwrap().len(), 4989);
        assert_eq!(bytes.string(10, 4989, "x"), Err(ElfErrorKind::Malformed("x")));
        for (offset, size) in [(4999, 2), (u64::MAX, 1), (1, u64::MAX), (5001, 0)] {
            assert_eq!(bytes.at(offset, size, "x"), Err(ElfErrorKind::Malformed("x")));
        }
        assert_eq!(bytes.string(u64::MAX, 9, "x"), Err(ElfErrorKind::Malformed("x")));
        let wrong_length = Bytes::of(&file, 9000).unwrap();
        assert!(matches!(wrong_length.at(8000, 10, "x"), Err(ElfErrorKind::Malformed(_))));
    }
}
