//! Headers of archive members.

use std::io;
use std::path::PathBuf;

use tar::{EntryType, Header};

use super::error::ArchiveErrorKind;
use crate::sys::Node;

/// The size of a block.
pub(super) const BLOCK: usize = 512;
/// The type of a directory in an incremental archive of GNU tar: the names in it are its content.
pub(super) const DUMPED: u8 = b'D';

/// What a member is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::run) enum MemberKind {
    /// A directory.
    Directory,
    /// A file.
    File,
    /// Another name of the member at this path.
    HardLink(PathBuf),
    /// A symbolic link, and what it says.
    Symlink(PathBuf),
    /// A FIFO or a device.
    Node(Node),
}

/// The sums of a header that are right: some old programs took bytes for signed.
pub(super) fn sums(block: &[u8; BLOCK]) -> [i64; 2] {
    let bytes = block.iter().enumerate();
    // The field itself counts as blanks.
    let bytes = bytes.map(|(at, byte)| if (148..156).contains(&at) { b' ' } else { *byte });
    bytes.fold([0, 0], |[unsigned, signed], byte| {
        [unsigned + i64::from(byte), signed + i64::from(byte.cast_signed())]
    })
}

/// What the member of a header is; `link` is what it leads to, where it leads somewhere.
///
/// # Errors
/// Its type is none, or a device has no numbers.
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
        // A directory in archives of the time before they had a type.
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
