//! Installation of files of the host into a layer at their own paths, with the links to them.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::assemble::copy_of;
use crate::diag::{Origin, Report, os_error, quoted};
use crate::host::{Host, Tree};
use crate::ops::{Assembled, Entry, Layer, Made, Owner};
use crate::ops::{Below, Found, MOST_LINKS, Way, components, follow};

/// The entries of a layer under construction.
pub(super) struct Installer<'h> {
    pub host: &'h Tree,
    /// The layers below.
    below: Below<'h>,
    /// The line being processed.
    pub origin: Option<Origin>,
    pub entries: BTreeMap<PathBuf, Made>,
    pub warnings: Vec<Report>,
    /// The links of the host's root that lead to directories, with their targets; `None` before
    /// they are needed.
    root_links: Option<Vec<(PathBuf, PathBuf)>>,
}

/// The state of a path so far.
enum There {
    /// This layer has it.
    Own(Entry),
    /// A layer below has it.
    Below(Found),
    /// Nothing.
    Nothing,
}

impl<'h> Installer<'h> {
    pub fn new(host: &'h Host, layers: &'h [Layer]) -> Self {
        let below = Below { host, layers };
        let (entries, warnings) = (BTreeMap::new(), Vec::new());
        Self { host: &host.tree, below, origin: None, entries, warnings, root_links: None }
    }

    fn there(&self, path: &Path) -> There {
        match self.entries.get(path) {
            Some(made) => There::Own(made.entry.clone()),
            None if self.below.layers.is_empty() => There::Nothing,
            None => self.below.find(path).map_or(There::Nothing, |(found, _)| There::Below(found)),
        }
    }

    fn made(&self, entry: Entry, explicit: bool) -> Made {
        Made { entry, owner: Owner::default(), origin: self.origin.clone(), explicit }
    }

    /// Puts an entry at a path of the recipe; links in the tree are followed on the way there.
    pub fn put(&mut self, path: &Path, entry: Entry) -> Result<(), Report> {
        self.put_for(path, entry, Owner::default())
    }

    /// The same, for an owner.
    pub fn put_for(&mut self, path: &Path, entry: Entry, owner: Owner) -> Result<(), Report> {
        let mut place = self.place(path)?;
        let is_directory = entry.directory_mode().is_some();
        if is_directory && let Some(directory) = self.leads_to_directory(&place) {
            place = directory;
        }
        let made = Made { owner, ..self.made(entry, true) };
        let is_in_the_way = || {
            let message = format!("{} is already a directory", quoted(path.to_string_lossy()));
            Report::error(message)
        };
        if let Some(before) = self.entries.get(&place) {
            let was_directory = before.entry.directory_mode().is_some();
            let both = was_directory && is_directory;
            if was_directory && !both && (before.explicit || self.holds_something(&place)) {
                return Err(is_in_the_way().related(before.origin.as_ref(), "created here"));
            }
            if before.explicit && before.entry != made.entry && !both {
                let report = self.replaced(path, &made).related(before.origin.as_ref(), "put here");
                self.warnings.push(report);
            }
        } else if !is_directory && let There::Below(Found::Directory { .. }) = self.there(&place) {
            return Err(is_in_the_way());
        } else if let There::Below(Found::Other) = self.there(&place)
            && self.dangles(&place, &made.entry)
        {
            let report = self.replaced(path, &made);
            self.warnings.push(report);
        }
        self.entries.insert(place, made);
        Ok(())
    }

    /// A warning about an entry that replaces one of the recipe.
    fn replaced(&self, path: &Path, made: &Made) -> Report {
        let shown = quoted(path.to_string_lossy());
        let report = Report::warning(format!("{shown} replaces an earlier entry"));
        let report = report.at(made.origin.clone());
        match &made.entry {
            Entry::Symlink { target } if self.dangles(path, &made.entry) => report.advise(
                "symlink_swapped",
                format!(
                    "the link is created at the second path, and its target does not exist: did \
                     you mean `.symlink(\"{}\", \"{}\")`?",
                    path.display(),
                    target.display()
                ),
            ),
            _ => report,
        }
    }

