//! The archive that recipes unpack, the same to the byte in every run.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

/// The time of every file: 2001.
const TIME: u64 = 1_000_000_000;

/// A tree of files, directories and links, compressed by gzip.
pub fn base() -> Vec<u8> {
    let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut add = |kind: EntryType, path: &str, mode: u32, owner: (u64, u64), content: &[u8]| {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(owner.0);
        header.set_gid(owner.1);
        header.set_mtime(TIME);
        if let EntryType::Link | EntryType::Symlink = kind {
            header.set_size(0);
            let target = String::from_utf8_lossy(content);
            builder.append_link(&mut header, path, target.as_ref()).expect("memory is left");
        } else {
            header.set_size(content.len() as u64);
            builder.append_data(&mut header, path, content).expect("memory is left");
        }
    };
    let root = (0, 0);
    for directory in ["bin", "etc", "sub"] {
        add(EntryType::Directory, directory, 0o755, root, b"");
    }
    add(EntryType::Directory, "sub/deep", 0o1777, root, b"");
    add(EntryType::Regular, "etc/motd", 0o640, root, b"hello\n");
    add(EntryType::Regular, "etc/empty", 0o644, root, b"");
    add(EntryType::Regular, "sub/deep/owned", 0o600, (5, 6), b"somebody else's");
    // More than is written by one call, and nothing that is compressed to little.
    let mut state = 1_u32;
    let large: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(200_000)
    .collect();
    add(EntryType::Regular, "sub/deep/large", 0o644, root, &large);
    add(EntryType::Symlink, "sub/soft", 0o777, root, b"../etc/motd");
    add(EntryType::Link, "sub/hard", 0o640, root, b"etc/motd");
    let encoder = builder.into_inner().expect("memory is left");
    let mut bytes = encoder.finish().expect("memory is left");
    bytes.flush().expect("memory is left");
    bytes
}
