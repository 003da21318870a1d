//! Causes and cures for refused namespaces: namespaces(7), user_namespaces(7).

use std::path::Path;

use super::Remedy;
use crate::host::{Forbids, Host};
use crate::ops::clone_flags;
use crate::spec::{Kind, Namespaces};
use crate::sys::{self, Call, Program};

/// The suggested limit of namespaces of a kind.
const SOME: u32 = 10_000;

/// The reason why new namespaces of all kinds in `asked` were refused with `errno`.
pub(in crate::run) fn refused(host: &Host, asked: Namespaces, errno: &str) -> Option<Remedy> {
    match errno {
        "EPERM" | "EACCES" | "ENOSPC" | "EUSERS" => {
            let off = switched_off(host, asked);
            off.or_else(|| match errno {
                "EPERM" | "EACCES" => {
                    let user = asked.has(Kind::User) && !host.is_root();
                    let apparmor = user.then(|| restricted_by_apparmor(host)).flatten();
                    apparmor.or_else(|| forbidden(host, asked))
                }
                _ => Some(exhausted(asked)),
            })
        }
        "EINVAL" => asked.kinds().find_map(|kind| not_built_in(host, kind)),
        "EAGAIN" => Some(too_many_processes()),
        _ => None,
    }
}

/// The sysctl that limits the number of a user's namespaces of a kind, as a file of /proc/sys.
pub(in crate::run) fn limit(kind: Kind) -> String {
    format!("user/max_{}_namespaces", kind.file())
}

/// The name in sysctl(8) of a file of /proc/sys.
fn dotted(setting: &str) -> String {
    setting.replace('/', ".")
}

/// A setting allows no namespaces of one of these kinds.
pub(in crate::run) fn switched_off(host: &Host, asked: Namespaces) -> Option<Remedy> {
    if asked.has(Kind::User) && host.forbids_user_namespaces() == Some(Forbids::Users) {
        let name = dotted(crate::host::DEBIAN);
        let cause = "user namespaces are off for users on this machine";
        return Some(Remedy::new(
            "off_for_users",
            cause,
            format!("`sysctl {name}=1` allows them"),
            "sysctl(8)",
        ));
    }
    let is_zero = |kind: &Kind| host.setting(&limit(*kind)).as_deref() == Some("0");
    let kind = asked.kinds().find(is_zero)?;
    let name = dotted(&limit(kind));
    if kind == Kind::User && is_nested(host) {
        return Some(Remedy::new(
            "forbidden_inside",
            format!(
                "the user namespace of this process allows no further ones: `{name}` is 0 in it, as \
                 in a sandbox with `forbid_user_namespaces()`"
            ),
            "run nsscript outside of it",
            "user_namespaces(7)",
        ));
    }
    Some(Remedy::new(
        "switched_off",
        format!("{} namespaces are off on this machine: `{name}` is 0", kind.name()),
        format!("`sysctl {name}={SOME}` allows them"),
        "namespaces(7)",
    ))
}

/// Whether the user namespace of this process is not the first one, which maps every id to itself.
fn is_nested(host: &Host) -> bool {
    let map = host.tree.read(Path::new("/proc/self/uid_map"));
    map.is_ok_and(|map| {
        let map = String::from_utf8_lossy(&map);
        map.split_whitespace().ne(["0", "0", "4294967295"])
    })
}

/// AppArmor grants users no capabilities in their user namespaces.
pub(in crate::run) fn restricted_by_apparmor(host: &Host) -> Option<Remedy> {
    (host.forbids_user_namespaces() == Some(Forbids::AppArmor)).then(|| {
        let name = dotted(crate::host::APPARMOR);
        Remedy::new(
            "restricted_by_apparmor",
            "AppArmor on this machine allows no capabilities in user namespaces of programs \
             without a profile",
            format!(
                "`sysctl {name}=0` allows them, or a profile with `userns,` for nsscript in \
                 /etc/apparmor.d"
            ),
            "apparmor.d(5)",
        )
    })
}

/// Whether this process may create namespaces of every kind without a user namespace.
pub(in crate::run) fn has_all_rights() -> bool {
    /// The number of `CAP_SYS_ADMIN`: capabilities(7).
    const ADMIN: u32 = 21;
    sys::capabilities().is_ok_and(|sets| sets.effective >> ADMIN & 1 == 1)
}

