//! Search for programs along `PATH`.

use std::path::{Path, PathBuf};

use super::file_view::FileView;
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
        FileView::which(self, name, path_variable)
    }
}

/// The paths that execvp(3) tries for the program `name`, without those that are relative to a
/// working directory.
pub(super) fn candidates(name: &str, path_variable: Option<&str>) -> Vec<PathBuf> {
    if name.is_empty() {
        return Vec::new();
    }
    if name.contains('/') {
        return vec![PathBuf::from(name)];
    }
    let directories = path_variable.unwrap_or(DEFAULT_PATH).split(':');
    let absolute = directories.filter(|directory| directory.starts_with('/'));
    absolute.map(|directory| Path::new(directory).join(name)).collect()
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
