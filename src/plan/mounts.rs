//! What is done in the root, in the order the recipe asked for it.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::rc::Rc;

use super::devices::{devices, devpts, tmpfs};
use super::place::RootOf;
use super::planner::{unanswered, unseen};
use crate::diag::{Origin, Report, os_error, quoted};
use crate::host::Host;
use crate::ops::{
    Backing, Bound, FileId, MakeDirectory, MakeFile, MakeSymlink, Maps, Mask, Mounted, Op, Owner,
    Presence, Protect, View,
};
use crate::spec::{
    BindOptions, FileOptions, GuestPath, Invalid, Kind, MountOptions, Namespaces, Step, What,
};

/// What the actions in the root are worked out with.
pub(super) struct Inside<'a> {
    pub host: &'a Host,
    pub namespaces: Namespaces,
    /// The line that shared a namespace.
    pub shared: Option<Origin>,
    /// The line that named the network that the sandbox enters.
    pub entered: Option<Origin>,
    /// Whether user 0 of the machine is somebody inside, who then may write to `/proc/sys`.
    pub protect_proc: bool,
    pub maps: &'a Maps,
    /// The root, before anything is done in it.
    pub root: RootOf<'a>,
    pub view: View,
    pub actions: Vec<(Op, Option<Origin>)>,
    pub reports: Vec<Report>,
}

/// No such file or directory: errno(3).
pub(super) const ENOENT: i32 = 2;

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

    pub fn push(&mut self, op: impl Into<Op>, origin: Option<&Origin>) {
        self.actions.push((op.into(), origin.cloned()));
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
                if self.needs(Kind::Net, "sysfs", origin) {
                    self.mount("sysfs", "sysfs", target, options, origin);
                    self.or_bind("/sys");
                }
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
                let shown = Kind::shown_by(kind);
                if shown.is_some_and(|shown| !self.needs(shown, kind, origin)) {
                    return Ok(());
                }
                self.mount(kind, source, target, options.clone(), origin);
            }
            What::Directory(path, options) => {
                self.owner(given(*options), origin);
                self.push(MakeDirectory { path: path.clone(), options: *options }, origin);
                self.writable(path, origin);
            }
            What::File(path, content, options) => {
                self.owner(given(*options), origin);
                let content: Rc<[u8]> = content.as_slice().into();
                self.push(MakeFile { path: path.clone(), content, options: *options }, origin);
                self.writable(path, origin);
            }
            What::Symlink { path, target } => {
                self.writable(path, origin);
                self.push(MakeSymlink { path: path.clone(), says: target.clone() }, origin);
            }
            What::Mask(path) => {
                if !self.is_there(path, "mask", origin) {
                    return Ok(());
                }
                self.push(Mask(path.clone()), origin);
                self.view.cover(path, Backing::Private, origin.cloned());
            }
            What::ReadOnly(path) => {
                if !self.is_there(path, "read_only", origin) {
                    return Ok(());
                }
                self.push(Protect { target: path.clone(), optional: false }, origin);
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
        let action = Bound { source, id, directory, target, options, create };
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
            let closed = format!(
                "{path} has mode {mode:04o} and belongs to user {uid}: `chmod` of its owner, or root, \
                 opens it"
            );
            report = report.advise("source_unreachable", closed);
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
                    let near = quoted(near.to_string_lossy());
                    report.advise("source_near", format!("did you mean {near}?"))
                }
                None => report.note(format!("{} exists", quoted(there.to_string_lossy()))),
            };
        }
        let passes = "`optional: true` passes over a source that is missing";
        report = report.advise("source_optional", passes);
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
        self.push(Mounted { kind, source, target, options, create, instead }, origin);
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
                self.push(Protect { target, optional: true }, origin);
            }
        }
        Ok(())
    }

    /// Whether the namespace that a file system shows belongs to the sandbox; else it is refused
    /// here, where the kernel would only say EPERM.
    fn needs(&mut self, kind: Kind, filesystem: &str, origin: Option<&Origin>) -> bool {
        if self.namespaces.has(kind) || !self.namespaces.has(Kind::User) {
            return true;
        }
        let entered = self.entered.as_ref().filter(|_| kind == Kind::Net);
        let report = if entered.is_some() {
            let message = format!("cannot mount {filesystem} in a network that the sandbox enters");
            let hint = "the kernel mounts it only for a network of the sandbox's own: leave it out; \
                        `network.run(command)` has a `/sys` that shows the network";
            let report = Report::error(message).advise("network_entered", hint);
            report.related(entered, "entered here")
        } else {
            let name = kind.constant();
            let hint = format!(
                "a new user namespace may only mount the {filesystem} of a namespace of its own: \
                 leave {name} out of `share`"
            );
            let message = format!("cannot mount {filesystem} if {name} is shared");
            let report = Report::error(message).advise("namespace_shared", hint);
            report.related(self.shared.as_ref(), "shared here")
        };
        let report = report.at(origin.cloned());
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
                let report = Report::error(message).at(origin.cloned());
                self.reports.push(report.advise("owner_not_mapped", hint));
            }
        }
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
