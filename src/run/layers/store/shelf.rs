//! The layers in a store: listing, verifying and collecting them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Facts, Store, cannot, checked_manifest, error_of};
use crate::diag::{Report, quoted};
use crate::plan::Came;
use crate::run::layers::Layers;
use crate::run::layers::manifest::Manifest;
use crate::sys;

/// A layer as `nsscript store` shows it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its name in the store.
    pub name: String,
    /// Its digest.
    pub digest: String,
    /// The path of its tree.
    pub tree: PathBuf,
    /// Its number of entries.
    pub entries: usize,
    /// The total size of its files, in bytes.
    pub size: u64,
    /// Its source; `None` if it was assembled from the host.
    pub came: Option<Came>,
    /// Whether its files belong to ids of the host other than the caller's.
    pub of_others: bool,
    /// The time of its last use.
    pub used: SystemTime,
}

impl Store {
    /// The layers, the most recently used first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, Report> {
        let layers = self.held.join("layers");
        let entries = fs::read_dir(&layers).map_err(|error| cannot("read", &layers, &error))?;
        let mut listed: Vec<Listed> = entries
            .flatten()
            .filter_map(|entry| {
                // An unreadable layer is listed as well, so that it can be removed.
                let facts = Facts::read(&entry.path()).unwrap_or_default();
                let used = entry.metadata().and_then(|found| found.modified()).ok()?;
                let (name, tree) = (entry.file_name(), sys::shown(&entry.path().join("tree")));
                let name = name.to_str()?;
                if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    return None;
                }
                let (digits, variant) = name.split_once('-').unwrap_or((name, ""));
                let Facts { came, entries, size, .. } = facts;
                let (digest, of_others) = (format!("sha256:{digits}"), !variant.is_empty());
                let name = name.to_owned();
                Some(Listed { name, digest, tree, entries, size, came, of_others, used })
            })
            .collect();
        listed.sort_by(|one, two| two.used.cmp(&one.used).then(one.digest.cmp(&two.digest)));
        Ok(listed)
    }

    /// The manifest of the layer or root with this digest or prefix.
    ///
    /// # Errors
    /// No layer matches, or more than one.
    pub fn show(&self, digest: &str) -> Result<Manifest, Report> {
        let digits = digest.strip_prefix("sha256:").unwrap_or(digest);
        if digits.is_empty() {
            return Err(
                Report::error("the digest is empty").hint("`nsscript store list` lists them")
            );
        }
        let mut found = Vec::new();
        for directory in ["layers", "roots"] {
            let entries = fs::read_dir(self.held.join(directory)).into_iter().flatten();
            found.extend(entries.flatten().filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let own = name.split('-').next()?.to_owned();
                own.starts_with(digits).then(|| (own, entry.path()))
            }));
        }
        found.sort();
        found.dedup_by(|one, two| one.0 == two.0);
        match &found[..] {
            [(name, place)] if place.is_dir() => checked_manifest(place, name),
            [(_, file)] => read_root(file),
            [] => Err(Report::error(format!("the store has no layer {}", quoted(digest)))
                .hint("`nsscript store list` lists the layers")),
            _ => Err(Report::error(format!("more than one digest starts with {}", quoted(digest)))),
        }
    }

    /// Stores the manifest of a root of several layers, for later comparisons.
    ///
    /// # Errors
    /// The store is not writable.
    pub fn remember(&self, manifest: &Manifest) -> Result<(), Report> {
        let roots = self.held.join("roots");
        self.held.make("roots", 0o700).map_err(|it| cannot("create", &roots, &error_of(it)))?;
        let file = roots.join(manifest.digest().replace("sha256:", ""));
        if file.exists() { Ok(()) } else { self.replace(&file, manifest.text()) }
    }

    /// Removes the layers that no run uses, and that were not used since `since`, if given. Returns
    /// their number and total size in bytes.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub fn collect(
        &self,
        layers: &Layers,
        since: Option<SystemTime>,
    ) -> Result<(usize, u64), Report> {
        self.sweep(layers);
        let (mut number, mut bytes) = (0, 0);
        let directory = self.held.join("layers");
        let old = |used: SystemTime| since.is_none_or(|since| used < since);
        for listed in self.list()? {
            if old(listed.used) && self.remove(layers, &directory.join(&listed.name))? {
                number += 1;
                bytes += listed.size;
            }
        }
        self.forget_missing();
        let roots = fs::read_dir(self.held.join("roots")).into_iter().flatten().flatten();
        for root in roots {
            let written = root.metadata().and_then(|found| found.modified());
            if written.is_ok_and(old) {
                let _ = fs::remove_file(root.path());
            }
        }
        Ok((number, bytes))
    }

    /// Removes index entries without a layer.
    fn forget_missing(&self) {
        let Ok(entries) = fs::read_dir(self.held.join("index")) else { return };
        for entry in entries.flatten() {
            let name = fs::read_to_string(entry.path()).unwrap_or_default();
            if !self.held.join("layers").join(&name).is_dir() {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

fn read_root(file: &Path) -> Result<Manifest, Report> {
    let text = fs::read_to_string(file).map_err(|error| cannot("read", file, &error))?;
    Manifest::read(text).ok_or_else(|| {
        Report::error(format!("{} is not a manifest", quoted(file.to_string_lossy())))
    })
}