fn forbidden(host: &Host, asked: Namespaces) -> Option<Remedy> {
    if !asked.has(Kind::User) {
        return None;
    }
    let chroot = || (host.is_in_chroot() == Some(true)).then(chrooted);
    unmapped(host).or_else(chroot).or_else(|| filtered(host))
}

/// A seccomp filter surrounds nsscript.
pub(in crate::run) fn filtered(host: &Host) -> Option<Remedy> {
    // SECCOMP_MODE_FILTER
    (host.status("Seccomp").as_deref() == Some("2")).then(|| {
        Remedy::new(
            "filtered",
            "a seccomp filter around nsscript, such as that of a container or of \
             `forbid_user_namespaces()`, refuses user namespaces",
            super::kernel::WITHOUT_FILTER,
            "seccomp(2)",
        )
    })
}

/// The user namespace of the process has no map.
pub(in crate::run) fn unmapped(host: &Host) -> Option<Remedy> {
    let is_empty = |name: &str| {
        let text = host.tree.read(&Path::new("/proc/self").join(name));
        text.is_ok_and(|text| text.trim_ascii().is_empty())
    };
    let unmapped = [("uid_map", "users"), ("gid_map", "groups")];
    let (_, what) = unmapped.iter().find(|(name, _)| is_empty(name))?;
    let cause = format!(
        "the user namespace of this process maps no {what}, and the kernel refuses a new one \
         until a user and a group are mapped: call `map_ids` first"
    );
    Some(Remedy::none("unmapped", cause, "user_namespaces(7)"))
}

/// The root of the process was changed by chroot(2).
pub(in crate::run) fn chrooted() -> Remedy {
    Remedy::new(
        "chrooted",
        "the kernel creates no user namespace for a process whose root was changed by `chroot`",
        "`pivot_root` changes the root of the mount namespace instead",
        "user_namespaces(7)",
    )
}

/// An unknown restriction forbids user namespaces.
pub(in crate::run) fn around() -> Remedy {
    Remedy::none(
        "around",
        "something around nsscript (the seccomp filter of a container, a security module, a \
         chroot) forbids user namespaces",
        "user_namespaces(7)",
    )
}

/// The process lacks the capability to create namespaces.
pub(in crate::run) fn no_capability() -> Remedy {
    Remedy::new(
        "no_capability",
        "this process lacks CAP_SYS_ADMIN",
        "it is not needed if `USER` is among the new namespaces",
        "capabilities(7)",
    )
}

/// A limit of namespaces is reached, for a kind that single probes determine.
fn exhausted(asked: Namespaces) -> Remedy {
    let with = if asked.has(Kind::User) { sys::flags::USER } else { 0 };
    let is_refused = |kind: &Kind| {
        let program = Program {
            namespaces: clone_flags((*kind).into()) | with,
            calls: vec![Call::DieWithParent],
            ..Program::default()
        };
        let tried = sys::probe_kernel(&program, &[]);
        tried.is_err_and(|failed| matches!(failed.error.errno.name().as_str(), "ENOSPC" | "EUSERS"))
    };
    // If a user namespace is refused, every kind that is probed with it is refused.
    match asked.kinds().find(is_refused) {
        Some(kind) if !matches!(kind, Kind::User | Kind::Pid) => {
            let (name, constant) = (dotted(&limit(kind)), kind.constant());
            let cause = format!(
                "`{name}` allows no more `{constant}` namespaces, here or in a user namespace \
                 above"
            );
            Remedy::new(
                "exhausted",
                cause,
                format!("`sysctl {name}={SOME}` allows more"),
                "namespaces(7)",
            )
        }
        _ => Remedy::new(
            "nested_too_deep",
            "there are too many namespaces, or they are nested more than 32 deep",
            "`sysctl user | grep namespaces` shows the limits",
            "namespaces(7)",
        ),
    }
}

