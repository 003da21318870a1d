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

/// The names, without `CAP_`, of the capabilities that docker and podman leave to containers.
const CONTAINER: [&str; 14] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
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

/// A set of capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(u64);

impl Capabilities {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// All that this program knows.
    pub const ALL: Self = Self((1 << NAMES.len()) - 1);
    /// Those that docker and podman leave to containers.
    pub const CONTAINER: Self = Self::called(&CONTAINER);
    /// Those that give a program no more power over the machine than its user and its mounts do,
    /// although they count in the user namespace of the machine. `MKNOD` makes devices.
    pub const HARMLESS: Self = Self(Self::CONTAINER.0 & !Self::called(&["MKNOD"]).0);

    /// The set of these names; names that are unknown have no bit.
    const fn called(names: &[&str]) -> Self {
        let (mut set, mut index) = (0, 0);
        while index < names.len() {
            let mut number = 0;
            while number < NAMES.len() {
                if is_short_for(names[index].as_bytes(), NAMES[number].as_bytes()) {
                    set |= 1 << number;
                }
                number += 1;
            }
            index += 1;
        }
        Self(set)
    }

    /// The set with these names.
    ///
    /// # Errors
    /// A name is unknown.
    pub fn parse(names: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, ValueError> {
        let bit = |name: &str| Capability::parse(name).map(|one| 1_u64 << one.number());
        let bits = names.into_iter().map(|name| bit(name.as_ref()));
        bits.collect::<Result<Vec<_>, _>>()
            .map(|bits| Self(bits.iter().fold(0, |set, it| set | it)))
    }

    /// The set with a name of its own: `container` or `all`.
    ///
    /// # Errors
    /// The name is unknown.
    pub fn parse_word(word: &str) -> Result<Self, ValueError> {
        match word {
            "container" => Ok(Self::CONTAINER),
            "all" => Ok(Self::ALL),
            _ => {
                let invalid =
                    ValueError::new(format!("unknown set of capabilities {}", quoted(word)));
                Err(match (closest(word, ["container", "all"]), Capability::parse(word)) {
                    (Some(near), _) => invalid.hint(format!("did you mean {}?", quoted(near))),
                    (None, Ok(one)) => invalid
                        .hint(format!("write single capabilities as an array: `[\"{one}\"]`")),
                    (None, Err(_)) => {
                        invalid.hint("expected `\"container\"`, `\"all\"` or an array of names")
                    }
                })
            }
        }
    }

    /// The set of these bits of the kernel; those that are newer than this program are left out.
    #[must_use]
    pub fn of_bits(bits: u64) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// One bit for each.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Whether it has the one called `name`, without `CAP_`.
    #[must_use]
    pub fn has(self, name: &str) -> bool {
        self.0 & Self::called(&[name]).0 != 0
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those of this set that `other` does not have.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Their names.
    #[must_use]
    pub fn names(self) -> Vec<String> {
        Capability::names(self.0)
    }
}

/// Whether `short` is `name` without `CAP_`.
const fn is_short_for(short: &[u8], name: &[u8]) -> bool {
    const PREFIX: usize = "CAP_".len();
    if short.len() + PREFIX != name.len() {
        return false;
    }
    let mut index = 0;
    while index < short.len() {
        if short[index] != name[index + PREFIX] {
            return false;
        }
        index += 1;
    }
    true
}

impl fmt::Display for Capabilities {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NONE => formatter.write_str("none"),
            Self::ALL => formatter.write_str("all"),
            set => formatter.write_str(&set.names().join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Capabilities, Capability};

    #[test]
    fn sets_are_those_of_containers() {
        assert_eq!(Capabilities::CONTAINER.names().len(), 14);
        // What podman and docker show as CapEff of their containers.
        assert_eq!(Capabilities::CONTAINER.bits(), 0xa804_25fb);
        assert_eq!(Capabilities::HARMLESS.names().len(), 13);
        assert!(Capabilities::CONTAINER.has("MKNOD") && !Capabilities::HARMLESS.has("MKNOD"));
        assert_eq!(Capabilities::ALL.names().len(), 41);
        assert_eq!(Capabilities::of_bits(u64::MAX), Capabilities::ALL);
        let parsed = Capabilities::parse(["chown", "CAP_NET_RAW"]).unwrap();
        assert_eq!(parsed.to_string(), "CAP_CHOWN, CAP_NET_RAW");
        assert!(Capabilities::parse(["everything"]).is_err());
    }

    #[test]
    fn words_for_sets_are_told() {
        let hint = |word| {
            let error = Capabilities::parse_word(word).err();
            error.and_then(|error| error.help().map(str::to_owned)).unwrap_or_default()
        };
        assert_eq!(hint("containers"), "did you mean `container`?");
        assert_eq!(hint("net_raw"), "write single capabilities as an array: `[\"CAP_NET_RAW\"]`");
        assert!(hint("everything").starts_with("expected"));
        assert_eq!(Capabilities::parse_word("all"), Ok(Capabilities::ALL));
    }

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
