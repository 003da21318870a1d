//! The store: layers of roots, kept for later runs under their digests.
//!
//! `layers/NAME` is a layer: its `tree`, its `manifest`, and `layer.json` with frequently needed
//! facts. `index/KEY` names the layer of a description on the current host. `building/…` are
//! unfinished layers. `roots/DIGEST` is the manifest of a root of several layers whose digest was
//! requested. Everything is created elsewhere and renamed into place, so entries are complete.
//! Remains of a killed run are not locked, and the next run removes them.

mod building;
mod facts;
mod location;
mod shelf;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::manifest::{Difference, Manifest, Reads};
use super::mend;
use crate::diag::{Report, quoted};
use crate::run::layers::Layers;
use crate::run::layers::unwritable;
use crate::run::workspace::remove_own_directory;
use crate::sys::{self, Errno, Held, Lock};

pub(in crate::run) use building::{Building, Make};
pub use facts::Facts;
pub(in crate::run) use facts::unreadable;
pub use location::StoreError;
pub use shelf::Listed;

/// The directory of the store. It is held from the moment it was found to be the caller's own, and
/// everything in it is reached through its descriptor.
#[derive(Clone, Debug)]
pub struct Store {
    held: Rc<Held>,
    /// Whether it is removed with this run.
    of_this_run: bool,
    /// The names of the layers that this run has used.
    used: Rc<RefCell<BTreeSet<String>>>,
}

/// The depth of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Everything except the contents of files whose status has not changed since the layer was
    /// made.
    Outside,
    /// Everything.
    All,
}

/// A file that is created when a layer is ready.
const MADE: &str = "made";

/// A layer in the store, held while this lives.
#[derive(Debug)]
pub struct Stored {
    /// Its name.
    pub name: String,
    directory: PathBuf,
    /// The descriptor of the store.
    _store: Rc<Held>,
    lock: Lock,
}

impl Stored {
    /// Its path.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The path of its tree.
    #[must_use]
    pub fn tree(&self) -> PathBuf {
        self.directory.join("tree")
    }

    /// Holds it for this process, a copy, while the process that was copied still does. The
    /// descriptor of that process stays open.
    ///
    /// # Errors
    /// The layer cannot be opened or locked.
    pub(in crate::run) fn hold_too(&mut self) -> Result<(), Errno> {
        let lock = sys::share_directory(&self.directory)?.ok_or(Errno::LOCKED)?;
        std::mem::forget(std::mem::replace(&mut self.lock, lock));
        Ok(())
    }

    /// Its manifest.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn manifest(&self) -> Result<Manifest, Report> {
        checked_manifest(&self.directory, &self.name)
    }
}

/// Reads the manifest of the layer in `directory`.
///
/// # Errors
/// It cannot be read.
fn read_manifest(directory: &Path) -> Result<Manifest, Report> {
    let path = directory.join("manifest");
    let text = fs::read(&path).map_err(|error| cannot("read", &path, &error))?;
    Manifest::read(String::from_utf8(text).unwrap_or_default()).ok_or_else(|| {
        let shown = sys::shown(&path);
        let message = format!("{} is not a manifest of a root", quoted(shown.to_string_lossy()));
        Report::error(message).hint("empty the store with `nsscript store gc --all`")
    })
}

/// Reads the manifest of the layer `name`, and checks that it has this digest.
pub(in crate::run) fn checked_manifest(directory: &Path, name: &str) -> Result<Manifest, Report> {
    let manifest = read_manifest(directory)?;
    if manifest.digest().strip_prefix("sha256:") == name.split('-').next() {
        return Ok(manifest);
    }
    let path = quoted(sys::shown(&directory.join("manifest")).to_string_lossy());
    let report = Report::error(format!("{path} was changed: its digest does not match"));
    Err(report.hint(
        "check the store with `nsscript store verify`, or empty it with `nsscript \
                     store gc --all`",
    ))
}

/// The hint about a file that exceeds the size limit.
pub(in crate::run) const TOO_LARGE: &str =
    "the file would be larger than allowed: raise the limit with `ulimit -f` in the shell";

