//! The files with the sandbox's own name: hosts(5), hostname(5).

use std::path::Path;

use super::{Asking, At, Backing, Changes, File, FileOver, Op, Planning};
use crate::diag::{Origin, Report, quoted};
use crate::spec::{FileOptions, GuestPath, Kind, ValueError};

/// The files with the sandbox's own name are written. The planning knows what they say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NameFiles;

impl Asking for NameFiles {
    fn name(&self) -> &'static str {
        "name_files"
    }

    fn say(&self) -> String {
        "/etc/hosts and /etc/hostname".to_owned()
    }

    fn changes(&self) -> Changes {
        Changes::Root
    }

    fn key(&self) -> Option<&str> {
        None
    }

    fn target(&self) -> Option<&GuestPath> {
        None
    }

    fn plan(&self, to: &mut Planning<'_>, origin: Option<&Origin>) -> Result<(), ValueError> {
        for (path, text) in to.own_names.clone() {
            to.name_file(&path, text, origin);
        }
        Ok(())
    }
}

impl Planning<'_> {
    /// Writes a file in the sandbox's own layer, so that package managers can replace it. What the
    /// sandbox may not change is covered.
    fn name_file(&mut self, path: &GuestPath, text: String, origin: Option<&Origin>) {
        let Some((place, at)) = self.reached(origin, |lookup| lookup.reach(path)) else { return };
        let content = text.into_bytes().into();
        let file = File { path: place.clone(), content, options: FileOptions::default() };
        let backing = self.view.holder(&place).map(|(_, backing, _)| backing.clone());
        let why = match (backing.unwrap_or(Backing::Private), at) {
            (_, At::Directory | At::Link(_)) => "it is not a file".to_owned(),
            (Backing::Private, At::File | At::Nothing | At::Unknown) => {
                return self.push(file, origin);
            }
            (Backing::Layered(root), at) if self.may_write(&root, &place) => {
                return match at {
                    At::Unknown => self.push(File { path: path.clone(), ..file }, origin),
                    _ => self.push(file, origin),
                };
            }
            (Backing::Layered(_) | Backing::Host { .. } | Backing::Protected, At::File) => {
                return self.push(FileOver(file), origin);
            }
            (Backing::Host { read_only: true, .. }, At::Nothing) if self.is_in_view(&place) => {
                match self.extended(&place, origin) {
                    Ok(directory) if directory.is_root() => return self.push(file, origin),
                    Ok(_) => return self.added.push((Op::from(file), origin.cloned())),
                    Err(why) => why,
                }
            }
            (Backing::Layered(_), At::Nothing | At::Unknown) => {
                "its directory belongs to a user who is not mapped".to_owned()
            }
            (Backing::Host { .. } | Backing::Protected, At::Nothing | At::Unknown) => {
                "it does not exist in a directory that the sandbox may not change".to_owned()
            }
        };
        let shown = quoted(path.as_str());
        let report = Report::warning(format!("{shown} is not written: {why}"));
        let hint = format!("create the file {shown} in the root; a sandbox can then cover it");
        self.warnings.push(report.at(origin.cloned()).advise("name_file_left", hint));
    }

    /// Whether a process that sets up the sandbox may write the file at a place of an overlay, or
    /// create it: the kernel's capabilities count only for files whose owners are mapped.
    fn may_write(&self, root: &Path, place: &GuestPath) -> bool {
        use std::os::unix::fs::MetadataExt;
        if !self.namespaces.has(Kind::User) && self.maps.users.ranges.is_empty() {
            return self.host.is_root();
        }
        let path = root.join(place.relative());
        let mut ways = path.ancestors().take_while(|way| way.starts_with(root));
        let found = ways.find_map(|way| self.host.tree.symlink_metadata(way).ok());
        found.is_some_and(|found| {
            let users = self.maps.users.inside(found.uid());
            users.is_some() && self.maps.groups.inside(found.gid()).is_some()
        })
    }
}
