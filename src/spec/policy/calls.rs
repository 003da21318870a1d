//! System calls by name and number, and the groups that systemd.exec(5) names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use super::DENIED;
use crate::diag::{closest, quoted};
use crate::spec::ValueError;

/// A set of numbers that the kernel gives to system calls: `AUDIT_ARCH_…` of linux/audit.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// 64-bit programs of x86.
    X86_64,
    /// 32-bit programs of x86.
    I386,
    /// 64-bit programs of ARM.
    Aarch64,
}

/// What a number is to the default policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No call has it.
    Unknown,
    /// A call that the default denies.
    Denied,
    /// Another call.
    Other,
}

/// Whether a call is one that the default denies, at compile time.
const fn is_denied(call: &str) -> bool {
    let mut index = 0;
    while index < DENIED.len() {
        let (one, other) = (DENIED[index].as_bytes(), call.as_bytes());
        let mut same = 0;
        while same < one.len() && same < other.len() && one[same] == other[same] {
            same += 1;
        }
        if same == one.len() && same == other.len() {
            return true;
        }
        index += 1;
    }
    false
}

/// The names and numbers of an architecture, by name.
type Numbers = BTreeMap<&'static str, u32>;

impl Architecture {
    /// Those whose programs this machine runs, its own first.
    pub const OWN: &[Self] =
        if cfg!(target_arch = "x86_64") { &[Self::X86_64, Self::I386] } else { &[Self::Aarch64] };

    /// Its number in the data of a filter.
    #[must_use]
    pub fn audit(self) -> u32 {
        match self {
            Self::X86_64 => 0xc000_003e,
            Self::I386 => 0x4000_0003,
            Self::Aarch64 => 0xc000_00b7,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86-64",
            Self::I386 => "i386",
            Self::Aarch64 => "aarch64",
        }
    }

    /// What each number is to the default policy, from 0.
    #[must_use]
    pub fn kinds(self) -> &'static [Kind] {
        macro_rules! kinds {
            ($numbers:path) => {{
                use $numbers as Table;
                const LENGTH: usize = Table::table_size();
                static KINDS: [Kind; LENGTH] = const {
                    let mut kinds = [Kind::Unknown; LENGTH];
                    let mut number = 0;
                    while number < LENGTH {
                        if let Some(call) = Table::new(number) {
                            let denied = is_denied(call.name());
                            kinds[number] = if denied { Kind::Denied } else { Kind::Other };
                        }
                        number += 1;
                    }
                    kinds
                };
                &KINDS
            }};
        }
        match self {
            Self::X86_64 => kinds!(syscalls::x86_64::Sysno),
            Self::I386 => kinds!(syscalls::x86::Sysno),
            Self::Aarch64 => kinds!(syscalls::aarch64::Sysno),
        }
    }

    /// Its calls.
    #[must_use]
    pub fn numbers(self) -> &'static Numbers {
        macro_rules! table {
            ($numbers:path) => {{
                static TABLE: OnceLock<Numbers> = OnceLock::new();
                TABLE.get_or_init(|| {
                    use $numbers as Table;
                    // `Table::iter` leaves out the last one.
                    let calls = (0..Table::table_size()).filter_map(Table::new);
                    let number = |call: Table| u32::try_from(call.id()).unwrap_or(u32::MAX);
                    // The name of `break` is that of an identifier of Rust.
                    let name = |call: Table| call.name().trim_start_matches("r#");
                    calls.map(|call| (name(call), number(call))).collect()
                })
            }};
        }
        match self {
            Self::X86_64 => table!(syscalls::x86_64::Sysno),
            Self::I386 => table!(syscalls::x86::Sysno),
            Self::Aarch64 => table!(syscalls::aarch64::Sysno),
        }
    }
}

/// All names, of every architecture.
fn known() -> &'static BTreeSet<&'static str> {
    static KNOWN: OnceLock<BTreeSet<&'static str>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let all = [Architecture::X86_64, Architecture::I386, Architecture::Aarch64];
        all.into_iter().flat_map(|one| one.numbers().keys().copied()).collect()
    })
}

/// The groups, by name with the `@`, and what each names.
fn groups() -> &'static BTreeMap<&'static str, Vec<&'static str>> {
    static GROUPS: OnceLock<BTreeMap<&'static str, Vec<&'static str>>> = OnceLock::new();
    GROUPS.get_or_init(|| {
        let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut current = "";
        for line in include_str!("groups.txt").lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split_ascii_whitespace();
            if !line.starts_with(' ') {
                current = words.next().unwrap_or_default();
            }
            groups.entry(current).or_default().extend(words);
        }
        groups
    })
}

