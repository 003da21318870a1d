//! The user, the environment and the limits of programs.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use super::policy::Policy;
use super::sandbox::{Sandbox, guest};
use super::values::{Id, Limit};
use crate::ops::{self, What};
use crate::run;
use crate::spec::{self, AllIds, Capabilities, IdRange, Resource, ValueError};

impl Sandbox {
    /// The user that programs run as. Default: the caller in a [`host_view`](Self::host_view), else
    /// 0.
    #[track_caller]
    pub fn user(self, user: impl Into<Id>) -> Self {
        self.with(What::User(user.into().0))
    }

    /// The group that programs run as. Default: that of the caller if the user is, else 0.
    #[track_caller]
    pub fn group(self, group: impl Into<Id>) -> Self {
        self.with(What::Group(group.into().0))
    }

    /// The supplementary groups of programs, by their ids inside. Default: none. Each must be
    /// mapped with [`map_group`](Self::map_group).
    #[track_caller]
    pub fn groups(self, groups: impl IntoIterator<Item = u32>) -> Self {
        self.try_with(|| ops::Groups::new(groups))
    }

    /// Maps `count` users from `inside` up to those from `outside` up: user_namespaces(7).
    #[track_caller]
    pub fn map_user(self, inside: u32, outside: u32, count: u32) -> Self {
        self.try_with(|| range(inside, outside, count).map(What::MapUser))
    }

    /// The same for groups.
    #[track_caller]
    pub fn map_group(self, inside: u32, outside: u32, count: u32) -> Self {
        self.try_with(|| range(inside, outside, count).map(What::MapGroup))
    }

    /// Maps all users that the caller may map: the caller as user 0 and their subordinate ids in
    /// `/etc/subuid`, or for root 65536 users that nobody else has.
    #[track_caller]
    pub fn map_users_all(self) -> Self {
        self.with(What::MapUsers(AllIds { optional: false }))
    }

    /// The same for groups, with `/etc/subgid`.
    #[track_caller]
    pub fn map_groups_all(self) -> Self {
        self.with(What::MapGroups(AllIds { optional: false }))
    }

    /// Keeps capabilities by the names of capabilities(7), with or without `CAP_`. Default: none.
    ///
    /// They count in the user namespace of the sandbox. A program with `SYS_ADMIN` can undo the
    /// mounts of its sandbox, so planning refuses it if they protect files of the host.
    ///
    /// ```
    /// use nsscript::Sandbox;
    ///
    /// let sandbox = Sandbox::host_view().keep_capabilities(["CHOWN", "NET_RAW"]);
    /// let output = sandbox.command("grep").args(["CapEff", "/proc/self/status"]).output()?;
    /// assert_eq!(output.stdout, b"CapEff:\t0000000000002001\n");
    /// # Ok::<(), nsscript::Error>(())
    /// ```
    #[track_caller]
    pub fn keep_capabilities(self, names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.try_with(|| Capabilities::parse(names).map(ops::KeepCapabilities))
    }

    /// Keeps the 14 capabilities that docker and podman leave to containers.
    #[track_caller]
    pub fn keep_capabilities_container(self) -> Self {
        self.with(ops::KeepCapabilities(Capabilities::CONTAINER))
    }

    /// Keeps every capability.
    #[track_caller]
    pub fn keep_capabilities_all(self) -> Self {
        self.with(ops::KeepCapabilities(Capabilities::ALL))
    }

    /// Forbids programs to create user namespaces, in which they would have every capability.
    ///
    /// ```
    /// use nsscript::Sandbox;
    ///
    /// let sandbox = Sandbox::host_view().forbid_user_namespaces();
    /// assert!(!sandbox.command("unshare").args(["--user", "true"]).status()?.success());
    /// # Ok::<(), nsscript::Error>(())
    /// ```
    #[track_caller]
    pub fn forbid_user_namespaces(self) -> Self {
        self.with(ops::ForbidUserNamespaces)
    }

    /// Sets an environment variable.
    #[track_caller]
    pub fn env(self, name: &str, value: &str) -> Self {
        self.try_with(|| Ok(What::Env(vec![spec::variable(name, value)?])))
    }

    /// Keeps variables of the caller's environment, if they are set there and are UTF-8.
    #[track_caller]
    pub fn keep_env(self, names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.try_with(|| {
            let checked = |name: &str| spec::variable(name, "").map(|(name, _)| name);
            let names = names.into_iter().map(|name| checked(name.as_ref()));
            Ok(What::KeepEnv(names.collect::<Result<_, _>>()?))
        })
    }

