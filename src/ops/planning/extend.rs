//! Places that are missing in a view of the host, and are added to it in memory.
//!
//! The directory that lacks an entry is covered before anything else is mounted in the view, so
//! that later mounts on places in it are not hidden. It is covered by an overlay, or if that cannot
//! be, because an overlay shows no mounts, by a tmpfs with its entries. What is added there is made
//! at once, and then the directory is made read-only again. The root itself is always a tmpfs, and
//! stays writable until everything is mounted.

use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{Planning, unseen};
use crate::diag::{Origin, Report, os_error, quoted};
use crate::host::mountinfo;
use crate::ops::{
    At, Backing, Directory, Extend, Extension, File, FileOver, Lookup, Op, Presence, Protect,
    Symlink,
};
use crate::spec::{FileOptions, GuestPath};

/// The right to list and to enter a directory, for the group and everybody: a group can have less.
const OPEN: u32 = 0o055;

/// Whether nothing is there.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

impl Planning<'_> {
    /// Whether the place, whose path has no links, is in the view of the host itself.
    pub(in crate::ops) fn is_in_view(&self, place: &GuestPath) -> bool {
        self.views_host
            && matches!(self.view.holder(place), Some((base, Backing::Host { read_only: true, .. }, _))
                if base.is_root())
    }

    /// Whether the place is in a private file system of the sandbox.
    pub(super) fn is_own(&self, place: &GuestPath) -> bool {
        matches!(self.view.holder(place), Some((_, Backing::Private, _)))
    }

    /// Adds the mount point `target` to the view, which leads to a place that is missing there;
    /// `None` if the place is not in the view. Otherwise whether the mount creates it.
    pub(super) fn extend(
        &mut self,
        (target, place): (&GuestPath, &GuestPath),
        wanted: Presence,
        origin: Option<&Origin>,
    ) -> Option<Result<bool, String>> {
        if !self.is_in_view(place) {
            return None;
        }
        let directory = match self.extended(place, origin) {
            Ok(directory) => directory,
            Err(why) => return Some(Err(why)),
        };
        if directory.is_root() && place == target {
            return Some(Ok(true));
        }
        let (path, options) = (place.clone(), FileOptions::default());
        let point: Op = match wanted {
            Presence::File => File { path, content: [].into(), options }.into(),
            _ => Directory { path, options }.into(),
        };
        let to = if directory.is_root() { &mut self.actions } else { &mut self.added };
        to.push((point, origin.cloned()));
        Some(Ok(false))
    }

    /// The place that a look-up gives, and the kind of file there; reports a failed look-up in the
    /// view.
    pub(in crate::ops) fn reached(
        &mut self,
        origin: Option<&Origin>,
        ask: impl Fn(&Lookup<'_>) -> (GuestPath, At),
    ) -> Option<(GuestPath, At)> {
        let found = self.lookup(&ask);
        if found.1 != At::Unknown || !self.is_in_view(&found.0) {
            return Some(found);
        }
        let path = self.view.on_host(&found.0)?;
        match self.host.tree.symlink_metadata(&path) {
            Err(error) if !is_absent(&error) => {
                self.reports.push(unseen(&path, &error).at(origin.cloned()));
                None
            }
            _ => Some(self.lookup(&ask)),
        }
    }

    /// The directory of the view that lacks an entry on the way to `place`, which is extended.
    ///
    /// # Errors
    /// Why it cannot be extended.
    pub(in crate::ops) fn extended(
        &mut self,
        place: &GuestPath,
        origin: Option<&Origin>,
    ) -> Result<GuestPath, String> {
        let Some(Backing::Host { path: root, .. }) = self.view.first(&GuestPath::root()) else {
            return Err("the root is not a directory of the host".into());
        };
        let root = root.clone();
        let mut directory = place.parent().unwrap_or_else(GuestPath::root);
        let found = loop {
            let shown = quoted(directory.as_str());
            match self.host.tree.symlink_metadata(&root.join(directory.relative())) {
                // The root itself can be given by a link.
                Ok(found) if found.is_dir() || directory.is_root() => break found,
                Ok(_) => return Err(format!("{shown} is a file")),
                Err(error) if is_absent(&error) && !directory.is_root() => {
                    directory = directory.parent().unwrap_or_else(GuestPath::root);
                }
                Err(error) => return Err(format!("cannot access {shown}: {}", os_error(&error))),
            }
        };
        if self.extensions.iter().any(|(extend, _)| extend.target == directory) {
            return Ok(directory);
        }
        let source = root.join(directory.relative());
        // What covers it is open to everybody.
        if found.mode() & OPEN != OPEN {
            let shown = quoted(directory.as_str());
            return Err(format!("{shown} is closed to others: mode {:04o}", found.mode() & 0o7777));
        }
        let by = if directory.is_root() || self.holds_mounts(&source)? {
            Extension::Entries
        } else {
            Extension::Overlay
        };
        let id = (found.dev(), found.ino());
        let extend = Extend { target: directory.clone(), source, id, by };
        self.extensions.push((extend, origin.cloned()));
        Ok(directory)
    }

    /// Whether anything is mounted below a directory of the host.
    fn holds_mounts(&self, directory: &Path) -> Result<bool, String> {
        match mountinfo::read(&self.host.tree) {
            Ok(mounts) => Ok(mounts.iter().any(|mount| {
                let place = Path::new(&mount.target);
                place.starts_with(directory) && place != directory
            })),
            // Without a /proc it is not known, so mounts are taken into account.
            Err(_) if !self.host.has_proc() => Ok(true),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Adds the operation that makes a directory.
    pub(in crate::ops) fn make_directory(&mut self, one: &Directory, origin: Option<&Origin>) {
        let Some((place, at)) = self.reached(origin, |lookup| lookup.reach(&one.path)) else {
            return;
        };
        if at == At::Unknown && !self.kernel_allows(&one.path, origin) {
            return;
        }
        let op = Op::from(Directory { path: place.clone(), ..one.clone() });
        if at != At::Nothing || !self.make(&place, op, origin) {
            self.push(one.clone(), origin);
            self.writable(&one.path, origin);
        }
    }

    /// Adds the operation that makes a link.
    pub(in crate::ops) fn make_symlink(&mut self, one: &Symlink, origin: Option<&Origin>) {
        let found = self.reached(origin, |lookup| lookup.reach_itself(&one.path));
        let Some((place, at)) = found else { return };
        if at == At::Unknown && !self.kernel_allows(&one.path, origin) {
            return;
        }
        let op = Op::from(Symlink { path: place.clone(), ..one.clone() });
        if at != At::Nothing || !self.make(&place, op, origin) {
            self.writable(&one.path, origin);
            self.push(one.clone(), origin);
        }
    }

    /// Adds the operation that writes a file.
    pub(in crate::ops) fn make_file(&mut self, one: &File, origin: Option<&Origin>) {
        let Some((place, at)) = self.reached(origin, |lookup| lookup.reach(&one.path)) else {
            return;
        };
        if at == At::Unknown && !self.kernel_allows(&one.path, origin) {
            return;
        }
        if at == At::Directory && self.is_in_view(&place) {
            let message = format!("{} is a directory, not a file", quoted(one.path.as_str()));
            let report = Report::error(message).at(origin.cloned());
            let hint = format!("give the path of a file in it, or {}", self.elsewhere(&one.path));
            self.reports.push(report.advise("file_is_directory", hint));
            return;
        }
        let file = File { path: place.clone(), ..one.clone() };
        let done = match at {
            At::Nothing => self.make(&place, file.into(), origin),
            At::File if self.is_in_view(&place) => {
                self.push(FileOver(file), origin);
                true
            }
            _ => false,
        };
        if !done {
            self.push(one.clone(), origin);
            self.writable(&one.path, origin);
        }
    }

    /// Adds an operation that makes something at a place without links that is missing, if that is
    /// in the view or if the path leads out of it. Whether it did.
    fn make(&mut self, place: &GuestPath, op: Op, origin: Option<&Origin>) -> bool {
        if !self.is_in_view(place) {
            let is_own = self.views_host && self.is_own(place);
            if is_own {
                self.push(op, origin);
            }
            return is_own;
        }
        match self.extended(place, origin) {
            Ok(directory) if directory.is_root() => self.push(op, origin),
            Ok(_) => self.added.push((op, origin.cloned())),
            Err(why) => {
                let message = format!("cannot create {}: {why}", quoted(place.as_str()));
                let hint = self.elsewhere(place);
                let report = Report::error(message).at(origin.cloned());
                self.reports.push(report.advise("not_extended", hint));
            }
        }
        true
    }

    /// Puts the extensions of the view, and what is added there, before everything in the root.
    pub fn place_extensions(&mut self) {
        let mut extensions = std::mem::take(&mut self.extensions);
        extensions.sort_by(|(one, _), (other, _)| one.target.as_str().cmp(other.target.as_str()));
        let mut protects: Vec<(Op, Option<Origin>)> = Vec::new();
        let mut outermost: Option<&GuestPath> = None;
        for (Extend { target, .. }, origin) in extensions.iter().filter(|it| !it.0.target.is_root())
        {
            // It includes the mounts below.
            if outermost.is_none_or(|outer| !target.is_within(outer)) {
                let protect = Protect { target: target.clone(), optional: false };
                protects.push((protect.into(), origin.clone()));
                outermost = Some(target);
            }
        }
        let extensions: Vec<_> = extensions
            .iter()
            .map(|(one, origin)| (Op::from(one.clone()), origin.clone()))
            .collect();
        let added = std::mem::take(&mut self.added);
        let first = extensions.into_iter().chain(added).chain(protects);
        self.actions.splice(0..0, first);
    }
}
