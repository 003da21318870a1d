//! Layers being made and removed, beside other runs that do the same.
//!
//! What is being made lies in `building` under a lock of its own. Between the making and the locking
//! it is covered by a shared lock of `building` itself, without which nothing is swept there.

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
use crate::run::workspace::take_away;
use crate::sys::{self, Errno, Lock};

/// How long a layer that is being removed is waited for: a rename(2).
const MOMENT: Duration = Duration::from_millis(10);
/// How often.
const ROUNDS: usize = 500;

/// A layer that is being made: its place, where `tree` is an empty directory.
#[derive(Debug)]
pub(in crate::run) struct Building<'a> {
    pub place: &'a Path,
}

impl Building<'_> {
    /// Where the tree goes.
    pub fn tree(&self) -> PathBuf {
        self.place.join("tree")
    }

    /// Notes what the layer holds, and what is asked for often.
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

/// What makes a layer in its place, and notes there what it is.
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
        ready.map_err(|error| cannot("make", &tree, &error))?;
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
        // Others can use it as soon as they can find it.
        lock.share().map_err(|it| cannot("lock", &place, &error_of(it)))?;
        let mut rounds = 0;
        while let Err(error) = fs::rename(&place, &target) {
            // The same layer, of another description: this one goes.
            if let Some(stored) = self.hold(layers, &name)? {
                return Ok(stored);
            }
            // Or it is being removed.
            rounds += 1;
            if rounds > ROUNDS || !sys::pause(MOMENT) {
                return Err(cannot("make", &target, &error));
            }
        }
        drop(stay);
        std::mem::forget(half);
        self.used.borrow_mut().insert(name.clone());
        Ok(Stored { name, directory: target, _store: self.held.clone(), _lock: lock })
    }

    /// Keeps what is new in `building` from being swept, as long as this lives.
    fn stay(&self) -> Result<Lock, Report> {
        let building = self.held.join("building");
        let lock = sys::wait_for_lock(|| sys::share_directory(&building));
        lock.map_err(|errno| cannot("lock", &building, &error_of(errno)))
    }

    /// A new directory in `building`, which nobody sweeps as long as it is locked.
    fn new_place(&self) -> Result<(PathBuf, Lock), Report> {
        let _stay = self.stay()?;
        let building = self.held.join("building");
        let place = sys::make_private_directory(&building, "layer-");
        let place = place.map_err(|errno| cannot("write to", &building, &error_of(errno)))?;
        let lock = sys::wait_for_lock(|| sys::lock_directory(&place));
        let lock = lock.map_err(|errno| cannot("lock", &place, &error_of(errno)))?;
        Ok((place, lock))
    }

    /// Writes a file of the store, in place of what is there, at once.
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
        // A run that uses it holds a lock, which this one waits for no moment.
        let Ok(Some(_lock)) = sys::lock_directory(directory) else { return Ok(false) };
        let (gone, _locked) = self.new_place()?;
        // Out of its place at once, so that nobody finds half of it.
        let removed = fs::rename(directory, gone.join("layer"));
        let removed = removed.and_then(|()| take_away(layers, &gone));
        removed.map(|()| true).map_err(|error| cannot("remove", directory, &error))
    }

    /// Removes what runs that were killed have left.
    pub(super) fn sweep(&self, layers: &Layers) {
        let building = self.held.join("building");
        // While somebody makes what is not locked yet, the next may do it.
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
            let _ = take_away(layers, &path);
        }
    }
}

/// Makes a file where nothing is.
fn new_file(path: &Path, text: &str) -> io::Result<()> {
    fs::File::create_new(path)?.write_all(text.as_bytes())
}

/// A layer that is being made: gone, where it does not get ready.
struct Half<'a> {
    layers: &'a Layers,
    place: &'a Path,
}

impl Drop for Half<'_> {
    fn drop(&mut self) {
        let _ = take_away(self.layers, self.place);
    }
}
