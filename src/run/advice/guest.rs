//! The inside of a sandbox, examined from outside after a failure.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::host::elf::{self, Role};
use crate::host::{DEFAULT_PATH, Tree};
use crate::ops::{
    At, Backing, FileOver, Holder, Lookup, LowerDir, Op, Place, RootKind, at_host, at_root_of,
};
use crate::plan::{Plan, Planned};
use crate::run::layers::Layers;
use crate::run::layers::changes::OVERLAY;
use crate::run::session::Owned;
use crate::run::session::place;
use crate::spec::GuestPath;

/// The inside of a sandbox, or the surroundings of nsscript itself.
pub(in crate::run) struct Guest<'a> {
    pub plan: &'a Plan,
    pub layers: &'a Layers,
    /// The root, if it was assembled.
    root: Option<Tree>,
    /// The number of completed actions.
    done: usize,
}

/// The number of bytes of a script that the kernel reads: execve(2).
const HEAD: u64 = 256;

impl<'a> Guest<'a> {
    pub fn new(plan: &'a Plan, layers: &'a Layers) -> Self {
        Self::before(plan, layers, plan.actions.len())
    }

    /// The inside before the action with this number.
    pub fn before(plan: &'a Plan, layers: &'a Layers, action: usize) -> Self {
        Self { plan, layers, root: layers.root_of(plan), done: action }
    }

