//! System calls without a suitable function in glibc.
//!
//! Every function makes one system call with syscall(2), without allocation, lock or buffer of the
//! C library. So they may be used between clone and execve, even in memory that is shared with a
//! suspended parent.

use std::ffi::CStr;
use std::os::raw::{c_char, c_int, c_long, c_void};

use super::errno::Errno;
pub(super) use super::syscall::{CallError, Syscall};

/// The result of a call.
pub(super) type Answer<T> = Result<T, CallError>;

/// Converts the return value of syscall(2).
pub(super) fn answer(syscall: Syscall, returned: c_long) -> Answer<c_long> {
    if returned == -1 { Err(CallError { syscall, errno: Errno::last() }) } else { Ok(returned) }
}

/// One system call; `$name` is its [`Syscall`], the number follows.
macro_rules! call {
    ($name:ident, $number:ident $(, $argument:expr)*) => {
        // SAFETY: syscall(2) with the argument types of this call; every pointer among them
        // comes from a reference or a C string that outlives the call.
        $crate::sys::kernel::answer(Syscall::$name, unsafe { libc::syscall(libc::$number $(, $argument)*) })
    };
}

pub(super) use call;

/// The descriptor in a return value.
#[expect(clippy::cast_possible_truncation, reason = "descriptors are ints")]
pub(super) fn descriptor(returned: c_long) -> c_int {
    returned as c_int
}

/// An argument that is a null pointer.
pub(super) const NULL: *const c_void = std::ptr::null();

pub(super) fn chroot(path: &CStr) -> Answer<()> {
    call!(Chroot, SYS_chroot, path.as_ptr()).map(drop)
}

pub(super) fn chdir(path: &CStr) -> Answer<()> {
    call!(Chdir, SYS_chdir, path.as_ptr()).map(drop)
}

pub(super) fn fchdir(descriptor: c_int) -> Answer<()> {
    call!(Fchdir, SYS_fchdir, descriptor).map(drop)
}

pub(super) fn openat(at: c_int, path: &CStr, flags: c_int, mode: u32) -> Answer<c_int> {
    call!(Openat, SYS_openat, at, path.as_ptr(), flags, mode).map(descriptor)
}

/// The maximum number of repeated look-ups if other processes keep renaming or mounting.
const MOST_RACES: usize = 128;

/// Calls openat2(2) with `at` as the root of every path, and refuses links of a process.
pub(super) fn open_beneath(at: c_int, path: &CStr, flags: c_int, mode: u32) -> Answer<c_int> {
    open_resolving(at, path, flags, mode, libc::RESOLVE_IN_ROOT)
}

/// The same, and refuses everything that is mounted below `at`.
pub(super) fn open_in_mount(at: c_int, path: &CStr, flags: c_int) -> Answer<c_int> {
    open_resolving(at, path, flags, 0, libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_XDEV)
}

fn open_resolving(at: c_int, path: &CStr, flags: c_int, mode: u32, resolve: u64) -> Answer<c_int> {
    // The kernel refuses flags that have no effect with O_PATH.
    let how = [
        u64::from(flags.cast_unsigned() | libc::O_CLOEXEC.cast_unsigned()),
        u64::from(mode),
        resolve | libc::RESOLVE_NO_MAGICLINKS,
    ];
    let size = size_of_val(&how);
    // EAGAIN: something on the machine was renamed or mounted meanwhile, so the kernel cannot
    // guarantee that `..` stayed beneath the root.
    for _ in 0..MOST_RACES {
        match call!(Openat2, SYS_openat2, at, path.as_ptr(), how.as_ptr(), size) {
            Err(error) if error.errno.code() == libc::EAGAIN => {}
            answer => return answer.map(descriptor),
        }
    }
    Err(CallError { syscall: Syscall::Openat2, errno: Errno::new(libc::EAGAIN) })
}

pub(super) fn mkdirat(at: c_int, path: &CStr, mode: u32) -> Answer<()> {
    call!(Mkdirat, SYS_mkdirat, at, path.as_ptr(), mode).map(drop)
}

