//! Putting files of the host into a tree at the paths where the host has them, links included.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use super::assemble::{Entry, Made, copy_of};
use crate::diag::{Origin, Report, os_error, quoted};
use crate::host::Tree;

/// The entries of a tree as they come together.
pub(super) struct Installer<'h> {
    host: &'h Tree,
    /// The line that is being followed.
    pub origin: Option<Origin>,
    pub entries: BTreeMap<PathBuf, Made>,
    pub warnings: Vec<Report>,
}

/// path_resolution(7): more links than this and the kernel gives up.
const MOST_LINKS: usize = 40;

impl<'h> Installer<'h> {
    pub fn new(host: &'h Tree) -> Self {
        Self { host, origin: None, entries: BTreeMap::new(), warnings: Vec::new() }
    }

    /// Puts an entry at a path that was asked for; links that are in the tree are followed on the
    /// way there.
    pub fn put(&mut self, path: &Path, entry: Entry) -> Result<(), Report> {
        let place = self.place(path)?;
        let made = Made { entry, origin: self.origin.clone(), explicit: true };
        if let Some(before) = self.entries.get(&place) {
            let both = matches!(
                (&before.entry, &made.entry),
                (Entry::Directory { .. }, Entry::Directory { .. })
            );
            let full = self.holds_something(&place);
            if matches!(before.entry, Entry::Directory { .. }) && !both && full {
                let message = format!("{} is a directory already", quoted(path.to_string_lossy()));
                let report = Report::error(message);
                return Err(report.related(before.origin.as_ref(), "made here"));
            }
            if before.explicit && before.entry != made.entry && !both {
                let message =
                    format!("{} replaces what was put there", quoted(path.to_string_lossy()));
                let report = Report::warning(message).at(made.origin.clone());
                self.warnings.push(report.related(before.origin.as_ref(), "put here"));
            }
        }
        self.entries.insert(place, made);
        Ok(())
    }

    /// Puts an entry that comes along with another one, where nothing is yet.
    pub fn put_along(&mut self, path: &Path, entry: Entry) -> Result<(), Report> {
        let place = self.place(path)?;
        let origin = self.origin.clone();
        self.entries.entry(place).or_insert(Made { entry, origin, explicit: false });
        Ok(())
    }

    /// Puts a file of the host at the path where the host has it: every link on the way is made
    /// too, so that both names of it work inside.
    pub fn install(&mut self, path: &Path) -> Result<(), Report> {
        let cannot = |error: &std::io::Error| {
            let path = quoted(path.to_string_lossy());
            Report::error(format!("cannot read {path}: {}", os_error(error)))
        };
        let mut rest = components(path);
        let mut place = PathBuf::from("/");
        let mut links = 0;
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                place.pop();
                continue;
            }
            let next = place.join(&name);
            let link = match self.entries.get(&next).map(|made| &made.entry) {
                Some(Entry::Symlink { target }) => Some(target.clone()),
                Some(Entry::Directory { .. }) => None,
                Some(_) => {
                    place = next;
                    continue;
                }
                None => self.mirror(&next).map_err(|error| cannot(&error))?,
            };
            let Some(target) = link else {
                place = next;
                continue;
            };
            links += 1;
            if links > MOST_LINKS {
                let path = quoted(path.to_string_lossy());
                return Err(Report::error(format!("{path} leads through too many links")));
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

    /// Makes the entry that the host has at `path`, and gives what it says where it is a link.
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
        let made = Made { entry, origin: self.origin.clone(), explicit: false };
        self.entries.insert(path.to_path_buf(), made);
        Ok(link)
    }

    /// Copies a file, or a directory with what is in it, to another place. A link at the source
    /// itself is followed; links below it are copied as links.
    pub fn copy(&mut self, source: &Path, target: &Path) -> Result<(), Report> {
        let shown = quoted(source.to_string_lossy());
        let metadata = self.host.metadata(source).map_err(|error| {
            let report = Report::error(format!("cannot copy {shown}: {}", os_error(&error)));
            match self.host.near(source) {
                Some(near) => {
                    let near = source.with_file_name(near);
                    report.hint(format!("did you mean {}?", quoted(near.to_string_lossy())))
                }
                None => report.hint("the source of `copy` is a path on the host"),
            }
        })?;
        if metadata.is_dir() {
            use std::os::unix::fs::MetadataExt;
            if target != Path::new("/") {
                self.put(target, Entry::Directory { mode: metadata.mode() & 0o7777 })?;
            }
            return self.copy_below(source, target);
        }
        if !metadata.is_file() {
            let report = Report::error(format!("cannot copy {shown}: it is no file or directory"));
            return Err(report.hint("devices are added with `device(path)`"));
        }
        let source = self.host.resolve(source).map_or_else(|_| source.into(), |found| found.path);
        self.put(target, copy_of(self.host.real(&source), &metadata))
    }