    /// The working directory. Default: `/`.
    #[track_caller]
    pub fn workdir(self, path: impl AsRef<Path>) -> Self {
        self.try_with(|| guest(path.as_ref()).map(ops::Workdir))
    }

    /// The file mode creation mask, umask(2). Default: 0o022.
    #[track_caller]
    pub fn umask(self, mask: u32) -> Self {
        self.try_with(|| match mask {
            0..=0o777 => Ok(ops::Umask(mask)),
            _ => Err(ValueError::new(format!("invalid umask {mask:#o}"))
                .hint("a umask has at most the bits 0o777")),
        })
    }

    /// Whether programs have a session of their own (default), or stay in that of the caller, at
    /// its terminal. There, they can type into it (`TIOCSTI`) before Linux 6.2, and later if
    /// `dev.tty.legacy_tiocsti` is 1.
    #[track_caller]
    pub fn session(self, own: bool) -> Self {
        self.with(ops::KeepSession(!own))
    }

    /// Lets a program that is [spawned](crate::Command::spawn) go on when this process ends, and when
    /// its [`Child`](crate::Child) is dropped. Default: it is killed. A copy of this process stays
    /// with the sandbox until it ends, without the descriptors, the terminal and the handlers of
    /// signals of this one.
    #[track_caller]
    pub fn outlive_parent(self) -> Self {
        self.with(ops::OutliveParent)
    }

    /// Passes an open file, pipe or socket to the program, as the descriptor `number` from 3 to 255.
    /// Default: a program has only the standard streams. Directories and terminals are refused,
    /// because a program leaves its root by the one, and could type into the other.
    ///
    /// ```
    /// use nsscript::Sandbox;
    ///
    /// let file = std::fs::File::open("/etc/passwd")?;
    /// let guest = Sandbox::host_view().pass_fd(file, 9);
    /// assert!(guest.command("sh").args(["-c", "read line <&9"]).status()?.success());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn pass_fd(self, descriptor: impl Into<OwnedFd>, number: i32) -> Self {
        self.try_reported(run::checked_fd(None, number.into(), false, descriptor.into()))
    }

    /// The execution domain by the names of personality(2): `ADDR_NO_RANDOMIZE`,
    /// `ADDR_COMPAT_LAYOUT`, `LINUX32`. Default: that of nsscript.
    #[track_caller]
    pub fn personality(self, names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.try_with(|| ops::Personality::new(names))
    }

    /// Sets the clock `boottime` or `monotonic` ahead of that of the machine by these seconds, or
    /// behind it if they are negative. See time_namespaces(7).
    #[track_caller]
    pub fn clock_offset(self, clock: &str, seconds: i64) -> Self {
        let by = Duration::from_secs(seconds.unsigned_abs());
        self.try_with(|| ops::ClockOffset::new(clock, seconds < 0, by))
    }

    /// Limits a resource of each program by its name in prlimit(1): `nofile`, `nproc`, `as`.
    ///
    /// ```
    /// use nsscript::Sandbox;
    ///
    /// let sandbox = Sandbox::host_view().limit("nofile", 64).limit("core", (0, nsscript::UNLIMITED));
    /// let output = sandbox.command("sh").args(["-c", "ulimit -n"]).output()?;
    /// assert_eq!(output.stdout, b"64\n");
    /// # Ok::<(), nsscript::Error>(())
    /// ```
    #[track_caller]
    pub fn limit(self, resource: &str, limit: impl Into<Limit>) -> Self {
        let Limit { soft, hard } = limit.into();
        self.try_with(|| ops::Limit::new(Resource::find(resource)?, soft, hard))
    }

    /// Filters the system calls of programs: seccomp(2).
    #[track_caller]
    pub fn seccomp(self, policy: &Policy) -> Self {
        self.try_with(|| policy.checked().and_then(ops::Seccomp::new))
    }

    /// Sets a kernel setting of the sandbox's own namespaces, by its name in sysctl(8):
    /// `net.ipv4.ip_forward`.
    #[track_caller]
    pub fn sysctl(self, name: &str, value: &str) -> Self {
        self.try_with(|| ops::Sysctl::new(name, value))
    }

    /// Makes the program itself process 1, without an init that reaps orphans.
    #[track_caller]
    pub fn pid1(self) -> Self {
        self.with(What::Pid1)
    }
}

fn range(inside: u32, outside: u32, count: u32) -> Result<IdRange, ValueError> {
    IdRange::new(inside.into(), outside.into(), count.into())
}
