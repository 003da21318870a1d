//! Causes and cures for features that a kernel lacks or has disabled.

use super::Remedy;
use crate::host::Host;
use crate::sys::{Errno, Syscall};

/// The oldest Linux that nsscript runs on: it has mount_setattr(2).
pub(in crate::run) const OLDEST: (u32, u32) = (5, 12);

/// The command that starts a container without a seccomp filter.
pub(super) const WITHOUT_FILTER: &str =
    "start the container without it: `docker run --security-opt seccomp=unconfined`";

/// The kernel does not know a system call.
pub(in crate::run) fn unknown_call(host: &Host, syscall: Syscall) -> Option<Remedy> {
    let (name, since) = (syscall.name(), syscall.since());
    let (major, minor) = host.kernel;
    let cause = format!("{name}(2) exists since Linux {since}, and this is Linux {major}.{minor}");
    let (first, second) = since.split_once('.')?;
    let is_known = (first.parse().ok()?, second.parse().ok()?) <= host.kernel;
    Some(if is_known {
        // Its flags are out of sight of a filter, which therefore refuses all of it.
        let who = if matches!(syscall, Syscall::Clone3) {
            ", as that of `forbid_user_namespaces()` does"
        } else {
            ""
        };
        let cause = format!("{cause}: a seccomp filter around nsscript refuses it{who}");
        Remedy::new("call_filtered", cause, WITHOUT_FILTER, "seccomp(2)")
    } else {
        Remedy::new("call_unknown", cause, "use a later kernel", "uname(2)")
    })
}

/// The kernel is too old for nsscript.
pub(in crate::run) fn old_kernel(host: &Host) -> Remedy {
    let (major, minor) = host.kernel;
    let cause = format!("Linux {major}.{minor} lacks mount_setattr(2)");
    Remedy::new("old_kernel", cause, "use a later kernel", "mount_setattr(2)")
}

/// No proc filesystem is mounted.
pub(in crate::run) fn no_proc() -> Remedy {
    let cause = "nothing is mounted on `/proc`";
    Remedy::new("no_proc", cause, "as root, mount it with `mount -t proc proc /proc`", "proc(5)")
}

/// The processes of other users are hidden.
pub(in crate::run) fn processes_hidden(host: &Host) -> Option<Remedy> {
    let option = host.hidepid()?;
    Some(Remedy::new(
        "processes_hidden",
        format!("`/proc` is mounted with `{option}`, which hides the processes of others"),
        "as root, show them with `mount -o remount,hidepid=0 /proc`",
        "proc(5)",
    ))
}

/// The init that nsscript carries cannot be executed, because it is a memory file.
pub(in crate::run) fn file_in_memory(host: &Host) -> Option<Remedy> {
    (host.setting("vm/memfd_noexec").as_deref() == Some("2")).then(|| {
        let cause = "memory files cannot be executed: `vm.memfd_noexec` is 2";
        Remedy::new(
            "file_in_memory",
            cause,
            "`sysctl vm.memfd_noexec=1` allows it",
            "memfd_create(2)",
        )
    })
}

/// Neither busybox nor its substitutes are installed.
pub(in crate::run) fn no_programs() -> Remedy {
    let cause = "the programs of the recipe are not installed";
    Remedy::new("no_programs", cause, "install the package `busybox`, or `coreutils`", "busybox(1)")
}

/// Seccomp filters are missing.
pub(in crate::run) fn no_seccomp(host: &Host) -> Remedy {
    let (major, minor) = host.kernel;
    let cause = format!(
        "Linux reports seccomp actions since 4.14, and this is Linux \
                         {major}.{minor}"
    );
    Remedy::new(
        "no_seccomp",
        cause,
        "use a kernel that is built with `CONFIG_SECCOMP_FILTER`",
        "seccomp(2)",
    )
}

/// Landlock is missing or disabled.
pub(in crate::run) fn no_landlock(errno: Errno) -> Remedy {
    match errno.name().as_str() {
        "EOPNOTSUPP" => Remedy::new(
            "landlock_off",
            "Landlock is built in, but not enabled",
            "add `landlock` to `lsm=` on the kernel command line",
            "landlock(7)",
        ),
        _ => Remedy::new(
            "no_landlock",
            "this kernel has no Landlock, or a filter around nsscript refuses it",
            "use Linux 5.13 or later, built with `CONFIG_SECURITY_LANDLOCK`",
            "landlock(7)",
        ),
    }
}

/// Cgroup controllers belong to hierarchies of version 1, which cannot be delegated to users.
pub(in crate::run) fn old_cgroups() -> Remedy {
    Remedy::new(
        "old_cgroups",
        "cgroup controllers of version 1 cannot be delegated to users",
        "add `systemd.unified_cgroup_hierarchy=1` or `cgroup_no_v1=all` to the kernel command \
         line to use version 2",
        "cgroups(7)",
    )
}

/// No cgroup file system of version 2 is mounted.
pub(in crate::run) fn no_cgroups() -> Remedy {
    let cause = "no cgroup file system of version 2 is mounted";
    Remedy::new(
        "no_cgroups",
        cause,
        "as root, mount one with `mount -t cgroup2 cgroup2 /sys/fs/cgroup`",
        "cgroups(7)",
    )
}

/// The cgroup of nsscript belongs to another user.
pub(in crate::run) fn not_delegated() -> Remedy {
    Remedy::new(
        "not_delegated",
        "it was not delegated to this user",
        "`systemd-run --user --scope -p Delegate=yes nsscript …` starts nsscript in one that is",
        "systemd-run(1)",
    )
}

/// The cgroup of nsscript has no controllers.
pub(in crate::run) fn no_controllers() -> Remedy {
    Remedy::new(
        "no_controllers",
        "they cannot limit anything",
        "enable controllers in `cgroup.subtree_control` of the parent cgroup",
        "cgroups(7)",
    )
}