    /// Whether an entry for `place` is a link that leads to nothing, or to itself.
    fn dangles(&self, place: &Path, entry: &Entry) -> bool {
        let Entry::Symlink { target } = entry else { return false };
        let above = place.parent().unwrap_or(Path::new("/"));
        let Ok(target) = follow(&above.join(target), &mut |place| self.seen(place)) else {
            return true;
        };
        matches!(self.there(&target), There::Nothing)
    }

    /// Records that a program was requested by its path, and each link on the way to it.
    pub fn asked_for(&mut self, path: &Path) {
        let mut path = path.to_path_buf();
        for _ in 0..MOST_LINKS {
            let Ok(place) = follow(&path, &mut |place| self.seen(place)) else { return };
            let Some(made) = self.entries.get_mut(&place) else { return };
            made.explicit = true;
            let Entry::Symlink { target } = &made.entry else { return };
            path = place.parent().unwrap_or(Path::new("/")).join(target);
        }
    }

    /// The text of the file at `path`, if there is one.
    pub fn text(&self, path: &Path) -> Option<String> {
        let bytes = match self.entries.get(path).map(|made| &made.entry) {
            Some(Entry::File { content, .. }) => content.to_vec(),
            Some(Entry::Copy { source, .. }) => std::fs::read(source).ok()?,
            Some(_) => return None,
            None => self.below.content(path)?.to_vec(),
        };
        String::from_utf8(bytes).ok()
    }

    /// Replaces a file by one that contains its text.
    pub fn rewrite(&mut self, path: &Path, text: String, mode: u32) -> Result<(), Report> {
        let place = self.place(path)?;
        self.entries.remove(&place);
        self.put(&place, Entry::File { content: text.into_bytes().into(), mode })
    }

    /// The target of a link at `place`, if it is a directory of the tree.
    fn leads_to_directory(&mut self, place: &Path) -> Option<PathBuf> {
        let is_link = |there: &There| {
            matches!(there, There::Own(Entry::Symlink { .. }) | There::Below(Found::Symlink(_)))
        };
        if !is_link(&self.there(place)) {
            return None;
        }
        // A further name puts it in the middle of a path, of which nothing must be created.
        let through = follow(&place.join("x"), &mut |place| self.way(place, false));
        through.ok()?.parent().map(Path::to_path_buf)
    }

    /// Puts an entry that accompanies another one, unless its path is taken.
    pub fn put_along(&mut self, path: &Path, entry: Entry) -> Result<(), Report> {
        let place = self.place(path)?;
        if matches!(self.there(&place), There::Nothing) {
            let made = self.made(entry, false);
            self.entries.insert(place, made);
        }
        Ok(())
    }

