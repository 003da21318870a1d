//! Facts about the machine and the caller.

use std::collections::BTreeMap;
use std::path::Path;

use super::mountinfo;
use super::tree::Tree;

/// The maximum number of user namespaces: namespaces(7).
pub const MOST_USER_NAMESPACES: &str = "user/max_user_namespaces";
/// Debian's setting: 0 forbids user namespaces for users.
pub const DEBIAN: &str = "kernel/unprivileged_userns_clone";
/// Ubuntu's setting: with 1, programs of users have no rights in theirs unless they have a profile.
pub const APPARMOR: &str = "kernel/apparmor_restrict_unprivileged_userns";

/// A setting of the kernel that forbids user namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forbids {
    /// The maximum is 0: [`MOST_USER_NAMESPACES`].
    Limit,
    /// Users may not create any: [`DEBIAN`].
    Users,
    /// Without an AppArmor profile, programs of users have no rights in theirs: [`APPARMOR`].
    AppArmor,
}

/// The machine as a plan sees it.
#[derive(Clone, Debug)]
pub struct Host {
    /// The files.
    pub tree: Tree,
    /// The user of the caller.
    pub uid: u32,
    /// The group of the caller.
    pub gid: u32,
    /// The version of Linux: major and minor.
    pub kernel: (u32, u32),
    /// The environment of nsscript.
    pub environment: BTreeMap<String, String>,
}

impl Host {
    /// Whether the caller has every right on the machine (or in the container it is in).
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// A setting of the kernel: `setting("user/max_user_namespaces")` is the file of that name
    /// below `/proc/sys`, without its line end.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<String> {
        let text = self.tree.read(&Path::new("/proc/sys").join(name)).ok()?;
        Some(String::from_utf8_lossy(&text).trim_end().to_owned())
    }

    /// Whether the caller has a controlling terminal, whose input only its processes can insert:
    /// proc_pid_stat(5), field 7. Without an answer, there could be one.
    #[must_use]
    pub fn has_terminal(&self) -> bool {
        let Ok(stat) = self.tree.read(Path::new("/proc/self/stat")) else { return true };
        let stat = String::from_utf8_lossy(&stat);
        // The name in parentheses can contain blanks. After it: state, parent, group, session.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        fields.split_whitespace().nth(4) != Some("0")
    }

    /// Whether the caller may create user namespaces, according to the settings of the kernel: the
    /// maximum is not 0, and they are not forbidden for users.
    #[must_use]
    pub fn allows_user_namespaces(&self) -> bool {
        // Without the setting they are not built in.
        self.setting(MOST_USER_NAMESPACES).is_some() && self.forbids_user_namespaces().is_none()
    }

    /// The setting that forbids user namespaces for the caller, if there is one.
    #[must_use]
    pub fn forbids_user_namespaces(&self) -> Option<Forbids> {
        let is = |name: &str, value: &str| self.setting(name).as_deref() == Some(value);
        if self.is_root() {
            return is(MOST_USER_NAMESPACES, "0").then_some(Forbids::Limit);
        }
        if is(DEBIAN, "0") {
            return Some(Forbids::Users);
        }
        if is(MOST_USER_NAMESPACES, "0") {
            return Some(Forbids::Limit);
        }
        (is(APPARMOR, "1") && self.is_unconfined()).then_some(Forbids::AppArmor)
    }

    /// The field `name` of `/proc/self/status`.
    #[must_use]
    pub fn status(&self, name: &str) -> Option<String> {
        let text = self.tree.read(Path::new("/proc/self/status")).ok()?;
        let text = String::from_utf8_lossy(&text);
        let value =
            |line: &str| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned());
        text.lines().find_map(value)
    }

    /// Whether the user namespace of this process forbids changing supplementary groups, like one
    /// that a user has created: user_namespaces(7).
    #[must_use]
    pub fn denies_groups(&self) -> bool {
        self.tree.read(Path::new("/proc/self/setgroups")).is_ok_and(|text| text == b"deny\n")
    }

    /// Whether /proc can be read. Without it, little is known about the kernel.
    #[must_use]
    pub fn has_proc(&self) -> bool {
        self.tree.exists(Path::new("/proc/self/status"))
    }

    /// The mount option that hides other users' processes in /proc from this process: `hidepid=2`,
    /// or `invisible` in later kernels. A process that may look at process 1 may look at all of
    /// them.
    #[must_use]
    pub fn hidepid(&self) -> Option<String> {
        if self.tree.read(Path::new("/proc/1/status")).is_ok() {
            return None;
        }
        let mounts = mountinfo::read(&self.tree).ok()?;
        let proc = mounts.into_iter().rev().find(|mount| mount.target == "/proc")?;
        let mut options = proc.super_options.split(',');
        let option = options.find(|option| option.starts_with("hidepid="))?;
        Some(option.to_owned())
    }

    /// Whether the root of this process was changed by chroot(2), judging by its mounts: nothing is
    /// mounted at its root. Without /proc, this is unknown.
    #[must_use]
    pub fn is_in_chroot(&self) -> Option<bool> {
        let mounts = mountinfo::read(&self.tree).ok()?;
        Some(!mounts.iter().any(|mount| mount.target == "/"))
    }

    /// The AppArmor profile of this process: `unconfined` without one; `None` if there is no
    /// AppArmor.
    #[must_use]
    pub fn apparmor_profile(&self) -> Option<String> {
        let files = ["/proc/self/attr/apparmor/current", "/proc/self/attr/current"];
        let text = files.iter().find_map(|file| self.tree.read(Path::new(file)).ok())?;
        Some(String::from_utf8_lossy(&text).trim_end_matches(['\0', '\n']).to_owned())
    }

    /// Whether AppArmor has no profile for this process, or has put it into the one for programs
    /// that have made a user namespace without a profile.
    fn is_unconfined(&self) -> bool {
        let profile = self.apparmor_profile().unwrap_or_default();
        profile == "unconfined" || profile.starts_with("unprivileged_userns")
    }
}

