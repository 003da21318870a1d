//! Overlays at a place inside: directories of the host, stacked, with a place for changes.

use std::ffi::CString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{kernel, made};
use crate::diag::{Origin, Report, quoted};
use crate::host::mountinfo;
use crate::ops::lowering::{c, option, path};
use crate::ops::words::{host, in_root, place, sh};
use crate::ops::{
    Asking, Backing, Changes, Facts, FileId, Leaves, Lower, Lowering, Operation, Planning,
    Presence, Scope, Told, Turn,
};
use crate::spec::{GuestPath, MountAttributes, Namespaces, ValueError, shell_word};
use crate::sys::{Call, Create, Examined, Identity, Target, UpperWork};

/// File systems that cannot hold the changes of an overlay.
pub const CANNOT_HOLD_CHANGES: [&str; 10] =
    ["9p", "cifs", "exfat", "fuseblk", "nfs", "nfs4", "overlay", "smb3", "vfat", "virtiofs"];

/// The maximum number of lower directories.
const MOST_LOWER: usize = 64;

/// The place for changes in a requested overlay.
#[derive(Clone, Debug, PartialEq)]
pub enum AskedChanges {
    /// A tmpfs, which vanishes.
    Discarded,
    /// None: the overlay is read-only.
    None,
    /// Directories of the host.
    Kept {
        /// The directory for changes.
        upper: PathBuf,
        /// The directory for work of the kernel.
        work: PathBuf,
    },
}

/// A requested overlay.
#[derive(Clone, Debug, PartialEq)]
pub struct Overlay {
    target: GuestPath,
    lower: Vec<PathBuf>,
    changes: AskedChanges,
    create: bool,
}

impl Overlay {
    /// An overlay of the directories `lower`, the topmost first.
    ///
    /// # Errors
    /// There are none, or too many; `upper` and `work` are not given together, or the overlay is
    /// read-only as well.
    pub fn new(
        target: GuestPath,
        lower: Vec<PathBuf>,
        (upper, work): (Option<PathBuf>, Option<PathBuf>),
        read_only: bool,
    ) -> Result<Self, ValueError> {
        if lower.is_empty() {
            let error = ValueError::new("an overlay needs a lower directory");
            return Err(error.hint("add `lower: [\"dir\"]`, the topmost directory first"));
        }
        if lower.len() > MOST_LOWER {
            let message = format!(
                "the overlay has {} lower directories; at most {MOST_LOWER} are possible",
                lower.len()
            );
            return Err(ValueError::new(message));
        }
        let changes = match (upper, work) {
            (Some(_), Some(_)) if read_only => {
                let error = ValueError::new("a read-only overlay has no upper directory");
                return Err(error.hint("leave out `read_only`, or `upper` and `work`"));
            }
            (Some(upper), Some(work)) => AskedChanges::Kept { upper, work },
            (None, None) if read_only => AskedChanges::None,
            (None, None) => AskedChanges::Discarded,
            (Some(_), None) => {
                let error = ValueError::new("`upper` needs `work`");
                return Err(error.hint("add an empty directory on the same file system"));
            }
            (None, Some(_)) => {
                let error = ValueError::new("`work` needs `upper`");
                return Err(error.hint("add the directory for changes, or leave out `work`"));
            }
        };
        Ok(Self { target, lower, changes, create: false })
    }

    /// The same, with a missing place created on the host or not, if that is where it is missing.
    #[must_use]
    pub fn creating(self, create: bool) -> Self {
        Self { create, ..self }
    }
}

/// The place for changes in an overlay.
#[derive(Clone, Debug, PartialEq)]
pub enum OverlayChanges {
    /// A tmpfs, which vanishes.
    Discarded,
    /// None: the overlay is read-only.
    None,
    /// Directories of the host.
    Kept(Box<KeptIn>),
}

/// The directories of the host for changes, without links in their paths.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptIn {
    /// The directory that holds both.
    pub above: (PathBuf, FileId),
    /// The directory for changes.
    pub upper: (PathBuf, FileId),
    /// The directory for work of the kernel.
    pub work: (PathBuf, FileId),
}

/// A planned overlay.
#[derive(Clone, Debug, PartialEq)]
pub struct Overlaid {
    /// The place inside.
    pub target: GuestPath,
    /// The lower directories, the topmost first.
    pub lower: Vec<(PathBuf, FileId)>,
    /// The place for changes.
    pub changes: OverlayChanges,
    /// Whether a missing place is created.
    pub create: bool,
}

