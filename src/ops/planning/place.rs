//! Places in a root: whether something can be mounted, made or hidden there, and where else.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Planning;
use crate::diag::{Origin, Report, quoted};
use crate::host::Host;
use crate::ops::{
    self, At, Backing, Below, Layer, Leaves, Lookup, Op, Presence, RootTree, at_root_of, presence,
};
use crate::spec::{GuestPath, Root};

/// The root of a sandbox, before anything is done in it.
#[derive(Clone, Copy, Debug)]
pub struct RootOf<'a> {
    /// The machine.
    pub host: &'a Host,
    /// What it is.
    pub root: &'a Root,
    /// Its layers, if it is put together.
    pub tree: Option<&'a RootTree>,
    /// Whether changes are kept, which may hold anything.
    pub changed: bool,
}

impl RootOf<'_> {
    /// What is at a place that no link is on the way to.
    fn at(&self, path: &GuestPath) -> At {
        let found = match (self.root, self.tree) {
            (Root::Directory(directory), _) => at_root_of(&self.host.tree, directory, path),
            (Root::Empty, _) => At::Nothing,
            (_, Some(tree)) => self.in_layers(tree, Path::new(path.as_str())),
            _ => At::Unknown,
        };
        if self.changed && found == At::Nothing { At::Unknown } else { found }
    }

    fn in_layers(&self, tree: &RootTree, path: &Path) -> At {
        let layers = &tree.layers;
        match (Below { host: self.host, layers }).find(path) {
            Some((ops::Found::Directory { .. }, _)) => At::Directory,
            Some((ops::Found::Symlink(says), _)) => At::Link(says.to_string_lossy().into_owned()),
            Some((ops::Found::Other, _)) => At::File,
            // A dry run has not unpacked an archive.
            None if layers
                .iter()
                .any(|layer| matches!(layer, Layer::Kept(it) if it.is_unknown())) =>
            {
                At::Unknown
            }
            None => At::Nothing,
        }
    }
}

