//! Resource limits of processes: getrlimit(2).

use super::value_error::ValueError;
use crate::diag::{closest, quoted};

/// A resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its name in prlimit(1) and `.limit`: `nofile`.
    pub name: &'static str,
    /// The kernel's name: `RLIMIT_NOFILE`.
    pub constant: &'static str,
    /// Its number, the same on x86-64 and aarch64: asm-generic/resource.h.
    pub number: u32,
    /// The unit of its limit.
    pub unit: Unit,
}

/// The unit of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
    /// Microseconds.
    Microseconds,
    /// A number of things, or a priority.
    Number,
}

/// No limit: `RLIM_INFINITY`.
pub const UNLIMITED: u64 = u64::MAX;

impl Resource {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 16] = [
        Self::new("as", "RLIMIT_AS", 9, Unit::Bytes),
        Self::new("core", "RLIMIT_CORE", 4, Unit::Bytes),
        Self::new("cpu", "RLIMIT_CPU", 0, Unit::Seconds),
        Self::new("data", "RLIMIT_DATA", 2, Unit::Bytes),
        Self::new("fsize", "RLIMIT_FSIZE", 1, Unit::Bytes),
        Self::new("locks", "RLIMIT_LOCKS", 10, Unit::Number),
        Self::new("memlock", "RLIMIT_MEMLOCK", 8, Unit::Bytes),
        Self::new("msgqueue", "RLIMIT_MSGQUEUE", 12, Unit::Bytes),
        Self::new("nice", "RLIMIT_NICE", 13, Unit::Number),
        Self::new("nofile", "RLIMIT_NOFILE", 7, Unit::Number),
        Self::new("nproc", "RLIMIT_NPROC", 6, Unit::Number),
        Self::new("rss", "RLIMIT_RSS", 5, Unit::Bytes),
        Self::new("rtprio", "RLIMIT_RTPRIO", 14, Unit::Number),
        Self::new("rttime", "RLIMIT_RTTIME", 15, Unit::Microseconds),
        Self::new("sigpending", "RLIMIT_SIGPENDING", 11, Unit::Number),
        Self::new("stack", "RLIMIT_STACK", 3, Unit::Bytes),
    ];

    const fn new(name: &'static str, constant: &'static str, number: u32, unit: Unit) -> Self {
        Self { name, constant, number, unit }
    }

    /// The resource of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|resource| resource.name == name)
    }

    /// The resource of this name.
    ///
    /// # Errors
    /// There is none; the hint is the nearest name, or all names.
    pub fn find(name: &str) -> Result<Self, ValueError> {
        Self::named(name).ok_or_else(|| {
            let names = Self::ALL.map(|resource| resource.name);
            let error = ValueError::new(format!("unknown resource {}", quoted(name)));
            match closest(name, names) {
                Some(near) => error.hint(format!("did you mean {}?", quoted(near))),
                None => error.hint(format!("the resources are {}", names.join(", "))),
            }
        })
    }

    /// A limit as a person reads it: `64`, `16 MiB`, `10 s`, `unlimited`.
    #[must_use]
    pub fn shown(self, limit: u64) -> String {
        match self.unit {
            _ if limit == UNLIMITED => "unlimited".into(),
            Unit::Bytes => crate::diag::bytes(limit),
            Unit::Seconds => format!("{limit} s"),
            Unit::Microseconds => format!("{limit} µs"),
            Unit::Number => limit.to_string(),
        }
    }
}