    /// Puts a file of the host at its own path: every link on the way is created too, so that both
    /// of its names work inside. Existing directories are used; a file in a layer below is
    /// replaced.
    pub fn install(&mut self, path: &Path) -> Result<(), Report> {
        let cannot = |error: &std::io::Error| unread(path, error);
        let mut rest = components(path);
        let mut place = PathBuf::from("/");
        let mut links = 0;
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                place.pop();
                continue;
            }
            let next = place.join(&name);
            let link = match self.there(&next) {
                There::Own(Entry::Symlink { target }) => Some(target),
                There::Own(entry) if entry.directory_mode().is_some() => None,
                There::Own(_) => {
                    place = next;
                    continue;
                }
                There::Below(Found::Directory { mode }) => {
                    let made = self.made(Entry::Inherited { mode }, false);
                    self.entries.insert(next.clone(), made);
                    None
                }
                There::Below(Found::Symlink(target)) if !rest.is_empty() => Some(target),
                There::Below(_) | There::Nothing => {
                    self.mirror(&next).map_err(|error| cannot(&error))?
                }
            };
            let Some(target) = link else {
                place = next;
                continue;
            };
            links += 1;
            if links > MOST_LINKS {
                let path = quoted(path.to_string_lossy());
                return Err(Report::error(format!("{path} leads through too many symbolic links")));
            }
            if target.is_absolute() {
                place = PathBuf::from("/");
            }
            let mut through = components(&target);
            through.append(&mut rest);
            rest = through;
        }
        Ok(())
    }

    /// The same for files below a directory that is installed unchanged: a dangling link dangles
    /// inside, too.
    pub fn install_as_it_is(&mut self, path: &Path) -> Result<(), Report> {
        if self.host.exists(path) {
            return self.install(path);
        }
        self.install(path.parent().unwrap_or(Path::new("/")))?;
        match std::fs::read_link(self.host.real(path)) {
            Ok(target) => self.put_along(path, Entry::Symlink { target }),
            Err(_) => Ok(()),
        }
    }

    /// Creates the host's entry at `path`, and returns its target if it is a link.
    fn mirror(&mut self, path: &Path) -> std::io::Result<Option<PathBuf>> {
        let metadata = self.host.symlink_metadata(path)?;
        let (entry, link) = if metadata.is_symlink() {
            let target = std::fs::read_link(self.host.real(path))?;
            (Entry::Symlink { target: target.clone() }, Some(target))
        } else if metadata.is_dir() {
            (Entry::Directory { mode: 0o755 }, None)
        } else {
            (copy_of(self.host.real(path), &metadata), None)
        };
        let made = self.made(entry, false);
        self.entries.insert(path.to_path_buf(), made);
        Ok(link)
    }

    /// Adds the links of the host's root, such as `/bin -> usr/bin`, whose target directory this
    /// layer has: programs look for `/bin/sh`. A path that is taken stays as it is.
    ///
    /// # Errors
    /// A link cannot be read.
    pub fn link_root(&mut self) -> Result<(), Report> {
        for (link, target) in self.links_of_root()? {
            if matches!(self.there(&link), There::Nothing) && self.lead(&target).is_some() {
                let made = self.made(Entry::Symlink { target }, false);
                self.entries.insert(link, made);
            }
        }
        Ok(())
    }

    /// Gives a program of the host the names that it has by links of the host's root, if this root
    /// has directories of its own in their place: `/bin/sh` for `/usr/bin/sh`.
    pub fn link_program(&mut self, path: &Path) -> Result<(), Report> {
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(());
        };
        for (link, target) in self.links_of_root()? {
            let is_directory = matches!(self.seen(&link), Way::Directory);
            if is_directory && self.lead(&target).as_deref() == Some(directory) {
                let says = Path::new("..").join(directory.strip_prefix("/").unwrap_or(directory));
                self.put_along(&link.join(name), Entry::Symlink { target: says.join(name) })?;
            }
        }
        Ok(())
    }

    /// The directory of this layer that a link in the root leads to.
    fn lead(&self, target: &Path) -> Option<PathBuf> {
        // A further name puts it in the middle of a path.
        let through = Path::new("/").join(target).join("x");
        let through = follow(&through, &mut |place| self.seen(place)).ok()?;
        let place = through.parent()?;
        self.entries.get(place)?.entry.directory_mode().map(|_| place.to_path_buf())
    }

    fn links_of_root(&mut self) -> Result<Vec<(PathBuf, PathBuf)>, Report> {
        if let Some(links) = &self.root_links {
            return Ok(links.clone());
        }
        let root = Path::new("/");
        let mut links = Vec::new();
        for name in self.host.names(root).map_err(|error| unread(root, &error))? {
            let link = root.join(name);
            let target = match std::fs::read_link(self.host.real(&link)) {
                Ok(target) => target,
                Err(error) if error.kind() == ErrorKind::InvalidInput => continue,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(unread(&link, &error)),
            };
            // What may not be looked at may be a directory, too.
            let is_directory = match self.host.metadata(&link) {
                Ok(found) => found.is_dir(),
                Err(error) => error.kind() == ErrorKind::PermissionDenied,
            };
            if is_directory {
                links.push((link, target));
            }
        }
        Ok(self.root_links.insert(links).clone())
    }

    fn holds_something(&self, directory: &Path) -> bool {
        let after = self.entries.range(directory.to_path_buf()..).nth(1);
        after.is_some_and(|(path, _)| path.starts_with(directory))
    }

    /// The place of `path` in this tree: links of the tree are followed, except for the last name,
    /// and directories on the way are created.
    fn place(&mut self, path: &Path) -> Result<PathBuf, Report> {
        follow(path, &mut |place| self.way(place, true)).map_err(|error| {
            let before = self.entries.get(&error.place).and_then(|made| made.origin.as_ref());
            Report::error(error.to_string()).related(before, "created here")
        })
    }

    /// The state of `place` on the way.
    fn seen(&self, place: &Path) -> Way {
        match self.there(place) {
            There::Own(Entry::Symlink { target }) | There::Below(Found::Symlink(target)) => {
                Way::Link(target)
            }
            There::Own(entry) if entry.directory_mode().is_some() => Way::Directory,
            There::Below(Found::Directory { .. }) => Way::Directory,
            There::Nothing => Way::Nothing,
            There::Own(_) | There::Below(_) => Way::Blocked,
        }
    }

    /// The state of `place` on the way; with `make`, a missing directory is created.
    fn way(&mut self, place: &Path, make: bool) -> Way {
        let entry = match self.there(place) {
            There::Own(Entry::Symlink { target }) | There::Below(Found::Symlink(target)) => {
                return Way::Link(target);
            }
            There::Own(entry) if entry.directory_mode().is_some() => return Way::Directory,
            There::Below(Found::Directory { mode }) => Entry::Inherited { mode },
            There::Nothing if make => Entry::Directory { mode: 0o755 },
            There::Nothing => return Way::Nothing,
            There::Own(_) | There::Below(_) => return Way::Blocked,
        };
        let directory = self.made(entry, false);
        self.entries.insert(place.to_path_buf(), directory);
        Way::Directory
    }

    /// The finished layer; of several copies of one file of the host, all but the first are links
    /// to it.
    pub fn finish(mut self) -> Assembled {
        let mut first: BTreeMap<(u64, u64), PathBuf> = BTreeMap::new();
        for (path, made) in &mut self.entries {
            let Entry::Copy { id, names: 2.., .. } = made.entry else { continue };
            match first.get(&id) {
                // A file with another owner stays separate.
                Some(first) if made.owner == Owner::default() => {
                    made.entry = Entry::HardLink { first: first.clone() };
                }
                None if made.owner == Owner::default() => {
                    first.insert(id, path.clone());
                }
                Some(_) | None => {}
            }
        }
        Assembled { entries: self.entries, warnings: self.warnings }
    }
}

