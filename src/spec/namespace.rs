//! Kinds of namespaces, and sets of them: namespaces(7).

use std::fmt;
use std::ops::{BitAnd, BitOr, Sub};

/// One kind of namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Users, groups and capabilities: user_namespaces(7), Linux 3.8.
    User,
    /// Mounts: mount_namespaces(7), Linux 2.4.19.
    Mount,
    /// Processes: pid_namespaces(7), Linux 2.6.24.
    Pid,
    /// Network devices, addresses, ports: network_namespaces(7), Linux 2.6.24.
    Net,
    /// Host name and NIS domain name: uts_namespaces(7), Linux 2.6.19.
    Uts,
    /// System V IPC and POSIX message queues: ipc_namespaces(7), Linux 2.6.19.
    Ipc,
    /// The root of the cgroup view: cgroup_namespaces(7), Linux 4.6.
    Cgroup,
    /// Boot and monotonic clocks: time_namespaces(7), Linux 5.6.
    Time,
}

impl Kind {
    /// Every kind, in the order that the kernel's clone flags are usually written.
    pub const ALL: [Self; 8] = [
        Self::User,
        Self::Mount,
        Self::Pid,
        Self::Net,
        Self::Uts,
        Self::Ipc,
        Self::Cgroup,
        Self::Time,
    ];

    /// The kind of namespace that a file system of this type shows: one that the process is in.
    #[must_use]
    pub fn shown_by(file_system: &str) -> Option<Self> {
        Some(match file_system {
            "proc" => Self::Pid,
            "sysfs" => Self::Net,
            "mqueue" => Self::Ipc,
            "cgroup" | "cgroup2" => Self::Cgroup,
            _ => return None,
        })
    }

    /// The name of the clone flag: `CLONE_NEWUSER`.
    #[must_use]
    pub fn flag(self) -> &'static str {
        match self {
            Self::User => "CLONE_NEWUSER",
            Self::Mount => "CLONE_NEWNS",
            Self::Pid => "CLONE_NEWPID",
            Self::Net => "CLONE_NEWNET",
            Self::Uts => "CLONE_NEWUTS",
            Self::Ipc => "CLONE_NEWIPC",
            Self::Cgroup => "CLONE_NEWCGROUP",
            Self::Time => "CLONE_NEWTIME",
        }
    }

    /// The name of the constant in recipes: `USER`.
    #[must_use]
    pub fn constant(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::Mount => "MOUNT",
            Self::Pid => "PID",
            Self::Net => "NET",
            Self::Uts => "UTS",
            Self::Ipc => "IPC",
            Self::Cgroup => "CGROUP",
            Self::Time => "TIME",
        }
    }

    /// The name of its file in `/proc/PID/ns`: `mnt`.
    #[must_use]
    pub fn file(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Mount => "mnt",
            Self::Pid => "pid",
            Self::Net => "net",
            Self::Uts => "uts",
            Self::Ipc => "ipc",
            Self::Cgroup => "cgroup",
            Self::Time => "time",
        }
    }

    /// Its name in a sentence: `mount`, `UTS`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mount => "mount",
            Self::Pid => "PID",
            Self::Net => "network",
            Self::Uts => "UTS",
            Self::Ipc => "IPC",
            Self::User | Self::Cgroup | Self::Time => self.file(),
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of kinds of namespaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Namespaces(u8);

impl Namespaces {
    /// No kind.
    pub const NONE: Self = Self(0);
    /// Every kind.
    pub const ALL: Self = Self(0xff);

    /// Whether `kind` is in the set.
    #[must_use]
    pub fn has(self, kind: Kind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// Whether no kind is in the set.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The kinds in the set, in the order of [`Kind::ALL`].
    pub fn kinds(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |kind| self.has(*kind))
    }

    /// The kinds as a recipe writes them: `USER | PID`.
    #[must_use]
    pub fn constants(self) -> String {
        self.kinds().map(Kind::constant).collect::<Vec<_>>().join(" | ")
    }
}

impl From<Kind> for Namespaces {
    fn from(kind: Kind) -> Self {
        Self(kind.bit())
    }
}

impl BitOr for Namespaces {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Namespaces {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Sub for Namespaces {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl fmt::Display for Namespaces {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return formatter.write_str("0");
        }
        formatter.write_str(&self.kinds().map(Kind::flag).collect::<Vec<_>>().join("|"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Namespaces};

    #[test]
    fn sets_print_as_the_kernels_flags() {
        let set = Namespaces::from(Kind::Pid) | Kind::User.into();
        assert_eq!(set.to_string(), "CLONE_NEWUSER|CLONE_NEWPID");
        assert_eq!((Namespaces::ALL - set).kinds().count(), 6);
        assert_eq!(set.constants(), "USER | PID");
    }
}