/// Creates an empty file at a path that does not exist.
pub(super) fn mknodat(at: c_int, path: &CStr, mode: u32) -> Answer<()> {
    call!(Mknodat, SYS_mknodat, at, path.as_ptr(), mode, 0).map(drop)
}

pub(super) fn symlinkat(target: &CStr, at: c_int, path: &CStr) -> Answer<()> {
    call!(Symlinkat, SYS_symlinkat, target.as_ptr(), at, path.as_ptr()).map(drop)
}

pub(super) fn rename(from: &CStr, to: &CStr, flags: u32) -> Answer<()> {
    let at = libc::AT_FDCWD;
    call!(Renameat2, SYS_renameat2, at, from.as_ptr(), at, to.as_ptr(), flags).map(drop)
}

/// Reads a link into `buffer` and returns its length.
pub(super) fn readlinkat(at: c_int, path: &CStr, buffer: &mut [u8]) -> Answer<usize> {
    let (place, size) = (buffer.as_mut_ptr(), buffer.len());
    let length = call!(Readlinkat, SYS_readlinkat, at, path.as_ptr(), place, size)?;
    Ok(usize::try_from(length).unwrap_or(0))
}

pub(super) fn fchmod(descriptor: c_int, mode: u32) -> Answer<()> {
    call!(Fchmod, SYS_fchmod, descriptor, mode).map(drop)
}

/// Changes the owner and group of the file of `descriptor`; `u32::MAX` leaves one unchanged.
pub(super) fn fchownat(descriptor: c_int, uid: u32, gid: u32) -> Answer<()> {
    let flags = libc::AT_EMPTY_PATH;
    call!(Fchownat, SYS_fchownat, descriptor, c"".as_ptr(), uid, gid, flags).map(drop)
}

/// Returns device, inode and mode of `path` below `at`, or of `at` itself if `path` is empty.
pub(super) fn identify(at: c_int, path: &CStr) -> Answer<(u64, u64, u32)> {
    let flags = libc::AT_EMPTY_PATH | libc::AT_SYMLINK_NOFOLLOW | libc::AT_NO_AUTOMOUNT;
    let mut stat = std::mem::MaybeUninit::<libc::stat>::zeroed();
    let place = stat.as_mut_ptr();
    call!(Fstat, SYS_newfstatat, at, path.as_ptr(), place, flags)?;
    // SAFETY: the call succeeded, so the kernel has filled `stat`; zeroes are valid before that.
    let stat = unsafe { stat.assume_init() };
    Ok((stat.st_dev, stat.st_ino, stat.st_mode))
}

/// Checks that `descriptor` is a file of procfs.
pub(super) fn require_procfs(descriptor: c_int) -> Answer<()> {
    require_file_system(descriptor, libc::PROC_SUPER_MAGIC)
}

/// Checks that `descriptor` is a file of a file system with this magic number.
pub(super) fn require_file_system(descriptor: c_int, magic: libc::__fsword_t) -> Answer<()> {
    let mut stat = std::mem::MaybeUninit::<libc::statfs>::zeroed();
    let place = stat.as_mut_ptr();
    call!(Fstatfs, SYS_fstatfs, descriptor, place)?;
    // SAFETY: the call succeeded, so the kernel has filled `stat`; zeroes are valid before that.
    let stat = unsafe { stat.assume_init() };
    if stat.f_type != magic {
        return Err(CallError { syscall: Syscall::Fstatfs, errno: Errno::new(libc::EXDEV) });
    }
    Ok(())
}

/// Writes all of `bytes`.
pub(super) fn write_all(descriptor: c_int, mut bytes: &[u8]) -> Answer<()> {
    while !bytes.is_empty() {
        let written = call!(Write, SYS_write, descriptor, bytes.as_ptr(), bytes.len())?;
        bytes = bytes.get(usize::try_from(written).unwrap_or(0)..).unwrap_or_default();
    }
    Ok(())
}

