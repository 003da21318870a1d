//! Small values of the library: ids, limits, ends of programs.

use std::fmt;
use std::time::Duration;

use crate::run;
use crate::spec;

/// A kind of namespace: namespaces(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Namespace {
    /// Users, groups and capabilities: user_namespaces(7).
    User,
    /// Mounts: mount_namespaces(7).
    Mount,
    /// Processes: pid_namespaces(7).
    Pid,
    /// Network devices, addresses and ports: network_namespaces(7).
    Net,
    /// Host name and NIS domain name: uts_namespaces(7).
    Uts,
    /// System V IPC and POSIX message queues: ipc_namespaces(7).
    Ipc,
    /// The root of the cgroup view: cgroup_namespaces(7).
    Cgroup,
    /// Boot and monotonic clocks: time_namespaces(7).
    Time,
}

impl Namespace {
    pub(super) fn kind(self) -> spec::Kind {
        match self {
            Self::User => spec::Kind::User,
            Self::Mount => spec::Kind::Mount,
            Self::Pid => spec::Kind::Pid,
            Self::Net => spec::Kind::Net,
            Self::Uts => spec::Kind::Uts,
            Self::Ipc => spec::Kind::Ipc,
            Self::Cgroup => spec::Kind::Cgroup,
            Self::Time => spec::Kind::Time,
        }
    }
}

/// A user or group inside a sandbox: a number, a name of the root's `/etc/passwd` or `/etc/group`,
/// or `"caller"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Id(pub(super) spec::Id);

impl From<u32> for Id {
    fn from(number: u32) -> Self {
        Self(spec::Id::Number(number))
    }
}

impl From<&str> for Id {
    fn from(name: &str) -> Self {
        Self(spec::Id::named(name))
    }
}

/// No limit: `RLIM_INFINITY` of getrlimit(2).
pub const UNLIMITED: u64 = spec::UNLIMITED;

/// A resource limit, in bytes, seconds, microseconds or a number, as the resource has it:
/// getrlimit(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub(super) soft: u64,
    pub(super) hard: u64,
}

impl From<u64> for Limit {
    /// The same soft and hard limit.
    fn from(limit: u64) -> Self {
        Self { soft: limit, hard: limit }
    }
}

impl From<(u64, u64)> for Limit {
    /// A soft limit, and the hard limit that a program may raise it to.
    fn from((soft, hard): (u64, u64)) -> Self {
        Self { soft, hard }
    }
}

/// How a program ended, and what it used. Two are equal if the programs ended in the same way.
#[derive(Clone, Copy, Debug)]
pub struct ExitStatus(pub(super) run::Exit);

impl PartialEq for ExitStatus {
    fn eq(&self, other: &Self) -> bool {
        (self.code(), self.signal()) == (other.code(), other.signal())
    }
}

impl Eq for ExitStatus {}

impl ExitStatus {
    /// Whether it exited with status 0.
    #[must_use]
    pub fn success(self) -> bool {
        self.0.code == 0
    }

    /// Its exit status, from 0 to 255; 128 and the number of the signal if a signal ended it.
    #[must_use]
    pub fn code(self) -> i32 {
        self.0.code
    }

    /// The signal that ended it.
    #[must_use]
    pub fn signal(self) -> Option<i32> {
        self.0.signal
    }

    /// How long it ran, with the set-up of its sandbox.
    #[must_use]
    pub fn wall_time(self) -> Duration {
        self.0.wall
    }

    /// Processor time in user mode, of the program and what it waited for: getrusage(2).
    #[must_use]
    pub fn user_time(self) -> Duration {
        self.0.usage.user
    }

    /// Processor time in the kernel.
    #[must_use]
    pub fn system_time(self) -> Duration {
        self.0.usage.system
    }

    /// The most memory that one of its processes had at a time, in bytes. The kernel counts the
    /// caller's memory at the start as well, so it is at least that.
    #[must_use]
    pub fn peak_memory(self) -> u64 {
        self.0.usage.peak_memory
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// What a program wrote, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error.
    pub stderr: Vec<u8>,
}

impl From<run::Output> for Output {
    fn from(output: run::Output) -> Self {
        let run::Output { stdout, stderr, exit } = output;
        Self { status: ExitStatus(exit), stdout, stderr }
    }
}
