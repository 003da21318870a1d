//! The tree of a root as a tar archive: the same bytes whenever, wherever and by whom it is packed.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use crate::diag::{Report, quoted};
use crate::host::Host;
use crate::plan::{Entry, Made, RootTree};
use crate::sys::Errno;

/// A file that is written, and the digest of what was written.
struct Hashed {
    file: BufWriter<File>,
    digest: Sha256,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.digest.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Packs `tree` into a new file at `path`, and gives the sha256 of that file as hexadecimal digits.
///
/// Entries are in the order of their paths, with the modes of the plan, without times, and belong
/// to user and group 0 unless the recipe gave them to others.
///
/// # Errors
/// The file exists already or cannot be written, or a source of the tree cannot be read. Nothing is
/// left of the file then.
pub fn pack(tree: &RootTree, host: &Host, path: &Path) -> Result<String, Report> {
    let cannot = |error: &io::Error| {
        let errno = Errno::from(error);
        Report::error(format!("cannot pack {}: {errno}", quoted(path.to_string_lossy())))
    };
    let file = File::create_new(path).map_err(|error| cannot(&error))?;
    let hashed = Hashed { file: BufWriter::new(file), digest: Sha256::new() };
    let packed = entries(tree, host, hashed).and_then(|mut hashed| {
        hashed.flush().map_err(|error| cannot(&error))?;
        Ok(format!("{:x}", hashed.digest.finalize()))
    });
    if packed.is_err() {
        let _ = std::fs::remove_file(path);
    }
    packed
}

fn entries(tree: &RootTree, host: &Host, hashed: Hashed) -> Result<Hashed, Report> {
    let cannot = |path: &Path, made: Option<&Made>, error: &io::Error| {
        let errno = Errno::from(error);
        let report =
            Report::error(format!("cannot pack {}: {errno}", quoted(path.to_string_lossy())));
        report.at(made.and_then(|made| made.origin.clone()))
    };
    let mut archive = Builder::new(hashed);
    for (path, made) in &tree.entries {
        let (uid, gid) = tree.owner_of(path);
        let mut header = Header::new_gnu();
        header.set_mtime(0);
        header.set_uid(u64::from(uid));
        header.set_gid(u64::from(gid));
        let below = path.strip_prefix("/").unwrap_or(path);
        entry(&mut archive, header, below, made, host)
            .map_err(|error| cannot(path, Some(made), &error))?;
    }
    archive.into_inner().map_err(|error| cannot(Path::new("/"), None, &error))
}

/// The major and minor number of a device: makedev(3) interleaves their bits.
pub(super) fn numbers(device: u64) -> (u32, u32) {
    let major = (device >> 8 & 0xfff) | (device >> 32 & !0xfff);
    let minor = (device & 0xff) | (device >> 12 & !0xff);
    (u32::try_from(major).unwrap_or(0), u32::try_from(minor).unwrap_or(0))
}

fn entry(
    archive: &mut Builder<Hashed>,
    mut header: Header,
    path: &Path,
    made: &Made,
    host: &Host,
) -> io::Result<()> {
    let mut put = |mut header: Header, kind, mode, size, data: &mut dyn Read| {
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size);
        archive.append_data(&mut header, path, data)
    };
    let none = &mut io::empty();
    match &made.entry {
        Entry::Directory { mode } => put(header, EntryType::Directory, *mode, 0, none),
        Entry::File { content, mode } => {
            put(header, EntryType::Regular, *mode, content.len() as u64, &mut &**content)
        }
        Entry::Copy { source, id, mode, size, .. } => {
            let file = File::open(source)?;
            let found = file.metadata()?;
            if (found.dev(), found.ino(), found.len()) != (id.0, id.1, *size) {
                // Another file than the one that was looked at.
                return Err(io::Error::from_raw_os_error(Errno::STALE.code()));
            }
            put(header, EntryType::Regular, *mode, *size, &mut file.take(*size))
        }
        Entry::Symlink { target } => {
            header.set_entry_type(EntryType::Symlink);
            header.set_mode(0o777);
            header.set_size(0);
            archive.append_link(&mut header, path, target)
        }
        Entry::Device => {
            let number = host.tree.metadata(&Path::new("/").join(path))?.rdev();
            let (major, minor) = numbers(number);
            header.set_device_major(major)?;
            header.set_device_minor(minor)?;
            put(header, EntryType::Char, 0o666, 0, none)
        }
    }
}