fn cannot(what: &str, path: &Path, error: &io::Error) -> Report {
    let (errno, path) = (Errno::from(error), sys::shown(path));
    let message = format!("cannot {what} {}: {errno}", quoted(path.to_string_lossy()));
    let mut report = Report::error(message);
    report.facts.operation = Some("store".into());
    report.facts.errno = Some(errno.code());
    report.facts.target = Some(path.to_string_lossy().into_owned());
    match errno.name().as_str() {
        "ENOSPC" | "EDQUOT" => unwritable::without_room(report, &path, true),
        "EFBIG" => report.hint(TOO_LARGE),
        _ => report,
    }
}

fn error_of(errno: Errno) -> io::Error {
    io::Error::from_raw_os_error(errno.code())
}

impl Store {
    /// Whether it is removed with this run.
    pub(in crate::run) fn is_of_this_run(&self) -> bool {
        self.of_this_run
    }

    /// Removes its contents if it is removed with this run.
    pub(in crate::run) fn end(&self, layers: &Layers) {
        if self.of_this_run {
            for name in ["layers", "index", "building", "roots"] {
                let _ = remove_own_directory(layers, &self.held.join(name));
            }
        }
    }

    /// The layer for `key`; if it is missing, `make` makes it. Two runs that need the same layer
    /// make it once. A layer with other owners on the host has a `variant` in its name.
    ///
    /// # Errors
    /// It cannot be made, or the store is not writable.
    pub(in crate::run) fn layer(
        &self,
        layers: &Layers,
        key: &str,
        variant: Option<&str>,
        make: Make<'_>,
    ) -> Result<Stored, Report> {
        if let Some(stored) = self.find(layers, key)? {
            return Ok(stored);
        }
        let wait = self.held.join("building").join(format!("{key}.lock"));
        let task = layers.task("wait for another nsscript that makes the same".into(), 0);
        let lock = sys::wait_for_lock(|| {
            task.add(0);
            sys::lock_file(&wait)
        });
        drop(task);
        let lock = lock.map_err(|errno| cannot("lock", &wait, &error_of(errno)))?;
        // Another run may have made it meanwhile.
        let stored = match self.find(layers, key) {
            Ok(Some(stored)) => Ok(stored),
            Err(report) => Err(report),
            Ok(None) => self.make(layers, variant, make).and_then(|stored| {
                self.lead(key, &stored.name)?;
                Ok(stored)
            }),
        };
        let _ = fs::remove_file(&wait);
        drop(lock);
        stored
    }

