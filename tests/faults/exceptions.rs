//! The one table of what is not as it should be and yet cannot, or need not, be otherwise.
//!
//! Each row has its reason. A row that no fault of a whole run needs fails that run.

use nix::errno::Errno;

use super::facts::Facts;
use super::judge::{Class, Trace};

/// Calls that are never made to fail.
pub static NEVER: &[(&[&str], &str)] = &[
    (
        &[
            "exit",
            "exit_group",
            "getegid",
            "geteuid",
            "getgid",
            "getpgrp",
            "getpid",
            "getppid",
            "gettid",
            "getuid",
            "rt_sigreturn",
            "sched_yield",
            "umask",
        ],
        "they return a value, or do not return, and have no error",
    ),
    (
        &[
            "arch_prctl",
            "clock_gettime",
            "getgroups",
            "getpgid",
            "getresgid",
            "getresuid",
            "getsid",
            "restart_syscall",
            "rseq",
            "rt_sigaction",
            "rt_sigprocmask",
            "set_robust_list",
            "set_tid_address",
            "uname",
        ],
        "they fail only for a pointer, a size or a number that does not exist, which are constants \
         of nsscript and of the C library",
    ),
];

/// A fault that is excused.
pub struct Excused {
    calls: &'static [&'static str],
    /// The errors that the reason is about; none stands for all.
    errnos: &'static [Errno],
    /// What stands in the arguments of the call.
    arguments: &'static str,
    /// The start of `PHASE:PROCESS`.
    process: &'static str,
    classes: &'static [Class],
    /// What it may leave, too.
    traces: &'static [Trace],
    pub reason: &'static str,
}

const ANY: Excused = Excused {
    calls: &[],
    errnos: &[],
    arguments: "",
    process: "",
    classes: &[],
    traces: &[],
    reason: "",
};

