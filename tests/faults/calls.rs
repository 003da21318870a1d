//! The system calls that nsscript makes, each with two errors that a kernel gives for it.
//!
//! A call that is not here fails the test: whoever makes it first says how it can fail.

use nix::errno::Errno;
use nix::libc::{self, c_int, c_long};

use super::descriptor::Descriptor;

/// A system call.
#[derive(Debug)]
pub struct Known {
    pub name: &'static str,
    pub number: c_long,
    /// What it fails with, once each; [`errors`] knows what its arguments change. None if it cannot
    /// fail.
    pub errors: &'static [Errno],
}

/// How a call is made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failing {
    /// The kernel does not see it.
    Skipped,
    /// The kernel does it, and reports an error all the same.
    Performed,
    /// The kernel sees it with 0 as its first argument, and what that returns stays.
    Asked,
}

impl Known {
    /// Whether its first argument is a descriptor.
    pub fn has_descriptor(&self) -> bool {
        let others = [
            "brk",
            "capget",
            "capset",
            "chdir",
            "chroot",
            "clone",
            "clone3",
            "execve",
            "eventfd2",
            "fsopen",
            "futex",
            "getcwd",
            "getrandom",
            "kill",
            "linkat",
            "madvise",
            "memfd_create",
            "mmap",
            "mount",
            "mprotect",
            "mremap",
            "munmap",
            "pidfd_open",
            "pipe2",
            "pivot_root",
            "poll",
            "ppoll",
            "prctl",
            "prlimit64",
            "sched_getaffinity",
            "setgroups",
            "sethostname",
            "setdomainname",
            "setsid",
            "sigaltstack",
            "socket",
            "socketpair",
            "symlinkat",
            "umount2",
            "unshare",
            "wait4",
            "waitid",
        ];
        !others.contains(&self.name)
    }

    /// How it fails.
    pub fn failing(&self) -> Failing {
        match self.name {
            // The descriptor is closed whatever close(2) returns.
            "close" => Failing::Performed,
            // A break that is not moved is returned as it is; there is no error number.
            "brk" => Failing::Asked,
            _ => Failing::Skipped,
        }
    }
}

