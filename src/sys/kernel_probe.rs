//! Probes of what the kernel permits, by a short-lived process in namespaces of its own.

use std::ffi::CStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::raw::c_int;

use super::errno::Errno;
use super::fork::{fork, pipe};
use super::kernel::{self, Answer, CallError, NULL, Syscall, call};
use super::mount::{self, MountAttr};
use super::mount_tree::{MOVE_FROM_EMPTY, OPEN_TREE_CLONE};
use super::program::{LaunchError, Program};

/// A feature to probe.
#[derive(Clone, Copy)]
pub enum KernelProbe<'a> {
    /// Mounting by descriptor in a new mount namespace: fsopen(2), fsmount(2), mount_setattr(2),
    /// move_mount(2), open_tree(2).
    MountApi,
    /// An overlay in the mount of [`KernelProbe::MountApi`], which must come first.
    Overlay {
        /// Whether `userxattr` is set, as a user needs it.
        of_user: bool,
    },
    /// A file system of this type, without attaching it.
    FileSystem(&'static CStr),
    /// Entering the mount of [`KernelProbe::MountApi`] with pivot_root(2). It must come last.
    PivotRoot,
    /// An interface from `/dev/net/tun`, in a new network namespace.
    Tun,
    /// The result of this function.
    Of(&'a dyn Fn() -> Result<(), CallError>),
}

/// Starts a process that performs `program`, whose calls execute nothing, and then the probes one
/// after the other. Returns their results in order.
///
/// # Errors
/// The call of the program that failed; nothing is probed then.
pub fn probe_kernel(
    program: &Program,
    probes: &[KernelProbe<'_>],
) -> Result<Vec<Result<(), CallError>>, LaunchError> {
    let (answers, tells) = pipe().map_err(|error| LaunchError { call: None, error })?;
    let (mut answers, mut tells) = (File::from(answers), Some(File::from(tells)));
    let mut child = fork(program, true, &mut || {
        let Some(mut tells) = tells.take() else { return 1 };
        let mut mounted = -1;
        for probe in probes {
            let answer = encoded(probe_one(*probe, &mut mounted));
            if tells.write_all(&answer.to_ne_bytes()).is_err() {
                return 1;
            }
        }
        0
    })?;
    drop(tells);
    let mut told = Vec::new();
    let _ = answers.read_to_end(&mut told);
    child.wait();
    let numbers = told.chunks_exact(8).map(|it| it.try_into().map_or(0, u64::from_ne_bytes));
    let ended = std::iter::repeat(Err(CallError::unknown()));
    Ok(numbers.map(decoded).chain(ended).take(probes.len()).collect())
}

/// 0, or 1 + the system call << 32 | errno.
fn encoded(answer: Answer<()>) -> u64 {
    answer.map_or_else(
        |error| (error.syscall as u64 + 1) << 32 | u64::from(error.errno.code().cast_unsigned()),
        |()| 0,
    )
}

fn decoded(number: u64) -> Answer<()> {
    let Some(syscall) = (number >> 32).checked_sub(1) else { return Ok(()) };
    let syscall = Syscall::from_number(u16::try_from(syscall).unwrap_or(u16::MAX));
    let errno = Errno::new(i32::try_from(number & 0xffff_ffff).unwrap_or_default());
    Err(CallError { syscall, errno })
}

fn probe_one(probe: KernelProbe<'_>, mounted: &mut c_int) -> Answer<()> {
    match probe {
        KernelProbe::MountApi => mount_api().map(|mount| *mounted = mount),
        KernelProbe::Overlay { of_user } => overlay(*mounted, of_user),
        KernelProbe::FileSystem(kind) => detached(kind, &[]).map(drop),
        KernelProbe::PivotRoot => {
            kernel::fchdir(*mounted)?;
            mount::pivot_root(c".", c".")
        }
        KernelProbe::Tun => tun(),
        KernelProbe::Of(perform) => perform(),
    }
}

/// Mounts a tmpfs as a launch mounts its root, without path look-ups.
fn mount_api() -> Answer<c_int> {
    call!(Unshare, SYS_unshare, libc::CLONE_NEWNS)?;
    let private = MountAttr { propagation: libc::MS_PRIVATE, ..MountAttr::default() };
    mount::mount_setattr(libc::AT_FDCWD, c"/", libc::AT_RECURSIVE, &private)?;
    let mount = detached(c"tmpfs", &[])?;
    mount::move_mount(mount, libc::AT_FDCWD, c"/", MOVE_FROM_EMPTY)?;
    let flags = libc::AT_EMPTY_PATH | libc::AT_RECURSIVE | libc::O_CLOEXEC;
    let copy = mount::open_tree(mount, c"", OPEN_TREE_CLONE | flags.cast_unsigned())?;
    let read_only = MountAttr { set: libc::MOUNT_ATTR_RDONLY, ..MountAttr::default() };
    mount::mount_setattr(copy, c"", libc::AT_EMPTY_PATH | libc::AT_RECURSIVE, &read_only)?;
    Ok(mount)
}

fn overlay(place: c_int, of_user: bool) -> Answer<()> {
    for name in [c"lower", c"upper", c"work"] {
        kernel::mkdirat(place, name, 0o755)?;
    }
    kernel::fchdir(place)?;
    let options = [
        (c"lowerdir", Some(c"lower")),
        (c"upperdir", Some(c"upper")),
        (c"workdir", Some(c"work")),
        (c"userxattr", None),
    ];
    let count = if of_user { options.len() } else { options.len() - 1 };
    detached(c"overlay", &options[..count]).map(drop)
}

fn detached(kind: &CStr, options: &[(&CStr, Option<&CStr>)]) -> Answer<c_int> {
    let context = mount::fsopen(kind)?;
    options.iter().try_for_each(|(key, value)| mount::fsconfig_set(context, key, *value))?;
    mount::fsconfig_create(context)?;
    let mount = mount::fsmount(context, 0);
    kernel::close(context);
    mount
}

/// Creates an interface as pasta(1) does. It disappears with the network namespace.
fn tun() -> Answer<()> {
    const TUNSETIFF: u32 = 0x4004_54ca;
    /// struct ifreq with the flags of its union.
    #[repr(C)]
    struct Request {
        name: [u8; 16],
        flags: i16,
        rest: [u8; 22],
    }
    call!(Unshare, SYS_unshare, libc::CLONE_NEWNET)?;
    let file = kernel::openat(libc::AT_FDCWD, c"/dev/net/tun", libc::O_RDWR | libc::O_CLOEXEC, 0)?;
    #[expect(clippy::cast_possible_truncation, reason = "the two flags are 0x1001")]
    let flags = (libc::IFF_TUN | libc::IFF_NO_PI) as i16;
    let request = Request { name: *b"try\0\0\0\0\0\0\0\0\0\0\0\0\0", flags, rest: [0; 22] };
    call!(Ioctl, SYS_ioctl, file, TUNSETIFF, std::ptr::from_ref(&request)).map(drop)
}

/// Returns the Landlock ABI version of the kernel: landlock_create_ruleset(2), Linux 5.13.
///
/// # Errors
/// `ENOSYS` if Landlock is not built in or a filter refuses it; `EOPNOTSUPP` if it was not enabled
/// at boot.
pub fn landlock_version() -> Result<u32, Errno> {
    const VERSION: u32 = 1;
    // SAFETY: with this flag the call takes a null pointer and no size, and creates nothing.
    let told = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, NULL, 0_usize, VERSION) };
    u32::try_from(told).map_err(|_| Errno::last())
}

