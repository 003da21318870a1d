//! System calls that act on this process at once: the raw layer.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::raw::{c_char, c_int};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::fork::allow_tracing;
use super::kernel::{self, Answer, CallError, Syscall, call};
use super::mount::MountAttr;
use super::program::CStrings;
use super::{mount, signal, stack};

/// One call. Paths are those of this process: from its root, or its working directory.
#[derive(Clone, Debug)]
pub enum Raw<'a> {
    /// unshare(2).
    Unshare(u64),
    /// setns(2): a namespace or a pidfd, and the kinds that are entered.
    Setns(BorrowedFd<'a>, u64),
    /// mount(2).
    Mount {
        /// What is mounted; none where the call takes none.
        source: Option<CString>,
        /// Where.
        target: CString,
        /// The type of the file system.
        kind: Option<CString>,
        /// `MS_…`.
        flags: u64,
        /// The options of the file system.
        data: Option<CString>,
    },
    /// mount_setattr(2), Linux 5.12: flags of mount(2) that are set and taken away.
    SetAttributes {
        /// The mount.
        target: CString,
        /// With the mounts below it.
        recursive: bool,
        /// `MS_…` that are set.
        set: u64,
        /// `MS_…` that are taken away.
        clear: u64,
    },
    /// umount2(2), with `MNT_DETACH` or without.
    Umount(CString, bool),
    /// `pivot_root(2)`.
    PivotRoot(CString, CString),
    /// chroot(2).
    Chroot(CString),
    /// chdir(2).
    Chdir(CString),
    /// sethostname(2).
    Sethostname(Vec<u8>),
    /// setdomainname(2).
    Setdomainname(Vec<u8>),
    /// mkdir(2).
    Mkdir(CString, u32),
    /// mknod(2): path, type (`c`, `b`, `p`, `s`, `f`), permission bits, major and minor number.
    Mknod(CString, char, u32, (u32, u32)),
    /// symlink(2): what the link says, and where it stands.
    Symlink(CString, CString),
    /// chmod(2), which follows links.
    Chmod(CString, u32),
    /// chown(2), which follows links: the owner and the group, each left if there is none.
    Chown(CString, Option<u32>, Option<u32>),
    /// rename(2): from, to.
    Rename(CString, CString),
    /// link(2): the file, which is not followed if it is a link, and the further name.
    Link(CString, CString),
    /// setresuid(2), all three.
    Setuid(u32),
    /// setresgid(2), all three.
    Setgid(u32),
    /// setgroups(2).
    Setgroups(Vec<u32>),
    /// capset(2): effective, permitted, inheritable.
    Capset([u64; 3]),
    /// Leaves the capabilities of this set in the bounding set, and no other.
    Bound(u64),
    /// PR_SET_NO_NEW_PRIVS(2const): no program that is executed gains rights.
    NoNewPrivs,
}

/// Does it.
///
/// # Errors
/// The kernel's answer.
pub fn act(raw: &Raw<'_>) -> Result<(), CallError> {
    let done = perform(raw);
    if matches!(
        raw,
        Raw::Unshare(_) | Raw::Setns(..) | Raw::Setuid(_) | Raw::Setgid(_) | Raw::Capset(_)
    ) {
        allow_tracing();
    }
    done
}

fn perform(raw: &Raw<'_>) -> Answer<()> {
    match raw {
        Raw::Unshare(flags) => call!(Unshare, SYS_unshare, *flags).map(drop),
        Raw::Setns(descriptor, flags) => kernel::setns(descriptor.as_raw_fd(), *flags),
        Raw::Mount { source, target, kind, flags, data } => {
            let text = |text: &Option<CString>| {
                text.as_ref().map_or(std::ptr::null(), |text| text.as_ptr())
            };
            let (source, kind, data) = (text(source), text(kind), text(data));
            call!(Mount, SYS_mount, source, target.as_ptr(), kind, *flags, data).map(drop)
        }
        Raw::SetAttributes { target, recursive, set, clear } => {
            let attr = MountAttr {
                set: attributes(*set),
                clear: attributes(*clear) | time_bits(*set),
                ..MountAttr::default()
            };
            let flags = if *recursive { libc::AT_RECURSIVE } else { 0 };
            mount::mount_setattr(libc::AT_FDCWD, target, flags, &attr)
        }
        Raw::Umount(target, lazy) => {
            mount::umount2(target, if *lazy { libc::MNT_DETACH } else { 0 })
        }
        Raw::PivotRoot(new, old) => mount::pivot_root(new, old),
        Raw::Chroot(path) => kernel::chroot(path),
        Raw::Chdir(path) => kernel::chdir(path),
        Raw::Sethostname(name) => kernel::sethostname(name),
        Raw::Setdomainname(name) => kernel::setdomainname(name),
        Raw::Mkdir(path, mode) => {
            kernel::mkdirat(libc::AT_FDCWD, path, *mode)?;
            // The umask took bits away that were asked for.
            exactly(path, *mode)
        }
        Raw::Mknod(path, kind, mode, (major, minor)) => {
            let kind = match kind {
                'c' => libc::S_IFCHR,
                'b' => libc::S_IFBLK,
                'p' => libc::S_IFIFO,
                's' => libc::S_IFSOCK,
                _ => libc::S_IFREG,
            };
            let (at, device) = (libc::AT_FDCWD, device(*major, *minor));
            call!(Mknodat, SYS_mknodat, at, path.as_ptr(), kind | *mode, device)?;
            exactly(path, *mode)
        }
        Raw::Symlink(says, path) => kernel::symlinkat(says, libc::AT_FDCWD, path),
        Raw::Chmod(path, mode) => exactly(path, *mode),
        Raw::Chown(path, uid, gid) => {
            let (at, [uid, gid]) = (libc::AT_FDCWD, [uid, gid].map(|id| id.unwrap_or(u32::MAX)));
            call!(Fchownat, SYS_fchownat, at, path.as_ptr(), uid, gid, 0).map(drop)
        }
        Raw::Rename(from, to) => kernel::rename(from, to, 0),
        Raw::Link(file, path) => {
            let (at, file, path) = (libc::AT_FDCWD, file.as_ptr(), path.as_ptr());
            call!(Linkat, SYS_linkat, at, file, at, path, 0).map(drop)
        }
        Raw::Setuid(uid) => kernel::setresuid(*uid),
        Raw::Setgid(gid) => kernel::setresgid(*gid),
        Raw::Setgroups(groups) => kernel::setgroups(groups),
        Raw::Capset(sets) => kernel::capset(*sets),
        Raw::Bound(kept) => bound(*kept),
        Raw::NoNewPrivs => kernel::prctl(libc::PR_SET_NO_NEW_PRIVS, 1),
    }
}