/// The report of a file that cannot be read.
fn unread(path: &Path, error: &std::io::Error) -> Report {
    let path = quoted(path.to_string_lossy());
    Report::error(format!("cannot read {path}: {}", os_error(error)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Entry, Installer};
    use crate::host::{Host, Tree};

    #[test]
    fn a_file_of_the_host_keeps_its_path_and_its_links() {
        let root = std::env::temp_dir().join(format!("nsscript-install-{}", std::process::id()));
        std::fs::create_dir_all(root.join("usr/bin")).unwrap();
        std::fs::write(root.join("usr/bin/tool-1"), "x").unwrap();
        std::os::unix::fs::symlink("usr/bin", root.join("bin")).unwrap();
        std::os::unix::fs::symlink("/usr/bin/tool-1", root.join("usr/bin/tool")).unwrap();
        let host = Host {
            tree: Tree::at(&root),
            uid: 0,
            gid: 0,
            kernel: (6, 1),
            environment: std::collections::BTreeMap::default(),
        };
        let mut installer = Installer::new(&host, &[]);
        installer.install(Path::new("/bin/tool")).unwrap();
        let paths: Vec<_> = installer.entries.keys().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(paths, ["/bin", "/usr", "/usr/bin", "/usr/bin/tool", "/usr/bin/tool-1"]);
        assert!(matches!(installer.entries[Path::new("/bin")].entry, Entry::Symlink { .. }));
        // A directory that the recipe created replaces the link.
        let mut installer = Installer::new(&host, &[]);
        installer.put(Path::new("/bin"), Entry::Directory { mode: 0o755 }).unwrap();
        installer.install(Path::new("/bin/tool")).unwrap();
        assert!(installer.entries.contains_key(Path::new("/bin/tool")));
        // A link in the tree is followed.
        installer.put(Path::new("/b/x"), Entry::Device).unwrap();
        installer.put(Path::new("/c"), Entry::Symlink { target: "b".into() }).unwrap();
        installer.put(Path::new("/c/y"), Entry::Device).unwrap();
        assert!(installer.entries.contains_key(Path::new("/b/y")));
        std::fs::remove_dir_all(root).unwrap();
    }
}
