//! The inside of a sandbox as a file tree, in which programs find their libraries.

use std::cell::Cell;
use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use super::Guest;
use crate::host::{FileView, Unseen};
use crate::ops::{At, Content};
use crate::sys;

/// The files inside.
pub(super) struct Inside<'g, 'a> {
    guest: &'g Guest<'a>,
    /// Whether nothing was looked up that is not known.
    sure: Cell<bool>,
}

/// A file inside.
enum Backing {
    /// It has the properties of this file of the host; a directory those of `/`.
    OnHost(PathBuf),
    /// It is a regular file with these bytes.
    InMemory(Vec<u8>),
}

impl<'g, 'a> Inside<'g, 'a> {
    pub fn of(guest: &'g Guest<'a>) -> Self {
        Self { guest, sure: Cell::new(true) }
    }

    /// Whether all files that were looked up are known.
    pub fn is_sure(&self) -> bool {
        self.sure.get()
    }

    fn unknown<T>(&self) -> io::Result<T> {
        self.sure.set(false);
        Err(io::ErrorKind::NotFound.into())
    }

    fn backing(&self, path: &Path) -> io::Result<Backing> {
        let Some(text) = path.to_str() else { return self.unknown() };
        let found = self.guest.follow(text);
        match found.at {
            At::Nothing => Err(io::ErrorKind::NotFound.into()),
            At::Directory => Ok(Backing::OnHost("/".into())),
            At::File => match self.guest.stored(&found.place).map(|stored| stored.content) {
                Some(Content::OnHost(path)) => Ok(Backing::OnHost(path)),
                Some(Content::InMemory(content)) => Ok(Backing::InMemory(content.to_vec())),
                None => self.unknown(),
            },
            At::Link(_) | At::Unknown => self.unknown(),
        }
    }

    /// A file with these bytes.
    fn in_memory(&self, content: &[u8]) -> io::Result<File> {
        sys::shown_in_proc(c"nsscript-file", content)
            .map_or_else(|_| self.unknown(), |file| Ok(File::from(file)))
    }
}

impl FileView for Inside<'_, '_> {
    fn place(&self, path: &Path) -> io::Result<PathBuf> {
        let Some(text) = path.to_str() else { return self.unknown() };
        let found = self.guest.follow(text);
        match found.at {
            At::Nothing => Err(io::ErrorKind::NotFound.into()),
            At::Directory | At::File => Ok(found.place.as_str().into()),
            At::Link(_) | At::Unknown => self.unknown(),
        }
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        match self.backing(path)? {
            Backing::OnHost(path) => self.guest.host().metadata(&path),
            Backing::InMemory(content) => self.in_memory(&content)?.metadata(),
        }
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        match self.backing(path)? {
            Backing::OnHost(path) => self.guest.host().open(&path),
            Backing::InMemory(content) => self.in_memory(&content),
        }
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self.backing(path)? {
            Backing::OnHost(path) => self.guest.host().read(&path),
            Backing::InMemory(content) => Ok(content),
        }
    }

    fn names(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let Some(text) = path.to_str() else { return self.unknown() };
        Ok(self.guest.names(text).into_iter().map(OsString::from).collect())
    }

    fn note(&self, path: &Path, error: io::Error) -> io::Error {
        FileView::note(self.guest.host(), path, error)
    }

    fn unseen(&self) -> Option<Unseen> {
        FileView::unseen(self.guest.host())
    }
}
