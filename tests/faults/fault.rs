//! What fails: one system call of one process of a run, named so that it can be asked for again.

use std::fmt;
use std::str::FromStr;

use nix::errno::Errno;

use super::calls;

/// Whose code a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// What starts nsscript.
    Before,
    /// nsscript itself, and its threads.
    Main,
    /// A process that nsscript has made, until it executes something.
    Copy,
    /// The program that nsscript carries: init, or what becomes the program.
    Init,
    /// The process that init has made, until it executes the program.
    Child,
    /// Any program but nsscript: nothing of it ever fails.
    Program,
}

impl Phase {
    const ALL: [Self; 6] =
        [Self::Before, Self::Main, Self::Copy, Self::Init, Self::Child, Self::Program];

    pub fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Main => "main",
            Self::Copy => "copy",
            Self::Init => "init",
            Self::Child => "child",
            Self::Program => "program",
        }
    }

    /// Whether its system calls are of interest.
    pub fn is_ours(self) -> bool {
        !matches!(self, Self::Before | Self::Program)
    }
}

/// A process by its way from the first one: `0.2.1` is the first child of the second child of
/// nsscript. Threads are children, too. So a name is the same in every run, whoever is faster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Way(pub String);

/// A system call of a run: the `nth` of its kind that this process makes in this phase.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    pub phase: Phase,
    pub way: Way,
    pub call: &'static str,
    pub nth: u32,
}

/// A place, and the error that it fails with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The recipe and the user: `host_view/root`.
    pub subject: String,
    pub place: Place,
    pub errno: Errno,
}

/// `host_view/root/copy:0.1/mount_setattr.1/EPERM`
impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, place, errno } = self;
        let Place { phase, way, call, nth } = place;
        write!(formatter, "{subject}/{}:{}/{call}.{nth}/{errno:?}", phase.name(), way.0)
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid =
            || format!("`{text}` names no fault: `RECIPE/USER/PHASE:PROCESS/CALL.N/ERRNO`");
        let parts: Vec<&str> = text.split('/').collect();
        let [recipe, user, process, call, errno] = parts[..] else { return Err(invalid()) };
        let (phase, way) = process.split_once(':').ok_or_else(invalid)?;
        let phase = Phase::ALL.into_iter().find(|it| it.name() == phase).ok_or_else(invalid)?;
        let (call, nth) = call.split_once('.').ok_or_else(invalid)?;
        let call = calls::named(call).ok_or_else(invalid)?.name;
        let nth = nth.parse().map_err(|_| invalid())?;
        let place = Place { phase, way: Way(way.into()), call, nth };
        let errno = errno_named(errno).ok_or_else(invalid)?;
        Ok(Self { subject: format!("{recipe}/{user}"), place, errno })
    }
}

/// The error with this name.
pub fn errno_named(name: &str) -> Option<Errno> {
    (1..=133).map(Errno::from_raw).find(|errno| format!("{errno:?}") == name)
}

/// The same number for the same text and seed everywhere: FNV-1a, and a last mixing.
pub fn draw(text: &str, seed: u64) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let hash = text
        .bytes()
        .fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mixed = (hash ^ hash >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    mixed ^ mixed >> 32
}
