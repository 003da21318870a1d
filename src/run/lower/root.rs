//! The root, from what a plan says of it to prepared system calls.

use super::{Lowerer, OwnDirectory, Prepared, c, option, path};
use crate::plan::{Action, Lower, Plan, Planned, RootKind};
use crate::spec::Kind;
use crate::sys::{Attributes, Call, Identity, Tree};

/// The directories that the root is made of, the topmost first; the one for changes is the last.
pub(super) fn directories(plan: &Plan, prepared: Prepared<'_>) -> Vec<Tree> {
    let of_kind = |kind: &RootKind| match kind {
        RootKind::Overlay { lower, changes } => {
            let lower = match lower {
                Lower::Empty => Vec::new(),
                Lower::Directory(directory) => vec![Tree::Host(path(directory), None)],
                Lower::Built => prepared.layers.iter().map(OwnDirectory::tree).collect(),
            };
            let changes = changes.as_ref().and(prepared.changes).map(OwnDirectory::tree);
            lower.into_iter().chain(changes).collect()
        }
        RootKind::Copy => prepared.copy.into_iter().map(OwnDirectory::tree).collect(),
        RootKind::Memory | RootKind::Plain(_) | RootKind::View { .. } => Vec::new(),
    };
    let of_root = |planned: &Planned| {
        let Action::MakeRoot(kind) = &planned.action else { return None };
        Some(of_kind(kind))
    };
    plan.actions.iter().find_map(of_root).unwrap_or_default()
}

/// The longest value of an option that fsconfig(2) takes.
const LONGEST_VALUE: usize = 255;
/// Where the directory for changes is attached.
const CHANGES: &str = "changes";

impl Lowerer<'_> {
    pub fn root(&mut self, kind: &RootKind) {
        self.rooted = true;
        let writable = Attributes::NO_SUID.and(Attributes::NO_DEVICES, true);
        match kind {
            RootKind::Memory => {
                self.memory(writable);
                self.push(Call::AttachRoot);
            }
            RootKind::Plain(place) => self.push(Call::OpenRoot(path(place))),
            RootKind::View { path: place, id } => {
                let id = id.map(|(device, inode)| Identity { device, inode });
                let tree = Tree::Host(path(place), id);
                let set = writable.and(Attributes::READ_ONLY, true);
                self.push(Call::OpenTree { tree, recursive: true, set });
                self.push(Call::AttachRoot);
            }
            RootKind::Overlay { changes, .. } => self.overlay_root(changes.is_some(), writable),
            RootKind::Copy => {
                self.keep_directories();
                self.push(Call::UseKept);
                self.push(Call::AttachRoot);
            }
        }
    }

    /// The trees below are attached beside the place for changes, and named from there: no path of
    /// the host has to be reached, and none to be escaped.
    fn overlay_root(&mut self, keeps: bool, attributes: Attributes) {
        let number = directories(self.plan, self.prepared).len() - usize::from(keeps);
        let names: Vec<String> = match number {
            0 | 1 => vec!["lower".into()],
            all => (1..=all).map(|number| number.to_string()).collect(),
        };
        self.keep_directories();
        self.memory(attributes);
        self.push(Call::AttachRoot);
        let changes: &[&str] = if keeps { &[CHANGES] } else { &["upper", "work"] };
        let places = changes.iter().copied().chain(names.iter().map(String::as_str));
        self.push(Call::Stage(places.map(c).collect()));
        for name in &names[..number.min(names.len())] {
            self.push(Call::AttachKept(c(name)));
        }
        if keeps {
            self.push(Call::AttachKept(c(CHANGES)));
        }
        self.overlay(&names, keeps, attributes);
        self.push(Call::AttachRoot);
    }

    fn memory(&mut self, attributes: Attributes) {
        let options = vec![option("source", "root"), option("mode", "0755")];
        self.push(Call::NewMount { kind: c("tmpfs"), options, attributes });
    }

    /// Opens the directories that the root is made of, while the caller's rights lead to them.
    pub fn keep_directories(&mut self) {
        for tree in std::mem::take(&mut self.directories) {
            let set = Attributes::NO_SUID.and(Attributes::NO_DEVICES, true);
            self.push(Call::OpenTree { tree, recursive: true, set });
            self.push(Call::Keep);
        }
    }

    fn overlay(&mut self, lower: &[String], keeps: bool, attributes: Attributes) {
        // The overlay keeps its own hold of all of them, which are then out of reach.
        let mut options = vec![option("source", "root")];
        let joined = lower.join(":");
        if joined.len() <= LONGEST_VALUE {
            options.push(option("lowerdir", &joined));
        } else {
            // Since Linux 6.7 they can be named one by one.
            options.extend(lower.iter().map(|name| option("lowerdir+", name)));
        }
        let place = |name: &str| if keeps { format!("{CHANGES}/{name}") } else { name.to_owned() };
        options.extend([option("upperdir", &place("upper")), option("workdir", &place("work"))]);
        if self.plan.namespaces.has(Kind::User) || keeps || lower.len() > 1 {
            // Without trusted.* attributes, which only the machine's root may set, a directory
            // that is removed and made again gives EIO. Layers and what is kept have the others.
            options.push((c("userxattr"), None));
        }
        self.push(Call::NewMount { kind: c("overlay"), options, attributes });
    }
}
