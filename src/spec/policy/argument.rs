//! Arguments of system calls that a filter can look at: numbers, not what is behind pointers.

use super::compile::{LOW, Test, Values};
use crate::diag::{closest, quoted};
use crate::spec::ValueError;

/// What the kernel makes of an argument that is a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    /// It uses the low 32 bits. A comparison with all 64 would be passed by by setting a high bit.
    Low,
    /// It uses all of them.
    Whole,
    /// It is the type of a socket, with flags above it.
    Type,
    /// It is a mode: permission bits.
    Mode,
}

use Width::{Low, Mode, Type, Whole};

impl Width {
    /// The bits that it uses.
    fn mask(self) -> u64 {
        match self {
            Self::Low => LOW,
            Self::Whole => u64::MAX,
            Self::Type => 0xf,
            Self::Mode => 0o7777,
        }
    }
}

/// The numbers among the arguments of calls that have any worth a test.
const TESTABLE: &[(&str, &[(u8, Width)])] = &[
    ("accept4", &[(0, Low), (3, Low)]),
    ("arch_prctl", &[(0, Low)]),
    ("bpf", &[(0, Low)]),
    ("clone", &[(0, Low)]),
    ("close_range", &[(0, Low), (1, Low), (2, Low)]),
    ("epoll_ctl", &[(0, Low), (1, Low), (2, Low)]),
    ("fchmod", &[(0, Low), (1, Mode)]),
    ("fcntl", &[(0, Low), (1, Low), (2, Low)]),
    ("fcntl64", &[(0, Low), (1, Low), (2, Low)]),
    ("futex", &[(1, Low)]),
    ("getsockopt", &[(0, Low), (1, Low), (2, Low)]),
    ("ioctl", &[(0, Low), (1, Low), (2, Whole)]),
    ("ioprio_set", &[(0, Low), (1, Low), (2, Low)]),
    ("kcmp", &[(0, Low), (1, Low), (2, Low)]),
    ("keyctl", &[(0, Low)]),
    ("kill", &[(0, Low), (1, Low)]),
    ("listen", &[(0, Low), (1, Low)]),
    ("madvise", &[(1, Whole), (2, Low)]),
    ("membarrier", &[(0, Low), (1, Low)]),
    ("memfd_create", &[(1, Low)]),
    ("mlock2", &[(2, Low)]),
    ("mlockall", &[(0, Low)]),
    ("mmap", &[(1, Whole), (2, Whole), (3, Whole), (4, Low)]),
    ("mmap2", &[(1, Whole), (2, Whole), (3, Whole), (4, Low)]),
    ("mount", &[(3, Whole)]),
    ("mprotect", &[(1, Whole), (2, Whole)]),
    ("open", &[(1, Low), (2, Mode)]),
    ("openat", &[(0, Low), (2, Low), (3, Mode)]),
    ("perf_event_open", &[(1, Low), (2, Low), (3, Low), (4, Whole)]),
    ("personality", &[(0, Low)]),
    ("pidfd_open", &[(0, Low), (1, Low)]),
    ("prctl", &[(0, Low), (1, Whole), (2, Whole), (3, Whole), (4, Whole)]),
    ("prlimit64", &[(0, Low), (1, Low)]),
    ("ptrace", &[(0, Whole), (1, Whole)]),
    ("quotactl", &[(0, Low)]),
    ("renameat2", &[(4, Low)]),
    ("sched_setscheduler", &[(0, Low), (1, Low)]),
    ("seccomp", &[(0, Low), (1, Low)]),
    // Its second argument may be 0, for every kind of namespace.
    ("setns", &[(0, Low)]),
    ("setpriority", &[(0, Low), (1, Low), (2, Low)]),
    ("setrlimit", &[(0, Low)]),
    ("setsockopt", &[(0, Low), (1, Low), (2, Low)]),
    ("socket", &[(0, Low), (1, Type), (2, Low)]),
    ("socketpair", &[(0, Low), (1, Type), (2, Low)]),
    ("tgkill", &[(0, Low), (1, Low), (2, Low)]),
    ("tkill", &[(0, Low), (1, Low)]),
    ("umount2", &[(1, Low)]),
    ("unlinkat", &[(0, Low), (2, Low)]),
    ("unshare", &[(0, Whole)]),
    ("userfaultfd", &[(0, Low)]),
];

