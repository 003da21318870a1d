//! The canonical form of a tree: a line for each entry, in the order of their paths, without times.
//! Its sha256 is the digest of the tree.
//!
//! A line is `TYPE MODE UID:GID DETAIL PATH`: `f 0755 0:0 125688:9f86… /bin/cat`. The detail of a
//! file is its size and sha256, of a link what it says, of a device its numbers, of a directory
//! `-`. Bytes that are no printable ASCII, blanks and `\` are written as `\ooo`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use sha2::{Digest, Sha256};

use crate::diag::{Report, quoted};
use crate::host::Host;
use crate::plan::{Entry, RootTree};
use crate::sys::Errno;

/// The first line: what the others mean.
const HEAD: &str = "nsscript tree 1";

/// The sha256 of some bytes, as hexadecimal digits.
pub(super) fn sha256(bytes: impl AsRef<[u8]>) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// The entries of a tree in their canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    text: String,
}

impl Manifest {
    /// The manifest of `tree`; every file of the host that it copies is read, on all processors.
    ///
    /// # Errors
    /// A file cannot be read, or is another one than was looked at.
    pub fn of(tree: &RootTree, host: &Host) -> Result<Self, Report> {
        let copies = tree.entries.iter().filter_map(|(path, made)| match &made.entry {
            Entry::Copy { source, id, size, .. } => {
                Some((path, Source { path: source.clone(), id: *id, size: *size }))
            }
            _ => None,
        });
        let (paths, sources): (Vec<&PathBuf>, Vec<Source>) = copies.unzip();
        let hashes = in_parallel(&sources, &|source| source.hash()).map_err(|(index, error)| {
            let (path, errno) = (paths[index], Errno::from(&error));
            let message = format!("cannot read {}: {errno}", quoted(path.to_string_lossy()));
            let origin = tree.entries.get(path).and_then(|made| made.origin.clone());
            let mut report = Report::error(message).at(origin);
            report.facts.errno = Some(errno.code());
            report.facts.source = Some(sources[index].path.to_string_lossy().into_owned());
            report
        })?;
        let hashes: BTreeMap<&PathBuf, String> = paths.into_iter().zip(hashes).collect();
        let mut text = format!("{HEAD}\nd 0755 0:0 - /\n");
        for (path, made) in &tree.entries {
            let (uid, gid) = tree.owner_of(path);
            let (kind, mode, detail) = match &made.entry {
                Entry::Directory { mode } => ('d', *mode, "-".to_owned()),
                Entry::File { content, mode } => {
                    ('f', *mode, format!("{}:{}", content.len(), sha256(content)))
                }
                Entry::Copy { mode, size, .. } => {
                    let hash = hashes.get(path).map_or("", String::as_str);
                    ('f', *mode, format!("{size}:{hash}"))
                }
                Entry::Symlink { target } => ('l', 0o777, escaped(target.as_os_str().as_bytes())),
                Entry::Device => {
                    let number = host.tree.metadata(path).map_or(0, |found| found.rdev());
                    let (major, minor) = super::archive::numbers(number);
                    ('c', 0o666, format!("{major}:{minor}"))
                }
            };
            let path = escaped(path.as_os_str().as_bytes());
            text.push_str(&format!("{kind} {mode:04o} {uid}:{gid} {detail} {path}\n"));
        }
        Ok(Self { text })
    }

    /// The manifest that is written in `text`; none where it is none.
    #[must_use]
    pub fn read(text: String) -> Option<Self> {
        text.starts_with(&format!("{HEAD}\n")).then_some(Self { text })
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it is known by: `sha256:` and 64 digits.
    #[must_use]
    pub fn digest(&self) -> String {
        format!("sha256:{}", sha256(&self.text))
    }

    /// The number of entries and the bytes in all files.
    #[must_use]
    pub fn size(&self) -> (usize, u64) {
        let entries = self.entries();
        let size = |line: &str| line.split(' ').nth(3)?.split_once(':')?.0.parse::<u64>().ok();
        let files = entries.values().filter(|line| line.starts_with("f "));
        (entries.len(), files.filter_map(|line| size(line)).sum())
    }

    /// Whether the tree at `directory` is the one that this is of, owners left aside: a file that
    /// was not on the disk yet when the machine lost its power is not.
    #[must_use]
    pub fn is_of(&self, directory: &Path) -> bool {
        let mut files = Vec::new();
        for (path, line) in self.entries() {
            let mut words = line.split(' ');
            let (Some(kind), Some(mode), _, Some(detail)) =
                (words.next(), words.next(), words.next(), words.next())
            else {
                return false;
            };
            let path = directory.join(unescaped(path.trim_start_matches('/')));
            let Ok(found) = fs::symlink_metadata(&path) else { return false };
            let same = match kind {
                "d" => found.is_dir(),
                "l" => fs::read_link(&path)
                    .is_ok_and(|it| escaped(it.as_os_str().as_bytes()) == detail),
                "f" => {
                    let (size, hash) = detail.split_once(':').unwrap_or_default();
                    let size = size.parse().unwrap_or(u64::MAX);
                    let id = (found.dev(), found.ino());
                    files.push((Source { path, id, size }, hash.to_owned()));
                    found.is_file()
                }
                _ => found.is_file(),
            };
            let mode = u32::from_str_radix(mode, 8).unwrap_or(u32::MAX);
            if !same || (kind != "l" && found.mode() & 0o7777 != mode) {
                return false;
            }
        }
        let same = in_parallel(&files, &|(source, hash)| Ok(source.hash()? == *hash));
        same.is_ok_and(|same| same.into_iter().all(|same| same))
    }

    /// The lines by their paths.
    fn entries(&self) -> BTreeMap<&str, &str> {
        let line = |line| {
            let (_, path) = str::rsplit_once(line, ' ')?;
            Some((path, line))
        };
        self.text.lines().skip(1).filter_map(line).collect()
    }

    /// How `other` differs, path by path: lines that begin with `-` are only here, with `+` only
    /// there.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Vec<String> {
        let (ours, theirs) = (self.entries(), other.entries());
        let mut paths: Vec<&str> = ours.keys().chain(theirs.keys()).copied().collect();
        paths.sort_unstable();
        paths.dedup();
        let mut lines = Vec::new();
        for path in paths {
            let (one, two) = (ours.get(path), theirs.get(path));
            if one != two {
                lines.extend(one.map(|line| format!("-{line}")));
                lines.extend(two.map(|line| format!("+{line}")));
            }
        }
        lines
    }
}