impl Planning<'_> {
    /// Whether the place of a mount is to be made where it is missing. What cannot work is said.
    pub(in crate::ops) fn place(
        &mut self,
        target: &GuestPath,
        wanted: Presence,
        origin: Option<&Origin>,
    ) -> bool {
        if target.is_root() {
            let report = Report::error("`/` is the root itself, not a place for a mount");
            let hint = "`sandbox(root)`, `root` and `host_view` say what the root is";
            self.reports.push(report.at(origin.cloned()).advise("root_as_place", hint));
            return false;
        }
        let Some((base, backing, by)) = self.view.holder(target) else { return true };
        let (path, read_only, layered) = match backing {
            Backing::Private | Backing::Protected => return true,
            Backing::Layered(path) => (path, false, true),
            Backing::Host { path, read_only } => (path, *read_only, false),
        };
        let below = target.below(base).unwrap_or(Path::new(""));
        let found = presence(&self.host.tree, path, below);
        let shown = quoted(target.as_str());
        let problem = match (found, wanted) {
            (Presence::Unknown, _) => return !read_only,
            (Presence::Nothing, _) if layered => return true,
            (Presence::Nothing, _) if read_only => {
                format!("{shown} does not exist, and cannot be made below a read-only mount")
            }
            (Presence::Nothing, _) => {
                format!("{shown} does not exist, and would be made on the host")
            }
            (Presence::File, Presence::Directory) => format!("{shown} is a file, not a directory"),
            (Presence::Directory, Presence::File) => format!("{shown} is a directory, not a file"),
            _ => return false,
        };
        let report = Report::error(problem).at(origin.cloned());
        let what = if read_only { "read-only since here" } else { "it lies in this" };
        let mut report = report.related(by, what);
        report.facts.operation = Some("mount".into());
        report.facts.target = Some(target.to_string());
        let report = if found == Presence::Nothing {
            let on_host = self.made_on_host(&path.join(below), wanted);
            let elsewhere = self.elsewhere(target);
            let hint = match on_host {
                Some(made) => format!("{elsewhere}; or make it on the host first: {made}"),
                None => elsewhere,
            };
            report.advise("place_not_there", hint)
        } else {
            report.advise("place_kind", "mount a directory on a directory, a file on a file")
        };
        self.reports.push(report);
        false
    }

    /// How a place is made on the host; none if the caller may not.
    fn made_on_host(&self, place: &Path, wanted: Presence) -> Option<String> {
        let above = place.ancestors().skip(1).find(|above| self.host.tree.exists(above))?;
        let found = self.host.tree.metadata(above).ok()?;
        let (mode, uid, gid) = (found.mode(), found.uid(), found.gid());
        let may = match () {
            () if self.host.is_root() => true,
            () if uid == self.host.uid => mode & 0o300 == 0o300,
            () if gid == self.host.gid => mode & 0o030 == 0o030,
            () => mode & 0o003 == 0o003,
        };
        let path = crate::spec::shell_word(&place.to_string_lossy());
        let is_deep = place.parent() != Some(above);
        (may && found.is_dir()).then(|| match (wanted, is_deep) {
            (Presence::File, false) => format!("`touch {path}`"),
            (Presence::File, true) => format!("`install -D /dev/null {path}`"),
            (_, false) => format!("`mkdir {path}`"),
            (_, true) => format!("`mkdir -p {path}`"),
        })
    }

    /// Another place for what cannot be at `target`, as nothing can be made there.
    fn elsewhere(&self, target: &GuestPath) -> String {
        let name = target.as_str().rsplit('/').next().unwrap_or_default();
        let in_memory = |path: &GuestPath| {
            let own = |op: &Op| match op {
                Op::Mounted(mount) if mount.target == *path => {
                    Some(mount.kind == "tmpfs" && !mount.options.attributes.read_only)
                }
                _ => None,
            };
            let last = self.actions.iter().rev().find_map(|(op, _)| own(op));
            // What cannot be mounted itself is no place for anything.
            let is_refused =
                |report: &Report| report.facts.target.as_deref() == Some(path.as_str());
            last == Some(true)
                && matches!(self.view.holder(path), Some((_, Backing::Private, _)))
                && !self.reports.iter().any(is_refused)
        };
        let tmpfs = self.actions.iter().filter_map(|(op, _)| match op.facts().leaves {
            Leaves::FileSystem { target, .. } if in_memory(target) => Some(target),
            _ => None,
        });
        // A directory for devices is none for anything else.
        let mut places: Vec<_> = tmpfs.filter(|path| path.as_str() != "/dev").collect();
        places.sort_by_key(|path| path.as_str() != "/tmp");
        if let Some(place) = places.first() {
            return format!("choose a place that can be written to, such as `{place}/{name}`");
        }
        let root = self.view.holder(&GuestPath::root()).map(|(_, backing, _)| backing);
        if !matches!(root, Some(Backing::Host { .. })) {
            let base = self.view.holder(target).map_or("/", |(base, ..)| base.as_str());
            return format!("choose a place outside of {}", quoted(base));
        }
        let paths = ["/mnt", "/srv", "/media", "/opt"].map(GuestPath::new);
        let mut paths = paths.iter().flatten();
        let is_there = |path: &&GuestPath| self.lookup(|it| it.follow(path)).at == At::Directory;
        match paths.find(is_there) {
            Some(place) => format!(
                "choose a place below a tmpfs: `.tmpfs(\"{place}\")` first, and then `{place}/{name}`"
            ),
            None => "choose a place that is there, or one below a tmpfs".to_owned(),
        }
    }

    /// Says so if a file cannot be made below a read-only mount.
    pub(in crate::ops) fn writable(&mut self, path: &GuestPath, origin: Option<&Origin>) {
        let Some((base, backing, by)) = self.view.holder(path) else { return };
        if !matches!(backing, Backing::Protected | Backing::Host { read_only: true, .. }) {
            return;
        }
        let (shown, base_shown) = (quoted(path.as_str()), quoted(base.as_str()));
        let message = format!("cannot make {shown} below {base_shown}, which is read-only");
        let report = Report::error(message).at(origin.cloned());
        let report = if matches!(backing, Backing::Protected) {
            let hint = "move this line before the one that makes it read-only";
            report.advise("made_after_read_only", hint)
        } else {
            report.advise("made_below_read_only", self.elsewhere(path))
        };
        self.reports.push(report.related(by, "read-only since here"));
    }

    /// Says so if nothing is at a place that is to be hidden, or made read-only. Whether it is
    /// there.
    pub(in crate::ops) fn is_there(
        &mut self,
        path: &GuestPath,
        operation: &str,
        origin: Option<&Origin>,
    ) -> bool {
        let found = self.lookup(|lookup| lookup.follow(path));
        if found.at != At::Nothing {
            return true;
        }
        let shown = quoted(path.as_str());
        let what = if operation == "mask" { "hide" } else { "make read-only" };
        let message = format!("{shown} does not exist: nothing is there to {what}");
        let mut report = Report::error(message).at(origin.cloned());
        report.facts.operation = Some(operation.to_owned());
        report.facts.errno = Some(super::ENOENT);
        report.facts.target = Some(path.to_string());
        let on_host: Option<PathBuf> = self.view.on_host(path);
        let near = on_host.as_ref().and_then(|place| self.host.tree.near(place));
        let near = near.and_then(|near| path.parent()?.join(&near).ok());
        let report = match (near, on_host) {
            (Some(near), _) => {
                report.advise("hidden_near", format!("did you mean {}?", quoted(near.as_str())))
            }
            (None, Some(place)) => report.advise(
                "nothing_to_hide",
                format!(
                    "leave it out, or ask whether the host has it: `if exists(\"{}\") {{ … }}`",
                    crate::diag::escape(&place.to_string_lossy())
                ),
            ),
            (None, None) => report.advise(
                "not_there_yet",
                "leave it out, or move this line behind the one that makes it",
            ),
        };
        self.reports.push(report);
        false
    }

    /// Asks what is inside, as far as the actions have come.
    fn lookup<T>(&self, ask: impl FnOnce(&Lookup<'_>) -> T) -> T {
        let root = |path: &GuestPath| self.root.at(path);
        let actions = self.actions.iter().map(|(op, _)| op).collect();
        ask(&Lookup { host: &self.host.tree, actions, root: &root })
    }
}
