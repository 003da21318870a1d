//! Headers of archive members.

use std::io;
use std::path::PathBuf;

use tar::{EntryType, Header};

use super::error::ArchiveErrorKind;
use crate::sys::Node;

/// The size of a block, in bytes.
pub(super) const BLOCK: usize = 512;
/// The type of a directory in an incremental archive of GNU tar, whose content is a list of names.
pub(super) const DUMPED: u8 = b'D';

/// The kind of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::run) enum MemberKind {
    /// A directory.
    Directory,
    /// A file.
    File,
    /// A hard link to the member at this path.
    HardLink(PathBuf),
    /// A symbolic link, with its target.
    Symlink(PathBuf),
    /// A FIFO or a device.
    Node(Node),
}

/// The correct checksums of a header: some old programs used signed bytes.
pub(super) fn sums(block: &[u8; BLOCK]) -> [i64; 2] {
    let bytes = block.iter().enumerate();
    // The checksum field itself counts as blanks.
    let bytes = bytes.map(|(at, byte)| if (148..156).contains(&at) { b' ' } else { *byte });
    bytes.fold([0, 0], |[unsigned, signed], byte| {
        [unsigned + i64::from(byte), signed + i64::from(byte.cast_signed())]
    })
}

/// The kind of a header's member; `link` is the target of a link.
///
/// # Errors
/// Its type is unknown, or a device has no numbers.
pub(super) fn kind(
    header: &Header,
    link: PathBuf,
    named_directory: bool,
) -> Result<MemberKind, ArchiveErrorKind> {
    let numbers = || {
        let number = |field: io::Result<Option<u32>>| field.ok().flatten();
        let (major, minor) = (number(header.device_major()), number(header.device_minor()));
        major.zip(minor).ok_or(ArchiveErrorKind::Number("device"))
    };
    Ok(match header.entry_type() {
        EntryType::Directory => MemberKind::Directory,
        // A directory in old archives without a type for it.
        EntryType::Regular if named_directory => MemberKind::Directory,
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => MemberKind::File,
        EntryType::Link => MemberKind::HardLink(link),
        EntryType::Symlink => MemberKind::Symlink(link),
        EntryType::Char => {
            let (major, minor) = numbers()?;
            MemberKind::Node(Node::Character(major, minor))
        }
        EntryType::Block => {
            let (major, minor) = numbers()?;
            MemberKind::Node(Node::Block(major, minor))
        }
        EntryType::Fifo => MemberKind::Node(Node::Fifo),
        other if other.as_byte() == DUMPED => MemberKind::Directory,
        other => return Err(ArchiveErrorKind::Type(other.as_byte())),
    })
}
