//! Causes and cures for devices, and for programs that use them.

use super::Remedy;
use crate::sys::Errno;

/// A part of the kernel that may be missing, such as a module that does not exist or may not be
/// loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::run) enum NetworkPart {
    /// Pairs of interfaces.
    Veth,
    /// Bridges.
    Bridge,
    /// Rules of nftables, of every kind that recipes use.
    Rules,
    /// Writable settings.
    Settings,
}

impl NetworkPart {
    /// All parts, each at the index of its number.
    pub const ALL: [Self; 4] = [Self::Veth, Self::Bridge, Self::Rules, Self::Settings];
}

/// The kernel lacks a part of networks, or refuses its use.
pub(in crate::run) fn no_part_of_networks(part: NetworkPart, errno: Errno) -> Option<Remedy> {
    let unknown =
        ["EOPNOTSUPP", "EPROTONOSUPPORT", "EAFNOSUPPORT", "ENOENT"].contains(&&*errno.name());
    let read_only = ["EROFS", "EACCES"].contains(&&*errno.name());
    match part {
        NetworkPart::Veth if unknown => Some(Remedy::new(
            "no_veth",
            "this kernel does not support veth interfaces",
            "if it is a module, load it as root with `modprobe veth`",
            "CONFIG_VETH",
        )),
        NetworkPart::Bridge if unknown => Some(Remedy::new(
            "no_bridges",
            "this kernel does not support bridge interfaces",
            "if it is a module, load it as root with `modprobe bridge`",
            "CONFIG_BRIDGE",
        )),
        NetworkPart::Rules if unknown => Some(Remedy::new(
            "no_nftables",
            "this kernel lacks nftables, or a part of it",
            "if they are modules, load them as root with `modprobe -a nf_tables nft_chain_nat \
             nft_ct nft_masq nft_nat`",
            "CONFIG_NF_TABLES_INET",
        )),
        NetworkPart::Settings if read_only => Some(Remedy::new(
            "settings_read_only",
            "`/proc/sys` is read-only here, as in most containers",
            "start the container with a writable /proc/sys: `docker run --security-opt \
             systempaths=unconfined`",
            "proc_sys(5)",
        )),
        _ => None,
    }
}

/// pasta is missing.
pub(in crate::run) fn no_pasta() -> Remedy {
    Remedy::new(
        "no_pasta",
        "no working `pasta` is installed",
        "install the package `passt`",
        "pasta(1)",
    )
}

/// `/dev/net/tun` cannot be opened.
pub(in crate::run) fn no_tun(errno: Errno) -> Remedy {
    match errno.name().as_str() {
        "ENOENT" | "ENODEV" | "ENXIO" => Remedy::new(
            "tun_missing",
            format!("this kernel has no `/dev/net/tun` ({errno})"),
            "if it is a module, load it as root with `modprobe tun`",
            "CONFIG_TUN",
        ),
        _ => Remedy::new(
            "no_tun",
            format!("this user cannot open `/dev/net/tun` ({errno})"),
            "as root, allow it with `chmod 0666 /dev/net/tun`",
            "CONFIG_TUN",
        ),
    }
}

/// pasta cannot listen on a port of the host.
pub(in crate::run) fn port_taken() -> Remedy {
    Remedy::none(
        "port_taken",
        "choose ports of the host that are free, and not below 1024, which only root may use",
        "ip(7)",
    )
}

/// Only root uses loop devices.
pub(in crate::run) fn loop_refused() -> Remedy {
    Remedy::none(
        "loop_refused",
        "only root can use loop devices: a user namespace does not give that right, and a \
         container must be started with the devices",
        "loop(4)",
    )
}

/// The kernel has no loop devices.
pub(in crate::run) fn no_loop_devices() -> Remedy {
    Remedy::new(
        "no_loop_devices",
        "the kernel has no loop devices, or has not loaded them",
        "if it is a module, load it as root with `modprobe loop`",
        "CONFIG_BLK_DEV_LOOP",
    )
}

/// binfmt_misc is not mounted.
pub(in crate::run) fn binfmt_missing() -> Remedy {
    Remedy::new(
        "binfmt_missing",
        "binfmt_misc is not mounted",
        "as root, mount it with `mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc`, and \
         install the package `qemu-user-static`, which registers other processors",
        "CONFIG_BINFMT_MISC",
    )
}

/// binfmt_misc has no entries.
pub(in crate::run) fn binfmt_empty() -> Remedy {
    Remedy::new(
        "binfmt_empty",
        "programs for other processors cannot be executed",
        "install the package `qemu-user-static`, which registers other processors",
        "CONFIG_BINFMT_MISC",
    )
}

/// binfmt_misc is disabled.
pub(in crate::run) fn binfmt_off() -> Remedy {
    let cause = "binfmt_misc is disabled";
    let cure = "as root, enable it with `echo 1 > /proc/sys/fs/binfmt_misc/status`";
    Remedy::new("binfmt_off", cause, cure, "CONFIG_BINFMT_MISC")
}

#[cfg(test)]
mod tests {
    use super::{Errno, NetworkPart, Remedy, no_part_of_networks};

    #[test]
    fn a_part_that_is_missing_is_named_with_its_modules() {
        let said = |part, errno| no_part_of_networks(part, Errno::new(errno)).map(Remedy::hint);
        let has = |part, errno, words: &str| said(part, errno).is_some_and(|it| it.contains(words));
        let (not_supported, read_only, not_permitted) = (95, 30, 1);
        assert!(has(NetworkPart::Veth, not_supported, "`modprobe veth`"));
        assert!(has(NetworkPart::Bridge, not_supported, "`modprobe bridge`"));
        assert!(has(NetworkPart::Rules, not_supported, "nft_masq"));
        assert!(has(NetworkPart::Settings, read_only, "`/proc/sys` is read-only"));
        for part in NetworkPart::ALL {
            assert_eq!(said(part, not_permitted), None);
        }
    }
}
