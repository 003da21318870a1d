//! The parts of a process that unshare(2) separates from other processes: namespaces, and what
//! clone(2) can share without one.

use std::fmt;
use std::ops::BitOr;

use super::Namespaces;

/// What a process can share with others besides namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessPart {
    /// The table of file descriptors.
    Files,
    /// The root directory, the working directory and the umask.
    Fs,
    /// The values that semop(2) undoes at the end of a process.
    Sysvsem,
}

impl ProcessPart {
    /// Every part.
    pub const ALL: [Self; 3] = [Self::Files, Self::Fs, Self::Sysvsem];

    /// The name of the clone flag: `CLONE_FILES`.
    #[must_use]
    pub fn flag(self) -> &'static str {
        match self {
            Self::Files => "CLONE_FILES",
            Self::Fs => "CLONE_FS",
            Self::Sysvsem => "CLONE_SYSVSEM",
        }
    }

    /// The name of the constant in recipes: `FILES`.
    #[must_use]
    pub fn constant(self) -> &'static str {
        match self {
            Self::Files => "FILES",
            Self::Fs => "FS",
            Self::Sysvsem => "SYSVSEM",
        }
    }

    /// What it is, in a sentence.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Files => "the table of file descriptors",
            Self::Fs => "the root, working directory and umask",
            Self::Sysvsem => "the semaphore adjustments",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Namespaces and other parts of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The namespaces.
    pub namespaces: Namespaces,
    others: u8,
}

impl Parts {
    /// The parts that are not namespaces.
    pub fn others(self) -> impl Iterator<Item = ProcessPart> {
        ProcessPart::ALL.into_iter().filter(move |part| self.others & part.bit() != 0)
    }
}

impl From<Namespaces> for Parts {
    fn from(namespaces: Namespaces) -> Self {
        Self { namespaces, others: 0 }
    }
}

impl From<ProcessPart> for Parts {
    fn from(part: ProcessPart) -> Self {
        Self { namespaces: Namespaces::NONE, others: part.bit() }
    }
}

impl BitOr for Parts {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self { namespaces: self.namespaces | other.namespaces, others: self.others | other.others }
    }
}

impl fmt::Display for Parts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = self.namespaces.kinds().map(super::Kind::flag);
        let flags: Vec<_> = flags.chain(self.others().map(ProcessPart::flag)).collect();
        out.write_str(&if flags.is_empty() { "0".to_owned() } else { flags.join("|") })
    }
}

#[cfg(test)]
mod tests {
    use super::{Parts, ProcessPart};
    use crate::spec::{Kind, Namespaces};

    #[test]
    fn parts_print_as_the_kernels_flags() {
        let uts = Parts::from(Namespaces::from(Kind::Uts));
        let all = uts | ProcessPart::Sysvsem.into() | ProcessPart::Files.into();
        assert_eq!(all.to_string(), "CLONE_NEWUTS|CLONE_FILES|CLONE_SYSVSEM");
        assert_eq!(Parts::default().to_string(), "0");
        assert_eq!(uts.others().count(), 0);
    }
}
