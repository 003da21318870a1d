//! The canonical form of a tree: a line per entry, sorted by path, without times. Its sha256 is the
//! digest of the tree.
//!
//! A line is `TYPE MODE UID:GID DETAIL [NAME=VALUE …] PATH`, such as `f 0755 0:0 125688:9f86…
//! /bin/cat`. The detail of a file is its size and sha256; of a symbolic link its target; of a hard
//! link the first name; of a device its numbers; of a directory `-`. Names and values are those of
//! extended attributes. Blanks, `\` and bytes other than printable ASCII are escaped as `\ooo`.
//!
//! In a layer, the type `w` removes a path from the layers below, and the detail `opaque` of a
//! directory hides them.

mod difference;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

pub use self::difference::{Difference, Reads};
use super::contents::{Contents, Item, Kind, Source};
use super::hash::sha256;
use crate::sys::Node;

/// A tree in canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    text: String,
}

/// A line of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    text: &'a str,
}

impl Manifest {
    /// The first line, which names the format.
    pub const HEAD: &'static str = "nsscript tree 1";

    /// Creates the manifest of `contents`, whose hashes must all be known.
    #[must_use]
    pub fn of(contents: &Contents) -> Self {
        let mut text = format!("{}\n", Self::HEAD);
        for (path, item) in &contents.items {
            let (kind, detail) = described(&item.kind);
            let (uid, gid) = item.owner;
            text.push_str(&format!("{kind} {:04o} {uid}:{gid} {detail}", item.mode));
            // A hard link has no attributes of its own.
            let own =
                if matches!(item.kind, Kind::HardLink(_)) { &[][..] } else { &item.attributes };
            for (name, value) in own {
                let name = escaped(name).replace('=', "\\075");
                text.push_str(&format!(" {name}={}", escaped(value)));
            }
            text.push_str(&format!(" {}\n", escaped(path.as_os_str().as_bytes())));
        }
        Self { text }
    }

    /// Parses a manifest; `None` if it is malformed.
    #[must_use]
    pub fn read(text: String) -> Option<Self> {
        text.starts_with(&format!("{}\n", Self::HEAD)).then_some(Self { text })
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The lines of its entries.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.text.lines().skip(1).map(|text| Line { text })
    }

    /// Its digest: `sha256:` and 64 digits.
    #[must_use]
    pub fn digest(&self) -> String {
        format!("sha256:{}", sha256(&self.text))
    }

    /// The lines by their paths.
    fn by_path(&self) -> BTreeMap<PathBuf, Line<'_>> {
        self.lines().map(|line| (unescaped(line.path()), line)).collect()
    }

    /// The differences from `other` by path: lines that start with `-` are only here, with `+` only
    /// there.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Vec<String> {
        let (ours, theirs) = (self.by_path(), other.by_path());
        let mut paths: Vec<&PathBuf> = ours.keys().chain(theirs.keys()).collect();
        paths.sort_unstable();
        paths.dedup();
        let mut lines = Vec::new();
        for path in paths {
            let (one, two) = (ours.get(path), theirs.get(path));
            if one != two {
                lines.extend(one.map(|line| format!("-{}", line.text)));
                lines.extend(two.map(|line| format!("+{}", line.text)));
            }
        }
        lines
    }
}

/// The type of an entry and its detail.
fn described(kind: &Kind) -> (char, String) {
    let text = |path: &Path| escaped(path.as_os_str().as_bytes());
    match kind {
        Kind::Directory { opaque: false } => ('d', "-".into()),
        Kind::Directory { opaque: true } => ('d', "opaque".into()),
        Kind::File { size, hash } => {
            ('f', format!("{size}:{}", hash.as_deref().unwrap_or_default()))
        }
        Kind::HardLink(first) => ('h', text(first)),
        Kind::Symlink(says) => ('l', text(says)),
        Kind::Node(Node::Fifo) => ('p', "-".into()),
        Kind::Node(Node::Character(major, minor)) => ('c', format!("{major}:{minor}")),
        Kind::Node(Node::Block(major, minor)) => ('b', format!("{major}:{minor}")),
        Kind::Gone => ('w', "-".into()),
    }
}