/// The calls that a word names: a call, or a group of systemd with its `@`.
///
/// # Errors
/// Nothing has this name, or only another architecture has it.
pub fn named(word: &str) -> Result<BTreeSet<&'static str>, ValueError> {
    let word = word.trim();
    if word.starts_with('@') {
        let groups = groups();
        let Some((name, _)) = groups.get_key_value(word) else {
            let error = ValueError::new(format!("unknown group of system calls {}", quoted(word)));
            return Err(match closest(word, groups.keys().copied()) {
                Some(near) => error.hint(format!("did you mean {}?", quoted(near))),
                None => error.hint("expected a group of systemd.exec(5), such as `@mount`"),
            });
        };
        let mut calls = BTreeSet::new();
        add_group(name, &mut calls);
        return Ok(calls);
    }
    match known().get(word) {
        Some(name) if is_own(name) => Ok(siblings(name)),
        Some(_) => {
            let here = Architecture::OWN.first().map_or("", |one| one.name());
            Err(ValueError::new(format!("{} is no system call of {here}", quoted(word))))
        }
        None => {
            let error = ValueError::new(format!("unknown system call {}", quoted(word)));
            Err(match closest(word, known().iter().copied()) {
                Some(near) => error.hint(format!("did you mean {}?", quoted(near))),
                None => error.hint(
                    "expected a name of syscalls(2), such as `openat`, or a group, such as `@mount`",
                ),
            })
        }
    }
}

/// A call, and those that do the same for 32-bit programs: with ids of 32 bits, offsets or times of
/// 64 bits, or under another name.
fn siblings(name: &'static str) -> BTreeSet<&'static str> {
    const OTHERS: [(&str, &str); 4] = [
        ("getrlimit", "ugetrlimit"),
        ("mmap", "mmap2"),
        ("select", "_newselect"),
        ("umount2", "umount"),
    ];
    let of_form = ["32", "64", "_time64"].map(|end| format!("{name}{end}"));
    let others = OTHERS.iter().filter(|(one, _)| *one == name).map(|(_, other)| *other);
    let others = of_form.iter().map(String::as_str).chain(others);
    let found = others.filter_map(|other| known().get(other).copied());
    found.filter(|other| is_own(other)).chain([name]).collect()
}

/// The call with exactly this name, if programs of this machine have it.
pub fn exact(word: &str) -> Option<&'static str> {
    known().get(word).copied().filter(|name| is_own(name))
}

/// Whether a word names a call of any architecture.
pub fn is_known(word: &str) -> bool {
    known().contains(word)
}

/// Whether programs of this machine have a call.
fn is_own(name: &str) -> bool {
    Architecture::OWN.iter().any(|one| one.numbers().contains_key(name))
}

/// Adds the calls of a group and of the groups in it. Calls of other architectures are left out.
fn add_group(name: &str, calls: &mut BTreeSet<&'static str>) {
    for word in groups().get(name).into_iter().flatten() {
        if word.starts_with('@') {
            add_group(word, calls);
        } else if is_own(word) {
            calls.insert(word);
        }
    }
}

/// The calls that reach others by a number in memory, where no filter can look: they are allowed only
/// if all of these are. 32-bit programs alone have them.
pub const MULTIPLEXED: [(&str, &[&str]); 2] = [
    (
        "socketcall",
        &[
            "accept",
            "accept4",
            "bind",
            "connect",
            "getpeername",
            "getsockname",
            "getsockopt",
            "listen",
            "recv",
            "recvfrom",
            "recvmmsg",
            "recvmsg",
            "send",
            "sendmmsg",
            "sendmsg",
            "sendto",
            "setsockopt",
            "shutdown",
            "socket",
            "socketpair",
        ],
    ),
    (
        "ipc",
        &[
            "msgctl",
            "msgget",
            "msgrcv",
            "msgsnd",
            "semctl",
            "semget",
            "semop",
            "semtimedop",
            "semtimedop_time64",
            "shmat",
            "shmctl",
            "shmdt",
            "shmget",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_name_calls_and_groups_that_exist() {
        for (group, words) in groups() {
            for word in words {
                let exists = groups().contains_key(word) || known().contains(word);
                assert!(exists, "{group}: {word}");
            }
        }
        assert!(groups().len() >= 27);
    }

    #[test]
    fn words_name_calls() {
        assert_eq!(named("openat").unwrap(), BTreeSet::from(["openat"]));
        if cfg!(target_arch = "x86_64") {
            assert_eq!(named("setuid").unwrap(), BTreeSet::from(["setuid", "setuid32"]));
            assert_eq!(named("mmap").unwrap(), BTreeSet::from(["mmap", "mmap2"]));
            let times = BTreeSet::from(["semtimedop", "semtimedop_time64"]);
            assert_eq!(named("semtimedop").unwrap(), times);
        }
        let mount = named("@mount").unwrap();
        assert!(
            ["mount", "umount2", "move_mount", "open_tree_attr"]
                .iter()
                .all(|it| mount.contains(it))
        );
        let service = named("@system-service").unwrap();
        assert!(service.contains("read") && !service.contains("mount"));
        let says = |word: &str| {
            let error = named(word).unwrap_err();
            format!("{error}; {}", error.help().unwrap_or_default())
        };
        assert_eq!(says("opennat"), "unknown system call `opennat`; did you mean `openat`?");
        assert_eq!(says("@mont"), "unknown group of system calls `@mont`; did you mean `@mount`?");
        assert!(says("nothing at all").contains("syscalls(2)"));
    }

    #[test]
    fn tables_are_of_this_kernel() {
        let own = Architecture::OWN[0].numbers();
        assert_eq!((own["clone3"], own["file_setattr"]), (435, 469));
        assert_eq!(Architecture::I386.numbers()["socketcall"], 102);
    }
}