/// Closes a descriptor; a negative number is ignored.
pub(super) fn close(descriptor: c_int) {
    if descriptor < 0 {
        return;
    }
    // SAFETY: closing a number; the caller owns the descriptor and does not use it again.
    unsafe { libc::syscall(libc::SYS_close, descriptor) };
}

pub(super) fn close_range(first: u32, last: u32, flags: u32) -> Answer<()> {
    call!(CloseRange, SYS_close_range, first, last, flags).map(drop)
}

pub(super) fn dup3(from: c_int, to: c_int, flags: c_int) -> Answer<()> {
    call!(Dup3, SYS_dup3, from, to, flags).map(drop)
}

/// Duplicates a descriptor to a number of at least `least`, close-on-exec.
pub(super) fn duplicate(descriptor: c_int, least: c_int) -> Answer<c_int> {
    let command = libc::F_DUPFD_CLOEXEC;
    call!(Fcntl, SYS_fcntl, descriptor, command, least).map(self::descriptor)
}

/// Clears the close-on-exec flag of a descriptor.
pub(super) fn keep_over_execve(descriptor: c_int) -> Answer<()> {
    call!(Fcntl, SYS_fcntl, descriptor, libc::F_SETFD, 0).map(drop)
}

pub(super) fn sethostname(name: &[u8]) -> Answer<()> {
    call!(Sethostname, SYS_sethostname, name.as_ptr(), name.len()).map(drop)
}

pub(super) fn setdomainname(name: &[u8]) -> Answer<()> {
    call!(Setdomainname, SYS_setdomainname, name.as_ptr(), name.len()).map(drop)
}

pub(super) fn setsid() -> Answer<()> {
    call!(Setsid, SYS_setsid).map(drop)
}

pub(super) fn setns(descriptor: c_int, flags: u64) -> Answer<()> {
    call!(Setns, SYS_setns, descriptor, flags).map(drop)
}

pub(super) fn umask(mode: u32) {
    // SAFETY: umask(2) takes a number and cannot fail.
    unsafe { libc::syscall(libc::SYS_umask, mode) };
}

/// Sets the user ids of this thread by the raw call: the function of glibc would involve every
/// thread of the shared memory.
pub(super) fn setresuid(uid: u32) -> Answer<()> {
    call!(Setresuid, SYS_setresuid, uid, uid, uid).map(drop)
}

/// Sets the ids of this thread by the raw call: see [`setresuid`].
pub(super) fn setresgid(gid: u32) -> Answer<()> {
    call!(Setresgid, SYS_setresgid, gid, gid, gid).map(drop)
}

/// Sets the ids of this thread by the raw call: see [`setresuid`].
pub(super) fn setgroups(groups: &[u32]) -> Answer<()> {
    call!(Setgroups, SYS_setgroups, groups.len(), groups.as_ptr()).map(drop)
}

pub(super) fn prctl(option: c_int, argument: c_long) -> Answer<()> {
    let none: c_long = 0;
    call!(Prctl, SYS_prctl, c_long::from(option), argument, none, none, none).map(drop)
}

/// Adds a permitted and inheritable capability to the ambient set.
pub(super) fn raise_ambient(capability: c_long) -> Answer<()> {
    let (option, raise) = (c_long::from(libc::PR_CAP_AMBIENT), libc::PR_CAP_AMBIENT_RAISE);
    let none: c_long = 0;
    call!(Prctl, SYS_prctl, option, c_long::from(raise), capability, none, none).map(drop)
}

/// Sets the effective, permitted and inheritable sets: capset(2), version 3.
pub(super) fn capset(sets: [u64; 3]) -> Answer<()> {
    const VERSION_3: u32 = 0x2008_0522;
    let header = [VERSION_3, 0];
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is what is meant")]
    let half = |shift: u32| sets.map(|set| (set >> shift) as u32);
    let sets = [half(0), half(32)];
    call!(Capset, SYS_capset, header.as_ptr(), sets.as_ptr()).map(drop)
}

/// The last signal: signal(7).
pub(super) const LAST_SIGNAL: c_int = 64;

/// Resets the action of a signal to its default.
pub(super) fn default_action(signal: c_int) -> Answer<()> {
    set_action(signal, 0)
}

