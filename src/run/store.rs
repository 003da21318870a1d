//! The store: layers of roots that were built, kept for the next run under what they hold.
//!
//! `layers/NAME` is a layer: its `tree`, its `manifest`, and in `layer.json` what is asked for often.
//! `index/KEY` says which layer a description on the host as it is now gives. `building/…` are layers
//! that are not ready. `roots/DIGEST` is the manifest of a root of several layers whose digest was
//! asked for. Everything is made beside and renamed into its place, so that what is there is whole;
//! what a run that was killed has left is not locked, and goes with the next.

mod building;
mod facts;
mod shelf;

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::hint;
use super::manifest::Manifest;
use super::runner::Runner;
use crate::diag::{Report, quoted};
use crate::host::Host;
use crate::sys::{self, Errno, Lock};

pub(super) use building::{Building, Make, take_away};
pub use facts::Facts;
pub(super) use facts::unreadable;
pub use shelf::Listed;

/// The directory of layers, and what leads to them.
#[derive(Clone, Debug)]
pub struct Store {
    directory: PathBuf,
}

/// A layer in the store, which is not removed as long as this lives.
#[derive(Debug)]
pub struct Stored {
    /// Its name.
    pub name: String,
    directory: PathBuf,
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
pub(super) fn read_manifest(directory: &Path) -> Result<Manifest, Report> {
    let path = directory.join("manifest");
    let text = fs::read_to_string(&path).map_err(|error| cannot("read", &path, &error))?;
    Manifest::read(text).ok_or_else(|| {
        let message = format!("{} is no manifest of a root", quoted(path.to_string_lossy()));
        Report::error(message).hint("`nsscript store gc --all` empties the store")
    })
}

/// The manifest of the layer called `name`, which is the digest of that.
fn checked_manifest(directory: &Path, name: &str) -> Result<Manifest, Report> {
    let manifest = read_manifest(directory)?;
    if manifest.digest().strip_prefix("sha256:") == name.split('-').next() {
        return Ok(manifest);
    }
    let path = quoted(directory.join("manifest").to_string_lossy());
    let report = Report::error(format!("{path} was changed: its digest is another one"));
    Err(report.hint("`nsscript store gc --all` empties the store"))
}

/// What helps where a file is larger than it may be.
pub(super) const TOO_LARGE: &str =
    "no file may be as large: `ulimit -f` of the shell says how large";

fn cannot(what: &str, path: &Path, error: &io::Error) -> Report {
    let errno = Errno::from(error);
    let message = format!("cannot {what} {}: {errno}", quoted(path.to_string_lossy()));
    let mut report = Report::error(message);
    report.facts.operation = Some("store".into());
    report.facts.errno = Some(errno.code());
    report.facts.target = Some(path.to_string_lossy().into_owned());
    match errno.name().as_str() {
        "ENOSPC" | "EDQUOT" => hint::without_room(report, path, true),
        "EFBIG" => report.hint(TOO_LARGE),
        _ => report,
    }
}

fn error_of(errno: Errno) -> io::Error {
    io::Error::from_raw_os_error(errno.code())
}

fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

impl Store {
    /// Where the store of the caller is: `$XDG_CACHE_HOME/nsscript`, or `~/.cache/nsscript`. None
    /// where neither is said.
    #[must_use]
    pub fn place(host: &Host) -> Option<PathBuf> {
        let absolute = |name: &str| {
            let path = PathBuf::from(host.environment.get(name)?);
            path.is_absolute().then_some(path)
        };
        let cache = absolute("XDG_CACHE_HOME");
        let cache = cache.or_else(|| absolute("HOME").map(|home| home.join(".cache")));
        cache.map(|cache| cache.join("nsscript"))
    }

    /// Opens the store at `directory`, which is made where it is missing.
    ///
    /// # Errors
    /// It cannot be made, or others can write to it.
    pub fn open(directory: &Path) -> Result<Self, Report> {
        make(directory).map_err(|error| cannot("make", directory, &error))?;
        let found = fs::symlink_metadata(directory);
        let found = found.map_err(|error| cannot("look at", directory, &error))?;
        let shown = quoted(directory.to_string_lossy());
        if !found.is_dir() || found.uid() != sys::ids().uid {
            let message = format!("the store {shown} belongs to somebody else");
            let hint = "set `XDG_CACHE_HOME` to a directory of your own";
            return Err(Report::error(message).hint(hint));
        }
        if found.mode() & 0o022 != 0 {
            let message = format!("the store {shown} can be written to by others");
            let hint = format!("`chmod 0700 {}` ends that", directory.display());
            return Err(Report::error(message).hint(hint));
        }
        for name in ["layers", "index", "building"] {
            let path = directory.join(name);
            make(&path).map_err(|error| cannot("make", &path, &error))?;
        }
        Ok(Self { directory: directory.to_path_buf() })
    }

