//! Contents of large members, and of members with holes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use sha2::{Digest, Sha256};

use crate::run::layers::archive::{ArchiveErrorKind, Member};
use crate::run::layers::hash::hexadecimal;
use crate::sys::Errno;

/// The error of the disk.
pub(super) fn disk(errno: impl Into<Errno>) -> ArchiveErrorKind {
    ArchiveErrorKind::Write(errno.into())
}

fn written(error: &io::Error) -> ArchiveErrorKind {
    ArchiveErrorKind::Write(Errno::from(error))
}

/// Writes the content, and returns its sha256.
pub(super) fn write(
    mut target: &File,
    member: &Member,
    content: &mut dyn Read,
) -> Result<String, ArchiveErrorKind> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    let whole = [(0, member.size)];
    let pieces = member.pieces.as_deref().unwrap_or(&whole);
    let mut end = 0;
    for (offset, length) in pieces {
        zeros(&mut digest, offset - end)?;
        target.seek(SeekFrom::Start(*offset)).map_err(|error| written(&error))?;
        let mut left = *length;
        while left > 0 {
            if crate::sys::interrupted().is_some() {
                return Err(disk(Errno::INTERRUPTED));
            }
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            content.read_exact(&mut buffer[..most])?;
            digest.update(&buffer[..most]);
            target.write_all(&buffer[..most]).map_err(|error| written(&error))?;
            left -= most as u64;
        }
        end = offset + length;
    }
    zeros(&mut digest, member.size - end)?;
    target.set_len(member.size).map_err(|error| written(&error))?;
    Ok(hexadecimal(digest))
}

/// A hole counts as zeros.
fn zeros(digest: &mut Sha256, mut number: u64) -> Result<(), ArchiveErrorKind> {
    let zeros = [0; 16 << 10];
    while number > 0 {
        if crate::sys::interrupted().is_some() {
            return Err(disk(Errno::INTERRUPTED));
        }
        let most = usize::try_from(number).unwrap_or(usize::MAX).min(zeros.len());
        digest.update(&zeros[..most]);
        number -= most as u64;
    }
    Ok(())
}