/// Ignores a signal.
pub(super) fn ignore(signal: c_int) -> Answer<()> {
    set_action(signal, libc::SIG_IGN as u64)
}

fn set_action(signal: c_int, handler: u64) -> Answer<()> {
    // struct sigaction of the kernel: the handler, no flags, no restorer, no mask.
    let action = [handler, 0, 0, 0];
    let action = action.as_ptr();
    call!(RtSigaction, SYS_rt_sigaction, signal, action, NULL, 8_usize).map(drop)
}

/// Whether a signal is ignored.
pub(super) fn is_ignored(signal: c_int) -> bool {
    let mut action = [0_u64; 4];
    let place = action.as_mut_ptr();
    let asked = call!(RtSigaction, SYS_rt_sigaction, signal, NULL, place, 8_usize);
    asked.is_ok() && action[0] == libc::SIG_IGN as u64
}

/// Sets a limit of this process.
pub(super) fn limit(resource: u32, soft: u64, hard: u64) -> Answer<()> {
    let (limit, none) = ([soft, hard], std::ptr::null::<u64>());
    call!(Prlimit, SYS_prlimit64, 0, resource, limit.as_ptr(), none).map(drop)
}

/// Sets a filter of system calls.
pub(super) fn filter(instructions: &[[u8; 8]]) -> Answer<()> {
    let program = libc::sock_fprog {
        len: u16::try_from(instructions.len()).unwrap_or(u16::MAX),
        filter: instructions.as_ptr().cast_mut().cast(),
    };
    let program = std::ptr::from_ref(&program);
    call!(Seccomp, SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, program).map(drop)
}

/// Sets the limits of the stack.
pub(super) fn limit_stack(soft: u64, hard: u64) -> Answer<()> {
    limit(libc::RLIMIT_STACK, soft, hard)
}

/// Whether `descriptor` is readable now; for a pidfd: whether the process has ended.
pub(super) fn is_readable(descriptor: c_int) -> Answer<bool> {
    let mut entry = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
    let time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let (entry, time) = (std::ptr::from_mut(&mut entry), std::ptr::from_ref(&time));
    Ok(call!(Ppoll, SYS_ppoll, entry, 1, time, NULL, 8_usize)? > 0)
}

/// Sets the loopback device of this process's network namespace up: netdevice(7).
pub(super) fn loopback_up() -> Answer<()> {
    const NAME: [u8; 16] = *b"lo\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    /// struct ifreq with the flags of its union.
    #[repr(C)]
    struct Request {
        name: [u8; 16],
        flags: i16,
        rest: [u8; 22],
    }
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    let socket = descriptor(call!(Socket, SYS_socket, libc::AF_INET, kind, 0)?);
    let flags = libc::IFF_UP | libc::IFF_RUNNING;
    #[expect(clippy::cast_possible_truncation, reason = "the two flags are 0x41")]
    let request = Request { name: NAME, flags: flags as i16, rest: [0; 22] };
    let request = std::ptr::from_ref(&request);
    let done = call!(Ioctl, SYS_ioctl, socket, libc::SIOCSIFFLAGS, request).map(drop);
    close(socket);
    done
}

/// Executes the file of `descriptor`. Returns only on failure.
///
/// # Safety
/// `argv` and `envp` are arrays of C strings that end with a null pointer.
pub(super) unsafe fn execute(
    descriptor: c_int,
    argv: *const *const c_char,
    envp: *const *const c_char,
) -> CallError {
    let flags = libc::AT_EMPTY_PATH;
    match call!(Execveat, SYS_execveat, descriptor, c"".as_ptr(), argv, envp, flags) {
        Err(error) => error,
        Ok(_) => CallError { syscall: Syscall::Execveat, errno: Errno::new(0) },
    }
}

/// Exits at once, without running code of the C library.
pub(super) fn exit(code: c_int) -> ! {
    loop {
        // SAFETY: exit_group(2) takes a number and does not return.
        unsafe { libc::syscall(libc::SYS_exit_group, code) };
    }
}
