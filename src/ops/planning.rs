//! Planning: the conversion of steps to operations, in the order of the recipe.

mod extend;
mod host_view;
mod kernel_files;
mod place;

use std::fmt;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{
    Asking, Backing, Extend, FileId, Maps, Mounted, Op, Owner, Presence, Step, View, What,
};
use crate::diag::{Origin, Report, os_error, quoted};
use crate::host::Host;
use crate::spec::{
    Capabilities, FileOptions, GuestPath, Kind, MountAttributes, MountOptions, Namespaces,
};
pub use place::RootOf;

/// The state of planning.
pub struct Planning<'a> {
    /// The machine.
    pub host: &'a Host,
    /// The new namespaces.
    pub namespaces: Namespaces,
    /// The line that shared a namespace.
    pub shared: Option<Origin>,
    /// Whether `network("host")` shared the network.
    pub network_of_host: bool,
    /// The line that named the network that the sandbox enters.
    pub entered: Option<Origin>,
    /// Whether user 0 of the machine is mapped, who may then write to `/proc/sys`.
    pub protect_proc: bool,
    /// The ids.
    pub maps: &'a Maps,
    /// The capabilities that programs keep.
    pub kept: Capabilities,
    /// The line that entered the root with chroot(2), if one did.
    pub chroot: Option<Option<Origin>>,
    /// Whether the root is a read-only view of a directory of the host.
    pub views_host: bool,
    /// The line that chose the root.
    pub root_origin: Option<Origin>,
    /// The initial root.
    pub root: RootOf<'a>,
    /// The files with the sandbox's own name, and what they say.
    pub own_names: Vec<(GuestPath, String)>,
    /// The paths on the host of paths inside, after the operations so far.
    pub view: View,
    /// The first place in a writable directory of the host whose path is to stay, and its line.
    pub pinned: Option<(GuestPath, Option<Origin>)>,
    /// The directories of the view of the host that are extended.
    pub extensions: Vec<(Extend, Option<Origin>)>,
    /// What is added there before anything else is mounted.
    pub added: Vec<(Op, Option<Origin>)>,
    /// The operations, with the lines that asked for them.
    pub actions: Vec<(Op, Option<Origin>)>,
    /// The errors.
    pub reports: Vec<Report>,
    /// The warnings about probable mistakes.
    pub warnings: Vec<Report>,
}

/// No such file or directory: errno(3).
const ENOENT: i32 = 2;

impl fmt::Debug for Planning<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Planning").field("actions", &self.actions).finish_non_exhaustive()
    }
}