/// The constants that a test may name, as the headers of the C library have them: those with the same
/// number on x86-64 and aarch64.
const CONSTANTS: [(&str, i64); 65] = [
    ("AF_ALG", 38),
    ("AF_BLUETOOTH", 31),
    ("AF_CAN", 29),
    ("AF_INET", 2),
    ("AF_INET6", 10),
    ("AF_NETLINK", 16),
    ("AF_PACKET", 17),
    ("AF_TIPC", 30),
    ("AF_UNIX", 1),
    ("AF_VSOCK", 40),
    ("AF_XDP", 44),
    ("CLONE_FILES", 0x400),
    ("CLONE_FS", 0x200),
    ("CLONE_NEWCGROUP", 0x200_0000),
    ("CLONE_NEWIPC", 0x800_0000),
    ("CLONE_NEWNET", 0x4000_0000),
    ("CLONE_NEWNS", 0x2_0000),
    ("CLONE_NEWPID", 0x2000_0000),
    ("CLONE_NEWTIME", 0x80),
    ("CLONE_NEWUSER", 0x1000_0000),
    ("CLONE_NEWUTS", 0x400_0000),
    ("CLONE_THREAD", 0x1_0000),
    ("CLONE_VFORK", 0x4000),
    ("CLONE_VM", 0x100),
    ("F_DUPFD", 0),
    ("F_GETFD", 1),
    ("F_GETFL", 3),
    ("F_SETFD", 2),
    ("F_SETFL", 4),
    ("MAP_ANONYMOUS", 32),
    ("MAP_FIXED", 16),
    ("MAP_HUGETLB", 0x4_0000),
    ("MAP_PRIVATE", 2),
    ("MAP_SHARED", 1),
    ("MS_BIND", 0x1000),
    ("MS_REMOUNT", 32),
    ("O_APPEND", 0x400),
    ("O_CREAT", 64),
    ("O_PATH", 0x20_0000),
    ("O_RDONLY", 0),
    ("O_RDWR", 2),
    ("O_TRUNC", 0x200),
    ("O_WRONLY", 1),
    ("PROT_EXEC", 4),
    ("PROT_NONE", 0),
    ("PROT_READ", 1),
    ("PROT_WRITE", 2),
    ("PR_SET_DUMPABLE", 4),
    ("PR_SET_MM", 35),
    ("PR_SET_NAME", 15),
    ("PR_SET_PTRACER", 0x5961_6d61),
    ("PR_SET_SECCOMP", 22),
    ("PTRACE_ATTACH", 16),
    ("PTRACE_PEEKDATA", 2),
    ("PTRACE_POKEDATA", 5),
    ("PTRACE_SEIZE", 0x4206),
    ("PTRACE_TRACEME", 0),
    ("SOCK_DGRAM", 2),
    ("SOCK_RAW", 3),
    ("SOCK_SEQPACKET", 5),
    ("SOCK_STREAM", 1),
    ("SOL_SOCKET", 1),
    ("TIOCLINUX", 0x541c),
    ("TIOCSCTTY", 0x540e),
    ("TIOCSTI", 0x5412),
];

/// The value of a constant by its name.
///
/// # Errors
/// The name is unknown.
pub fn constant(name: &str) -> Result<i64, ValueError> {
    let found = CONSTANTS.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let error = ValueError::new(format!("unknown constant {}", quoted(name)));
        match closest(name, CONSTANTS.iter().map(|(known, _)| *known)) {
            Some(near) => error.hint(format!("did you mean {}?", quoted(near))),
            None => error.hint("write its number"),
        }
    })
}

/// What an argument of a rule has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// One of these.
    Any(Vec<i64>),
    /// A number with at least one of the bits of these.
    Bits(Vec<i64>),
    /// Another number than this.
    Not(u64),
    /// This number, of the bits of a mask.
    Masked {
        /// The mask.
        mask: u64,
        /// The number.
        value: u64,
    },
    /// This number or a higher one.
    AtLeast(u64),
    /// A lower number.
    Below(u64),
}

