//! The store: layers of roots that were built, kept for the next run under what they hold.
//!
//! `layers/NAME` is a layer: its `tree`, its `manifest`, and in `layer.json` what is asked for often.
//! `index/KEY` says which layer a description on the host as it is now gives. `building/…` are layers
//! that are not ready. `roots/DIGEST` is the manifest of a root of several layers whose digest was
//! asked for. Everything is made beside and renamed into its place, so that what is there is whole;
//! what a run that was killed has left is not locked, and goes with the next.

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
use crate::run::workspace::take_away;
use crate::sys::{self, Errno, Held, Lock};

pub(in crate::run) use building::{Building, Make};
pub use facts::Facts;
pub(in crate::run) use facts::unreadable;
pub use location::NoStore;
pub use shelf::Listed;

/// The directory of layers, and what leads to them. It is held from the moment it was found to be
/// the caller's own, and everything in it is reached by its descriptor.
#[derive(Clone, Debug)]
pub struct Store {
    held: Rc<Held>,
    /// Whether it is gone with this run.
    of_this_run: bool,
    /// The names of the layers that this run has used.
    used: Rc<RefCell<BTreeSet<String>>>,
}

/// How closely a layer is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Everything but the contents of files that nothing has changed since the layer was made.
    Outside,
    /// Everything.
    All,
}

/// A file that is made when a layer is ready.
const MADE: &str = "made";

/// A layer in the store, which is not removed as long as this lives.
#[derive(Debug)]
pub struct Stored {
    /// Its name.
    pub name: String,
    directory: PathBuf,
    /// What the directory is reached by.
    _store: Rc<Held>,
    _lock: Lock,
}

impl Stored {
    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where its tree is.
    #[must_use]
    pub fn tree(&self) -> PathBuf {
        self.directory.join("tree")
    }

    /// What is in it.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn manifest(&self) -> Result<Manifest, Report> {
        checked_manifest(&self.directory, &self.name)
    }
}

/// The manifest of the layer in `directory`.
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

/// The manifest of the layer called `name`, which is the digest of that.
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

/// What helps where a file is larger than it may be.
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
    /// Whether it is gone with this run.
    pub(in crate::run) fn is_of_this_run(&self) -> bool {
        self.of_this_run
    }

    /// Removes all that is in it, where it is gone with this run.
    pub(in crate::run) fn end(&self, layers: &Layers) {
        if self.of_this_run {
            for name in ["layers", "index", "building", "roots"] {
                let _ = take_away(layers, &self.held.join(name));
            }
        }
    }

    /// The layer that `key` leads to; where there is none, `make` makes it. Two runs that want the
    /// same make it once. A layer that belongs to others on the host has a `variant` in its name.
    ///
    /// # Errors
    /// It cannot be made, or the store cannot be written to.
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
        // Somebody else may have made it meanwhile.
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

    /// The layer that `key` leads to.
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

    /// The layer called `name`, kept from being removed; one that was changed is removed.
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
            Err(place) if place.is_unseen() => Err(Report::error(mend::told(name, &place))),
            Err(place) => {
                let told = mend::told(name, &place);
                layers.warn(&Report::warning(format!("{told}: nsscript makes it again")));
                // Without it there is none, and with it this one is not used.
                let _ = self.remove(layers, &self.held.join("layers").join(name));
                Ok(None)
            }
        }
    }

    /// The layer called `name`, kept from being removed; none where there is none.
    ///
    /// # Errors
    /// The first path at which it was changed.
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
        let Ok(Some(lock)) = sys::share_directory(&directory) else { return Ok(None) };
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
        // Nothing is waited for to reach the disk, so what an earlier life of the machine has left
        // is looked at once; and so is everything where a root is to be verified.
        let looks = !is_of_now || layers.roots.verifies.get() && is_new;
        if let Some(place) = looks.then(|| self.changed(layers, name, Depth::All)).flatten() {
            return Err(place);
        }
        if !is_of_now && fs::write(&mark, boot).is_err() {
            return Ok(None);
        }
        self.used.borrow_mut().insert(name.to_owned());
        let store = self.held.clone();
        Ok(Some(Stored { name: name.to_owned(), directory, _store: store, _lock: lock }))
    }

    /// Reads all of the layer called `name`: gives the first path at which it was changed.
    #[must_use]
    pub fn verify(&self, layers: &Layers, name: &str) -> Option<Difference> {
        self.changed(layers, name, Depth::All)
    }

    /// The layers that this run has used.
    pub(in crate::run) fn used(&self) -> Vec<String> {
        self.used.borrow().iter().cloned().collect()
    }

    /// Has every layer be looked at as if this run had not used it yet.
    pub(in crate::run) fn forget_used(&self) {
        self.used.borrow_mut().clear();
    }

    /// The first path at which the layer called `name` is not what it was any more.
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
        // Some of its files only their owners can read.
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

    /// Removes the layer called `name`, unless a run uses it.
    pub(in crate::run) fn remove_layer(&self, layers: &Layers, name: &str) -> Result<bool, Report> {
        self.used.borrow_mut().remove(name);
        self.remove(layers, &self.held.join("layers").join(name))
    }

    /// Has `key` lead to the layer called `name`.
    fn lead(&self, key: &str, name: &str) -> Result<(), Report> {
        self.replace(&self.held.join("index").join(key), name)
    }
}

/// What tells this life of the machine from others.
fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.unwrap_or_default().trim().to_owned()
}
