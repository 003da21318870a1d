//! What is done in the root, in the order the recipe asked for it.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::action::{Action, FileId};
use super::devices::{devices, devpts, tmpfs};
use super::identity::Maps;
use super::planner::{unanswered, unseen};
use super::tree::Owner;
use super::view::{Backing, Presence, View, presence};
use crate::diag::{Origin, Report, os_error, quoted};
use crate::host::Host;
use crate::spec::{
    BindOptions, FileOptions, GuestPath, Invalid, Kind, MountOptions, Namespaces, Step, What,
};

/// What the actions in the root are worked out with.
pub(super) struct Inside<'a> {
    pub host: &'a Host,
    pub namespaces: Namespaces,
    /// The line that shared a namespace.
    pub shared: Option<Origin>,
    /// Whether user 0 of the machine is somebody inside, who then may write to `/proc/sys`.
    pub protect_proc: bool,
    pub maps: &'a Maps,
    pub view: View,
    pub actions: Vec<(Action, Option<Origin>)>,
    pub reports: Vec<Report>,
}

/// No such file or directory: errno(3).
const ENOENT: i32 = 2;

/// Files of procfs through which user 0 of the machine changes the machine, also without any
/// capability: they ask for the user id alone.
const DANGEROUS: [&str; 5] = ["sys", "sysrq-trigger", "irq", "bus", "fs"];

