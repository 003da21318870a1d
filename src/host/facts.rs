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
}
