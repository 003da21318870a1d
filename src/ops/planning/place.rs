//! Checks of places in a root: whether something can be mounted, created or hidden there, and
//! alternatives.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Planning, unseen};
use crate::diag::{Origin, Report, quoted};
use crate::host::Host;
use crate::ops::{
    self, At, Backing, Below, Layer, Leaves, Lookup, MakeOnHost, Op, Presence, RootTree, at_host,
    at_root_of, presence,
};
use crate::spec::{GuestPath, Root};

/// The initial root of a sandbox.
#[derive(Clone, Copy, Debug)]
pub struct RootOf<'a> {
    /// The machine.
    pub host: &'a Host,
    /// Its kind.
    pub root: &'a Root,
    /// Its layers, if it is assembled.
    pub tree: Option<&'a RootTree>,
    /// Whether changes are kept, which may contain anything.
    pub changed: bool,
}

impl RootOf<'_> {
    /// The kind of file at a place whose path has no links.
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
            // A dry run does not unpack archives.
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
    /// Whether a missing mount point is created; reports an impossible one. With `create`, one on
    /// the host is made there; `None` if the verb has no such option.
    pub(in crate::ops) fn place(
        &mut self,
        target: &GuestPath,
        wanted: Presence,
        create: Option<bool>,
        origin: Option<&Origin>,
    ) -> bool {
        if target.is_root() {
            let report = Report::error("`/` is the root itself and cannot be a target");
            let hint = "set the root with `sandbox(root)` or `root`";
            self.reports.push(report.at(origin.cloned()).advise("root_as_place", hint));
            return false;
        }
        // Links to files of a process are links to files: `/etc/mtab`.
        let looks =
            self.is_in_kernel_files(target) || wanted == Presence::File && self.has_kernel_files();
        if looks && !self.kernel_allows(target, origin) {
            return false;
        }
        let Some((base, backing, by)) = self.view.holder(target) else { return true };
        let (path, is_layered) = match backing {
            Backing::Private | Backing::Protected => return true,
            Backing::Layered(path) => (path, true),
            Backing::Host { path, .. } => (path, false),
        };
        let below = target.below(base).unwrap_or(Path::new(""));
        match presence(&self.host.tree, path, below) {
            Presence::Nothing | Presence::Unknown if is_layered => true,
            Presence::Nothing | Presence::Unknown => self.missing(target, wanted, create, origin),
            found => {
                let by = by.cloned();
                self.check_kind(target, (found, wanted), by.as_ref(), origin);
                false
            }
        }
    }

    /// Whether the mount point `target` is created, which is not on the host at the end of its
    /// path, or behind a link; reports an impossible one.
    fn missing(
        &mut self,
        target: &GuestPath,
        wanted: Presence,
        create: Option<bool>,
        origin: Option<&Origin>,
    ) -> bool {
        let Some((place, at)) = self.reached(origin, |lookup| lookup.reach(target)) else {
            return false;
        };
        let Some((base, backing, by)) = self.view.holder(&place) else { return true };
        let by = by.cloned();
        let found = match at {
            At::Directory => Presence::Directory,
            At::File => Presence::File,
            At::Nothing => Presence::Nothing,
            At::Link(_) | At::Unknown => Presence::Unknown,
        };
        let (path, read_only) = match (backing, found) {
            (_, Presence::Directory | Presence::File) => {
                self.check_kind(target, (found, wanted), by.as_ref(), origin);
                return false;
            }
            (Backing::Private | Backing::Protected | Backing::Layered(_), _) => return true,
            (Backing::Host { .. }, Presence::Unknown) => return false,
            (Backing::Host { path, read_only }, Presence::Nothing) => (path, *read_only),
        };
        let below = place.below(base).unwrap_or(Path::new("")).to_path_buf();
        let base = path.clone();
        let shown = quoted(target.as_str());
        let problem = if read_only {
            match self.extend((target, &place), wanted, origin) {
                Some(Ok(create)) => return create,
                Some(Err(why)) => {
                    format!("{shown} does not exist, and cannot be added: {why}")
                }
                None => {
                    format!("{shown} does not exist, and cannot be created below a read-only mount")
                }
            }
        } else {
            if create == Some(true) {
                self.make_on_host(&base, below, wanted, origin);
                return false;
            }
            format!("{shown} does not exist, and would be created on the host")
        };
        let what = if read_only { "read-only since here" } else { "it is in this directory" };
        let mut report = Report::error(problem).at(origin.cloned()).related(by.as_ref(), what);
        report.facts.operation = Some("mount".into());
        report.facts.target = Some(target.to_string());
        let elsewhere = self.elsewhere(target);
        let hint = match self.made_on_host(&base.join(below), wanted) {
            Some(_) if !read_only && create.is_some() => {
                format!("{elsewhere}; or let it be created on the host: `create: true`")
            }
            Some(made) => format!("{elsewhere}; or create it on the host first: {made}"),
            None => elsewhere,
        };
        self.reports.push(report.advise("place_not_there", hint));
        false
    }

    /// Plans a mount point that is made on the host below `base`.
    fn make_on_host(
        &mut self,
        base: &Path,
        below: PathBuf,
        wanted: Presence,
        origin: Option<&Origin>,
    ) {
        let found = self.host.tree.resolve(base);
        let found = found.and_then(|it| Ok((self.host.tree.metadata(&it.path)?, it.path)));
        match found {
            Ok((metadata, base)) => {
                let id = (metadata.dev(), metadata.ino());
                let directory = wanted != Presence::File;
                self.push(MakeOnHost { base, id, below, directory }, origin);
            }
            Err(error) => self.reports.push(unseen(base, &error).at(origin.cloned())),
        }
    }

    /// Reports a mount point of the wrong kind.
    fn check_kind(
        &mut self,
        target: &GuestPath,
        (found, wanted): (Presence, Presence),
        by: Option<&Origin>,
        origin: Option<&Origin>,
    ) {
        let shown = quoted(target.as_str());
        let problem = match (found, wanted) {
            (Presence::File, Presence::Directory) => format!("{shown} is a file, not a directory"),
            (Presence::Directory, Presence::File) => format!("{shown} is a directory, not a file"),
            _ => return,
        };
        let mut report = Report::error(problem).at(origin.cloned());
        report = report.related(by, "it is in this directory");
        report.facts.operation = Some("mount".into());
        report.facts.target = Some(target.to_string());
        let hint = "mount a directory on a directory, or a file on a file";
        self.reports.push(report.advise("place_kind", hint));
    }

    /// The command that creates a place on the host; `None` if the caller may not.
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

    /// The hint with another place, because nothing can be created at `target`.
    pub(super) fn elsewhere(&self, target: &GuestPath) -> String {
        let name = target.as_str().rsplit('/').next().unwrap_or_default();
        let in_memory = |path: &GuestPath| {
            let own = |op: &Op| match op {
                Op::Mounted(mount) if mount.target == *path => {
                    Some(mount.kind == "tmpfs" && !mount.options.attributes.read_only)
                }
                _ => None,
            };
            let last = self.actions.iter().rev().find_map(|(op, _)| own(op));
            // A file system that cannot be mounted is no place for anything.
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
        // A directory for devices is not for other files.
        let mut places: Vec<_> = tmpfs.filter(|path| path.as_str() != "/dev").collect();
        places.sort_by_key(|path| path.as_str() != "/tmp");
        if let Some(place) = places.first() {
            return format!("choose a writable path, such as `{place}/{name}`");
        }
        let root = self.view.holder(&GuestPath::root()).map(|(_, backing, _)| backing);
        if !matches!(root, Some(Backing::Host { .. })) {
            let base = self.view.holder(target).map_or("/", |(base, ..)| base.as_str());
            if base == "/" {
                return "choose another path".to_owned();
            }
            return format!("choose a path outside {}", quoted(base));
        }
        let paths = ["/mnt", "/srv", "/media", "/opt"].map(GuestPath::new);
        let mut paths = paths.iter().flatten();
        let is_there = |path: &&GuestPath| self.lookup(|it| it.follow(path)).at == At::Directory;
        match paths.find(is_there) {
            Some(place) => format!(
                "choose a path below a tmpfs: add `.tmpfs(\"{place}\")` first, and use \
                 `{place}/{name}`"
            ),
            None => "choose an existing path, or one below a tmpfs".to_owned(),
        }
    }

    /// Reports a file that cannot be created below a read-only mount.
    pub(in crate::ops) fn writable(&mut self, path: &GuestPath, origin: Option<&Origin>) {
        let Some((base, backing, by)) = self.view.holder(path) else { return };
        if !matches!(backing, Backing::Protected | Backing::Host { read_only: true, .. }) {
            return;
        }
        let (shown, base_shown) = (quoted(path.as_str()), quoted(base.as_str()));
        let message = format!("cannot create {shown} below {base_shown}, which is read-only");
        let report = Report::error(message).at(origin.cloned());
        let report = if matches!(backing, Backing::Protected) {
            let hint = "move this line before the one that makes it read-only";
            report.advise("made_after_read_only", hint)
        } else {
            report.advise("made_below_read_only", self.elsewhere(path))
        };
        self.reports.push(report.related(by, "read-only since here"));
    }

    /// Whether a place to hide or to make read-only exists; reports a missing one.
    pub(in crate::ops) fn is_there(
        &mut self,
        path: &GuestPath,
        operation: &str,
        origin: Option<&Origin>,
    ) -> bool {
        let found = self.lookup(|lookup| lookup.follow(path));
        let by_kernel = found.at == At::Unknown && self.kernel_lacks(path);
        if found.at != At::Nothing && !by_kernel {
            return !self.is_of_each_process(path, &found, origin);
        }
        let shown = quoted(path.as_str());
        let what = match operation {
            "mask" => format!("hide {shown}"),
            "pin" => format!("keep the path of {shown}"),
            _ => format!("make {shown} read-only"),
        };
        let message = format!("cannot {what}: it does not exist");
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
                    "leave it out, or check whether the host has it: `if exists(\"{}\") {{ … }}`",
                    crate::diag::escape(&place.to_string_lossy())
                ),
            ),
            (None, None) if by_kernel => {
                let hint = match operation {
                    "pin" => "leave it out".to_owned(),
                    "mask" => {
                        format!("leave it out, or write `.mask(\"{path}\", #{{ optional: true }})`")
                    }
                    _ => format!(
                        "leave it out, or write `.read_only(\"{path}\", #{{ optional: true }})`"
                    ),
                };
                report.advise("kernel_lacks", hint)
            }
            (None, None) => report.advise(
                "not_there_yet",
                "leave it out, or move this line after the one that creates it",
            ),
        };
        self.reports.push(report);
        false
    }

    /// Whether a place to hide or to make read-only may exist: it is not known to be missing.
    pub(in crate::ops) fn may_be_there(
        &mut self,
        path: &GuestPath,
        origin: Option<&Origin>,
    ) -> bool {
        let found = self.lookup(|lookup| lookup.follow(path));
        found.at != At::Nothing && !self.is_of_each_process(path, &found, origin)
    }

    /// The place that a path leads to.
    pub(in crate::ops) fn led_to(&self, path: &GuestPath) -> GuestPath {
        self.lookup(|lookup| lookup.follow(path)).place
    }

    /// Looks something up inside, after the actions so far.
    pub(super) fn lookup<T>(&self, ask: impl FnOnce(&Lookup<'_>) -> T) -> T {
        let root = |path: &GuestPath| self.root.at(path);
        let bound = |path: &Path| at_host(&self.host.tree, path);
        let actions = self.added.iter().chain(&self.actions).map(|(op, _)| op).collect();
        ask(&Lookup { bound: &bound, actions, root: &root, places: &[] })
    }
}
