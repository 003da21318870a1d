//! The creation of a root: in memory, as an overlay, as a copy, or from a plain directory.

use std::path::PathBuf;

use crate::ops::lowering::{c, option, path};
use crate::ops::mount::FileId;
use crate::ops::words::{host, remount_all, sh};
use crate::ops::{
    Facts, Leaves, Lower, Lowering, Operation, OwnDirectory, Prepared, Scope, Told, Turn,
};
use crate::spec::Namespaces;
use crate::sys::{Attributes, Call, Identity, Tree};

/// The files below the changes of a root.
#[derive(Clone, Debug, PartialEq)]
pub enum LowerDir {
    /// Nothing.
    Empty,
    /// A directory of the host.
    Directory(PathBuf),
    /// The layers that the parent has built.
    Built,
}

/// The kind of a root.
#[derive(Clone, Debug, PartialEq)]
pub enum RootKind {
    /// An empty tmpfs.
    Memory,
    /// An overlay of read-only trees, with a place for changes.
    Overlay {
        /// The trees.
        lower: LowerDir,
        /// The directory of the host for kept changes; without one, a tmpfs that vanishes.
        changes: Option<PathBuf>,
    },
    /// A copy of the trees, if this machine has no overlay for them; changes vanish with it.
    Copy,
    /// A directory of the host without a mount, because the mount namespace is shared.
    Plain(PathBuf),
    /// A directory of the host with all its mounts.
    View {
        /// The directory.
        path: PathBuf,
        /// Its identity.
        id: Option<FileId>,
        /// Whether all of it is read-only.
        read_only: bool,
    },
}

/// Creates the root.
#[derive(Clone, Debug, PartialEq)]
pub struct MakeRoot(pub RootKind);

/// The maximum length of an option's value in fsconfig(2), in bytes.
const LONGEST_VALUE: usize = 255;
/// The name under which the directory for changes is attached.
const CHANGES: &str = "changes";

impl MakeRoot {
    /// The directories of the root, the topmost first; the directory for changes is the last.
    #[must_use]
    pub fn directories(&self, prepared: &Prepared<'_>) -> Vec<Tree> {
        match &self.0 {
            RootKind::Overlay { lower, changes } => {
                let lower = match lower {
                    LowerDir::Empty => Vec::new(),
                    LowerDir::Directory(directory) => vec![Tree::Host(path(directory), None)],
                    LowerDir::Built => prepared.layers.iter().map(OwnDirectory::tree).collect(),
                };
                let changes = changes.as_ref().and(prepared.changes).map(OwnDirectory::tree);
                lower.into_iter().chain(changes).collect()
            }
            RootKind::Copy => prepared.copy.into_iter().map(OwnDirectory::tree).collect(),
            RootKind::Memory | RootKind::Plain(_) | RootKind::View { .. } => Vec::new(),
        }
    }
}

impl Operation for MakeRoot {
    fn facts(&self) -> Facts<'_> {
        Facts {
            name: "mount",
            turn: Turn::Root,
            scope: Scope::Sandbox,
            apart: Namespaces::NONE,
            leaves: Leaves::Nothing,
        }
    }

    fn told(&self) -> Told {
        let source = match &self.0 {
            RootKind::Plain(path)
            | RootKind::View { path, .. }
            | RootKind::Overlay { lower: LowerDir::Directory(path), .. } => {
                Some(path.to_string_lossy().into_owned())
            }
            RootKind::Memory | RootKind::Copy | RootKind::Overlay { .. } => None,
        };
        Told {
            sentence: sentence(&self.0),
            source,
            target: Some("/".into()),
            shell: shell(&self.0),
        }
    }
}

impl Lower for MakeRoot {
    fn lower(&self, to: &mut Lowering<'_>) {
        to.has_root();
        let writable = Attributes::NO_SUID.and(Attributes::NO_DEVICES, true);
        match &self.0 {
            RootKind::Memory => {
                memory(to, writable);
                to.push(Call::AttachRoot);
            }
            RootKind::Plain(place) => to.push(Call::OpenRoot(path(place))),
            RootKind::View { path: place, id, read_only } => {
                let id = id.map(|(device, inode)| Identity { device, inode });
                let tree = Tree::Host(path(place), id);
                let set = writable.and(Attributes::READ_ONLY, *read_only);
                to.push(Call::OpenTree { tree, recursive: true, set });
                to.push(Call::AttachRoot);
            }
            RootKind::Overlay { changes, .. } => {
                let keeps = changes.is_some();
                let number = self.directories(&to.prepared).len() - usize::from(keeps);
                overlay_root(to, number, keeps, writable);
            }
            RootKind::Copy => {
                to.keep_directories();
                to.push(Call::UseKept);
                to.push(Call::AttachRoot);
            }
        }
    }
}

