//! The root, from what a plan says of it to prepared system calls.

use std::ffi::CString;

use super::{Lowerer, Prepared, c, option, path};
use crate::plan::{Action, Lower, Plan, Planned, RootKind};
use crate::spec::Kind;
use crate::sys::{Attributes, Call, Identity, Tree};

/// The directories below the overlay that is the root, the topmost first.
pub(super) fn lower_directories(plan: &Plan, prepared: Prepared<'_>) -> Vec<CString> {
    let of_root = |planned: &Planned| match &planned.action {
        Action::MakeRoot(RootKind::Overlay(Lower::Directory(directory))) => {
            Some(vec![path(directory)])
        }
        Action::MakeRoot(RootKind::Overlay(Lower::Built)) => {
            Some(prepared.layers.iter().map(|layer| path(layer)).collect())
        }
        _ => None,
    };
    plan.actions.iter().find_map(of_root).unwrap_or_default()
}

/// The longest value of an option that fsconfig(2) takes.
const LONGEST_VALUE: usize = 255;

impl Lowerer<'_> {
    pub fn root(&mut self, kind: &RootKind) {
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
            RootKind::Overlay(_) => {
                // The trees below are attached beside the place for changes, and named from there:
                // no path of the host has to be reached, and none to be escaped.
                let names = self.lower_names();
                self.keep_lower();
                self.memory(writable);
                self.push(Call::AttachRoot);
                let places = ["upper", "work"].into_iter().chain(names.iter().map(String::as_str));
                self.push(Call::Stage(places.map(c).collect()));
                for name in &names {
                    self.push(Call::AttachLower(c(name)));
                }
                self.overlay(&names, writable);
                self.push(Call::AttachRoot);
            }
        }
    }

    fn memory(&mut self, attributes: Attributes) {
        let options = vec![option("source", "root"), option("mode", "0755")];
        self.push(Call::NewMount { kind: c("tmpfs"), options, attributes });
    }

    /// Names for the lower directories, the topmost first.
    fn lower_names(&self) -> Vec<String> {
        let lower = lower_directories(self.plan, self.prepared);
        match lower.len() {
            1 => vec!["lower".into()],
            all => (1..=all).map(|number| number.to_string()).collect(),
        }
    }

    /// Opens the lower directories, while the caller's rights lead to them.
    pub fn keep_lower(&mut self) {
        for lower in std::mem::take(&mut self.lower) {
            let set = Attributes::NO_SUID.and(Attributes::NO_DEVICES, true);
            self.push(Call::OpenTree { tree: Tree::Host(lower, None), recursive: true, set });
            self.push(Call::KeepLower);
        }
    }

    fn overlay(&mut self, lower: &[String], attributes: Attributes) {
        // The overlay keeps its own hold of all of them, which are then out of reach.
        let mut options = vec![option("source", "root")];
        let joined = lower.join(":");
        if joined.len() <= LONGEST_VALUE {
            options.push(option("lowerdir", &joined));
        } else {
            // Since Linux 6.7 they can be named one by one.
            options.extend(lower.iter().map(|name| option("lowerdir+", name)));
        }
        options.extend([option("upperdir", "upper"), option("workdir", "work")]);
        if self.plan.namespaces.has(Kind::User) {
            // Without trusted.* attributes, which only the machine's root may set, a directory
            // that is removed and made again gives EIO.
            options.push((c("userxattr"), None));
        }
        self.push(Call::NewMount { kind: c("overlay"), options, attributes });
    }
}