/// The kernel was built without this kind.
pub(in crate::run) fn not_built_in(host: &Host, kind: Kind) -> Option<Remedy> {
    let file = Path::new("/proc/self/ns").join(kind.file());
    if !host.has_proc() || host.tree.symlink_metadata(&file).is_ok() {
        return None;
    }
    let see = match kind {
        Kind::User => "CONFIG_USER_NS",
        Kind::Mount => "CONFIG_NAMESPACES",
        Kind::Pid => "CONFIG_PID_NS",
        Kind::Net => "CONFIG_NET_NS",
        Kind::Uts => "CONFIG_UTS_NS",
        Kind::Ipc => "CONFIG_IPC_NS",
        Kind::Cgroup => "CONFIG_CGROUPS",
        Kind::Time => "CONFIG_TIME_NS",
    };
    let cause = format!("this kernel has no {} namespaces", kind.constant());
    Some(Remedy::new(
        "not_built_in",
        cause,
        format!("use a kernel that is built with `{see}`"),
        see,
    ))
}

/// The limit of processes is reached.
fn too_many_processes() -> Remedy {
    Remedy::none(
        "too_many_processes",
        "there are too many processes: the limit of this user (`ulimit -u`) or of its cgroup \
         (`pids.max`) is reached",
        "getrlimit(2)",
    )
}

#[cfg(test)]
mod tests {
    use super::{Remedy, refused};
    use crate::host::Host;
    use crate::host::fixture::Fixture;
    use crate::spec::Kind;

    /// The hint to user `uid` about a refused user namespace, with these files in /proc.
    fn said(name: &str, uid: u32, files: &[(&str, &str)]) -> String {
        let fixture = Fixture::new(&format!("remedy-{name}"));
        let plain = [
            ("self/status", "Seccomp:\t0\n"),
            ("self/uid_map", "0 0 1\n"),
            ("self/gid_map", "0 0 1\n"),
            ("self/mountinfo", "22 1 0:21 / / rw - ext4 /dev/root rw\n"),
            ("self/ns/user", ""),
        ];
        for (name, text) in plain.iter().chain(files) {
            fixture.file(&format!("proc/{name}"), text.as_bytes());
        }
        let (tree, environment) = (fixture.tree(), std::collections::BTreeMap::default());
        let host = Host { tree, uid, gid: uid, kernel: (6, 1), environment };
        refused(&host, Kind::User.into(), "EPERM").map(Remedy::hint).unwrap_or_default()
    }

    #[test]
    fn settings_that_forbid_user_namespaces_are_named() {
        let debian = ("sys/kernel/unprivileged_userns_clone", "0\n");
        let ubuntu = ("sys/kernel/apparmor_restrict_unprivileged_userns", "1\n");
        let unconfined = ("self/attr/apparmor/current", "unconfined\n");
        assert!(
            said("debian", 1, &[debian]).contains("`sysctl kernel.unprivileged_userns_clone=1`")
        );
        assert_eq!(said("debian-root", 0, &[debian]), "");
        let apparmor = said("ubuntu", 1, &[ubuntu, unconfined]);
        assert!(apparmor.contains("`sysctl kernel.apparmor_restrict_unprivileged_userns=0`"));
        assert_eq!(
            said("profile", 1, &[ubuntu, ("self/attr/current", "nsscript (enforce)\n")]),
            ""
        );
    }

    #[test]
    fn a_limit_of_the_sandbox_around_is_not_one_of_the_machine() {
        let off = ("sys/user/max_user_namespaces", "0\n");
        let inside = said("limit-inside", 1, &[off]);
        assert!(inside.contains("this process allows no further ones"), "{inside}");
        let initial = ("self/uid_map", "         0          0 4294967295\n");
        let machine = said("limit", 1, &[off, initial]);
        assert!(machine.contains("`sysctl user.max_user_namespaces=10000`"), "{machine}");
    }

    #[test]
    fn what_is_around_is_told_from_the_files_of_the_process() {
        let said = |name: &str, file| said(name, 1, &[file]);
        assert!(said("filter", ("self/status", "Seccomp:\t2\n")).contains("a seccomp filter"));
        assert!(said("unmapped", ("self/gid_map", "")).contains("maps no groups"));
        let below = ("self/mountinfo", "23 22 0:5 / /proc rw - proc proc rw\n");
        assert!(said("chroot", below).contains("changed by `chroot`"));
        assert_eq!(said("nothing", ("self/attr/current", "")), "");
    }
}
