//! The files read so far, each read once.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::bytes::Bytes;
use super::error::{ElfError, ElfErrorKind};
use super::object::Object;
use super::script::Shebang;
use crate::host::FileView;

/// Device and inode: two paths with the same are one file.
pub(super) type Identity = (u64, u64);

/// The contents of a file.
#[derive(Debug, Clone)]
pub(super) enum Content {
    Elf(Rc<Object>),
    Script(Rc<Shebang>),
}

/// A file that was read.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub identity: Identity,
    pub content: Content,
}

/// The files of a tree, cached with their contents, or with the error.
pub(super) struct Files<'t> {
    pub tree: &'t dyn FileView,
    by_path: HashMap<PathBuf, Result<Known, ElfError>>,
    by_identity: HashMap<Identity, Content>,
    /// Directories of programs, and their paths without links.
    directories: HashMap<PathBuf, PathBuf>,
}

impl<'t> Files<'t> {
    pub fn of(tree: &'t dyn FileView) -> Self {
        Self {
            tree,
            by_path: HashMap::new(),
            by_identity: HashMap::new(),
            directories: HashMap::new(),
        }
    }

    /// The contents of the file `path`.
    pub fn known(&mut self, path: &Path) -> Result<Known, ElfError> {
        if let Some(known) = self.by_path.get(path) {
            return known.clone();
        }
        let known = self.look(path).map_err(|fault| {
            if let ElfErrorKind::Unreadable(errno) = fault {
                self.tree.note(path, io::Error::from_raw_os_error(errno));
            }
            ElfError::new(path, fault)
        });
        self.by_path.insert(path.to_owned(), known.clone());
        known
    }

    /// The path of `path` without links.
    pub fn resolve(&mut self, path: &Path) -> Result<PathBuf, ElfError> {
        let failed = |error: io::Error| ElfError::new(path, error.into());
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return self.tree.place(path).map_err(failed);
        };
        // Many programs share a directory, of which the links are then walked once.
        let directory = if let Some(known) = self.directories.get(parent) {
            known.clone()
        } else {
            let directory = self.tree.place(parent).map_err(failed)?;
            self.directories.insert(parent.to_owned(), directory.clone());
            directory
        };
        self.tree.place_in(directory, Path::new(name)).map_err(failed)
    }

    fn look(&mut self, path: &Path) -> Result<Known, ElfErrorKind> {
        let found = self.tree.metadata(path)?;
        if found.is_dir() {
            return Err(ElfErrorKind::Directory);
        }
        // Opening a pipe would wait for whoever writes to it.
        if !found.is_file() {
            return Err(ElfErrorKind::Special);
        }
        let identity = (found.dev(), found.ino());
        if let Some(content) = self.by_identity.get(&identity) {
            return Ok(Known { identity, content: content.clone() });
        }
        let file = self.tree.open(path)?;
        let bytes = Bytes::of(&file, found.len())?;
        let content = match Shebang::read(bytes.head())? {
            Some(shebang) => Content::Script(Rc::new(shebang)),
            None => Content::Elf(Rc::new(Object::read(&bytes)?)),
        };
        self.by_identity.insert(identity, content.clone());
        Ok(Known { identity, content })
    }
}