    /// Whether it lies below `directory`.
    pub(super) fn is_below(&self, directory: &Path) -> bool {
        self.directory.starts_with(directory)
    }

    /// Removes it with all that is in it, where it lies below `directory`.
    pub(super) fn remove_from(&self, directory: &Path, runner: &Runner) {
        if self.is_below(directory) {
            let _ = take_away(runner, &self.directory);
        }
    }

    /// The layer that `key` leads to; where there is none, `make` makes it. Two runs that want the
    /// same make it once. A layer that belongs to others on the host has a `variant` in its name.
    ///
    /// # Errors
    /// It cannot be made, or the store cannot be written to.
    pub(super) fn layer(
        &self,
        runner: &Runner,
        key: &str,
        variant: Option<&str>,
        make: Make<'_>,
    ) -> Result<Stored, Report> {
        if let Some(stored) = self.find(runner, key) {
            return Ok(stored);
        }
        let wait = self.directory.join("building").join(format!("{key}.lock"));
        let task = runner.task("wait for another nsscript that makes the same".into(), 0);
        let lock = sys::wait_for_lock(|| {
            task.add(0);
            sys::lock_file(&wait)
        });
        drop(task);
        let lock = lock.map_err(|errno| cannot("lock", &wait, &error_of(errno)))?;
        // Somebody else may have made it meanwhile.
        let stored = match self.find(runner, key) {
            Some(stored) => Ok(stored),
            None => self.make(runner, variant, make).and_then(|stored| {
                self.lead(key, &stored.name)?;
                Ok(stored)
            }),
        };
        let _ = fs::remove_file(&wait);
        drop(lock);
        stored
    }

    /// The layer that `key` leads to.
    pub(super) fn find(&self, runner: &Runner, key: &str) -> Option<Stored> {
        let name = fs::read_to_string(self.directory.join("index").join(key)).ok()?;
        let stored = self.hold(runner, &name)?;
        let _ = sys::touch(&stored.directory);
        Some(stored)
    }

    /// The layer called `name`, kept from being removed.
    pub(super) fn hold(&self, runner: &Runner, name: &str) -> Option<Stored> {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if name.is_empty() || !name.bytes().all(is_name) {
            return None;
        }
        let directory = self.directory.join("layers").join(name);
        let lock = sys::share_directory(&directory).ok()??;
        // It may have been removed before it was locked: then there is no mark.
        let mark = directory.join("boot");
        if fs::read_to_string(&mark).unwrap_or_default() != boot() {
            if !directory.is_dir() {
                return None;
            }
            // Nothing is waited for to reach the disk, so what an earlier life of the machine has
            // left is looked at once.
            if !is_whole(runner, &directory, name.contains('-')) {
                drop(lock);
                self.remove(runner, &directory).ok()?;
                return None;
            }
            fs::write(&mark, boot()).ok()?;
        }
        Some(Stored { name: name.to_owned(), directory, _lock: lock })
    }

    /// Has `key` lead to the layer called `name`.
    fn lead(&self, key: &str, name: &str) -> Result<(), Report> {
        self.replace(&self.directory.join("index").join(key), name)
    }
}

/// Whether the layer in `directory` is what its manifest says.
fn is_whole(runner: &Runner, directory: &Path, of_others: bool) -> bool {
    let Ok(manifest) = read_manifest(directory) else { return false };
    let tree = directory.join("tree");
    if !of_others {
        return manifest.is_of(&tree);
    }
    // Some of its files only their owners can read.
    let looked = runner.with_all_ids(&mut || Ok(vec![u8::from(manifest.is_of(&tree))]));
    looked.is_ok_and(|whole| whole == [1])
}

/// What tells this life of the machine from others.
fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.unwrap_or_default().trim().to_owned()
}