impl Asking for Overlay {
    fn name(&self) -> &'static str {
        "overlay"
    }

    fn say(&self) -> String {
        let lower: Vec<_> = self.lower.iter().map(|path| path.display().to_string()).collect();
        let how = match &self.changes {
            AskedChanges::Discarded => String::new(),
            AskedChanges::None => ", read-only".into(),
            AskedChanges::Kept { upper, .. } => format!(", changes in {}", upper.display()),
        };
        let made = super::created(self.create);
        format!("overlay of {} on {}{how}{made}", lower.join(", "), self.target)
    }

    fn changes(&self) -> Changes {
        Changes::Root
    }

    fn key(&self) -> Option<&str> {
        None
    }

    fn target(&self) -> Option<&GuestPath> {
        Some(&self.target)
    }

    fn plan(&self, to: &mut Planning<'_>, origin: Option<&Origin>) -> Result<(), ValueError> {
        let Self { target, lower, changes, create } = self;
        let found: Vec<_> = lower.iter().map(|path| directory(to, path, target, origin)).collect();
        let changes = match changes {
            AskedChanges::Discarded => Some(OverlayChanges::Discarded),
            AskedChanges::None => Some(OverlayChanges::None),
            AskedChanges::Kept { upper, work } => {
                let found = directory(to, upper, target, origin);
                let found = found.zip(directory(to, work, target, origin));
                found.and_then(|(upper, work)| match kept(to, upper, work) {
                    Ok(changes) => Some(changes),
                    Err(report) => {
                        to.reports.push(report.at(origin.cloned()));
                        None
                    }
                })
            }
        };
        let create = to.place(target, Presence::Directory, Some(*create), origin);
        let backing = match (lower.as_slice(), &changes) {
            ([one], Some(OverlayChanges::None)) => {
                Backing::Host { path: one.clone(), read_only: true }
            }
            ([one], _) => Backing::Layered(one.clone()),
            _ => Backing::Private,
        };
        to.view.cover(target, backing, origin.cloned());
        let lower: Option<Vec<_>> = found.into_iter().collect();
        if let (Some(lower), Some(changes)) = (lower, changes) {
            to.push(Overlaid { target: target.clone(), lower, changes, create }, origin);
        }
        Ok(())
    }
}

/// A directory of the host with its identity; reports a missing one.
fn directory(
    to: &mut Planning<'_>,
    path: &Path,
    target: &GuestPath,
    origin: Option<&Origin>,
) -> Option<(PathBuf, FileId)> {
    match to.host.tree.metadata(path) {
        Ok(found) if found.is_dir() => Some((path.to_path_buf(), (found.dev(), found.ino()))),
        Ok(_) => {
            let message = format!("{} is a file, and an overlay is of directories", host(path));
            to.reports.push(Report::error(message).at(origin.cloned()));
            None
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let shown = host(path);
            let mut report = Report::error(format!("the directory {shown} does not exist"));
            report.facts.operation = Some("overlay".into());
            report.facts.source = Some(path.to_string_lossy().into_owned());
            report.facts.target = Some(target.to_string());
            let hint = format!("create it on the host first: `mkdir -p {}`", sh(path));
            to.reports.push(report.hint(hint).at(origin.cloned()));
            None
        }
        Err(error) => {
            to.closed_source(path, &error, origin);
            None
        }
    }
}