/// The number of a device: makedev(3).
#[must_use]
pub fn device(major: u32, minor: u32) -> u64 {
    libc::makedev(major, minor)
}

/// The major and minor number of a device.
#[must_use]
pub fn device_numbers(device: u64) -> (u32, u32) {
    (libc::major(device), libc::minor(device))
}

/// `MS_…` as `MOUNT_ATTR_…`: mount_setattr(2).
fn attributes(flags: u64) -> u64 {
    const BITS: [(u64, u64); 7] = [
        (libc::MS_RDONLY, libc::MOUNT_ATTR_RDONLY),
        (libc::MS_NOSUID, libc::MOUNT_ATTR_NOSUID),
        (libc::MS_NODEV, libc::MOUNT_ATTR_NODEV),
        (libc::MS_NOEXEC, libc::MOUNT_ATTR_NOEXEC),
        (libc::MS_NOATIME, libc::MOUNT_ATTR_NOATIME),
        (libc::MS_STRICTATIME, libc::MOUNT_ATTR_STRICTATIME),
        (libc::MS_NODIRATIME, libc::MOUNT_ATTR_NODIRATIME),
    ];
    let symlinks = if flags & libc::MS_NOSYMFOLLOW != 0 { libc::MOUNT_ATTR_NOSYMFOLLOW } else { 0 };
    BITS.iter().filter(|(from, _)| flags & from != 0).fold(symlinks, |all, (_, to)| all | to)
}

/// The kinds of access times exclude each other: whichever is set, all of them are taken away
/// first.
fn time_bits(set: u64) -> u64 {
    let times = libc::MS_NOATIME | libc::MS_STRICTATIME | libc::MS_RELATIME;
    if set & times != 0 { libc::MOUNT_ATTR__ATIME } else { 0 }
}

/// Whether a path is in procfs.
///
/// # Errors
/// statfs(2).
pub fn is_procfs(path: &Path) -> std::io::Result<bool> {
    Ok(magic(path)? == nix::sys::statfs::PROC_SUPER_MAGIC)
}

/// Whether a path is in a file system in memory, as rootfs is.
#[must_use]
pub fn is_in_memory(path: &Path) -> bool {
    // nix knows no number of ramfs: magic.h.
    const RAMFS_MAGIC: nix::sys::statfs::FsType = nix::sys::statfs::FsType(0x8584_58f6);
    let kinds = [nix::sys::statfs::TMPFS_MAGIC, RAMFS_MAGIC];
    magic(path).is_ok_and(|magic| kinds.contains(&magic))
}

/// Whether a path is in a file system of which the kernel has one for all: sysfs, cgroups and
/// those for tracing and the firmware.
///
/// # Errors
/// statfs(2).
pub fn is_of_kernel(path: &Path) -> std::io::Result<bool> {
    use nix::sys::statfs as fs;
    let of_kernel = [
        fs::SYSFS_MAGIC,
        fs::CGROUP_SUPER_MAGIC,
        fs::CGROUP2_SUPER_MAGIC,
        fs::DEBUGFS_MAGIC,
        fs::TRACEFS_MAGIC,
        fs::SECURITYFS_MAGIC,
        fs::BPF_FS_MAGIC,
    ];
    Ok(of_kernel.contains(&magic(path)?))
}