/// The bytes that [`escaped`] was given.
fn unescaped(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| *first == b'\\');
        let octal = octal.and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[3..] } else { after };
    }
    OsString::from_vec(bytes).into()
}

fn escaped(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'\\' | 0..=b' ' | 0x7f.. => out.push_str(&format!("\\{byte:03o}")),
            byte => out.push(char::from(*byte)),
        }
    }
    out
}

/// A file of the host, and what it was when it was looked at.
struct Source {
    path: PathBuf,
    id: (u64, u64),
    size: u64,
}

impl Source {
    fn hash(&self) -> io::Result<String> {
        let mut file = File::open(&self.path)?;
        let found = file.metadata()?;
        let mut digest = Sha256::new();
        let read = io::copy(&mut file, &mut digest)?;
        if (found.dev(), found.ino(), read) != (self.id.0, self.id.1, self.size) {
            // Another file than the one that was looked at.
            return Err(io::Error::from_raw_os_error(Errno::STALE.code()));
        }
        Ok(format!("{:x}", digest.finalize()))
    }
}

/// Does independent jobs on all processors. Every thread has ended when this returns: nsscript has
/// one only, as namespaces want it.
///
/// # Errors
/// The first job, in their order, that could not be done.
pub(super) fn in_parallel<J: Sync, T: Send>(
    jobs: &[J],
    one: &(dyn Fn(&J) -> io::Result<T> + Sync),
) -> Result<Vec<T>, (usize, io::Error)> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(jobs.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(index) else { return done };
            done.push((index, one(job)));
        }
    };
    let mut done = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut done = work();
        for other in others {
            done.extend(other.join().unwrap_or_default());
        }
        done
    });
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(index, done)| done.map_err(|error| (index, error))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_done_once_and_answers_come_in_order() {
        let jobs: Vec<usize> = (0..1000).collect();
        let doubled = in_parallel(&jobs, &|job| Ok(job * 2)).unwrap();
        assert_eq!(doubled, jobs.iter().map(|job| job * 2).collect::<Vec<_>>());
        let failed = in_parallel(&jobs, &|job| match job {
            7 | 900 => Err(io::Error::other("no")),
            _ => Ok(()),
        });
        assert_eq!(failed.unwrap_err().0, 7);
    }

    #[test]
    fn a_difference_names_paths_of_either_side() {
        let manifest = |lines: &str| Manifest::read(format!("{HEAD}\n{lines}")).unwrap();
        let one = manifest("f 0644 0:0 1:aa /a\nf 0644 0:0 1:bb /b\n");
        let two = manifest("f 0644 0:0 1:aa /a\nf 0755 0:0 1:bb /b\nd 0755 0:0 - /c\n");
        let lines = one.difference(&two);
        let expected = ["-f 0644 0:0 1:bb /b", "+f 0755 0:0 1:bb /b", "+d 0755 0:0 - /c"];
        assert_eq!(lines, expected);
        assert!(one.difference(&one).is_empty());
        assert_ne!(one.digest(), two.digest());
        assert_eq!(two.size(), (3, 2));
    }

    #[test]
    fn names_cannot_pretend_to_be_lines() {
        let name = b"a b\n\\\xff";
        assert_eq!(escaped(name), "a\\040b\\012\\134\\377");
        assert_eq!(unescaped(&escaped(name)).as_os_str().as_bytes(), name);
    }
}