#[cfg(test)]
mod tests {
    use super::Host;
    use crate::host::fixture::Fixture;

    fn allows(name: &str, uid: u32, settings: &[(&str, &str)]) -> bool {
        let fixture = Fixture::new(name);
        for (name, text) in settings {
            fixture.file(&format!("proc/{name}"), text.as_bytes());
        }
        let (tree, environment) = (fixture.tree(), std::collections::BTreeMap::default());
        Host { tree, uid, gid: uid, kernel: (6, 1), environment }.allows_user_namespaces()
    }

    #[test]
    fn user_namespaces_are_there_unless_a_setting_forbids_them() {
        let some = ("sys/user/max_user_namespaces", "100\n");
        let none = ("sys/user/max_user_namespaces", "0\n");
        let debian = ("sys/kernel/unprivileged_userns_clone", "0\n");
        let ubuntu = ("sys/kernel/apparmor_restrict_unprivileged_userns", "1\n");
        let unconfined = ("self/attr/current", "unconfined\n");
        let inside = ("self/attr/current", "unprivileged_userns (enforce)\n");
        let profile = ("self/attr/current", "nsscript (unconfined)\n");
        assert!(allows("userns-some", 1, &[some]));
        assert!(!allows("userns-none", 0, &[none]));
        assert!(!allows("userns-not-built-in", 0, &[]));
        assert!(!allows("userns-debian", 1, &[some, debian]));
        assert!(allows("userns-debian-root", 0, &[some, debian]));
        assert!(!allows("userns-ubuntu", 1, &[some, ubuntu, unconfined]));
        assert!(!allows("userns-ubuntu-inside", 1, &[some, ubuntu, inside]));
        assert!(allows("userns-ubuntu-profile", 1, &[some, ubuntu, profile]));
    }
}
