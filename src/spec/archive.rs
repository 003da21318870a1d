//! Tar archives as parts of roots, and their compression.

use std::path::PathBuf;

use super::value_error::ValueError;
use crate::diag::quoted;

/// A tar archive on the host, and its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// The file, absolute.
    pub file: PathBuf,
    /// The required sha256 of the file, as hexadecimal digits.
    pub sha256: Option<String>,
    /// The number of leading names to strip from every path.
    pub strip: u32,
    /// Its compression, if that is not determined by its first bytes.
    pub compression: Option<Compression>,
    /// The maximum size of its contents in bytes.
    pub limit: u64,
    /// In a dry run: whether the recipe would have created it.
    pub made: bool,
}

impl Archive {
    /// The usual maximum size of the contents of an archive, or of what is copied: 8 GiB.
    pub const LIMIT: u64 = 8 << 30;

    /// A sha256 as 64 hexadecimal digits, with or without `sha256:` in front.
    ///
    /// # Errors
    /// The text is something else.
    pub fn digest(text: &str) -> Result<String, ValueError> {
        let plain = text.strip_prefix("sha256:").unwrap_or(text).to_lowercase();
        if plain.len() == 64 && plain.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(plain);
        }
        let error = ValueError::new(format!("invalid sha256 {}", quoted(text)));
        Err(error.hint("expected 64 hexadecimal digits"))
    }
}

/// The compression of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// No compression.
    None,
    /// gzip(1).
    Gzip,
    /// xz(1).
    Xz,
    /// zstd(1).
    Zstd,
}

impl Compression {
    /// All of them, in the order of their names.
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

    /// The compression indicated by the first bytes of a file; an uncompressed archive has no mark.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        match bytes {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    /// The compression indicated by a file name: `root.tar.zst`, `root.tgz`. Others: `None`.
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
