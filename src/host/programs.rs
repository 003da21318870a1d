//! Search for programs along `PATH`.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::tree::Tree;

/// The search path if `PATH` is not set, on the host and inside.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Tree {
    /// The program `name`, as `execvp(3)` would find it.
    ///
    /// A name with a `/` is a path, taken from the root of the tree. Another is searched in the
    /// directories of `path_variable`, or in the default ones if that is `None`; a directory that
    /// is not absolute is skipped. The result is a regular file with an `x` bit.
    #[must_use]
    pub fn which(&self, name: &str, path_variable: Option<&str>) -> Option<PathBuf> {
        let runs = |path: &Path| {
            self.metadata(path)
                .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        };
        if name.is_empty() {
            return None;
        }
        if name.contains('/') {
            let path = PathBuf::from(name);
            return runs(&path).then_some(path);
        }
        path_variable
            .unwrap_or(DEFAULT_PATH)
            .split(':')
            .filter(|directory| directory.starts_with('/'))
            .map(|directory| Path::new(directory).join(name))
            .find(|path| runs(path))
    }
}

#[cfg(test)]
mod tests {
    use crate::host::fixture::Fixture;

    #[test]
    fn programs_are_found_as_execvp_finds_them() {
        let made = Fixture::new("tree-which");
        made.file("opt/tool", b"not executable");
        made.program("usr/bin/tool", b"");
        made.program("tool", b"");
        let tree = made.tree();
        let found = |name, variable| tree.which(name, variable);
        assert_eq!(found("tool", None), Some("/usr/bin/tool".into()));
        assert_eq!(found("tool", Some("::.:/opt:/usr/bin")), Some("/usr/bin/tool".into()));
        assert_eq!(found("tool", Some("/opt")), None);
        assert_eq!(found("/tool", Some("/opt")), Some("/tool".into()));
        assert_eq!(found("/opt/tool", None), None);
        assert_eq!(found("", None), None);
    }
}
