//! The verbs and types that a recipe can use: registering all of them takes as long as starting
//! nsscript.

use std::collections::HashSet;

use super::library::CONTAINER;

/// The names in a text.
pub enum Named<'t> {
    /// Its words.
    Words(HashSet<&'t str>),
    /// Any name: a module can use all, and names can be composed.
    All,
}

impl<'t> Named<'t> {
    /// The names in the text of a recipe.
    pub fn in_text(text: &'t str) -> Self {
        let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let mut words: HashSet<&str> = text.split(|letter| !is_word(letter)).collect();
        // The verb calls a function of the library, which calls other verbs.
        if words.contains("container") {
            words.extend(CONTAINER.split(|letter| !is_word(letter)));
        }
        if words.contains("import") || words.contains("Fn") {
            Self::All
        } else {
            Self::Words(words)
        }
    }

    /// Whether the text has this name.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::Words(words) => words.contains(name),
            Self::All => true,
        }
    }

    /// Whether the text has one of these names.
    pub fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.has(name))
    }
}

/// The functions that begin a session.
const RAW: [&str; 41] = [
    "capabilities",
    "chdir",
    "chmod",
    "chown",
    "chroot",
    "clone",
    "exec",
    "getgid",
    "getgroups",
    "getuid",
    "link",
    "lsns",
    "map_ids",
    "mkdir",
    "mknod",
    "mount",
    "mounts",
    "namespace",
    "namespaces",
    "netns",
    "no_new_privs",
    "parallel",
    "pivot_root",
    "processes",
    "read_file",
    "remove",
    "rename",
    "scratch",
    "set_capabilities",
    "setdomainname",
    "setgid",
    "setgroups",
    "sethostname",
    "setns",
    "setuid",
    "stat",
    "symlink",
    "umount",
    "unshare",
    "within",
    "write_file",
];

/// Whether a text calls a function that begins a session. Verbs of a sandbox with the same names
/// follow a dot.
pub fn calls_raw(text: &str) -> bool {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    RAW.iter().any(|name| {
        text.match_indices(name).any(|(at, _)| {
            let (before, after) = (text[..at].trim_end(), &text[at + name.len()..]);
            let joined = text[..at].ends_with(is_word) || before.ends_with('.');
            after.trim_start().starts_with('(') && !joined
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{Named, calls_raw};

    #[test]
    fn functions_are_told_from_what_a_sandbox_describes() {
        assert!(calls_raw("let a = 1; unshare (UTS);"));
        assert!(calls_raw("clone(UTS, || 1).wait()"));
        assert!(!calls_raw(
            "sandbox().unshare(UTS)\n  .mount(\"a\", \"b\").symlink(\"a\", \"/b\")"
        ));
        assert!(!calls_raw("fn remount(x) {} mount; // unshare it"));
    }

    #[test]
    fn names_are_whole_words() {
        let named = Named::in_text("let r = rootfs().binary(\"sh\"); // unmount");
        assert!(named.has("rootfs") && named.has_any(&["x", "binary"]));
        assert!(!named.has("mount") && !named.has("root"));
        assert!(Named::in_text("sandbox().container()").has("keep_capabilities"));
        assert!(Named::in_text("import \"std/roots\" as roots;").has("mount"));
    }
}