/// The entry of a type and a detail.
fn kind(letter: &str, detail: &str) -> Option<Kind> {
    let numbers = || {
        let (major, minor) = detail.split_once(':')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    Some(match letter {
        "d" => Kind::Directory { opaque: detail == "opaque" },
        "f" => {
            let (size, hash) = detail.split_once(':')?;
            Kind::File { size: size.parse().ok()?, hash: Some(hash.to_owned()) }
        }
        "h" => Kind::HardLink(unescaped(detail)),
        "l" => Kind::Symlink(unescaped(detail)),
        "p" => Kind::Node(Node::Fifo),
        "c" => numbers().map(|(major, minor)| Kind::Node(Node::Character(major, minor)))?,
        "b" => numbers().map(|(major, minor)| Kind::Node(Node::Block(major, minor)))?,
        "w" => Kind::Gone,
        _ => return None,
    })
}

impl<'a> Line<'a> {
    /// The whole line.
    #[must_use]
    pub fn text(self) -> &'a str {
        self.text
    }

    /// The escaped path.
    fn path(self) -> &'a str {
        self.text.rsplit_once(' ').map_or(self.text, |(_, path)| path)
    }

    /// Parses the entry of the line, without a source for contents; `None` if it is malformed.
    #[must_use]
    pub fn item(self) -> Option<(PathBuf, Item)> {
        let mut words = self.text.split(' ');
        let (letter, mode, owner, detail) =
            (words.next()?, words.next()?, words.next()?, words.next()?);
        let path = words.next_back()?;
        let (uid, gid) = owner.split_once(':')?;
        let attribute = |word: &str| {
            let (name, value) = word.split_once('=')?;
            Some((unescaped_bytes(name), unescaped_bytes(value)))
        };
        let item = Item {
            kind: kind(letter, detail)?,
            mode: u32::from_str_radix(mode, 8).ok()?,
            owner: (uid.parse().ok()?, gid.parse().ok()?),
            attributes: words.map(attribute).collect::<Option<_>>()?,
            source: Source::None,
            origin: None,
        };
        Some((unescaped(path), item))
    }
}

/// Reverses [`escaped`].
fn unescaped_bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| *first == b'\\');
        let octal = octal.and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[3..] } else { after };
    }
    bytes
}

fn unescaped(text: &str) -> PathBuf {
    OsString::from_vec(unescaped_bytes(text)).into()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(lines: &str) -> Manifest {
        Manifest::read(format!("{}\n{lines}", Manifest::HEAD)).unwrap()
    }

    #[test]
    fn a_difference_names_paths_of_either_side() {
        let one = manifest("f 0644 0:0 1:aa /a\nf 0644 0:0 1:bb /b\n");
        let two = manifest("f 0644 0:0 1:aa /a\nf 0755 0:0 1:bb /b\nd 0755 0:0 - /c\n");
        let lines = one.difference(&two);
        let expected = ["-f 0644 0:0 1:bb /b", "+f 0755 0:0 1:bb /b", "+d 0755 0:0 - /c"];
        assert_eq!(lines, expected);
        assert!(one.difference(&one).is_empty());
        assert_ne!(one.digest(), two.digest());
    }

    #[test]
    fn names_cannot_pretend_to_be_lines() {
        let name = b"a b\n\\\xff";
        assert_eq!(escaped(name), "a\\040b\\012\\134\\377");
        assert_eq!(unescaped_bytes(&escaped(name)), name);
    }

    #[test]
    fn every_line_is_read_as_it_is_written() {
        let lines = "d 1777 0:0 - /\nf 4755 0:5 3:abc user.a\\075b=\\000x security.c= /a\\040b\n\
                     h 4755 0:5 /a\\040b /c\nl 0777 0:0 ../x\\012y /d\np 0600 7:8 - /e\n\
                     c 0666 0:0 1:3 /f\nb 0660 0:6 7:0 /g\nd 0755 0:0 opaque /h\nw 0000 0:0 - /i\n";
        let read = manifest(lines);
        assert!(read.lines().all(|line| line.item().is_some()));
        let written = Manifest::of(&Contents::of_manifest(&read, Path::new("/")));
        assert_eq!(written.text(), read.text());
    }
}