/// A condition of a rule: an argument, counted from 0, and what it has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The argument.
    pub argument: u8,
    /// What it has to be.
    pub wanted: Wanted,
}

impl Condition {
    /// The test of a call.
    ///
    /// # Errors
    /// The argument is no number, or none that is known to be one.
    pub fn test(&self, call: &str) -> Result<Test, ValueError> {
        let arguments = TESTABLE.iter().find(|(known, _)| *known == call).map(|(_, all)| *all);
        let numbers = arguments.unwrap_or_default();
        let found = numbers.iter().find(|(argument, _)| *argument == self.argument);
        let Some((_, width)) = found else {
            let message = format!("`arg{}` of `{call}` cannot be tested", self.argument);
            let error = ValueError::new(message);
            return Err(if numbers.is_empty() {
                error.hint("a filter sees numbers, but not what is behind a pointer: seccomp(2)")
            } else {
                let names: Vec<_> = numbers.iter().map(|(it, _)| format!("`arg{it}`")).collect();
                error.hint(format!(
                    "a filter sees numbers, but not what is behind a pointer: of `{call}`, {}",
                    names.join(", ")
                ))
            });
        };
        // A negative number is one of 64 bits; where the kernel looks at 32, the low ones are enough.
        let bits = |value: i64| value.cast_unsigned();
        let width = width.mask();
        let (mask, values, negated) = match self.wanted {
            Wanted::Any(ref values) => {
                (width, Values::Any(values.iter().copied().map(bits).collect()), false)
            }
            Wanted::Bits(ref values) => {
                (width, Values::Bits(values.iter().fold(0, |all, value| all | bits(*value))), false)
            }
            Wanted::Not(value) => (width, Values::Any(vec![value]), true),
            // As in libseccomp, bits outside the mask count on neither side.
            Wanted::Masked { mask, value } => {
                (width & mask, Values::Any(vec![value & mask]), false)
            }
            Wanted::AtLeast(value) if value <= width => (width, Values::AtLeast(value), false),
            Wanted::Below(value) if value <= width => (width, Values::AtLeast(value), true),
            Wanted::Below(_) => (width, Values::AtLeast(0), false),
            Wanted::AtLeast(_) => (width, Values::AtLeast(0), true),
        };
        Ok(Test { argument: self.argument, mask, values, negated })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_can_be_tested_and_pointers_cannot() {
        let condition = |argument| Condition { argument, wanted: Wanted::Any(vec![1]) };
        assert_eq!(condition(1).test("ioctl").unwrap().mask, LOW);
        assert_eq!(condition(1).test("mmap").unwrap().mask, u64::MAX);
        assert_eq!(condition(1).test("socket").unwrap().mask, 0xf);
        let says = |call, argument| {
            let error = condition(argument).test(call).unwrap_err();
            format!("{error}; {}", error.help().unwrap_or_default())
        };
        let pointer = "a filter sees numbers, but not what is behind a pointer";
        assert_eq!(
            says("openat", 1),
            format!(
                "`arg1` of `openat` cannot be tested; {pointer}: of `openat`, `arg0`, `arg2`, `arg3`"
            )
        );
        assert_eq!(
            says("execve", 0),
            format!("`arg0` of `execve` cannot be tested; {pointer}: seccomp(2)")
        );
    }

    #[test]
    fn calls_are_known_and_sorted() {
        let names: Vec<_> = TESTABLE.iter().map(|(name, _)| *name).collect();
        assert!(names.is_sorted());
        for name in names {
            let known = super::super::calls::named(name);
            assert!(known.is_ok() || ["open", "fcntl64", "mmap2"].contains(&name), "{name}");
        }
        assert_eq!(constant("AF_UNIX"), Ok(1));
        assert_eq!(constant("AF_UNX").unwrap_err().help(), Some("did you mean `AF_UNIX`?"));
    }
}