/// The type of the file system that holds a path, or where it would be made.
fn magic(path: &Path) -> std::io::Result<nix::sys::statfs::FsType> {
    let found = match nix::sys::statfs::statfs(path) {
        Err(nix::Error::ENOENT) => nix::sys::statfs::statfs(path.parent().unwrap_or(path)),
        found => found,
    };
    Ok(found?.filesystem_type())
}

/// Has processes whose parents end become children of this one: PR_SET_CHILD_SUBREAPER(2const).
pub fn adopt_orphans() {
    if super::wait::may_adopt() {
        let _ = kernel::prctl(libc::PR_SET_CHILD_SUBREAPER, 1);
    }
}

/// The keepers of sandboxes, which go on after this process.
static LEFT: Mutex<Vec<c_int>> = Mutex::new(Vec::new());

/// Leaves the keeper of a sandbox alone at the end: it becomes a child of this process if that
/// adopts orphans.
pub fn leave_alone(keeper: c_int) {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner).push(keeper);
}

/// Ends every child of this process, those that it has adopted too, and waits for them.
pub fn end_children() {
    let left = LEFT.lock().unwrap_or_else(PoisonError::into_inner).clone();
    loop {
        // Without /proc nobody can be found, and in one of another PID namespace numbers are those
        // of others; then the kernel ends what was started by itself.
        let own = std::fs::read_link("/proc/self");
        let is_own = own.is_ok_and(|own| own == Path::new(&std::process::id().to_string()));
        let children = std::fs::read_to_string("/proc/thread-self/children");
        let children = children.map(|text| if is_own { text } else { String::new() });
        let children = children.unwrap_or_default();
        let children = children.split_whitespace().filter_map(|child| child.parse().ok());
        let children: Vec<c_int> = children.filter(|pid| *pid > 0 && !left.contains(pid)).collect();
        for pid in &children {
            // SAFETY: kill(2) takes two numbers; the process is a child that was not waited for, so
            // the number is still its own.
            unsafe { libc::kill(*pid, libc::SIGKILL) };
        }
        let flags = if children.is_empty() { libc::WNOHANG } else { 0 };
        // SAFETY: waiting for any child of our own without asking for its status.
        let waited = unsafe { libc::waitpid(-1, std::ptr::null_mut(), flags) };
        let interrupted = waited == -1 && super::Errno::last().code() == libc::EINTR;
        if waited <= 0 && !interrupted {
            return;
        }
    }
}

fn exactly(path: &CStr, mode: u32) -> Answer<()> {
    call!(Fchmodat, SYS_fchmodat, libc::AT_FDCWD, path.as_ptr(), mode).map(drop)
}

fn bound(kept: u64) -> Answer<()> {
    for capability in (0..64).filter(|capability| kept >> capability & 1 == 0) {
        match kernel::prctl(libc::PR_CAPBSET_DROP, capability) {
            Ok(()) => {}
            // The kernel knows no more capabilities.
            Err(error) if error.errno.code() == libc::EINVAL => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// execve(2) closes the descriptors: Linux 5.11.
const CLOSE_RANGE_CLOEXEC: u32 = 4;

/// Replaces the program of this process. Each of `candidates` is tried, as execvp(3) does.
/// Returns only if that fails; nothing has changed then. A program that is `alone` has the
/// descriptors 0 to 2, and none that nsscript was started with.
#[must_use]
pub fn execute(candidates: &[CString], argv: &CStrings, envp: &CStrings, alone: bool) -> CallError {
    let mut error = CallError { syscall: Syscall::Execve, errno: super::Errno::new(libc::ENOENT) };
    if alone && kernel::close_range(3, u32::MAX, CLOSE_RANGE_CLOEXEC).is_err() {
        // Before Linux 5.11 they go at once: an error can then only be told by the status.
        let _ = kernel::close_range(3, u32::MAX, 0);
    }
    let restored = signal::program_signals(alone);
    let limit = stack::program_limit().map(|(soft, hard)| kernel::limit_stack(soft, hard));
    if let Some(Err(refused)) = limit {
        return refused;
    }
    for path in candidates {
        let (argv, envp): (*const *const c_char, _) = (argv.as_ptr(), envp.as_ptr());
        let Err(refused) = call!(Execve, SYS_execve, path.as_ptr(), argv, envp) else { continue };
        let code: c_int = refused.errno.code();
        // A directory that may not be searched, or a file that may not be run, is remembered; what
        // is not there is not.
        if !matches!(code, libc::ENOENT | libc::ENOTDIR) || candidates.len() == 1 {
            error = refused;
        }
        if !matches!(code, libc::ENOENT | libc::ENOTDIR | libc::EACCES) {
            break;
        }
    }
    drop(restored);
    if limit.is_some() {
        stack::raise_stack_limit();
    }
    error
}

/// The inode number of a namespace of this process, by its file in /proc: as long as both live,
/// equal ones are the same namespace.
#[must_use]
pub fn namespace_inode(file: &str) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(format!("/proc/self/ns/{file}")).ok()?;
    Some(found.ino())
}
