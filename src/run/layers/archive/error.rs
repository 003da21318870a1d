//! Errors of archives.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::compression::CUT_OFF;
use crate::diag::{bytes, count, quoted};
use crate::sys::Errno;

/// What is wrong.
#[derive(Debug)]
pub enum ArchiveErrorKind {
    /// Reading failed.
    Io(io::Error),
    /// Writing what is in it failed.
    Write(Errno),
    /// This is wrong with another member than the one at hand.
    Of(PathBuf, Box<ArchiveErrorKind>),
    /// The compressed bytes are not what they should be.
    Compression(&'static str, String),
    /// It ends in the middle of something.
    Truncated,
    /// It ends where a header should come.
    NoEnd,
    /// The first block is no header.
    NotAnArchive,
    /// The sum in a header is not that of its bytes.
    Checksum,
    /// A field of a header holds no number.
    Number(&'static str),
    /// A record of a pax header is none.
    Record,
    /// What stands before a member takes more room than that.
    HeaderTooLong,
    /// A member is of a type that is none.
    Type(u8),
    /// A device that would take away what is below.
    Whiteout,
    /// The pieces of a sparse file do not lie in it, one after the other.
    Sparse,
    /// A path that begins with `/`.
    Absolute,
    /// A path with `..` in it.
    Upward,
    /// An extended attribute that no file can have, by its name.
    Attribute(Vec<u8>),
    /// More extended attributes than that.
    TooManyAttributes,
    /// A path that is too long, or of too many names.
    Deep,
    /// An empty path, or one of a name that no file can have.
    Name,
    /// The root of the tree as something else than a directory.
    Root,
    /// Something that is no directory is on the way to it.
    NotADirectory(PathBuf),
    /// Something else than a directory takes the place of one that holds something.
    Directory,
    /// Another name of a file that is not there.
    LinkToNothing(PathBuf),
    /// There are more bytes in it than this.
    TooLarge(u64),
    /// There are more members than this.
    TooMany(usize),
    /// No member has more names than these, which are stripped.
    Stripped(u32),
    /// No thread can be started to decompress it.
    Thread(Errno),
    /// The sha256 of the file is another one than this.
    Digest {
        /// The one that was wanted.
        wanted: String,
        /// The one that it has.
        found: String,
    },
}

impl From<io::Error> for ArchiveErrorKind {
    /// Readers of an archive pass on what is wrong with it as the inner error.
    fn from(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(kind) => kind,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Self::Truncated,
            Err(error) => Self::Io(error),
        }
    }
}

impl From<ArchiveErrorKind> for io::Error {
    fn from(kind: ArchiveErrorKind) -> Self {
        Self::new(io::ErrorKind::InvalidData, kind)
    }
}

/// What is wrong with an archive, and with which of its members.
#[derive(Debug)]
pub struct ArchiveError {
    /// The path of the member, as the archive has it.
    pub member: Option<PathBuf>,
    /// What is wrong.
    pub kind: ArchiveErrorKind,
}

impl ArchiveError {
    /// A kind of the archive itself.
    pub fn of_archive(kind: impl Into<ArchiveErrorKind>) -> Self {
        match kind.into() {
            ArchiveErrorKind::Of(member, kind) => Self { member: Some(member), kind: *kind },
            kind => Self { member: None, kind },
        }
    }

    /// A kind of a member.
    pub fn of(member: &Path, kind: impl Into<ArchiveErrorKind>) -> Self {
        match kind.into() {
            ArchiveErrorKind::Of(member, kind) => Self { member: Some(member), kind: *kind },
            kind => Self { member: Some(member.to_path_buf()), kind },
        }
    }
}

/// A path as a sentence can hold it.
fn short(path: &str) -> String {
    const LONGEST: usize = 200;
    if path.chars().count() <= LONGEST {
        return path.to_owned();
    }
    path.chars().take(LONGEST).chain(['…']).collect()
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.write(self.member.as_deref(), out)
    }
}

impl Error for ArchiveError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.kind.source()
    }
}

impl fmt::Display for ArchiveErrorKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(None, out)
    }
}

impl Error for ArchiveErrorKind {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Write(errno) | Self::Thread(errno) => Some(errno),
            _ => None,
        }
    }
}

impl ArchiveErrorKind {
    /// Writes what is wrong with an archive, or with a member of it.
    fn write(&self, member: Option<&Path>, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |path: &Path| quoted(short(&path.to_string_lossy()));
        let member = member.map(shown);
        let it = |what: &str| match &member {
            Some(member) => format!("its member {member} {what}"),
            None => format!("it {what}"),
        };
        let text = match self {
            Self::Io(error) => it(&format!("cannot be read: {}", Errno::from(error))),
            Self::Write(errno) => it(&format!("cannot be written: {errno}")),
            Self::Of(member, kind) => {
                let name = shown(member);
                format!("its member {name} is not sound: {kind:?}")
            }
            Self::Compression(name, why) => {
                let at = member.map_or(String::new(), |member| format!(", at its member {member}"));
                if why == CUT_OFF {
                    format!("the {name} data is truncated{at}")
                } else {
                    format!("the {name} data is damaged: {why}{at}")
                }
            }
            Self::Truncated => match &member {
                Some(member) => format!("it ends in the middle of its member {member}"),
                None => "it ends in the middle".into(),
            },
            Self::NoEnd => match &member {
                Some(member) => format!("it ends after its member {member}, without an end mark"),
                None => "it ends without an end mark".into(),
            },
            Self::NotAnArchive => it("is not a tar archive"),
            Self::Checksum => match &member {
                Some(member) => format!("the header after its member {member} is damaged"),
                None => it("has a damaged header"),
            },
            Self::Number(field) => it(&format!("has no number as its {field}")),
            Self::Record => it("has a pax header that is damaged"),
            Self::HeaderTooLong => it("has a header of more than 1 MiB"),
            Self::Type(letter) => {
                let letter = crate::diag::escape(&char::from(*letter).to_string());
                it(&format!("is of the type {}, which tar does not know", quoted(letter)))
            }
            Self::Whiteout => it("is device 0:0, which overlays use for removed files"),
            Self::Sparse => it("has holes that do not lie in it"),
            Self::Absolute => it("has an absolute path"),
            Self::Upward => it("leads upward by `..`"),
            Self::Attribute(name) => {
                let name =
                    quoted(String::from_utf8_lossy(name).chars().take(64).collect::<String>());
                it(&format!("has the extended attribute {name}, which no file can have"))
            }
            Self::TooManyAttributes => it("has more than 64 MiB of extended attributes"),
            Self::Deep => it("has a path that is too long: 4095 bytes and 256 names are the most"),
            Self::Name => it("has no name that a file can have"),
            Self::Root => it("is the root of the tree, and no directory"),
            Self::NotADirectory(place) => {
                it(&format!("lies below {}, which is no directory", shown(place)))
            }
            Self::Directory => it("takes the place of a directory that holds something"),
            Self::LinkToNothing(place) => {
                it(&format!("is a hard link to {}, which is not in the archive", shown(place)))
            }
            Self::TooLarge(limit) => it(&format!("holds more than {}", bytes(*limit))),
            Self::TooMany(most) => it(&format!("has more than {most} members")),
            Self::Stripped(strip) => format!(
                "`strip: {strip}` leaves nothing: no member has more than {}",
                count(*strip as usize, "path component")
            ),
            Self::Thread(errno) => format!("no thread can be started for it: {errno}"),
            Self::Digest { found, .. } => format!("its sha256 is {found}"),
        };
        out.write_str(&text)
    }
}