macro_rules! calls {
    ($($(#[$meta:meta])* $number:ident: $($error:ident)*;)*) => {
        &[$(
            $(#[$meta])*
            Known {
                name: without_prefix(stringify!($number)),
                number: libc::$number,
                errors: &[$(Errno::$error),*],
            },
        )*]
    };
}

/// `SYS_openat` is called `openat`.
const fn without_prefix(constant: &'static str) -> &'static str {
    constant.split_at(4).1
}

static CALLS: &[Known] = calls! {
    // Files, by path.
    #[cfg(target_arch = "x86_64")]
    SYS_open: EMFILE EACCES;
    SYS_openat: EMFILE EACCES;
    SYS_openat2: EMFILE EACCES;
    #[cfg(target_arch = "x86_64")]
    SYS_access: EIO EACCES;
    SYS_faccessat: EIO EACCES;
    SYS_faccessat2: EIO EACCES;
    #[cfg(target_arch = "x86_64")]
    SYS_stat: EIO EACCES;
    #[cfg(target_arch = "x86_64")]
    SYS_lstat: EIO EACCES;
    SYS_newfstatat: EIO EACCES;
    SYS_statx: EIO EACCES;
    SYS_statfs: EIO EACCES;
    #[cfg(target_arch = "x86_64")]
    SYS_readlink: EIO EACCES;
    SYS_readlinkat: EIO EACCES;
    #[cfg(target_arch = "x86_64")]
    SYS_mkdir: ENOSPC EACCES;
    SYS_mkdirat: ENOSPC EACCES;
    SYS_mknodat: ENOSPC EPERM;
    #[cfg(target_arch = "x86_64")]
    SYS_symlink: ENOSPC EACCES;
    SYS_symlinkat: ENOSPC EACCES;
    SYS_linkat: EMLINK EPERM;
    #[cfg(target_arch = "x86_64")]
    SYS_unlink: EIO EPERM;
    #[cfg(target_arch = "x86_64")]
    SYS_rmdir: EIO EBUSY;
    SYS_unlinkat: EIO EPERM;
    #[cfg(target_arch = "x86_64")]
    SYS_rename: ENOSPC EACCES;
    SYS_renameat: ENOSPC EACCES;
    SYS_renameat2: ENOSPC EACCES;
    #[cfg(target_arch = "x86_64")]
    SYS_chmod: EIO EPERM;
    SYS_fchmodat: EIO EPERM;
    #[cfg(target_arch = "x86_64")]
    SYS_chown: EIO EPERM;
    SYS_fchownat: EIO EPERM;
    SYS_utimensat: EIO EPERM;
    SYS_chdir: EACCES EIO;
    SYS_getcwd: ENOENT ENOMEM;
    // Files, by descriptor.
    SYS_close: EIO EINTR;
    SYS_close_range: ENOMEM EMFILE;
    SYS_dup: EMFILE;
    #[cfg(target_arch = "x86_64")]
    SYS_dup2: EMFILE EBUSY;
    SYS_dup3: EMFILE EBUSY;
    SYS_fcntl: EMFILE EPERM;
    SYS_flock: EINTR ENOLCK;
    SYS_fstat: EIO EACCES;
    SYS_fstatfs: EIO EACCES;
    SYS_fchmod: EIO EPERM;
    SYS_fchown: EIO EPERM;
    SYS_fchdir: EACCES EIO;
    SYS_fsync: EIO ENOSPC;
    SYS_ftruncate: EIO EFBIG;
    SYS_fallocate: ENOSPC EOPNOTSUPP;
    SYS_getdents64: EIO ENOMEM;
    SYS_ioctl: EIO EPERM;
    SYS_lseek: ESPIPE EIO;
    SYS_read: EIO EINTR;
    SYS_readv: EIO EINTR;
    SYS_pread64: EIO EINTR;
    SYS_write: ENOSPC EIO;
    SYS_writev: ENOSPC EIO;
    SYS_pwrite64: ENOSPC EIO;
    SYS_sendfile: ENOSPC EIO;
    SYS_copy_file_range: ENOSPC EIO;
    SYS_fgetxattr: EIO EOPNOTSUPP;
    SYS_flistxattr: EIO EOPNOTSUPP;
    SYS_fsetxattr: ENOSPC EOPNOTSUPP;
    SYS_getxattr: EIO EOPNOTSUPP;
    SYS_lgetxattr: EIO EOPNOTSUPP;
    SYS_listxattr: EIO EOPNOTSUPP;
    SYS_llistxattr: EIO EOPNOTSUPP;
    SYS_setxattr: ENOSPC EOPNOTSUPP;
    SYS_lsetxattr: ENOSPC EOPNOTSUPP;
    // Descriptors of other things.
    SYS_eventfd2: EMFILE ENOMEM;
    SYS_memfd_create: EMFILE ENOMEM;
    SYS_pidfd_open: EMFILE ESRCH;
    SYS_pipe2: EMFILE ENFILE;
    SYS_signalfd4: EMFILE ENOMEM;
    SYS_socket: EMFILE EPERM;
    SYS_socketpair: EMFILE ENFILE;
    SYS_bind: EADDRINUSE EACCES;
    SYS_connect: EAGAIN EACCES;
    SYS_getsockname: ENOBUFS;
    SYS_getsockopt: ENOBUFS;
    SYS_setsockopt: ENOBUFS EPERM;
    SYS_sendto: ENOBUFS EINTR;
    SYS_sendmsg: ENOBUFS EINTR;
    SYS_recvfrom: ENOBUFS EINTR;
    SYS_recvmsg: ENOBUFS EINTR;
    #[cfg(target_arch = "x86_64")]
    SYS_poll: EINTR ENOMEM;
    SYS_ppoll: EINTR ENOMEM;
    // Mounts and namespaces.
    SYS_mount: EPERM ENOMEM;
    SYS_umount2: EBUSY EPERM;
    SYS_mount_setattr: EPERM ENOMEM;
    SYS_move_mount: EPERM ENOSPC;
    SYS_open_tree: EMFILE EPERM;
    SYS_fsopen: EMFILE EPERM;
    SYS_fsconfig: EPERM ENOMEM;
    SYS_fsmount: EMFILE EPERM;
    SYS_pivot_root: EPERM ENOMEM;
    SYS_chroot: EPERM EACCES;
    SYS_setns: EPERM ENOMEM;
    SYS_unshare: EPERM ENOSPC;
    SYS_sethostname: EPERM;
    SYS_setdomainname: EPERM;
    // Processes.
    #[cfg(target_arch = "x86_64")]
    SYS_fork: EAGAIN ENOMEM;
    #[cfg(target_arch = "x86_64")]
    SYS_vfork: EAGAIN ENOMEM;
    SYS_clone: EAGAIN ENOMEM;
    SYS_clone3: EAGAIN EPERM;
    SYS_execve: ENOENT ENOMEM;
    SYS_execveat: EACCES ENOMEM;
    SYS_wait4: EINTR ECHILD;
    SYS_waitid: EINTR ECHILD;
    SYS_kill: EPERM;
    SYS_pidfd_send_signal: EPERM;
    SYS_setsid: EPERM;
    SYS_setpgid: EPERM EACCES;
    SYS_prctl: EPERM EINVAL;
    SYS_seccomp: EPERM ENOMEM;
    SYS_capget: EPERM;
    SYS_capset: EPERM;
    SYS_setresuid: EAGAIN EPERM;
    SYS_setresgid: EPERM;
    SYS_setuid: EAGAIN EPERM;
    SYS_setgid: EPERM;
    SYS_setgroups: EPERM ENOMEM;
    SYS_keyctl: EDQUOT ENOMEM;
    SYS_prlimit64: EPERM;
    // Memory, time and signals.
    SYS_brk: ENOMEM;
    SYS_mmap: ENOMEM;
    SYS_mremap: ENOMEM;
    SYS_munmap: ENOMEM;
    SYS_mprotect: ENOMEM;
    SYS_madvise: ENOMEM EAGAIN;
    SYS_futex: EINTR EAGAIN;
    SYS_getrandom: EINTR ENOSYS;
    SYS_clock_nanosleep: EINTR;
    SYS_nanosleep: EINTR;
    SYS_rt_sigtimedwait: EINTR EAGAIN;
    SYS_sigaltstack: ENOMEM;
    SYS_sched_getaffinity: EINVAL;
    // Those that only fail for a pointer or a number that does not exist.
    #[cfg(target_arch = "x86_64")]
    SYS_arch_prctl: ;
    SYS_clock_gettime: ;
    SYS_exit: ;
    SYS_exit_group: ;
    SYS_getegid: ;
    SYS_geteuid: ;
    SYS_getgid: ;
    SYS_getgroups: ;
    SYS_getpgid: ;
    #[cfg(target_arch = "x86_64")]
    SYS_getpgrp: ;
    SYS_getpid: ;
    SYS_getppid: ;
    SYS_getresgid: ;
    SYS_getresuid: ;
    SYS_getsid: ;
    SYS_gettid: ;
    SYS_getuid: ;
    SYS_restart_syscall: ;
    SYS_rseq: ;
    SYS_rt_sigaction: ;
    SYS_rt_sigprocmask: ;
    SYS_rt_sigreturn: ;
    SYS_sched_yield: ;
    SYS_set_robust_list: ;
    SYS_set_tid_address: ;
    SYS_umask: ;
    SYS_uname: ;
};

/// The call with this number.
pub fn numbered(number: c_long) -> Option<&'static Known> {
    CALLS.iter().find(|call| call.number == number)
}

/// The call with this name.
pub fn named(name: &str) -> Option<&'static Known> {
    CALLS.iter().find(|call| call.name == name)
}

/// The calls that cannot fail.
pub fn never_fail() -> impl Iterator<Item = &'static Known> {
    CALLS.iter().filter(|call| call.errors.is_empty())
}

/// The errors that a call fails with if it has these arguments; `descriptor` is what the first is.
pub fn errors(call: &Known, arguments: [u64; 6], descriptor: Descriptor) -> Vec<Errno> {
    let [first, second, ..] = arguments;
    // Arguments that are an int have anything in their upper half.
    let is = |value: u64, constants: &[c_int]| {
        constants.iter().any(|it| value & 0xffff_ffff == u64::from(it.cast_unsigned()))
    };
    let has = |value: u64, flag: c_int| value & u64::from(flag.cast_unsigned()) != 0;
    let errors: &[Errno] = match (call.name, descriptor) {
        ("write" | "writev", _) if is(first, &[1, 2]) => &[Errno::ENOSPC, Errno::EIO, Errno::EPIPE],
        ("write" | "writev", Descriptor::Pipe | Descriptor::Socket) => {
            &[Errno::EPIPE, Errno::EINTR]
        }
        ("read" | "readv" | "write" | "writev", Descriptor::Terminal) => {
            &[Errno::EIO, Errno::EINTR]
        }
        ("write", Descriptor::Proc) => &[Errno::EPERM, Errno::EINVAL],
        ("read" | "readv", Descriptor::Socket) => &[Errno::ECONNRESET, Errno::EINTR],
        ("read" | "readv", Descriptor::Pipe) | ("read" | "write", Descriptor::Other) => {
            &[Errno::EINTR]
        }
        // Only files of some file systems have something to do when they are closed.
        ("close", Descriptor::File) => call.errors,
        ("close", _) => &[],
        ("brk", _) if first == 0 => &[],
        // Not to wake anybody is nothing that a kernel does.
        ("futex", _) if !waits(second) => &[],
        ("fcntl", _) if is(second, &[libc::F_GETFD, libc::F_SETFD, libc::F_GETFL]) => &[],
        ("fcntl", _) if is(second, &[libc::F_DUPFD_CLOEXEC, libc::F_DUPFD]) => &[Errno::EMFILE],
        ("fcntl", _) if is(second, &[libc::F_ADD_SEALS]) => &[Errno::EPERM, Errno::EBUSY],
        // Only a lock that is waited for can be interrupted.
        ("flock", _) if has(second, libc::LOCK_UN) => &[Errno::ENOLCK],
        ("flock", _) if has(second, libc::LOCK_NB) => &[Errno::ENOLCK, Errno::EWOULDBLOCK],
        // EINVAL ends a loop over all capabilities.
        ("prctl", _) if is(first, &[libc::PR_CAPBSET_DROP]) => &[Errno::EPERM],
        ("prctl", _) if is(first, &CANNOT_FAIL) => &[],
        _ => call.errors,
    };
    errors.to_vec()
}

/// Operations of prctl(2) that fail only for a number that does not exist.
const CANNOT_FAIL: [c_int; 4] =
    [libc::PR_SET_NAME, libc::PR_SET_DUMPABLE, libc::PR_GET_DUMPABLE, libc::PR_CAPBSET_READ];

/// Whether an operation of futex(2) waits.
fn waits(operation: u64) -> bool {
    let flags = libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME;
    let operation = operation & !u64::from(flags.cast_unsigned()) & 0xffff_ffff;
    let waiting = [libc::FUTEX_WAIT, libc::FUTEX_WAIT_BITSET];
    waiting.iter().any(|it| operation == u64::from(it.cast_unsigned()))
}