/// Returns the names of the actions that seccomp filters can use: seccomp(2).
///
/// # Errors
/// The kernel has no filters, or is older than Linux 4.14.
pub fn seccomp_actions() -> Result<Vec<&'static str>, Errno> {
    const ACTIONS: [(&str, u32); 8] = [
        ("kill_process", libc::SECCOMP_RET_KILL_PROCESS),
        ("kill_thread", libc::SECCOMP_RET_KILL_THREAD),
        ("trap", libc::SECCOMP_RET_TRAP),
        ("errno", libc::SECCOMP_RET_ERRNO),
        ("user_notif", libc::SECCOMP_RET_USER_NOTIF),
        ("trace", libc::SECCOMP_RET_TRACE),
        ("log", libc::SECCOMP_RET_LOG),
        ("allow", libc::SECCOMP_RET_ALLOW),
    ];
    let mut known = Vec::new();
    for (name, action) in ACTIONS {
        let (ask, place) = (libc::SECCOMP_GET_ACTION_AVAIL, &raw const action);
        // SAFETY: a number, and a place that lives through the call.
        match unsafe { libc::syscall(libc::SYS_seccomp, ask, 0, place) } {
            0 => known.push(name),
            _ if Errno::last().code() == libc::EOPNOTSUPP => {}
            _ => return Err(Errno::last()),
        }
    }
    Ok(known)
}

/// The version, 1 or 2, of the cgroup file system at `path`; `None` if it is another file system.
#[must_use]
pub fn cgroup_version(path: &std::path::Path) -> Option<u8> {
    use nix::sys::statfs::{CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, statfs};
    match statfs(path).ok()?.filesystem_type() {
        CGROUP2_SUPER_MAGIC => Some(2),
        CGROUP_SUPER_MAGIC => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, CallError, Errno, Syscall, decoded, encoded};

    #[test]
    fn answers_go_through_a_pipe() {
        let error = CallError { syscall: Syscall::Bind, errno: Errno::new(28) };
        for answer in [Ok(()), Err(error)] as [Answer<()>; 2] {
            assert_eq!(decoded(encoded(answer)), answer);
        }
    }
}
