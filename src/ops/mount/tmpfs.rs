//! Empty file systems in memory: tmpfs(5).

use crate::diag::Origin;
use crate::ops::{Asking, Changes, Planning};
use crate::spec::{GuestPath, MountAttributes, MountOptions, ValueError};

/// An empty file system in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Tmpfs {
    /// The place inside.
    pub target: GuestPath,
    /// Its maximum size, in bytes; `None` for the kernel's default.
    pub size: Option<u64>,
    /// The permission bits of its root.
    pub mode: u32,
    /// Whether a missing place is created on the host, if that is where it is missing.
    pub create: bool,
}

impl Tmpfs {
    /// An empty file system in memory. Without a mode it is 0o1777 for `/tmp`, `/var/tmp` and
    /// `/dev/shm`, and 0o755 elsewhere.
    ///
    /// # Errors
    /// The size is 0.
    pub fn new(
        target: GuestPath,
        size: Option<u64>,
        mode: Option<u32>,
    ) -> Result<Self, ValueError> {
        // For the kernel, `size=0` means no limit.
        if size == Some(0) {
            return Err(ValueError::new("a tmpfs of size 0 would be unlimited"));
        }
        let shared = matches!(target.as_str(), "/tmp" | "/var/tmp" | "/dev/shm");
        let mode = mode.unwrap_or(if shared { 0o1777 } else { 0o755 });
        Ok(Self { target, size, mode, create: false })
    }

    /// The same, with a missing place created on the host or not.
    #[must_use]
    pub fn creating(self, create: bool) -> Self {
        Self { create, ..self }
    }
}

impl Asking for Tmpfs {
    fn name(&self) -> &'static str {
        "tmpfs"
    }

    fn say(&self) -> String {
        format!("tmpfs on {}{}", self.target, super::created(self.create))
    }

    fn changes(&self) -> Changes {
        Changes::Root
    }

    fn key(&self) -> Option<&str> {
        None
    }

    fn target(&self) -> Option<&GuestPath> {
        Some(&self.target)
    }

    fn plan(&self, to: &mut Planning<'_>, origin: Option<&Origin>) -> Result<(), ValueError> {
        let options = tmpfs(self.size, self.mode, MountAttributes::default());
        let usual = options.attributes;
        to.mount("tmpfs", "tmpfs", &self.target, (options, usual), Some(self.create), origin);
        Ok(())
    }
}

/// The options and attributes of a tmpfs.
pub(in crate::ops) fn tmpfs(
    size: Option<u64>,
    mode: u32,
    attributes: MountAttributes,
) -> MountOptions {
    let mut data = vec![("mode".to_owned(), Some(format!("{mode:04o}")))];
    data.extend(size.map(|size| ("size".to_owned(), Some(size.to_string()))));
    MountOptions { data, attributes }
}
