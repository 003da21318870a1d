//! The table of facts: names, dependent features, and probes.

use super::exam::Exam;
use super::namespaces::kind;
use super::{Finding, cgroups, devices, ids, kernel, mounts, namespaces, sandbox};
use crate::run::remedy::NetworkPart;
use crate::spec::Kind;

/// The probe of a fact.
type Find = fn(&Exam<'_>) -> Finding;

/// A row of the table.
pub(super) struct FactRow {
    /// The stable key of the fact, for programs.
    pub key: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The features of nsscript that need it.
    pub enables: &'static str,
    /// Whether `recipes/busybox.rhai` needs it.
    pub needed: bool,
    pub find: Find,
}

/// A fact without which `recipes/busybox.rhai` cannot work.
const fn needed(
    key: &'static str,
    name: &'static str,
    enables: &'static str,
    find: Find,
) -> FactRow {
    FactRow { key, name, enables, needed: true, find }
}

/// Any other fact.
const fn other(
    key: &'static str,
    name: &'static str,
    enables: &'static str,
    find: Find,
) -> FactRow {
    FactRow { key, name, enables, needed: false, find }
}

/// The facts by group.
pub(super) const GROUPS: &[(&str, &[FactRow])] = &[
    (
        "machine",
        &[
            needed("kernel", "kernel", "everything", kernel::release),
            other(
                "caller",
                "caller",
                "work that needs rights on the host, such as `--host`",
                kernel::caller,
            ),
            other("processes", "processes", "`processes`; files of `/proc/PID`", kernel::processes),
        ],
    ),
    (
        "namespaces",
        &[
            needed(
                "user_namespace",
                "user",
                "every sandbox, and the session of raw calls",
                |exam| kind(exam, Kind::User),
            ),
            needed("mount_namespace", "mount", "every sandbox; `mount`, `pivot_root`", |exam| {
                kind(exam, Kind::Mount)
            }),
            needed("pid_namespace", "pid", "sandboxes; `clone(PID, …)`, `.proc()`", |exam| {
                kind(exam, Kind::Pid)
            }),
            needed(
                "net_namespace",
                "net",
                "sandboxes; `netns`, `veth`, `import \"std/net\"`",
                |exam| kind(exam, Kind::Net),
            ),
            needed("uts_namespace", "uts", "sandboxes; `.hostname()`, `sethostname`", |exam| {
                kind(exam, Kind::Uts)
            }),
            needed("ipc_namespace", "ipc", "sandboxes; message queues of their own", |exam| {
                kind(exam, Kind::Ipc)
            }),
            needed("cgroup_namespace", "cgroup", "sandboxes; cgroups seen from inside", |exam| {
                kind(exam, Kind::Cgroup)
            }),
            needed(
                "time_namespace",
                "time",
                "sandboxes; `clone(TIME, …)`, clocks of their own",
                |exam| kind(exam, Kind::Time),
            ),
        ],
    ),
    (
        "policy",
        &[
            other("userns_sysctl", "sysctl", "user namespaces for users", namespaces::sysctl),
            other(
                "userns_apparmor",
                "apparmor",
                "capabilities in user namespaces for users",
                namespaces::apparmor,
            ),
            other(
                "seccomp_filter",
                "filter",
                "the system calls of nsscript itself",
                namespaces::filter,
            ),
            other(
                "chroot",
                "chroot",
                "user namespaces, which cannot be created in a chroot",
                namespaces::chroot,
            ),
        ],
    ),
    (
        "ids",
        &[
            needed("own_id", "own id", "every sandbox", ids::own),
            other(
                "subordinate_ids",
                "subordinate",
                "`.map_user()`, `.map_group()`; owners of files in archives",
                ids::subordinate,
            ),
            other("id_helpers", "helpers", "the maps of subordinate ids", ids::helpers),
        ],
    ),
    (
        "mounts",
        &[
            needed("mount_api", "mount API", "every sandbox", mounts::api),
            other("root", "root", "every sandbox: it leaves the root of the host", mounts::root),
            other(
                "overlay",
                "overlay",
                "roots of layers without a copy; `.keep_changes()`",
                mounts::overlay,
            ),
            needed("proc", "proc", "`.proc()`, in almost every recipe", mounts::proc),
            other("sysfs", "sysfs", "`.sysfs()`", mounts::sysfs),
        ],
    ),
    (
        "cgroups",
        &[
            other(
                "cgroup_version",
                "version",
                "`cgroup()`, `host.cgroup`; recipes/lessons/10-cgroup.rhai",
                cgroups::version,
            ),
            other(
                "cgroup_delegation",
                "delegation",
                "your own cgroups: `mkdir` there, with `--host`",
                cgroups::delegation,
            ),
        ],
    ),
    (
        "confinement",
        &[
            other(
                "seccomp",
                "seccomp",
                "programs that filter their own system calls",
                kernel::seccomp,
            ),
            other("landlock", "landlock", "programs that confine themselves", kernel::landlock),
        ],
    ),
    (
        "network",
        &[
            other("veth", "veth", "`veth`, `import \"std/net\"`", |exam| {
                devices::part(exam, NetworkPart::Veth, "a pair of interfaces can be created")
            }),
            other("bridge", "bridge", "`.bridge()`, `net::hub`", |exam| {
                devices::part(exam, NetworkPart::Bridge, "a bridge can be created")
            }),
            other(
                "nftables",
                "nftables",
                "`.masquerade()`, `.dnat()`, `.block()`, `.allow()`",
                |exam| {
                    devices::part(exam, NetworkPart::Rules, "rules of every kind can be created")
                },
            ),
            other("net_settings", "settings", "`.forward()`", |exam| {
                devices::part(
                    exam,
                    NetworkPart::Settings,
                    "the settings of a new network can be \
                                                            changed",
                )
            }),
            other("tun", "tun", "`.network(\"outbound\")`", devices::tun),
            other("pasta", "pasta", "`.network(\"outbound\")`", devices::pasta),
        ],
    ),
    (
        "devices",
        &[
            other(
                "loop_devices",
                "loop",
                "`mount` of images; recipes/lessons/06-loop.rhai",
                devices::loops,
            ),
            other("binfmt", "binfmt", "roots with programs of other processors", devices::binfmt),
        ],
    ),
    (
        "a sandbox",
        &[
            needed("init", "init", "every sandbox: the init that nsscript carries", sandbox::init),
            needed("temporary", "files", "roots that nsscript assembles", sandbox::temporary),
            needed("programs", "programs", "recipes/busybox.rhai", sandbox::programs),
            needed(
                "sandbox",
                "launch",
                "recipes/busybox.rhai: the same sandbox, with an empty root",
                sandbox::launch,
            ),
        ],
    ),
];