    fn host(&self) -> &'a Tree {
        &self.layers.host().tree
    }

    /// Whether this is not a sandbox, but the surroundings of nsscript itself.
    pub fn is_here(&self) -> bool {
        // In a sandbox, every program loses capabilities.
        let is_sandbox = |planned: &Planned| {
            matches!(planned.action, Op::DropCapabilities(_) | Op::LimitCapabilities(_))
        };
        self.plan.is_raw() || !self.plan.actions.iter().any(is_sandbox)
    }

    /// Whether nsscript itself sees a file system of the host as its root.
    pub fn is_of_host(&self) -> bool {
        let place = place::Place::of(Path::new("/"));
        place.is_ok_and(|place| !matches!(self.layers.session().owns(&place), Owned::Own))
    }

    /// The words for the place: in this root, or in the sandbox.
    pub fn words(&self) -> &'static str {
        if self.is_here() { "in this root" } else { "in the sandbox" }
    }

    fn root_kind(&self) -> Option<&'a RootKind> {
        self.plan.actions.iter().find_map(|planned| match &planned.action {
            Op::MakeRoot(root) => Some(&root.0),
            _ => None,
        })
    }

    /// Whether the root was assembled.
    pub fn is_built(&self) -> bool {
        use RootKind::{Copy, Overlay};
        let overlay = |lower: &LowerDir| matches!(lower, LowerDir::Built | LowerDir::Empty);
        match self.root_kind() {
            Some(Overlay { lower, .. }) => overlay(lower),
            Some(Copy | RootKind::Memory) => true,
            _ => false,
        }
    }

    /// The stacked directories of the root.
    fn tree(&self) -> Option<Tree> {
        let kept = |changes: &Path| changes.join(OVERLAY).join("upper");
        match self.root_kind() {
            None if self.is_here() => Some(self.host().clone()),
            None => self.plan.view.on_host(&GuestPath::root()).map(Tree::at),
            Some(RootKind::View { path, .. } | RootKind::Plain(path)) => Some(Tree::at(path)),
            Some(RootKind::Memory) => None,
            Some(RootKind::Copy) => self.root.clone(),
            Some(RootKind::Overlay { lower, changes: None }) => match lower {
                LowerDir::Directory(path) => Some(Tree::at(path)),
                LowerDir::Built => self.root.clone(),
                LowerDir::Empty => None,
            },
            Some(RootKind::Overlay { lower, changes: Some(changes) }) => match lower {
                LowerDir::Directory(path) => Some(Tree::layered(vec![kept(changes), path.clone()])),
                LowerDir::Built => self.root.clone(),
                LowerDir::Empty => Some(Tree::at(kept(changes))),
            },
        }
    }

    /// The kind of file at a place in the root itself.
    fn in_root(&self, path: &GuestPath) -> At {
        match (self.root_kind(), self.tree()) {
            (Some(RootKind::Memory | RootKind::Overlay { lower: LowerDir::Empty, .. }), None) => {
                At::Nothing
            }
            (Some(RootKind::View { path: root, .. } | RootKind::Plain(root)), _) => {
                at_root_of(self.host(), root, path)
            }
            (None, _) if self.is_here() => at_host(self.host(), Path::new(path.as_str())),
            (None, _) => match self.plan.view.holder(path) {
                // The plan of a joining program lacks the operations in the root.
                Some((_, Backing::Host { .. } | Backing::Layered(_), _)) => {
                    let place = self.plan.view.on_host(path);
                    place.map_or(At::Unknown, |place| at_host(self.host(), &place))
                }
                _ => At::Unknown,
            },
            (_, Some(tree)) => at_host(&tree, Path::new(path.as_str())),
            (_, None) => At::Unknown,
        }
    }

    fn lookup<T>(&self, ask: impl FnOnce(&Lookup<'_>) -> T) -> T {
        let root = |path: &GuestPath| self.in_root(path);
        let done = self.plan.actions.iter().take(self.done);
        let actions = done.map(|planned| &planned.action).collect();
        ask(&Lookup { host: self.host(), actions, root: &root })
    }

    /// Follows a path; `None` if the result cannot be determined from outside.
    pub fn find(&self, path: &str) -> Option<Place> {
        let path = GuestPath::new(path).ok()?;
        let found = self.lookup(|lookup| lookup.follow(&path));
        (found.at != At::Unknown).then_some(found)
    }

    /// Whether `path` exists; `None` if it cannot be determined.
    pub fn has(&self, path: &Path) -> Option<bool> {
        let found = self.find(path.to_str()?)?;
        Some(found.at != At::Nothing)
    }

    /// The action that hides an earlier file at `path`.
    pub fn hidden_by(&self, path: &str) -> Option<&'a Planned> {
        let path = GuestPath::new(path).ok()?;
        let index = self.lookup(|lookup| lookup.hidden_by(&path))?;
        self.plan.actions.get(index)
    }

    /// The last mount that covers `path`, even if nothing was there.
    pub fn covered_by(&self, path: &str) -> Option<&'a Planned> {
        let path = GuestPath::new(path).ok()?;
        let covers = |planned: &&Planned| {
            planned.action.facts().leaves.covers().is_some_and(|target| path.is_within(target))
        };
        self.plan.actions.iter().rev().find(covers)
    }

    /// The action that created the file at a place.
    pub fn made_by(&self, place: &GuestPath) -> Option<&'a Op> {
        match self.lookup(|lookup| lookup.holder(place)) {
            Holder::Made(index) => self.plan.actions.get(index).map(|planned| &planned.action),
            _ => None,
        }
    }

    /// The path on the host of the file at a place.
    pub fn on_host(&self, place: &GuestPath) -> Option<PathBuf> {
        match self.lookup(|lookup| lookup.holder(place)) {
            Holder::Host(path) => Some(path),
            Holder::Root if self.root_kind().is_none() && !self.is_here() => {
                self.plan.view.on_host(place)
            }
            Holder::Root => Some(self.tree()?.real(Path::new(place.as_str()))),
            Holder::Made(_) | Holder::Own => None,
        }
    }

    /// Whether a place is in the root itself, and the root was assembled.
    pub fn is_in_built_root(&self, place: &GuestPath) -> bool {
        self.is_built() && self.lookup(|lookup| lookup.holder(place)) == Holder::Root
    }

    /// The interpreter of the script at a place; `None` if it is not a script.
    pub fn interpreter(&self, place: &GuestPath) -> Option<PathBuf> {
        if let Some(Op::File(made) | Op::FileOver(FileOver(made))) = self.made_by(place) {
            return elf::interpreter(&made.content);
        }
        let mut head = Vec::new();
        let file = std::fs::File::open(self.on_host(place)?).ok()?;
        file.take(HEAD).read_to_end(&mut head).ok()?;
        elf::interpreter(&head)
    }

    /// The needs of the program at a place, looked up inside.
    pub fn needs(&self, place: &GuestPath) -> Option<Result<elf::Needs, elf::ElfError>> {
        match self.lookup(|lookup| lookup.holder(place)) {
            Holder::Host(path) => Some(elf::needs(self.host(), &path)),
            Holder::Root => Some(elf::needs(&self.tree()?, Path::new(place.as_str()))),
            Holder::Made(_) | Holder::Own => None,
        }
    }

    /// The files in `needs` that are missing inside: the name, the file that needs it, and its
    /// role.
    pub fn missing(&self, needs: &elf::Needs) -> Vec<(PathBuf, PathBuf, Role)> {
        let absent = needs.all_missing().into_iter();
        let mut missing: Vec<_> = absent
            .map(|missing| (PathBuf::from(&missing.name), missing.by.clone(), missing.role))
            .collect();
        for file in needs.files() {
            if file != needs.program && self.has(file) == Some(false) {
                let role = match needs.library_at(file).map(|library| &library.rule) {
                    Some(elf::Rule::Interpreter) => Role::Loader,
                    Some(_) => Role::Library,
                    None => Role::Program,
                };
                missing.push((file.to_path_buf(), needs.program.clone(), role));
            }
        }
        missing
    }

    /// The names in a directory, as far as they can be determined.
    pub fn names(&self, directory: &str) -> Vec<String> {
        let Some(found) = self.find(directory) else { return Vec::new() };
        let names = match self.lookup(|lookup| lookup.holder(&found.place)) {
            Holder::Host(path) => self.host().names(&path),
            Holder::Root => match self.tree() {
                Some(tree) => tree.names(Path::new(found.place.as_str())),
                None => return Vec::new(),
            },
            Holder::Made(_) | Holder::Own => return Vec::new(),
        };
        names.into_iter().flatten().filter_map(|name| name.into_string().ok()).collect()
    }

    /// The shell: the one in `SHELL`, or else bash if it exists, or else sh.
    pub fn shell(&self) -> String {
        let variable = |wanted: &str| {
            let found = self.plan.environment.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.clone())
        };
        if let Some(shell) = variable("SHELL") {
            return shell;
        }
        let path = variable("PATH").unwrap_or_else(|| DEFAULT_PATH.to_owned());
        let has = |directory: &str| self.has(&Path::new(directory).join("bash")) == Some(true);
        if path.split(':').any(has) { "bash".into() } else { "sh".into() }
    }
}
