//! Causes and cures for ids that cannot be mapped: user_namespaces(7), subuid(5).

use super::Remedy;
use crate::host::{Host, accounts};

/// The kernel refuses the map of the caller's own id.
pub(in crate::run) fn only_own_id() -> Remedy {
    Remedy::none(
        "only_own_id",
        "the kernel lets a user map only their own id, and groups only after `setgroups` is \
         denied; something around nsscript (a container, a security module) forbids even that",
        "user_namespaces(7)",
    )
}

/// User 0 lacks CAP_SETFCAP, as in a sandbox, and maps itself.
pub(in crate::run) fn no_setfcap() -> Remedy {
    // A file capability that is set in the new namespace would be valid in this one, too.
    Remedy::new(
        "no_setfcap",
        "user 0 lacks CAP_SETFCAP here, as in most sandboxes, and since Linux 5.12 the kernel then \
         refuses to map user 0 into another user namespace",
        "give the program of the outer sandbox another user: `.user(1000)`",
        "user_namespaces(7)",
    )
}

/// The map names ids that do not exist here.
pub(in crate::run) fn ids_not_permitted() -> Remedy {
    Remedy::new(
        "ids_not_permitted",
        "the map names an id that does not exist in the user namespace of nsscript",
        "choose ids that `cat /proc/self/uid_map` shows",
        "user_namespaces(7)",
    )
}

/// newuidmap(1) or newgidmap(1) is missing.
pub(in crate::run) fn helper_missing(helper: &str) -> Remedy {
    Remedy::new(
        "helper_missing",
        format!("`{helper}` is not installed"),
        accounts::HELPERS,
        "newuidmap(1)",
    )
}

/// The caller has no subordinate user or group ids.
pub(in crate::run) fn no_subordinate_ids(host: &Host, file: &str) -> Remedy {
    Remedy::new(
        "no_subordinate_ids",
        format!("`{file}` assigns no ids to user {}", host.uid),
        accounts::giving(&host.tree, host.uid),
        "subuid(5)",
    )
}

/// The user namespace around has few ids.
pub(in crate::run) fn few_ids() -> Remedy {
    Remedy::new(
        "few_ids",
        "no other ids exist here",
        "map more ids in the user namespace around nsscript, such as a container's",
        "user_namespaces(7)",
    )
}

/// newuidmap(1) or newgidmap(1) failed.
pub(in crate::run) fn helper_fails() -> Remedy {
    Remedy::new(
        "helper_fails",
        "it has no right to map ids",
        "as root, make `newuidmap` and `newgidmap` set-user-ID with `chmod u+s`, on a mount \
         without `nosuid`",
        "newuidmap(1)",
    )
}