impl Planning<'_> {
    /// Adds the operations of `step`.
    pub fn add(&mut self, step: &Step) {
        if let What::Ask(ask) = &step.what {
            self.ask(&**ask, step.origin.as_ref());
        }
    }

    fn ask(&mut self, ask: &dyn Asking, origin: Option<&Origin>) {
        if let Err(error) = ask.plan(self, origin) {
            self.reports.push(Report::error(error.to_string()).at(origin.cloned()));
        }
        if let Some(report) = unanswered(self.host) {
            self.reports.push(report.at(origin.cloned()));
        }
    }

    /// Whether the program is user 0 of the machine.
    pub(super) fn is_root_outside(&self) -> bool {
        let outside = if self.namespaces.has(Kind::User) {
            self.maps.users.outside(self.maps.uid)
        } else {
            Some(self.maps.uid)
        };
        self.host.is_root() && outside == Some(0)
    }

    /// Adds an operation.
    pub fn push(&mut self, op: impl Into<Op>, origin: Option<&Origin>) {
        self.actions.push((op.into(), origin.cloned()));
    }

    /// Reports a source that exists, or may exist, but cannot be reached.
    pub(super) fn closed_source(
        &mut self,
        source: &Path,
        error: &std::io::Error,
        origin: Option<&Origin>,
    ) {
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
                "{path} has mode {mode:04o} and belongs to user {uid}: open it with `chmod`, as \
                 its owner or root"
            );
            report = report.advise("source_unreachable", closed);
        }
        report.facts.operation = Some("bind".into());
        report.facts.errno = error.raw_os_error();
        report.facts.source = Some(source.to_string_lossy().into_owned());
        self.reports.push(report.at(origin.cloned()));
    }

    pub(super) fn missing_source(
        &mut self,
        source: &Path,
        target: &GuestPath,
        origin: Option<&Origin>,
    ) {
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
        let passes = "skip a missing source with `optional: true`";
        report = report.advise("source_optional", passes);
        report.facts.operation = Some("bind".into());
        report.facts.errno = Some(ENOENT);
        report.facts.source = Some(source.to_string_lossy().into_owned());
        report.facts.target = Some(target.to_string());
        self.reports.push(report.at(origin.cloned()));
    }

    pub(super) fn mount(
        &mut self,
        kind: &str,
        source: &str,
        target: &GuestPath,
        (options, usual): (MountOptions, MountAttributes),
        create: Option<bool>,
        origin: Option<&Origin>,
    ) {
        self.check_attributes(options.attributes, origin);
        let create = self.place(target, Presence::Directory, create, origin);
        let (kind, source, target) = (kind.to_owned(), source.to_owned(), target.clone());
        self.view.cover(&target, Backing::Private, origin.cloned());
        let instead = None;
        self.push(Mounted { kind, source, target, options, usual, create, instead }, origin);
    }

    /// Reports attributes that this kernel does not know: it would only return EINVAL.
    pub(super) fn check_attributes(&mut self, wanted: MountAttributes, origin: Option<&Origin>) {
        let (major, minor) = self.host.kernel;
        if !wanted.symlinks && (major, minor) < (5, 14) {
            let message =
                format!("`symlinks: false` needs Linux 5.14, and this is {major}.{minor}");
            self.reports.push(Report::error(message).at(origin.cloned()));
        }
    }

    /// Whether the sandbox has a namespace of this kind that nobody else is in when it starts.
    pub(super) fn owns(&self, kind: Kind) -> bool {
        self.namespaces.has(kind)
    }

    /// Whether the namespace that a file system shows belongs to the sandbox. If not, it is
    /// reported here, because the kernel would only return EPERM.
    pub(super) fn needs(&mut self, kind: Kind, filesystem: &str, origin: Option<&Origin>) -> bool {
        if self.namespaces.has(kind) || !self.namespaces.has(Kind::User) {
            return true;
        }
        let entered = self.entered.as_ref().filter(|_| kind == Kind::Net);
        let report = if entered.is_some() {
            let message = format!("cannot mount {filesystem} in a network that the sandbox enters");
            let hint = "leave it out, because the kernel mounts it only for the sandbox's own \
                        network; `network.run(command)` provides a `/sys` that shows the network";
            let report = Report::error(message).advise("network_entered", hint);
            report.related(entered, "entered here")
        } else {
            let name = kind.constant();
            let cure = if kind == Kind::Net && self.network_of_host {
                "remove `network(\"host\")`".to_owned()
            } else {
                format!("leave {name} out of `share`")
            };
            let hint = format!(
                "{cure}: a new user namespace can mount {filesystem} only \
                 for its own namespaces"
            );
            let message = format!("cannot mount {filesystem} if {name} is shared");
            let report = Report::error(message).advise("namespace_shared", hint);
            report.related(self.shared.as_ref(), "shared here")
        };
        let report = report.at(origin.cloned());
        self.reports.push(report);
        false
    }

    /// Reports an owner of a file who is not mapped.
    pub fn owner(&mut self, owner: Owner, origin: Option<&Origin>) {
        let maps = [("user", owner.uid, &self.maps.users), ("group", owner.gid, &self.maps.groups)];
        for (noun, id, map) in maps {
            let unknown = id.filter(|id| !map.ranges.is_empty() && map.outside(*id).is_none());
            if let Some(id) = unknown {
                let message = format!("{noun} {id} is not mapped in this sandbox");
                let hint = format!("the map is {map}; map more with `map_{noun}`");
                let report = Report::error(message).at(origin.cloned());
                self.reports.push(report.advise("owner_not_mapped", hint));
            }
        }
    }
}

/// The owner that file options set.
pub(super) fn given(FileOptions { uid, gid, .. }: FileOptions) -> Owner {
    Owner { uid, gid }
}

/// Device and inode of a file of the host; `None` if it does not exist.
///
/// # Errors
/// The file cannot be accessed.
pub fn file_id(host: &Host, path: &Path) -> Result<Option<FileId>, Report> {
    match host.tree.metadata(path) {
        Ok(found) => Ok(Some((found.dev(), found.ino()))),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(unseen(path, &error)),
    }
}

/// The report of a look-up that failed since the last call, so that it is unknown whether the file
/// exists.
#[must_use]
pub fn unanswered(host: &Host) -> Option<Report> {
    host.tree.take_unseen().map(Report::from)
}

/// The report of a file that cannot be accessed, so that its kind is unknown.
#[must_use]
pub fn unseen(path: &Path, error: &std::io::Error) -> Report {
    let shown = quoted(path.to_string_lossy());
    let mut report = Report::error(format!("cannot access {shown}: {}", os_error(error)));
    report.facts.operation = Some("plan".into());
    report.facts.errno = error.raw_os_error();
    report.facts.source = Some(path.to_string_lossy().into_owned());
    report
}
