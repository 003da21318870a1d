//! What is known of the machine and of who asks.

use std::collections::BTreeMap;
use std::path::Path;

use super::tree::Tree;

/// The machine as a plan sees it.
#[derive(Clone, Debug)]
pub struct Host {
    /// The files.
    pub tree: Tree,
    /// The user who asks.
    pub uid: u32,
    /// The group who asks.
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

    /// Whether the one who asks may make user namespaces, as far as the settings of the kernel
    /// say: there may be some, and they are not off for users.
    #[must_use]
    pub fn allows_user_namespaces(&self) -> bool {
        let limit = self.setting("user/max_user_namespaces");
        let built_in = limit.is_some_and(|limit| limit != "0");
        let is = |name: &str, value: &str| self.setting(name).as_deref() == Some(value);
        // Debian's setting, and Ubuntu's, which only counts for programs without a profile.
        let off = is("kernel/unprivileged_userns_clone", "0")
            || is("kernel/apparmor_restrict_unprivileged_userns", "1") && self.is_unconfined();
        built_in && (self.is_root() || !off)
    }

    /// Whether AppArmor knows no profile for this process.
    fn is_unconfined(&self) -> bool {
        let text = self.tree.read(Path::new("/proc/self/attr/current")).unwrap_or_default();
        String::from_utf8_lossy(&text).trim_end_matches(['\0', '\n']) == "unconfined"
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
        let profile = ("self/attr/current", "nsscript (unconfined)\n");
        assert!(allows("userns-some", 1, &[some]));
        assert!(!allows("userns-none", 0, &[none]));
        assert!(!allows("userns-not-built-in", 0, &[]));
        assert!(!allows("userns-debian", 1, &[some, debian]));
        assert!(allows("userns-debian-root", 0, &[some, debian]));
        assert!(!allows("userns-ubuntu", 1, &[some, ubuntu, unconfined]));
        assert!(allows("userns-ubuntu-profile", 1, &[some, ubuntu, profile]));
    }
}