pub static EXCUSED: &[Excused] = &[
    Excused {
        calls: &["mprotect"],
        process: "main:0",
        classes: &[Class::NoError],
        reason: "the C library protects what it has relocated before main, and ends the program if \
                 it cannot",
        ..ANY
    },
    Excused {
        calls: &["brk"],
        process: "main:0",
        classes: &[Class::Killed],
        reason: "before the heap has begun, malloc of the C library takes a break that cannot be \
                 moved for damage",
        ..ANY
    },
    Excused {
        calls: &["mmap"],
        // Its size depends on the registers of the processor.
        arguments: ", 3, 0x20022, ",
        classes: &[Class::Panicked],
        reason: "a thread of std ends the process if there is no memory for its signal stack",
        ..ANY
    },
    Excused {
        calls: &["mprotect"],
        arguments: ", 0x1000, 0, 0x20022, ",
        classes: &[Class::Panicked],
        reason: "a thread of std ends the process if its signal stack cannot have a guard",
        ..ANY
    },
    Excused {
        calls: &["mmap", "mprotect"],
        arguments: ", 0x20",
        process: "main:0",
        classes: &[Class::WrongErrno],
        reason: "a thread for which there is no stack is EAGAIN for the C library",
        ..ANY
    },
    Excused {
        calls: &["openat", "read", "statx"],
        arguments: "recipe.rhai",
        process: "main:0",
        classes: &[Class::NoLine],
        reason: "a recipe that cannot be read has no lines; the error names its file",
        ..ANY
    },
    Excused {
        calls: &["eventfd2"],
        process: "main:0",
        classes: &[Class::NoLine],
        reason: "signals are watched before the first line of the recipe",
        ..ANY
    },
    Excused {
        calls: &["setsid"],
        classes: &[Class::Silent, Class::WrongCall],
        reason: "it fails for the leader of a process group alone, which a new process is not",
        ..ANY
    },
    Excused {
        calls: &["write"],
        arguments: "3<pipe:",
        process: "init:",
        classes: &[Class::Silent, Class::Hung],
        reason: "init has blocked all signals, so nothing interrupts it; and the pipe has no reader \
                 only if nsscript, which would wait for it, is gone",
        ..ANY
    },
    Excused {
        calls: &["kill"],
        process: "init:",
        classes: &[Class::Hung],
        reason: "init and its program are the same user, and a program cannot become another one",
        ..ANY
    },
    Excused {
        calls: &["wait4"],
        process: "init:",
        classes: &[Class::Hung],
        traces: &[Trace::Host],
        reason: "init has a child until it has waited for it; the terminal is put back when nsscript ends \
                 or is ended by another signal than SIGKILL",
        ..ANY
    },
    Excused {
        calls: &["waitid"],
        process: "main:0",
        classes: &[Class::WrongErrno, Class::Hung],
        reason: "a child of nsscript is there until nsscript has waited for it: what has ended for the \
                 kernel has ended",
        ..ANY
    },
    Excused {
        calls: &["pidfd_send_signal"],
        process: "main:0",
        classes: &[Class::Hung],
        reason: "nsscript may send a signal to its own child, which has its ids or is in a user \
                 namespace of its own",
        ..ANY
    },
    Excused {
        calls: &["fcntl"],
        arguments: "<pipe:",
        process: "main:0",
        classes: &[Class::Hung],
        reason: "F_SETFL of a pipe that was just made has no error",
        ..ANY
    },
    Excused {
        calls: &["recvfrom"],
        process: "main:0",
        classes: &[Class::Panicked],
        reason: "std panics if it cannot receive from a pair of local sockets that both are its own; \
                 there is always room for eight bytes",
        ..ANY
    },
    Excused {
        calls: &["write"],
        errnos: &[Errno::EPIPE],
        arguments: "<pipe:",
        process: "main:0",
        classes: &[Class::Silent],
        reason: "a program that does not read its input to the end fails nobody, as in a shell",
        ..ANY
    },
    Excused {
        calls: &["connect"],
        errnos: &[Errno::EACCES],
        arguments: "<socket:",
        process: "main:0",
        classes: &[Class::Silent],
        reason: "EACCES is what a route that prohibits answers: nobody is reached then",
        ..ANY
    },
    Excused {
        calls: &["unshare", "mount"],
        errnos: &[Errno::EPERM],
        process: "main:0",
        classes: &[Class::Silent, Class::WrongCall],
        reason: "root of a container without CAP_SYS_ADMIN works in a user namespace as a user does",
        ..ANY
    },
    Excused {
        calls: &["fsopen", "fsconfig", "fsmount"],
        errnos: &[Errno::EPERM],
        process: "copy:",
        classes: &[Class::ToldDifferent],
        reason: "EPERM is what a kernel without overlays for users answers: the layers are copied, or the \
                 entries of a directory are mounted one by one, and a warning says so",
        ..ANY
    },
    Excused {
        calls: &["openat2"],
        errnos: &[Errno::EACCES],
        arguments: "\"sys/user/max_user_namespaces\"",
        process: "copy:",
        classes: &[Class::ToldDifferent],
        reason: "EACCES is what AppArmor answers in a container: a filter forbids user namespaces, and a \
                 warning says so",
        ..ANY
    },
    Excused {
        calls: &["rmdir", "unlink"],
        errnos: &[],
        arguments: "/building/",
        process: "main:0",
        classes: &[Class::Harmless],
        traces: &[Trace::HalfMade],
        reason: "what is half made in the store and cannot be removed goes with the next run that makes a \
                 layer",
    },
    Excused {
        calls: &["statx"],
        errnos: &[Errno::EACCES],
        process: "main:0",
        arguments: "/usr/bin/",
        classes: &[Class::Silent],
        reason: "EACCES on PATH is passed over, as execvp(3) has it",
        ..ANY
    },
    Excused {
        calls: &["openat"],
        errnos: &[Errno::EACCES],
        arguments: "\"/dev/ptmx\"",
        process: "main:0",
        classes: &[Class::Silent, Class::Hung],
        reason: "EACCES is a /dev without terminals for this user: a program has pipes then",
        ..ANY
    },
    Excused {
        calls: &["read"],
        errnos: &[Errno::EIO],
        arguments: "</ptmx>",
        process: "main:0",
        classes: &[Class::Silent],
        reason: "EIO of this end of a terminal says that no program has the other one open",
        ..ANY
    },
    Excused {
        calls: &["ioctl"],
        arguments: "0</dev/null>, 0x",
        process: "main:0",
        classes: &[Class::Silent],
        reason: "a device that does not answer whether it is a terminal is passed on as one",
        ..ANY
    },
    Excused {
        calls: &["ioctl"],
        errnos: &[],
        arguments: "0</dev/pts/",
        process: "main:0",
        classes: &[Class::Silent],
        traces: &[Trace::Host],
        reason: "a terminal that cannot be asked or set cannot be put back",
    },
    Excused {
        calls: &["write"],
        errnos: &[Errno::EPIPE],
        arguments: "<pipe:",
        process: "copy:",
        classes: &[Class::WrongErrno],
        reason: "a pipe to nsscript has no reader only if nsscript is gone",
        ..ANY
    },
    Excused {
        calls: &["statx"],
        process: "main:0",
        arguments: "/scratch/",
        classes: &[Class::WrongErrno],
        reason: "what cannot be told is the host's, and is refused",
        ..ANY
    },
    Excused {
        calls: &["flock"],
        errnos: &[Errno::EAGAIN],
        arguments: "/nsscript-",
        process: "main:0",
        classes: &[Class::Harmless],
        traces: &[Trace::Files],
        reason: "EAGAIN is another run that has the lock of a directory without an owner, to remove it",
    },
    Excused {
        calls: &[
            "fchdir",
            "fchmod",
            "fcntl",
            "fstat",
            "getdents64",
            "newfstatat",
            "openat",
            "openat2",
            "statfs",
            "statx",
            "umount2",
            "unlinkat",
        ],
        process: "main:0",
        classes: &[Class::Told],
        traces: &[Trace::Files],
        reason: "what cannot be removed is told, and removed by the next run",
        ..ANY
    },
    Excused {
        calls: &["umount2", "unlink"],
        errnos: &[],
        arguments: "\"/run/netns/nsscript-",
        process: "main:0",
        classes: &[Class::Right],
        traces: &[Trace::Host, Trace::Next],
        reason: "what cannot be removed is still there, as the error says",
    },
];

impl Excused {
    /// Whether this is about what was seen.
    pub fn excuses(&self, facts: &Facts, class: Class, traces: &[Trace]) -> bool {
        let place = &facts.fault.place;
        let process = format!("{}:{}", place.phase.name(), place.way.0);
        self.calls.contains(&place.call)
            && (self.errnos.is_empty() || self.errnos.contains(&facts.fault.errno))
            && facts.arguments.as_ref().is_some_and(|it| it.contains(self.arguments))
            && process.starts_with(self.process)
            && self.classes.contains(&class)
            && traces.iter().all(|trace| self.traces.contains(trace))
    }
}
