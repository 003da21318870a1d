//! System calls by name, and their failure.

use std::error::Error;
use std::fmt;

use super::errno::Errno;

/// A failed system call with its error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallError {
    /// The call.
    pub syscall: Syscall,
    /// The kernel's answer.
    pub errno: Errno,
}

impl CallError {
    /// The failure for a case that cannot happen.
    #[must_use]
    pub fn unknown() -> Self {
        Self { syscall: Syscall::Clone3, errno: Errno::new(libc::EIO) }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}(2): {}", self.syscall.name(), self.errno)
    }
}

impl Error for CallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.errno)
    }
}

macro_rules! syscalls {
    ($($variant:ident $name:literal $since:literal,)*) => {
        /// A system call by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u16)]
        pub enum Syscall { $($variant,)* }

        impl Syscall {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name, as in section 2 of the manual.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The first version of Linux with the call, if it is later than 4.0.
            #[must_use]
            pub fn since(self) -> &'static str {
                match self { $(Self::$variant => $since,)* }
            }
        }
    };
}

syscalls! {
    AddKey "add_key" "",
    Bind "bind" "",
    Capset "capset" "",
    Chdir "chdir" "",
    Chroot "chroot" "",
    ClockGettime "clock_gettime" "",
    Clone "clone" "",
    Clone3 "clone3" "5.3",
    CloseRange "close_range" "5.9",
    Connect "connect" "",
    Dup3 "dup3" "",
    Execve "execve" "",
    Execveat "execveat" "",
    Fchdir "fchdir" "",
    Fchmod "fchmod" "",
    Fchmodat "fchmodat" "",
    Fchownat "fchownat" "",
    Fcntl "fcntl" "",
    Fsconfig "fsconfig" "5.2",
    Fsmount "fsmount" "5.2",
    Fsopen "fsopen" "5.2",
    Getcwd "getcwd" "",
    Getdents64 "getdents64" "",
    Fstat "fstat" "",
    Fstatfs "fstatfs" "",
    Ioctl "ioctl" "",
    Keyctl "keyctl" "",
    Kill "kill" "",
    Linkat "linkat" "",
    Listen "listen" "",
    MemfdCreate "memfd_create" "",
    Mkdirat "mkdirat" "",
    Mknodat "mknodat" "",
    Mmap "mmap" "",
    Mount "mount" "",
    MountSetattr "mount_setattr" "5.12",
    MoveMount "move_mount" "5.2",
    Openat "openat" "",
    Openat2 "openat2" "5.6",
    OpenTree "open_tree" "5.2",
    PidfdOpen "pidfd_open" "5.3",
    PidfdSendSignal "pidfd_send_signal" "5.1",
    Personality "personality" "",
    Pipe2 "pipe2" "",
    PivotRoot "pivot_root" "",
    Ppoll "ppoll" "",
    Prctl "prctl" "",
    Prlimit "prlimit" "",
    Readlinkat "readlinkat" "",
    Renameat2 "renameat2" "",
    RequestKey "request_key" "",
    Rmdir "rmdir" "",
    Recvfrom "recvfrom" "",
    RtSigaction "rt_sigaction" "",
    Seccomp "seccomp" "3.17",
    Sendmsg "sendmsg" "",
    Sendto "sendto" "",
    Setdomainname "setdomainname" "",
    Setgroups "setgroups" "",
    Sethostname "sethostname" "",
    Setns "setns" "5.8",
    Setresgid "setresgid" "",
    Setresuid "setresuid" "",
    Setsid "setsid" "",
    Setsockopt "setsockopt" "",
    Socket "socket" "",
    Symlinkat "symlinkat" "",
    Umount2 "umount2" "",
    Unlink "unlink" "",
    Unshare "unshare" "",
    Waitid "waitid" "5.4",
    Write "write" "",
}

impl Syscall {
    /// The call with this number, as a [`super::LaunchError`] carries it.
    pub(super) fn from_number(number: u16) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Execve)
    }
}