fn memory(to: &mut Lowering<'_>, attributes: Attributes) {
    let options = vec![option("source", "root"), option("mode", "0755")];
    to.push(Call::NewMount { kind: c("tmpfs"), options, attributes });
}

/// Creates an overlay. Its trees are attached beside the place for changes and named from there, so
/// no path of the host must be reachable or escaped.
fn overlay_root(to: &mut Lowering<'_>, number: usize, keeps: bool, attributes: Attributes) {
    let names: Vec<String> = match number {
        0 | 1 => vec!["lower".into()],
        all => (1..=all).map(|number| number.to_string()).collect(),
    };
    to.keep_directories();
    memory(to, attributes);
    to.push(Call::AttachRoot);
    let changes: &[&str] = if keeps { &[CHANGES] } else { &["upper", "work"] };
    let places = changes.iter().copied().chain(names.iter().map(String::as_str));
    to.push(Call::Stage(places.map(c).collect()));
    for name in &names[..number.min(names.len())] {
        to.push(Call::AttachKept(c(name)));
    }
    if keeps {
        to.push(Call::AttachKept(c(CHANGES)));
    }
    overlay(to, &names, keeps, attributes);
    to.push(Call::AttachRoot);
}

fn overlay(to: &mut Lowering<'_>, lower: &[String], keeps: bool, attributes: Attributes) {
    // The overlay holds all of them open, although they are then out of reach.
    let mut options = vec![option("source", "root")];
    let joined = lower.join(":");
    if joined.len() <= LONGEST_VALUE {
        options.push(option("lowerdir", &joined));
    } else {
        // Since Linux 6.7, they can be named one by one.
        options.extend(lower.iter().map(|name| option("lowerdir+", name)));
    }
    let place = |name: &str| if keeps { format!("{CHANGES}/{name}") } else { name.to_owned() };
    options.extend([option("upperdir", &place("upper")), option("workdir", &place("work"))]);
    if to.prepared.new_user || keeps || lower.len() > 1 {
        // Without trusted.* attributes, which only the machine's root may set, a directory that is
        // removed and created again returns EIO. Layers and kept changes use user.* attributes.
        options.push((c("userxattr"), None));
    }
    to.push(Call::NewMount { kind: c("overlay"), options, attributes });
}

fn sentence(kind: &RootKind) -> String {
    match kind {
        RootKind::Memory => "create an empty root in memory".into(),
        RootKind::Overlay { lower, changes } => {
            let what = match lower {
                LowerDir::Empty => "an empty directory".into(),
                LowerDir::Built => "the assembled tree".into(),
                LowerDir::Directory(path) => host(path),
            };
            match changes {
                None => format!("use {what} as the root and discard changes"),
                Some(path) => {
                    format!("use {what} as the root and keep changes in {}", host(path))
                }
            }
        }
        RootKind::Copy => "use a copy of the assembled tree as the root and discard changes".into(),
        RootKind::Plain(path) => format!("use {} as the root", host(path)),
        RootKind::View { path, id: _, read_only: true } => {
            format!("use {} as the root, read-only", host(path))
        }
        RootKind::View { path, id: _, read_only: false } => {
            format!("use {} as the root, writable", host(path))
        }
    }
}

fn shell(kind: &RootKind) -> Option<String> {
    Some(match kind {
        RootKind::Memory => "mount -t tmpfs -o nosuid,nodev,mode=0755 root $root".into(),
        RootKind::Overlay { lower, changes } => {
            let lower = match lower {
                LowerDir::Empty => "empty".into(),
                LowerDir::Built => "tree".into(),
                LowerDir::Directory(path) => sh(path),
            };
            let kept =
                changes.as_ref().map_or(String::new(), |path| format!("{}/overlay/", sh(path)));
            let layers = format!("lowerdir={lower},upperdir={kept}upper,workdir={kept}work");
            format!("mount -t overlay -o nosuid,nodev,{layers} root $root")
        }
        RootKind::Copy => "mount --bind -o nosuid,nodev copy $root".into(),
        RootKind::Plain(_) => return None,
        RootKind::View { path, id: _, read_only } => {
            let words = if *read_only { "ro,nosuid,nodev" } else { "nosuid,nodev" };
            let all = remount_all("$root", words);
            format!("mount --rbind {} $root && {all}", sh(path))
        }
    })
}
