//! Making and removing layers, while other runs do the same.
//!
//! An unfinished layer is in `building`, under its own lock. Between its creation and its lock, a
//! shared lock of `building` itself protects it from being swept.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Facts, MADE, Store, Stored, boot, cannot, error_of, read_manifest};
use crate::diag::Report;
use crate::run::layers::Layers;
use crate::run::layers::manifest::Manifest;
use crate::run::layers::unwritable;
use crate::run::workspace::remove_own_directory;
use crate::sys::{self, Errno, Lock};

/// The time between attempts to find a layer that is being removed.
const MOMENT: Duration = Duration::from_millis(10);
/// The number of attempts.
const ROUNDS: usize = 500;

/// A layer under construction: a directory with an empty `tree`.
#[derive(Debug)]
pub(in crate::run) struct Building<'a> {
    pub place: &'a Path,
}

impl Building<'_> {
    /// The path of the tree.
    pub fn tree(&self) -> PathBuf {
        self.place.join("tree")
    }

    /// Records the contents and facts of the layer.
    ///
    /// # Errors
    /// The disk is full.
    pub fn note(&self, manifest: &Manifest, facts: &Facts) -> Result<(), Report> {
        let files = [("manifest", manifest.text().to_owned()), ("layer.json", facts.to_json())];
        for (name, text) in files {
            let file = self.place.join(name);
            new_file(&file, &text).map_err(|error| cannot("write", &file, &error))?;
        }
        Ok(())
    }
}

/// A function that makes a layer in its place, and records its contents.
pub(in crate::run) type Make<'a> = &'a mut dyn FnMut(&Building<'_>) -> Result<(), Report>;

impl Store {
    /// Makes a layer.
    pub(in crate::run) fn make(
        &self,
        layers: &Layers,
        variant: Option<&str>,
        make: Make<'_>,
    ) -> Result<Stored, Report> {
        self.sweep(layers);
        let (place, lock) = self.new_place()?;
        let half = Half { layers, place: &place };
        let tree = place.join("tree");
        let ready = fs::create_dir(&tree)
            .and_then(|()| fs::set_permissions(&tree, fs::Permissions::from_mode(0o755)));
        ready.map_err(|error| cannot("create", &tree, &error))?;
        make(&Building { place: &place }).map_err(|mut report| {
            let errno = report.facts.errno.map(Errno::new);
            if errno == Some(Errno::ENOSPC) && report.facts.advice.is_empty() {
                report.hints.clear();
                report = unwritable::without_room(report, &sys::shown(self.held.path()), true);
            }
            report
        })?;
        for (name, text) in [("boot", boot()), (MADE, String::new())] {
            let file = place.join(name);
            new_file(&file, &text).map_err(|error| cannot("write", &file, &error))?;
        }
        let digits = read_manifest(&place)?.digest().replace("sha256:", "");
        let name = variant.map_or(digits.clone(), |variant| format!("{digits}-{variant}"));
        let target = self.held.join("layers").join(&name);
        let stay = self.stay()?;
        // Other runs can use it as soon as they can find it.
        lock.share().map_err(|it| cannot("lock", &place, &error_of(it)))?;
        let mut rounds = 0;
        while let Err(error) = fs::rename(&place, &target) {
            // The same layer exists from another description, so this one is dropped.
            if let Some(stored) = self.hold(layers, &name)? {
                return Ok(stored);
            }
            // Or it is just being removed.
            rounds += 1;
            if rounds > ROUNDS || !sys::pause(MOMENT) {
                return Err(cannot("create", &target, &error));
            }
        }
        drop(stay);
        std::mem::forget(half);
        self.used.borrow_mut().insert(name.clone());
        Ok(Stored { name, directory: target, _store: self.held.clone(), lock })
    }

    /// Protects new entries of `building` from being swept, while this lives.
    fn stay(&self) -> Result<Lock, Report> {
        let building = self.held.join("building");
        let lock = sys::wait_for_lock(|| sys::share_directory(&building));
        lock.map_err(|errno| cannot("lock", &building, &error_of(errno)))
    }

    /// Creates a locked directory in `building`, which is not swept while it is locked.
    fn new_place(&self) -> Result<(PathBuf, Lock), Report> {
        let _stay = self.stay()?;
        let building = self.held.join("building");
        let place = sys::make_private_directory(&building, "layer-");
        let place = place.map_err(|errno| cannot("write to", &building, &error_of(errno)))?;
        let lock = sys::wait_for_lock(|| sys::lock_directory(&place));
        let lock = lock.map_err(|errno| cannot("lock", &place, &error_of(errno)))?;
        Ok((place, lock))
    }

    /// Replaces a file of the store atomically.
    pub(super) fn replace(&self, file: &Path, text: &str) -> Result<(), Report> {
        let (place, _lock) = self.new_place()?;
        let new = place.join("new");
        let written = new_file(&new, text).and_then(|()| fs::rename(&new, file));
        let _ = fs::remove_file(&new);
        let _ = fs::remove_dir(&place);
        written.map_err(|error| cannot("write", file, &error))
    }

    /// Removes a layer that no run uses.
    pub(super) fn remove(&self, layers: &Layers, directory: &Path) -> Result<bool, Report> {
        // A run that uses it holds a lock; this does not wait for it.
        let Ok(Some(_lock)) = sys::lock_directory(directory) else { return Ok(false) };
        let (gone, _locked) = self.new_place()?;
        // It is renamed first, so that nobody finds a part of it.
        let removed = fs::rename(directory, gone.join("layer"));
        if matches!(&removed, Err(error) if error.kind() == io::ErrorKind::NotFound) {
            // Another run has removed it between the look-up and the lock.
            return Ok(false);
        }
        let removed = removed.and_then(|()| remove_own_directory(layers, &gone));
        removed.map(|()| true).map_err(|error| cannot("remove", directory, &error))
    }

    /// Removes the remains of killed runs.
    pub(super) fn sweep(&self, layers: &Layers) {
        let building = self.held.join("building");
        // While another run has an unlocked entry, a later run sweeps.
        let Ok(Some(alone)) = sys::lock_directory(&building) else { return };
        let mut left = Vec::new();
        for entry in fs::read_dir(&building).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            match if is_file { sys::lock_file(&path) } else { sys::lock_directory(&path) } {
                Ok(Some(_lock)) if is_file => drop(fs::remove_file(&path)),
                Ok(Some(lock)) => left.push((path, lock)),
                _ => {}
            }
        }
        drop(alone);
        for (path, _lock) in left {
            let _ = remove_own_directory(layers, &path);
        }
    }
}

/// Creates a new file.
fn new_file(path: &Path, text: &str) -> io::Result<()> {
    fs::File::create_new(path)?.write_all(text.as_bytes())
}

/// A layer under construction, removed if it is not finished.
struct Half<'a> {
    layers: &'a Layers,
    place: &'a Path,
}

impl Drop for Half<'_> {
    fn drop(&mut self) {
        let _ = remove_own_directory(self.layers, self.place);
    }
}