/// The directories for changes and for work, which the kernel wants in one mount.
fn kept(
    to: &Planning<'_>,
    upper: (PathBuf, FileId),
    work: (PathBuf, FileId),
) -> Result<OverlayChanges, Report> {
    let (major, minor) = to.host.kernel;
    if (major, minor) < (5, 14) {
        let message = format!("`upper` needs Linux 5.14, and this is {major}.{minor}");
        return Err(Report::error(message));
    }
    // The kernel must not follow a link that somebody puts there after this look-up.
    let real = |(path, id): (PathBuf, FileId)| {
        let found = to.host.tree.resolve(&path).map_err(|error| {
            let why = crate::diag::os_error(&error);
            Report::error(format!("cannot reach {}: {why}", host(&path)))
        });
        found.map(|found| (found.path, id))
    };
    let (upper, work) = (real(upper)?, real(work)?);
    let shown = (host(&upper.0), host(&work.0));
    if upper.0.starts_with(&work.0) || work.0.starts_with(&upper.0) {
        let message = format!("{} and {} must be separate directories", shown.0, shown.1);
        return Err(Report::error(message).note("one is inside the other"));
    }
    let mounts = mountinfo::read(&to.host.tree).unwrap_or_default();
    let mount_of = |path: &Path| {
        let holds = |mount: &&mountinfo::Mount| path.starts_with(&mount.target);
        mounts.iter().filter(holds).max_by_key(|mount| mount.target.len())
    };
    let kinds = (mount_of(&upper.0), mount_of(&work.0));
    if upper.1.0 != work.1.0 || kinds.0.map(|it| &it.target) != kinds.1.map(|it| &it.target) {
        let message = format!("{} and {} are on different file systems", shown.0, shown.1);
        let hint = format!("choose a directory for work beside {}", shown.0);
        return Err(Report::error(message).hint(hint));
    }
    if let Some(mount) = kinds.0.filter(|it| CANNOT_HOLD_CHANGES.contains(&it.kind.as_str())) {
        let message = format!(
            "{} is on {}, which cannot hold the changes of an overlay",
            shown.0, mount.kind
        );
        return Err(Report::error(message).hint("choose directories on a tmpfs or a local disk"));
    }
    let mut above = upper.0.clone();
    while !work.0.starts_with(&above) {
        above.pop();
    }
    let found = to.host.tree.metadata(&above).map_err(|error| {
        let why = crate::diag::os_error(&error);
        Report::error(format!("cannot reach {}: {why}", host(&above)))
    })?;
    let above = (above, (found.dev(), found.ino()));
    for (directory, _) in [&upper, &work] {
        if staged(&above.0, directory).to_bytes().len() > LONGEST_VALUE {
            let shown = quoted(directory.to_string_lossy());
            let message = format!("the path {shown} is too long for an overlay");
            return Err(Report::error(message).hint("put both directories beside each other"));
        }
    }
    Ok(OverlayChanges::Kept(Box::new(KeptIn { above, upper, work })))
}

/// The maximum length of an option's value in fsconfig(2), in bytes.
const LONGEST_VALUE: usize = 255;

/// The path of a directory for changes from the stage.
fn staged(above: &Path, directory: &Path) -> CString {
    let below = directory.strip_prefix(above).unwrap_or(directory);
    path(&Path::new("changes").join(below))
}

/// A path as the value of an option, in which the kernel takes a backslash for an escape.
fn escaped(path: &CString) -> CString {
    let mut bytes = Vec::new();
    for byte in path.to_bytes() {
        if *byte == b'\\' {
            bytes.push(b'\\');
        }
        bytes.push(*byte);
    }
    c(bytes)
}

impl Overlaid {
    /// The attributes of the mount.
    fn attributes(&self) -> MountAttributes {
        let read_only = self.changes == OverlayChanges::None;
        MountAttributes { read_only, ..MountAttributes::default() }
    }
}

impl Operation for Overlaid {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "overlay",
            turn: Turn::InRoot,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::FileSystem {
                kind: "overlay",
                target: &self.target,
                attributes: self.attributes(),
            },
        }
    }

    fn told(&self) -> Told {
        let Self { target, lower, changes, create } = self;
        let names: Vec<_> = lower.iter().map(|(path, _)| host(path)).collect();
        let how = match changes {
            OverlayChanges::Discarded => " and discard changes".to_owned(),
            OverlayChanges::None => ", read-only".into(),
            OverlayChanges::Kept(kept) => {
                format!(" and keep changes in {}", host(&kept.upper.0))
            }
        };
        let what = crate::diag::list(&names, "and");
        Told {
            sentence: format!("mount an overlay of {what} on {}{how}", place(target)),
            source: lower.first().map(|(path, _)| path.to_string_lossy().into_owned()),
            target: Some(target.to_string()),
            shell: self.shell(&made(&in_root(target), true, *create)),
        }
    }
}

