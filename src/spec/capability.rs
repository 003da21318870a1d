//! Capabilities by name and number: capabilities(7).

use std::fmt;

use super::value_error::ValueError;
use crate::diag::{closest, quoted};

/// Their names, each at its number.
const NAMES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// A capability: one of the rights that make up root's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capability(u8);

impl Capability {
    /// All of them, in the order of their numbers.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..).map(Self).take(NAMES.len())
    }

    /// The one with this number; `None` if it is newer than this program.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        (usize::from(number) < NAMES.len()).then_some(Self(number))
    }

    /// The one called `name`, with or without `CAP_`, in any case.
    ///
    /// # Errors
    /// The name is unknown.
    pub fn parse(name: &str) -> Result<Self, ValueError> {
        let upper = name.trim().to_ascii_uppercase();
        let short = upper.strip_prefix("CAP_").unwrap_or(&upper);
        let found = Self::all().find(|one| one.short() == short);
        found.ok_or_else(|| {
            let invalid = ValueError::new(format!("unknown capability {}", quoted(name)));
            match closest(short, Self::all().map(Self::short)) {
                Some(near) => {
                    invalid.hint(format!("did you mean {}?", quoted(format!("CAP_{near}"))))
                }
                None => invalid
                    .hint("expected a name of capabilities(7), such as `CAP_CHOWN` or `chown`"),
            }
        })
    }

    /// Its number: its bit in a set.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }

    /// Its name: `CAP_CHOWN`.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES[usize::from(self.0)]
    }

    fn short(self) -> &'static str {
        self.name().trim_start_matches("CAP_")
    }

    /// The names of the capabilities in a kernel set. One that is newer than this program appears
    /// as its number.
    #[must_use]
    pub fn names(set: u64) -> Vec<String> {
        let name = |number| match Self::from_number(number) {
            Some(known) => known.name().to_owned(),
            None => number.to_string(),
        };
        (0..64).filter(|number| set >> number & 1 == 1).map(name).collect()
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Capability;

    #[test]
    fn every_name_leads_to_its_number_and_back() {
        assert_eq!(Capability::all().count(), 41);
        for (number, capability) in (0..).zip(Capability::all()) {
            assert_eq!(capability.number(), number);
            assert_eq!(Capability::from_number(number), Some(capability));
            assert_eq!(Capability::parse(capability.name()), Ok(capability));
            assert_eq!(Capability::parse(&capability.short().to_lowercase()), Ok(capability));
        }
        assert_eq!(Capability::from_number(41), None);
    }

    #[test]
    fn well_known_numbers_are_those_of_the_kernel() {
        let number = |name| Capability::parse(name).map(Capability::number);
        assert_eq!(number("chown"), Ok(0));
        assert_eq!(number("Net_Admin"), Ok(12));
        assert_eq!(number("CAP_SYS_ADMIN"), Ok(21));
        assert_eq!(number("cap_setfcap"), Ok(31));
        assert_eq!(number("bpf"), Ok(39));
    }

    #[test]
    fn a_slip_is_told() {
        let hint = |name: &str| {
            Capability::parse(name).err().and_then(|error| error.help().map(str::to_owned))
        };
        assert_eq!(hint("CAP_CHWON").as_deref(), Some("did you mean `CAP_CHOWN`?"));
        assert_eq!(hint("sysadmin").as_deref(), Some("did you mean `CAP_SYS_ADMIN`?"));
        assert!(hint("everything").is_some_and(|hint| hint.contains("capabilities(7)")));
    }

    #[test]
    fn sets_are_told_by_name() {
        assert_eq!(Capability::names(0), Vec::<String>::new());
        assert_eq!(Capability::names(1 | 1 << 21), ["CAP_CHOWN", "CAP_SYS_ADMIN"]);
        assert_eq!(Capability::names(1 << 50), ["50"]);
    }
}
