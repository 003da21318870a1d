//! Errors of archives.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::compression::Unsound;
use super::reader::TooLarge;
use crate::diag::{bytes, quoted};
use crate::sys::Errno;

/// What is wrong.
#[derive(Debug)]
pub enum Fault {
    /// Reading failed.
    Io(io::Error),
    /// Writing what is in it failed.
    Write(Errno),
    /// This is wrong with another member than the one at hand.
    Of(PathBuf, Box<Fault>),
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
    Stripped(String),
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

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        let inner = error.get_ref();
        if let Some(unsound) = inner.and_then(|inner| inner.downcast_ref::<Unsound>()) {
            return Self::Compression(unsound.name, unsound.why.clone());
        }
        if let Some(TooLarge(limit)) = inner.and_then(|inner| inner.downcast_ref()) {
            return Self::TooLarge(*limit);
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            _ => Self::Io(error),
        }
    }
}

/// What is wrong with an archive, and with which of its members.
#[derive(Debug)]
pub struct ArchiveError {
    /// The path of the member, as the archive has it.
    pub member: Option<PathBuf>,
    /// What is wrong.
    pub fault: Fault,
}

impl ArchiveError {
    /// A fault of the archive itself.
    pub fn of_archive(fault: impl Into<Fault>) -> Self {
        match fault.into() {
            Fault::Of(member, fault) => Self { member: Some(member), fault: *fault },
            fault => Self { member: None, fault },
        }
    }

    /// A fault of a member.
    pub fn of(member: &Path, fault: impl Into<Fault>) -> Self {
        match fault.into() {
            Fault::Of(member, fault) => Self { member: Some(member), fault: *fault },
            fault => Self { member: Some(member.to_path_buf()), fault },
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
        let shown = |path: &Path| quoted(short(&path.to_string_lossy()));
        let member = self.member.as_deref().map(shown);
        let it = |what: &str| match &member {
            Some(member) => format!("its member {member} {what}"),
            None => format!("it {what}"),
        };
        let text = match &self.fault {
            Fault::Io(error) => it(&format!("cannot be read: {}", Errno::from(error))),
            Fault::Write(errno) => it(&format!("cannot be written: {errno}")),
            Fault::Of(member, fault) => {
                let name = shown(member);
                format!("its member {name} is not sound: {fault:?}")
            }
            Fault::Compression(name, why) => match &member {
                Some(member) => format!("it is no sound {name}: {why}, at its member {member}"),
                None => format!("it is no sound {name}: {why}"),
            },
            Fault::Truncated => match &member {
                Some(member) => format!("it ends in the middle of its member {member}"),
                None => "it ends in the middle".into(),
            },
            Fault::NoEnd => match &member {
                Some(member) => format!("it ends after its member {member}, without an end mark"),
                None => "it ends without an end mark".into(),
            },
            Fault::NotAnArchive => it("is no tar archive"),
            Fault::Checksum => match &member {
                Some(member) => format!("the header after its member {member} is damaged"),
                None => it("has a damaged header"),
            },
            Fault::Number(field) => it(&format!("has no number as its {field}")),
            Fault::Record => it("has a pax header that is damaged"),
            Fault::HeaderTooLong => it("has a header of more than 1 MiB"),
            Fault::Type(letter) => {
                let letter = crate::diag::escape(&char::from(*letter).to_string());
                it(&format!("is of the type {}, which tar does not know", quoted(letter)))
            }
            Fault::Whiteout => it("is a device of the numbers 0:0, which is none"),
            Fault::Sparse => it("has holes that do not lie in it"),
            Fault::Absolute => it("has an absolute path"),
            Fault::Upward => it("leads upward by `..`"),
            Fault::Attribute(name) => {
                let name =
                    quoted(String::from_utf8_lossy(name).chars().take(64).collect::<String>());
                it(&format!("has the extended attribute {name}, which no file can have"))
            }
            Fault::TooManyAttributes => it("has more than 64 MiB of extended attributes"),
            Fault::Deep => it("has a path that is too long: 4095 bytes and 256 names are the most"),
            Fault::Name => it("has no name that a file can have"),
            Fault::Root => it("is the root of the tree, and no directory"),
            Fault::NotADirectory(place) => {
                it(&format!("lies below {}, which is no directory", shown(place)))
            }
            Fault::Directory => it("takes the place of a directory that holds something"),
            Fault::LinkToNothing(place) => {
                it(&format!("is another name of {}, which is no file of the archive", shown(place)))
            }
            Fault::TooLarge(limit) => it(&format!("holds more than {}", bytes(*limit))),
            Fault::TooMany(most) => it(&format!("has more than {most} members")),
            Fault::Stripped(names) => format!("none of its members has more than {names}"),
            Fault::Thread(errno) => format!("no thread can be started for it: {errno}"),
            Fault::Digest { found, .. } => format!("its sha256 is {found}"),
        };
        out.write_str(&text)
    }
}
