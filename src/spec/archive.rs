//! A tar archive that a root is made of, and how archives are compressed.

use std::path::PathBuf;

/// A tar archive of the host, and what is taken from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// The file, absolute.
    pub file: PathBuf,
    /// The sha256 that the file has to have, as hexadecimal digits.
    pub sha256: Option<String>,
    /// How many names are taken away at the beginning of every path.
    pub strip: u32,
    /// How it is compressed, where that is not told by its first bytes.
    pub compression: Option<Compression>,
    /// The most bytes that it may hold.
    pub limit: u64,
    /// In a dry run: that the recipe would have made it.
    pub made: bool,
}

/// How an archive is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip(1).
    Gzip,
    /// xz(1).
    Xz,
    /// zstd(1).
    Zstd,
}

impl Compression {
    /// Every one, in the order of their names.
    pub const ALL: [Self; 4] = [Self::Gzip, Self::None, Self::Xz, Self::Zstd];

    /// Its name in a recipe.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
        }
    }

    /// What the first bytes of a file say; an archive that is not compressed has none of its own.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        match bytes {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    /// What the name of an archive says: `root.tar.zst`, `root.tgz`. None where it is no archive's.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let suffixes = [
            (".tar", Self::None),
            (".tar.gz", Self::Gzip),
            (".tgz", Self::Gzip),
            (".tar.xz", Self::Xz),
            (".txz", Self::Xz),
            (".tar.zst", Self::Zstd),
            (".tzst", Self::Zstd),
        ];
        let found = suffixes.iter().find(|(suffix, _)| name.ends_with(suffix));
        found.map(|(_, compression)| *compression)
    }
}

#[cfg(test)]
mod tests {
    use super::Compression;

    #[test]
    fn a_name_or_the_first_bytes_tell_how_an_archive_is_compressed() {
        let named = |name| Compression::of_name(name).map(Compression::name);
        assert_eq!(named("root.tar"), Some("none"));
        assert_eq!(named("a.b.tgz"), Some("gzip"));
        assert_eq!(named("root.tar.zst"), Some("zstd"));
        assert_eq!(named("root.txz"), Some("xz"));
        assert_eq!((named("tar"), named("root.gz"), named("root.zip")), (None, None, None));
        let of_bytes = |bytes: &[u8]| Compression::of_bytes(bytes).name();
        assert_eq!(of_bytes(b"\x1f\x8b\x08\0"), "gzip");
        assert_eq!(of_bytes(b"\xfd7zXZ\0"), "xz");
        assert_eq!(of_bytes(b"\x28\xb5\x2f\xfd"), "zstd");
        assert_eq!((of_bytes(b""), of_bytes(b"bin/\0\0")), ("none", "none"));
    }
}