    /// Finds the layer for `key`.
    ///
    /// # Errors
    /// It cannot be read.
    pub(in crate::run) fn find(
        &self,
        layers: &Layers,
        key: &str,
    ) -> Result<Option<Stored>, Report> {
        let path = self.held.join("index").join(key);
        let name = match fs::read_to_string(&path) {
            Ok(name) => name,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot("read", &path, &error)),
        };
        let stored = self.hold(layers, &name)?;
        if let Some(stored) = &stored {
            let _ = sys::touch(&stored.directory);
        }
        Ok(stored)
    }

    /// Holds the layer `name`; removes it if it was changed.
    ///
    /// # Errors
    /// It cannot be read.
    pub(in crate::run) fn hold(
        &self,
        layers: &Layers,
        name: &str,
    ) -> Result<Option<Stored>, Report> {
        match self.hold_whole(layers, name) {
            Ok(stored) => Ok(stored),
            Err(place) if place.is_unseen() => {
                Err(Report::error(mend::changed_message(name, &place)))
            }
            Err(place) => {
                let told = mend::changed_message(name, &place);
                layers.warn(&Report::warning(format!("{told}: nsscript makes it again")));
                // Either way, this layer is not used.
                let _ = self.remove(layers, &self.held.join("layers").join(name));
                Ok(None)
            }
        }
    }

    /// Holds the layer `name`; `None` if it does not exist.
    ///
    /// # Errors
    /// The first path at which it was changed or cannot be read.
    pub(in crate::run) fn hold_whole(
        &self,
        layers: &Layers,
        name: &str,
    ) -> Result<Option<Stored>, Difference> {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if name.is_empty() || !name.bytes().all(is_name) {
            return Ok(None);
        }
        let directory = self.held.join("layers").join(name);
        let lock = match sys::share_directory(&directory) {
            Ok(Some(lock)) => lock,
            Ok(None) | Err(Errno::MISSING) => return Ok(None),
            Err(errno) => return Err(Difference { path: "/".into(), error: Some(errno.into()) }),
        };
        // It may have been removed before it was locked.
        if !directory.is_dir() {
            return Ok(None);
        }
        let mark = directory.join("boot");
        let boot = boot();
        let is_of_now =
            fs::read_to_string(&mark).is_ok_and(|mark| !mark.is_empty() && mark == boot);
        if !directory.join("tree").is_dir() {
            return Err(Difference { path: "/".into(), error: None });
        }
        let is_new = !self.used.borrow().contains(name);
        // Writes are not synced to the disk, so layers from before the last boot are checked once;
        // and so is everything if a root must be verified.
        let looks = !is_of_now || layers.roots.verifies.get() && is_new;
        if let Some(place) = looks.then(|| self.changed(layers, name, Depth::All)).flatten() {
            return Err(place);
        }
        if !is_of_now && fs::write(&mark, boot).is_err() {
            return Ok(None);
        }
        self.used.borrow_mut().insert(name.to_owned());
        let store = self.held.clone();
        Ok(Some(Stored { name: name.to_owned(), directory, _store: store, lock }))
    }

    /// Reads the whole layer `name`, and returns the first path at which it was changed.
    #[must_use]
    pub fn verify(&self, layers: &Layers, name: &str) -> Option<Difference> {
        self.changed(layers, name, Depth::All)
    }

    /// The layers that this run has used.
    pub(in crate::run) fn used(&self) -> Vec<String> {
        self.used.borrow().iter().cloned().collect()
    }

    /// Forgets which layers this run has used, so that they are checked again.
    pub(in crate::run) fn forget_used(&self) {
        self.used.borrow_mut().clear();
    }

    /// The first path at which the layer `name` was changed.
    pub(in crate::run) fn changed(
        &self,
        layers: &Layers,
        name: &str,
        depth: Depth,
    ) -> Option<Difference> {
        let directory = self.held.join("layers").join(name);
        let at =
            |file: &str, error| Some(Difference { path: sys::shown(&directory.join(file)), error });
        let manifest = match checked_manifest(&directory, name) {
            Ok(manifest) => manifest,
            Err(report) => {
                let errno = report.facts.errno.map(io::Error::from_raw_os_error);
                return at("manifest", errno);
            }
        };
        if let Err(error) = Facts::read(&directory) {
            let is_damaged = error.kind() == std::io::ErrorKind::InvalidData;
            return at("layer.json", Some(error).filter(|_| !is_damaged));
        }
        let made = fs::metadata(directory.join(MADE));
        let reads = match (depth, made) {
            (Depth::Outside, Ok(made)) => Reads::Since(made.ctime(), made.ctime_nsec()),
            _ => Reads::All,
        };
        let tree = directory.join("tree");
        let look = || manifest.changed(&tree, reads);
        if !name.contains('-') {
            return look();
        }
        // Some of its files can be read only by their owners.
        let looked = layers.with_all_ids(&mut || {
            Ok(look().map_or_else(Vec::new, |difference| difference.to_bytes()))
        });
        match looked {
            Ok(difference) => Difference::from_bytes(&difference),
            Err(report) => {
                let error = report.facts.errno.map_or_else(
                    || io::Error::other(report.message.clone()),
                    io::Error::from_raw_os_error,
                );
                Some(Difference { path: "/".into(), error: Some(error) })
            }
        }
    }

    /// Removes the layer `name`, unless a run uses it.
    pub(in crate::run) fn remove_layer(&self, layers: &Layers, name: &str) -> Result<bool, Report> {
        self.used.borrow_mut().remove(name);
        self.remove(layers, &self.held.join("layers").join(name))
    }

    /// Makes `key` lead to the layer `name`.
    fn lead(&self, key: &str, name: &str) -> Result<(), Report> {
        self.replace(&self.held.join("index").join(key), name)
    }
}

/// The id of the current boot.
fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.unwrap_or_default().trim().to_owned()
}