impl Overlaid {
    /// The command for mount(8), if the paths have no letters that it takes for its own.
    fn shell(&self, made: &str) -> Option<String> {
        let Self { target, lower, changes, .. } = self;
        let at = in_root(target);
        let mut paths: Vec<_> = lower.iter().map(|(path, _)| path.to_string_lossy()).collect();
        let (before, upper) = match changes {
            OverlayChanges::None if paths.len() == 1 => {
                // A read-only overlay has two directories at least.
                paths.push("/var/empty".into());
                ("mkdir -p /var/empty && ".to_owned(), String::new())
            }
            OverlayChanges::None => (String::new(), String::new()),
            OverlayChanges::Discarded => {
                let stage = format!("mount -t tmpfs -o mode=0755 none {at}");
                let before = format!("{stage} && mkdir {at}/upper {at}/work && cd {at} && ");
                (before, ",upperdir=upper,workdir=work".into())
            }
            OverlayChanges::Kept(kept) => {
                let KeptIn { upper, work, .. } = &**kept;
                let (upper, work) = (upper.0.to_string_lossy(), work.0.to_string_lossy());
                if [&upper, &work].iter().any(|path| path.contains([',', '\\'])) {
                    return None;
                }
                (String::new(), format!(",upperdir={upper},workdir={work}"))
            }
        };
        if paths.iter().any(|path| path.contains([',', ':', '\\'])) {
            return None;
        }
        let ro = if self.attributes().read_only { "ro," } else { "" };
        let options = format!("{ro}nosuid,nodev,lowerdir={}{upper}", paths.join(":"));
        let mount = format!("mount -t overlay -o {} overlay {at}", shell_word(&options));
        Some(if before.contains(" cd ") {
            format!("({made}{before}{mount})")
        } else {
            format!("{made}{before}{mount}")
        })
    }
}

/// A directory that was examined before.
fn examined(at: CString, (device, inode): FileId) -> Examined {
    Examined { path: at, identity: Identity { device, inode } }
}

impl Lower for Overlaid {
    fn lower(&self, to: &mut Lowering<'_>) {
        let Self { target, lower, changes, create } = self;
        to.begin_root();
        let (base, at) = to.place(target);
        to.leave_fresh(base);
        let numbers: Vec<String> = (1..=lower.len()).map(|number| number.to_string()).collect();
        let mut names = numbers.clone();
        let mut below = numbers;
        let mut options = vec![option("source", "overlay")];
        let kept = match changes {
            OverlayChanges::Discarded => {
                names.extend(["upper".into(), "work".into()]);
                None
            }
            OverlayChanges::None if lower.len() == 1 => {
                // The kernel wants two directories at least.
                names.push("empty".into());
                below.push("empty".into());
                None
            }
            OverlayChanges::None => None,
            OverlayChanges::Kept(kept) => {
                let KeptIn { above, upper, work } = &**kept;
                names.push("changes".into());
                Some(UpperWork {
                    above: examined(path(&above.0), above.1),
                    upper: examined(staged(&above.0, &upper.0), upper.1),
                    work: examined(staged(&above.0, &work.0), work.1),
                })
            }
        };
        options.push(option("lowerdir", &below.join(":")));
        match &kept {
            Some(UpperWork { upper, work, .. }) => {
                options.push((c("upperdir"), Some(escaped(&upper.path))));
                options.push((c("workdir"), Some(escaped(&work.path))));
            }
            None if *changes == OverlayChanges::Discarded => {
                options.extend([option("upperdir", "upper"), option("workdir", "work")]);
            }
            None => {}
        }
        if to.prepared.new_user {
            // Only the machine's root may set the attributes trusted.*.
            options.push((c("userxattr"), None));
        }
        let create = if *create { Create::Directory } else { Create::Nothing };
        to.push(Call::Overlay(Box::new(crate::sys::Overlay {
            target: Target { base, path: at, create },
            lower: lower.iter().map(|(at, id)| examined(path(at), *id)).collect(),
            names: names.iter().map(c).collect(),
            changes: kept,
            options,
            attributes: kernel(self.attributes()),
        })));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_the_stage_is_escaped() {
        let at = staged(Path::new("/a"), Path::new("/a/b\\c,d:e"));
        assert_eq!(at.to_bytes(), b"changes/b\\c,d:e");
        assert_eq!(escaped(&at).to_bytes(), b"changes/b\\\\c,d:e");
    }

    #[test]
    fn directories_for_changes_and_work_come_together() {
        let new = |upper: Option<&str>, work: Option<&str>, read_only| {
            let target = GuestPath::new("/data").unwrap();
            let given = (upper.map(Into::into), work.map(Into::into));
            Overlay::new(target, vec!["/lower".into()], given, read_only)
        };
        assert_eq!(new(Some("/u"), None, false).unwrap_err().to_string(), "`upper` needs `work`");
        assert_eq!(new(None, Some("/w"), false).unwrap_err().to_string(), "`work` needs `upper`");
        assert!(new(Some("/u"), Some("/w"), true).is_err());
        assert!(new(Some("/u"), Some("/w"), false).is_ok() && new(None, None, true).is_ok());
    }
}
