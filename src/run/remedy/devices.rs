//! Why devices and the programs that use them cannot be used, and what helps.

use super::Remedy;
use crate::sys::Errno;

/// There is no pasta.
pub(in crate::run) fn no_pasta() -> Remedy {
    Remedy::new(
        "no_pasta",
        "no `pasta` that works is installed",
        "it is in the package `passt`",
        "pasta(1)",
    )
}

/// `/dev/net/tun` cannot be opened.
pub(in crate::run) fn no_tun(errno: Errno) -> Remedy {
    Remedy::new(
        "no_tun",
        format!("`/dev/net/tun` cannot be opened by this user ({errno})"),
        "root makes that possible by `chmod 0666 /dev/net/tun`, and by `modprobe tun` where it is \
         missing",
        "CONFIG_TUN",
    )
}

/// pasta cannot listen on a port of the host.
pub(in crate::run) fn port_taken() -> Remedy {
    Remedy::none(
        "port_taken",
        "a port of the host is taken already, or is below 1024, which asks for rights",
        "ip(7)",
    )
}

/// Only root uses loop devices.
pub(in crate::run) fn loop_refused() -> Remedy {
    Remedy::none(
        "loop_refused",
        "only root can use loop devices: no user namespace gives that right, and a container \
         needs to be given the devices",
        "loop(4)",
    )
}

/// The kernel has no loop devices.
pub(in crate::run) fn no_loop_devices() -> Remedy {
    Remedy::new(
        "no_loop_devices",
        "the kernel has no loop devices, or has not loaded them",
        "`modprobe loop` loads the module, where the kernel has loop devices",
        "CONFIG_BLK_DEV_LOOP",
    )
}

/// Programs of other kinds are not executed.
pub(in crate::run) fn binfmt_missing() -> Remedy {
    Remedy::new(
        "binfmt_missing",
        "binfmt_misc is not mounted",
        "root mounts it by `mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc`, and the \
         package `qemu-user-static` enters the processors that it knows",
        "CONFIG_BINFMT_MISC",
    )
}

/// No program of another kind is entered.
pub(in crate::run) fn binfmt_empty() -> Remedy {
    Remedy::new(
        "binfmt_empty",
        "programs of no other processor can be executed",
        "the package `qemu-user-static` enters the processors that it knows",
        "CONFIG_BINFMT_MISC",
    )
}

/// All of it is switched off.
pub(in crate::run) fn binfmt_off() -> Remedy {
    let cause = "binfmt_misc is switched off";
    let cure = "`echo 1 > /proc/sys/fs/binfmt_misc/status` of root switches it on";
    Remedy::new("binfmt_off", cause, cure, "CONFIG_BINFMT_MISC")
}
