//! The flags of mount(2), and the words of mount(8) for them.

use std::fmt;

/// A word of mount(8): the flag that it sets or clears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MountWord {
    /// The word: `ro`.
    pub word: &'static str,
    /// The flags.
    pub flags: MountFlags,
    /// Whether it sets them, rather than clearing them.
    pub set: bool,
}

/// Flags of mount(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MountFlags(pub u64);

impl MountFlags {
    /// `MS_RDONLY`: nothing can be written.
    pub const READ_ONLY: Self = Self(1);
    /// `MS_NOSUID`.
    pub const NO_SUID: Self = Self(2);
    /// `MS_NODEV`.
    pub const NO_DEVICES: Self = Self(4);
    /// `MS_NOEXEC`.
    pub const NO_EXEC: Self = Self(8);
    /// `MS_NODIRATIME`.
    pub const NO_DIRECTORY_TIMES: Self = Self(1 << 11);
    /// `MS_NOATIME`.
    pub const NO_ACCESS_TIMES: Self = Self(1 << 10);
    /// `MS_NOSYMFOLLOW`, Linux 5.10.
    pub const NO_SYMLINKS: Self = Self(1 << 8);
    /// `MS_RELATIME`.
    pub const RELATIVE_TIMES: Self = Self(1 << 21);
    /// `MS_STRICTATIME`.
    pub const STRICT_TIMES: Self = Self(1 << 24);
    /// `MS_REMOUNT`: changes an existing mount.
    pub const REMOUNT: Self = Self(1 << 5);
    /// `MS_BIND`: a place appears at a second one.
    pub const BIND: Self = Self(1 << 12);
    /// `MS_MOVE`: moves a mount to another place.
    pub const MOVE: Self = Self(1 << 13);
    /// `MS_REC`: includes the mounts below.
    pub const RECURSIVE: Self = Self(1 << 14);
    /// `MS_UNBINDABLE`.
    pub const UNBINDABLE: Self = Self(1 << 17);
    /// `MS_PRIVATE`.
    pub const PRIVATE: Self = Self(1 << 18);
    /// `MS_SLAVE`.
    pub const SLAVE: Self = Self(1 << 19);
    /// `MS_SHARED`.
    pub const SHARED: Self = Self(1 << 20);

    /// The flags of a mount, not of a file system: those that mount_setattr(2) can change.
    pub const OF_MOUNT: Self = Self(0xf | 1 << 8 | 1 << 10 | 1 << 11 | 1 << 21 | 1 << 24);

    /// Whether all of `other` are among these.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These and `other`.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These without `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// The flags by name.
const NAMES: &[(&str, u64)] = &[
    ("MS_RDONLY", 1),
    ("MS_NOSUID", 2),
    ("MS_NODEV", 4),
    ("MS_NOEXEC", 8),
    ("MS_SYNCHRONOUS", 1 << 4),
    ("MS_REMOUNT", 1 << 5),
    ("MS_MANDLOCK", 1 << 6),
    ("MS_DIRSYNC", 1 << 7),
    ("MS_NOSYMFOLLOW", 1 << 8),
    ("MS_NOATIME", 1 << 10),
    ("MS_NODIRATIME", 1 << 11),
    ("MS_BIND", 1 << 12),
    ("MS_MOVE", 1 << 13),
    ("MS_REC", 1 << 14),
    ("MS_SILENT", 1 << 15),
    ("MS_UNBINDABLE", 1 << 17),
    ("MS_PRIVATE", 1 << 18),
    ("MS_SLAVE", 1 << 19),
    ("MS_SHARED", 1 << 20),
    ("MS_RELATIME", 1 << 21),
    ("MS_STRICTATIME", 1 << 24),
    ("MS_LAZYTIME", 1 << 25),
];

impl fmt::Display for MountFlags {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = NAMES.iter().filter(|(_, bit)| self.0 & bit != 0);
        let names: Vec<_> = names.map(|(name, _)| *name).collect();
        if names.is_empty() {
            return formatter.write_str("0");
        }
        formatter.write_str(&names.join("|"))
    }
}

const fn word(word: &'static str, flags: u64, set: bool) -> MountWord {
    MountWord { word, flags: MountFlags(flags), set }
}

/// The words: mount(8), "filesystem-independent mount options".
pub const MOUNT_WORDS: &[MountWord] = &[
    word("ro", 1, true),
    word("rw", 1, false),
    word("nosuid", 2, true),
    word("suid", 2, false),
    word("nodev", 4, true),
    word("dev", 4, false),
    word("noexec", 8, true),
    word("exec", 8, false),
    word("sync", 1 << 4, true),
    word("async", 1 << 4, false),
    word("dirsync", 1 << 7, true),
    word("nosymfollow", 1 << 8, true),
    word("symfollow", 1 << 8, false),
    word("noatime", 1 << 10, true),
    word("atime", 1 << 10, false),
    word("nodiratime", 1 << 11, true),
    word("diratime", 1 << 11, false),
    word("relatime", 1 << 21, true),
    word("norelatime", 1 << 21, false),
    word("strictatime", 1 << 24, true),
    word("nostrictatime", 1 << 24, false),
    word("lazytime", 1 << 25, true),
    word("nolazytime", 1 << 25, false),
    word("silent", 1 << 15, true),
    word("loud", 1 << 15, false),
    word("defaults", 0, true),
];

/// How mounts below a place propagate: mount_namespaces(7), "shared subtrees".
pub const PROPAGATIONS: &[(&str, MountFlags)] = &[
    ("private", MountFlags::PRIVATE),
    ("shared", MountFlags::SHARED),
    ("slave", MountFlags::SLAVE),
    ("unbindable", MountFlags::UNBINDABLE),
];

#[cfg(test)]
mod tests {
    use super::{MOUNT_WORDS, MountFlags};

    #[test]
    fn flags_print_as_the_kernels_names() {
        let flags = MountFlags::BIND.and(MountFlags::RECURSIVE).and(MountFlags::READ_ONLY);
        assert_eq!(flags.to_string(), "MS_RDONLY|MS_BIND|MS_REC");
        assert_eq!(MountFlags::default().to_string(), "0");
    }

    #[test]
    fn every_word_that_sets_a_flag_has_one_that_takes_it_away_or_is_known_to_have_none() {
        for set in MOUNT_WORDS.iter().filter(|word| word.set) {
            let opposite = MOUNT_WORDS.iter().any(|other| !other.set && other.flags == set.flags);
            assert!(opposite || matches!(set.word, "dirsync" | "defaults"), "{}", set.word);
        }
    }
}
