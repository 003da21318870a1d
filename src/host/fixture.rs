//! Small file trees for tests.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::tree::Tree;

/// A directory with the content of a test, removed when the value is dropped.
pub struct Fixture {
    root: PathBuf,
}

impl Fixture {
    /// An empty tree; `name` distinguishes it from those of other tests.
    pub fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("host-{}-{name}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        Self { root }
    }

    /// The path of `inside` on the machine; its directory is created.
    pub fn path(&self, inside: &str) -> PathBuf {
        let path = self.root.join(inside);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    /// The tree, seen as if it were `/`.
    pub fn tree(&self) -> Tree {
        Tree::at(&self.root)
    }

    /// A file that is not executable.
    pub fn file(&self, inside: &str, content: &[u8]) {
        fs::write(self.path(inside), content).unwrap();
    }

    /// An executable file.
    pub fn program(&self, inside: &str, content: &[u8]) {
        self.file(inside, content);
        fs::set_permissions(self.path(inside), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A symbolic link.
    pub fn link(&self, target: impl AsRef<Path>, inside: &str) {
        symlink(target, self.path(inside)).unwrap();
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}
