//! Causes and cures for file systems that cannot be mounted: mount_namespaces(7).

use std::path::Path;

use super::Remedy;
use crate::diag::quoted;
use crate::host::Host;

/// The kernel refuses a new procfs, because parts of the visible one are masked.
pub(in crate::run) fn proc_is_covered() -> Remedy {
    Remedy::new(
        "proc_is_covered",
        "parts of /proc are masked here, as in most containers, so the kernel refuses a new one",
        "start the container with an unmasked /proc, or bind the existing one: `.bind(\"/proc\", \
         \"/proc\", #{ read_only: true })`",
        "mount_namespaces(7)",
    )
}

/// The kernel refuses a new sysfs, because parts of the visible one are masked.
pub(in crate::run) fn sysfs_is_covered() -> Remedy {
    Remedy::new(
        "sysfs_is_covered",
        "parts of /sys are masked here, as in most containers, so the kernel refuses a new one",
        "bind the existing one: `.bind(\"/sys\", \"/sys\", #{ read_only: true })`",
        "mount_namespaces(7)",
    )
}

/// No sysfs is mounted, so the kernel refuses a new one, and no substitute exists.
pub(in crate::run) fn no_sysfs() -> Remedy {
    Remedy::new(
        "no_sysfs",
        "no sysfs is mounted on `/sys`, and the kernel allows a new one only if one is visible",
        "as root, mount it with `mount -t sysfs sysfs /sys`",
        "mount_namespaces(7)",
    )
}

/// The root of the process is not a mount point.
pub(in crate::run) fn root_is_no_mount() -> Remedy {
    Remedy::new(
        "root_is_no_mount",
        "the root of this process is not a mount point, as after `chroot`",
        "`pivot_root` changes the root of the mount namespace instead",
        "pivot_root(2)",
    )
}

/// The root of this process is rootfs itself.
pub(in crate::run) fn root_is_on_nothing() -> Remedy {
    Remedy::new(
        "root_is_on_nothing",
        "the root is rootfs (an initramfs), which cannot be unmounted: it stays beneath the root of \
         every sandbox, out of reach",
        "enter a root file system with `switch_root` to leave nothing beneath",
        "switch_root(8)",
    )
}

/// Linux before 5.11 has no overlays for users.
pub(in crate::run) fn no_overlay_for_users(host: &Host) -> Option<Remedy> {
    let (major, minor) = host.kernel;
    ((major, minor) < (5, 11)).then(|| {
        let cause =
            format!("a user may mount an overlay since Linux 5.11, and this is {major}.{minor}");
        Remedy::none("no_overlay_for_users", cause, "CONFIG_OVERLAY_FS")
    })
}

/// The kernel has no overlays.
pub(in crate::run) fn no_overlay() -> Remedy {
    Remedy::new(
        "no_overlay",
        "this kernel has no overlay file system",
        "if it is a module, load it as root with `modprobe overlay`",
        "CONFIG_OVERLAY_FS",
    )
}

/// The kernel does not know a type of file system.
pub(in crate::run) fn unknown_file_system(kind: &str, host: &Host) -> Remedy {
    let text = host.tree.read(Path::new("/proc/filesystems")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let names = text.lines().filter_map(|line| line.split('\t').nth(1));
    let near = crate::diag::closest(kind, names);
    let cure = match near {
        Some(near) => format!("did you mean {}?", quoted(near)),
        None => "choose one that `/proc/filesystems` lists".into(),
    };
    Remedy::new(
        "unknown_file_system",
        format!("this kernel does not support the file system {}", quoted(kind)),
        cure,
        "filesystems(5)",
    )
}