    fn copy_below(&mut self, source: &Path, target: &Path) -> Result<(), Report> {
        use std::os::unix::fs::MetadataExt;
        let cannot = |path: &Path, error: &std::io::Error| {
            Report::error(format!(
                "cannot read {}: {}",
                quoted(path.to_string_lossy()),
                os_error(error)
            ))
        };
        let mut names = self.host.names(source).map_err(|error| cannot(source, &error))?;
        names.sort();
        for name in names {
            let (from, to) = (source.join(&name), target.join(&name));
            let metadata =
                self.host.symlink_metadata(&from).map_err(|error| cannot(&from, &error))?;
            if metadata.is_dir() {
                self.put(&to, Entry::Directory { mode: metadata.mode() & 0o7777 })?;
                self.copy_below(&from, &to)?;
            } else if metadata.is_symlink() {
                let target = std::fs::read_link(self.host.real(&from));
                let target = target.map_err(|error| cannot(&from, &error))?;
                self.put(&to, Entry::Symlink { target })?;
            } else if metadata.is_file() {
                self.put(&to, copy_of(self.host.real(&from), &metadata))?;
            } else {
                let path = quoted(from.to_string_lossy());
                let report =
                    Report::warning(format!("{path} is no file, directory or link: left out"));
                self.warnings.push(report.at(self.origin.clone()));
            }
        }
        Ok(())
    }

    fn holds_something(&self, directory: &Path) -> bool {
        let after = self.entries.range(directory.to_path_buf()..).nth(1);
        after.is_some_and(|(path, _)| path.starts_with(directory))
    }

    /// The place that `path` is in this tree: links of the tree are followed, the last name is
    /// not, and directories on the way are made.
    fn place(&mut self, path: &Path) -> Result<PathBuf, Report> {
        let mut rest = components(path);
        let mut place = PathBuf::from("/");
        let mut links = 0;
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                place.pop();
                continue;
            }
            place.push(name);
            if rest.is_empty() {
                break;
            }
            match self.entries.get(&place).map(|made| &made.entry) {
                Some(Entry::Symlink { target }) if links < MOST_LINKS => {
                    links += 1;
                    place.pop();
                    if target.is_absolute() {
                        place = PathBuf::from("/");
                    }
                    let mut through = components(target);
                    through.append(&mut rest);
                    rest = through;
                }
                Some(Entry::Directory { .. }) => {}
                None => {
                    let entry = Entry::Directory { mode: 0o755 };
                    let made = Made { entry, origin: self.origin.clone(), explicit: false };
                    self.entries.insert(place.clone(), made);
                }
                Some(_) => {
                    let message = format!("{} is no directory", quoted(place.to_string_lossy()));
                    let before = self.entries.get(&place).and_then(|made| made.origin.as_ref());
                    return Err(Report::error(message).related(before, "made here"));
                }
            }
        }
        Ok(place)
    }
}

/// The names in a path, without the root and `.`.
fn components(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Entry, Installer};
    use crate::host::Tree;

    #[test]
    fn a_file_of_the_host_keeps_its_path_and_its_links() {
        let root = std::env::temp_dir().join(format!("nsscript-install-{}", std::process::id()));
        std::fs::create_dir_all(root.join("usr/bin")).unwrap();
        std::fs::write(root.join("usr/bin/tool-1"), "x").unwrap();
        std::os::unix::fs::symlink("usr/bin", root.join("bin")).unwrap();
        std::os::unix::fs::symlink("/usr/bin/tool-1", root.join("usr/bin/tool")).unwrap();
        let tree = Tree::at(&root);
        let mut installer = Installer::new(&tree);
        installer.install(Path::new("/bin/tool")).unwrap();
        let paths: Vec<_> = installer.entries.keys().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(paths, ["/bin", "/usr", "/usr/bin", "/usr/bin/tool", "/usr/bin/tool-1"]);
        assert!(matches!(installer.entries[Path::new("/bin")].entry, Entry::Symlink { .. }));
        // Where the recipe has made a directory of its own, the link gives way to it.
        let mut installer = Installer::new(&tree);
        installer.put(Path::new("/bin"), Entry::Directory { mode: 0o755 }).unwrap();
        installer.install(Path::new("/bin/tool")).unwrap();
        assert!(installer.entries.contains_key(Path::new("/bin/tool")));
        // Through a link that is in the tree, a path leads where the link says.
        installer.put(Path::new("/b/x"), Entry::Device).unwrap();
        installer.put(Path::new("/c"), Entry::Symlink { target: "b".into() }).unwrap();
        installer.put(Path::new("/c/y"), Entry::Device).unwrap();
        assert!(installer.entries.contains_key(Path::new("/b/y")));
        std::fs::remove_dir_all(root).unwrap();
    }
}