impl Inside<'_> {
    /// Adds what `step` asks for.
    pub fn add(&mut self, step: &Step) {
        let origin = step.origin.clone();
        if let Err(error) = self.step(&step.what, origin.as_ref()) {
            self.reports.push(Report::error(error.to_string()).at(origin.clone()));
        }
        if let Some(report) = unanswered(self.host) {
            self.reports.push(report.at(origin));
        }
    }

    fn push(&mut self, action: Action, origin: Option<&Origin>) {
        self.actions.push((action, origin.cloned()));
    }

    fn refuse(&mut self, message: String, origin: Option<&Origin>, hint: &str) {
        let report = Report::error(message).at(origin.cloned()).hint(hint);
        self.reports.push(report.related(self.shared.as_ref(), "shared here"));
    }

    fn step(&mut self, what: &What, origin: Option<&Origin>) -> Result<(), Invalid> {
        match what {
            What::Bind { source, target, options } => self.bind(source, target, *options, origin),
            What::Tmpfs { target, size, mode } => {
                self.mount("tmpfs", "tmpfs", target, tmpfs(*size, *mode, true), origin);
            }
            What::Proc { target, options } => {
                let mut data = Vec::new();
                data.extend(options.hidepid.clone().map(|value| ("hidepid".into(), Some(value))));
                data.extend(options.subset.clone().map(|value| ("subset".into(), Some(value))));
                self.proc(target, data, origin)?;
            }
            What::Sysfs(target) => {
                let options = MountOptions { read_only: true, ..MountOptions::default() };
                self.needs(Kind::Net, "sysfs", origin);
                self.mount("sysfs", "sysfs", target, options, origin);
                self.or_bind("/sys");
            }
            What::Dev(target) => {
                let create = self.place(target, Presence::Directory, origin);
                match devices(target, self.host, create) {
                    Ok(actions) => actions.into_iter().for_each(|it| self.push(it, origin)),
                    Err(report) => self.reports.push(report.at(origin.cloned())),
                }
                self.view.cover(target, Backing::Private, origin.cloned());
            }
            What::Devpts(target) => {
                let create = self.place(target, Presence::Directory, origin);
                self.push(devpts(target.clone(), create), origin);
                self.view.cover(target, Backing::Private, origin.cloned());
            }
            What::Mount { source, target, kind, options } => {
                self.mount(kind, source, target, options.clone(), origin);
            }
            What::Directory(path, options) => {
                self.owner(given(*options), origin);
                self.push(Action::MakeDirectory(path.clone(), *options), origin);
                self.writable(path, origin);
            }
            What::File(path, content, options) => {
                self.owner(given(*options), origin);
                let content: Rc<[u8]> = content.as_slice().into();
                self.push(Action::MakeFile(path.clone(), content, *options), origin);
                self.writable(path, origin);
            }
            What::Symlink { path, target } => {
                let (path, target) = (path.clone(), target.clone());
                self.writable(&path, origin);
                self.push(Action::MakeSymlink { path, target }, origin);
            }
            What::Mask(path) => {
                self.push(Action::Mask(path.clone()), origin);
                self.view.cover(path, Backing::Private, origin.cloned());
            }
            What::ReadOnly(path) => {
                self.push(Action::Protect { target: path.clone(), optional: false }, origin);
                self.view.protect(path, origin.cloned());
            }
            _ => {}
        }
        Ok(())
    }

    fn bind(
        &mut self,
        source: &Path,
        target: &GuestPath,
        options: BindOptions,
        origin: Option<&Origin>,
    ) {
        let (directory, id) = match (self.host.tree.metadata(source), options.made) {
            (Ok(found), _) => (found.is_dir(), Some((found.dev(), found.ino()))),
            (Err(_), Some(directory)) => (directory, None),
            (Err(error), _)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                if !options.optional {
                    self.missing_source(source, target, origin);
                }
                return;
            }
            (Err(error), _) => {
                self.closed_source(source, &error, origin);
                return;
            }
        };
        let wanted = if directory { Presence::Directory } else { Presence::File };
        let create = self.place(target, wanted, origin);
        let backing = Backing::Host { path: source.into(), read_only: options.read_only };
        let (source, target) = (source.to_path_buf(), target.clone());
        self.view.cover(&target, backing, origin.cloned());
        let action = Action::Bind { source, id, directory, target, options, create };
        self.push(action, origin);
    }

    /// Says so where a source is there, or may be, and cannot be reached.
    fn closed_source(&mut self, source: &Path, error: &std::io::Error, origin: Option<&Origin>) {
        let shown = quoted(source.to_string_lossy());
        let mut report =
            Report::error(format!("cannot reach the source {shown}: {}", os_error(error)));
        let closed = source.ancestors().skip(1).find_map(|path| {
            let found = self.host.tree.metadata(path).ok()?;
            Some((path, found.mode() & 0o7777, found.uid()))
        });
        if let Some((path, mode, uid)) = closed {
            let path = quoted(path.to_string_lossy());
            report = report.hint(format!("{path} is mode {mode:04o} and belongs to uid {uid}"));
        }
        report.facts.operation = Some("bind".into());
        report.facts.errno = error.raw_os_error();
        report.facts.source = Some(source.to_string_lossy().into_owned());
        self.reports.push(report.at(origin.cloned()));
    }

    fn missing_source(&mut self, source: &Path, target: &GuestPath, origin: Option<&Origin>) {
        let shown = quoted(source.to_string_lossy());
        let mut report = Report::error(format!("the source {shown} does not exist"));
        let parents = source.ancestors().skip(1);
        let there = parents.into_iter().find(|parent| self.host.tree.exists(parent));
        let name = there.and_then(|there| source.strip_prefix(there).ok()?.components().next());
        if let (Some(there), Some(name)) = (there, name) {
            let names = self.host.tree.names(there).unwrap_or_default();
            let names: Vec<_> = names.iter().map(|name| name.to_string_lossy()).collect();
            let name = name.as_os_str().to_string_lossy();
            let near = crate::diag::closest(&name, names.iter().map(AsRef::as_ref));
            report = match near {
                Some(near) => {
                    let near = there.join(near);
                    report.hint(format!("did you mean {}?", quoted(near.to_string_lossy())))
                }
                None => report.note(format!("{} exists", quoted(there.to_string_lossy()))),
            };
        }
        report = report.hint("`optional: true` passes over a source that is missing");
        report.facts.operation = Some("bind".into());
        report.facts.errno = Some(ENOENT);
        report.facts.source = Some(source.to_string_lossy().into_owned());
        report.facts.target = Some(target.to_string());
        self.reports.push(report.at(origin.cloned()));
    }

    fn mount(
        &mut self,
        kind: &str,
        source: &str,
        target: &GuestPath,
        options: MountOptions,
        origin: Option<&Origin>,
    ) {
        let create = self.place(target, Presence::Directory, origin);
        let (kind, source, target) = (kind.to_owned(), source.to_owned(), target.clone());
        self.view.cover(&target, Backing::Private, origin.cloned());
        let instead = None;
        self.push(Action::Mount { kind, source, target, options, create, instead }, origin);
    }

    /// A proc whose dangerous files cannot be written to.
    pub fn proc(
        &mut self,
        target: &GuestPath,
        data: Vec<(String, Option<String>)>,
        origin: Option<&Origin>,
    ) -> Result<(), Invalid> {
        if self.namespaces.has(Kind::User) && !self.needs(Kind::Pid, "proc", origin) {
            return Ok(());
        }
        let only_processes = data.iter().any(|(key, _)| key == "subset");
        // What is not there cannot be protected, and would be in a proc that a nested user
        // namespace mounts: the kernel lets that be no more than this one, so it is read-only.
        let read_only = self.protect_proc && only_processes;
        let options = MountOptions { data, read_only, ..MountOptions::default() };
        self.mount("proc", "proc", target, options, origin);
        if self.protect_proc && !only_processes {
            // The caller's /proc may show fewer of them than the new one does.
            for name in DANGEROUS {
                let target = target.join(name)?;
                self.push(Action::Protect { target, optional: true }, origin);
            }
        }
        Ok(())
    }

    /// Whether the namespace that a file system shows is new; else it is refused here, where the
    /// kernel would only say EPERM.
    fn needs(&mut self, kind: Kind, filesystem: &str, origin: Option<&Origin>) -> bool {
        let new = self.namespaces.has(kind) || !self.namespaces.has(Kind::User);
        if !new {
            let name = kind.constant();
            let message = format!("cannot mount {filesystem} where {name} is shared");
            let hint = format!(
                "a new user namespace may only mount the {filesystem} of a namespace of its own; \
                 leave {name} out of `share`"
            );
            self.refuse(message, origin, &hint);
        }
        new
    }

    /// Whether the place of a mount is to be made where it is missing. What cannot work is said.
    fn place(&mut self, target: &GuestPath, wanted: Presence, origin: Option<&Origin>) -> bool {
        if target.is_root() {
            let report = Report::error("`/` is the root itself, not a place for a mount");
            let hint = "what the root is is said with `sandbox(root)`, `root` or `host_view`";
            self.reports.push(report.at(origin.cloned()).hint(hint));
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
        let report = report.related(by, what);
        let place: PathBuf = path.join(below);
        let mut report = report;
        report.facts.operation = Some("mount".into());
        report.facts.target = Some(target.to_string());
        let report = report.hint(match found {
            Presence::Nothing => {
                let place = quoted(place.to_string_lossy());
                format!("make {place} on the host first, or mount a tmpfs above it")
            }
            _ => "a directory is mounted on a directory, a file on a file".to_owned(),
        });
        self.reports.push(report);
        false
    }

    /// Says so where somebody shall own a file whom the map does not know.
    pub fn owner(&mut self, owner: Owner, origin: Option<&Origin>) {
        let maps = [("user", owner.uid, &self.maps.users), ("group", owner.gid, &self.maps.groups)];
        for (noun, id, map) in maps {
            let unknown = id.filter(|id| !map.ranges.is_empty() && map.outside(*id).is_none());
            if let Some(id) = unknown {
                let message = format!("{noun} {id} is not mapped in this sandbox");
                let hint = format!("the map is {map}; `map_{noun}` maps more");
                self.reports.push(Report::error(message).at(origin.cloned()).hint(hint));
            }
        }
    }

    /// Says so where a file cannot be made below a read-only mount.
    fn writable(&mut self, path: &GuestPath, origin: Option<&Origin>) {
        let Some((base, backing, by)) = self.view.holder(path) else { return };
        if !matches!(backing, Backing::Protected | Backing::Host { read_only: true, .. }) {
            return;
        }
        let (path, base) = (quoted(path.as_str()), quoted(base.as_str()));
        let message = format!("cannot make {path} below {base}, which is read-only");
        let hint = "mount a tmpfs above it first, or make it before the read-only mount";
        let report = Report::error(message).at(origin.cloned()).hint(hint);
        self.reports.push(report.related(by, "read-only since here"));
    }
}

fn given(FileOptions { uid, gid, .. }: FileOptions) -> Owner {
    Owner { uid, gid }
}

/// Device and inode of a file of the host; none where nothing is there.
///
/// # Errors
/// What is there cannot be seen.
pub(super) fn file_id(host: &Host, path: &Path) -> Result<Option<FileId>, Report> {
    match host.tree.metadata(path) {
        Ok(found) => Ok(Some((found.dev(), found.ino()))),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(unseen(path, &error)),
    }
}
