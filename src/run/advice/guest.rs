//! The inside of a sandbox, examined from outside: before a launch, or after a failed one.

mod inside;

use std::cell::OnceCell;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use self::inside::Inside;
use crate::host::elf::{self, Role};
use crate::host::{DEFAULT_PATH, FileView, Tree};
use crate::ops::{
    At, Backing, Below, Content, FileOver, Found, Holder, Layer, Lookup, LowerDir, Op, Place,
    RootKind, RootTree, StoredFile, at_host,
};
use crate::plan::{Plan, Planned};
use crate::run::layers::Layers;
use crate::run::layers::changes::OVERLAY;
use crate::run::session::Owned;
use crate::run::session::place;
use crate::spec::GuestPath;

/// What is known of the files of a sandbox. A look-up of another file gives [`At::Unknown`].
#[derive(Clone, Copy)]
pub(in crate::run) enum Knows<'a> {
    /// All files: a launch has failed.
    All,
    /// Files that the plan itself contains, so that a look-up needs no system call.
    Planned,
    /// All files of the host, and so of the sandbox, for which this returns false: an earlier
    /// part of the recipe has not changed them.
    Unchanged(&'a dyn Fn(&Path) -> bool),
}

/// The inside of a sandbox, or the surroundings of nsscript itself.
pub(in crate::run) struct Guest<'a> {
    pub plan: &'a Plan,
    pub layers: &'a Layers,
    /// The layers of the root with kept changes, which only a run has.
    changed: Option<Tree>,
    /// The number of completed actions.
    done: usize,
    knows: Knows<'a>,
    /// The places of the actions.
    places: OnceCell<Vec<Option<GuestPath>>>,
}

/// The number of bytes of a script that the kernel reads: execve(2).
const HEAD: u64 = 256;

impl<'a> Guest<'a> {
    pub fn new(plan: &'a Plan, layers: &'a Layers) -> Self {
        Self::before(plan, layers, plan.actions.len())
    }

    /// The inside before the action with this number, which has failed.
    pub fn before(plan: &'a Plan, layers: &'a Layers, action: usize) -> Self {
        let keeps = |planned: &Planned| match &planned.action {
            Op::MakeRoot(root) => matches!(&root.0, RootKind::Overlay { changes: Some(_), .. }),
            _ => false,
        };
        let changed = plan.actions.iter().any(keeps).then(|| layers.root_of(plan)).flatten();
        // An earlier failed look-up does not concern this one.
        layers.host().tree.take_unseen();
        Self { plan, layers, changed, done: action, knows: Knows::All, places: OnceCell::new() }
    }

    /// The inside of a sandbox that was not launched.
    pub fn foreseen(plan: &'a Plan, layers: &'a Layers, knows: Knows<'a>) -> Self {
        layers.host().tree.take_unseen();
        Self {
            plan,
            layers,
            changed: None,
            done: plan.actions.len(),
            knows,
            places: OnceCell::new(),
        }
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

    /// Follows a path that may contain `..`, such as `$ORIGIN/../lib`.
    fn follow(&self, path: &str) -> Place {
        self.lookup(|lookup| lookup.follow_from_root(path))
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

    /// The layers of the root.
    fn layered(&self) -> Option<&'a RootTree> {
        self.plan.actions.iter().find_map(|planned| match &planned.action {
            Op::BuildLayer(building) => Some(&*building.tree),
            _ => None,
        })
    }

    /// Whether the plan itself contains the whole root.
    pub fn has_planned_root(&self) -> bool {
        match self.root_kind() {
            Some(
                RootKind::Memory | RootKind::Overlay { lower: LowerDir::Empty, changes: None },
            ) => true,
            Some(RootKind::Copy | RootKind::Overlay { lower: LowerDir::Built, changes: None }) => {
                self.layered().is_some_and(|tree| {
                    tree.layers.iter().all(|layer| matches!(layer, Layer::Assembled(_)))
                })
            }
            Some(RootKind::Overlay { .. } | RootKind::Plain(_) | RootKind::View { .. }) | None => {
                false
            }
        }
    }

    /// The stacked directories of a root that is on the host.
    fn tree(&self) -> Option<Tree> {
        let kept = |changes: &Path| changes.join(OVERLAY).join("upper");
        match self.root_kind()? {
            RootKind::View { path, .. } | RootKind::Plain(path) => Some(Tree::at(path)),
            RootKind::Memory | RootKind::Copy => None,
            RootKind::Overlay { lower, changes: None } => match lower {
                LowerDir::Directory(path) => Some(Tree::at(path)),
                LowerDir::Built | LowerDir::Empty => None,
            },
            RootKind::Overlay { lower, changes: Some(changes) } => match lower {
                LowerDir::Directory(path) => Some(Tree::layered(vec![kept(changes), path.clone()])),
                LowerDir::Built => self.changed.clone(),
                LowerDir::Empty => Some(Tree::at(kept(changes))),
            },
        }
    }

    /// Whether the root has changes that earlier sandboxes have made.
    fn is_changed(&self) -> bool {
        matches!(self.root_kind(), Some(RootKind::Overlay { changes: Some(_), .. }))
    }

    /// Whether the content of a file of the host is known.
    fn knows(&self, path: &Path) -> bool {
        match self.knows {
            Knows::All => true,
            Knows::Planned => false,
            Knows::Unchanged(is_changed) => !is_changed(path),
        }
    }

    /// The kind of file at a path of the host.
    fn on_this_host(&self, path: &Path) -> At {
        if self.knows(path) { at_host(self.host(), path) } else { At::Unknown }
    }

    /// The kind of file at a place in the root itself.
    fn in_root(&self, path: &GuestPath) -> At {
        use RootKind::{Copy, Memory, Overlay};
        if self.is_changed() && !matches!(self.knows, Knows::All) {
            return At::Unknown;
        }
        match (self.root_kind(), self.tree()) {
            (Some(Memory | Overlay { lower: LowerDir::Empty, changes: None }), _) => At::Nothing,
            (Some(Copy | Overlay { lower: LowerDir::Built, changes: None }), _) => self
                .layered()
                .map_or(At::Unknown, |tree| self.in_layers(tree, Path::new(path.as_str()))),
            (Some(_), Some(tree)) => {
                let path = Path::new(path.as_str());
                if self.knows(&tree.real(path)) { at_host(&tree, path) } else { At::Unknown }
            }
            (None, _) if self.is_here() => self.on_this_host(Path::new(path.as_str())),
            (None, _) => match self.plan.view.holder(path) {
                // The plan of a joining program lacks the operations in the root.
                Some((_, Backing::Host { .. } | Backing::Layered(_), _)) => {
                    let place = self.plan.view.on_host(path);
                    place.map_or(At::Unknown, |place| self.on_this_host(&place))
                }
                _ => At::Unknown,
            },
            (Some(_), None) => At::Unknown,
        }
    }

    /// The kind of file at a path of a root that is built from layers.
    fn in_layers(&self, tree: &RootTree, path: &Path) -> At {
        let is_kept = |layer: &Layer| matches!(layer, Layer::Kept(_));
        let is_unknown = |layer: &Layer| matches!(layer, Layer::Kept(kept) if kept.is_unknown());
        let on_disk = tree.layers.iter().any(is_kept);
        if tree.layers.iter().any(is_unknown) || on_disk && matches!(self.knows, Knows::Planned) {
            return At::Unknown;
        }
        match (Below { host: self.layers.host(), layers: &tree.layers }).find(path) {
            Some((Found::Directory { .. }, _)) => At::Directory,
            Some((Found::Symlink(says), _)) => match says.into_os_string().into_string() {
                Ok(says) => At::Link(says),
                Err(_) => At::Unknown,
            },
            Some((Found::Other, _)) => At::File,
            None if on_disk && !self.was_seen(tree, path) => At::Unknown,
            None => At::Nothing,
        }
    }

    /// Whether it is certain that no layer on disk has a file at this path.
    fn was_seen(&self, tree: &RootTree, path: &Path) -> bool {
        let hides = |layer: &Layer| {
            let Layer::Kept(kept) = layer else { return false };
            let place = kept.tree().join(path.strip_prefix("/").unwrap_or(path));
            let found = self.host().symlink_metadata(&place);
            let is_absent = |error: &std::io::Error| {
                matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
            };
            found.is_err_and(|error| !is_absent(&error))
        };
        self.host().unseen().is_none() && !tree.layers.iter().any(hides)
    }

    fn lookup<T>(&self, ask: impl FnOnce(&Lookup<'_>) -> T) -> T {
        let root = |path: &GuestPath| self.in_root(path);
        let bound = |path: &Path| self.on_this_host(path);
        let done = self.plan.actions.iter().take(self.done);
        let actions = done.map(|planned| &planned.action).collect();
        let lookup = Lookup { bound: &bound, actions, root: &root, places: &[] };
        let places = self.places.get_or_init(|| lookup.places());
        ask(&Lookup { places, ..lookup })
    }

    /// Follows a path; `None` if the result cannot be determined from outside.
    pub fn find(&self, path: &str) -> Option<Place> {
        let path = GuestPath::new(path).ok()?;
        let found = self.lookup(|lookup| lookup.follow(&path));
        (found.at != At::Unknown).then_some(found)
    }

    /// Whether the way to a place ends at a link, of too many.
    pub fn is_circle(&self, found: &Place) -> bool {
        self.lookup(|lookup| matches!(lookup.at(&found.place), At::Link(_)))
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

    /// The file at a place, whose path has no links; `None` if it is not known.
    fn stored(&self, place: &GuestPath) -> Option<StoredFile> {
        let on_host = |path: PathBuf| {
            self.knows(&path).then_some(StoredFile { content: Content::OnHost(path), mode: None })
        };
        match self.lookup(|lookup| lookup.holder(place)) {
            Holder::Host(path) => on_host(path),
            Holder::Made(index) => match &self.plan.actions.get(index)?.action {
                Op::File(file) | Op::FileOver(FileOver(file)) => Some(StoredFile {
                    content: Content::InMemory(file.content.as_ref().into()),
                    mode: Some(file.options.mode.unwrap_or(0o644)),
                }),
                _ => None,
            },
            Holder::Root => match self.root_kind() {
                None if self.is_here() => on_host(place.as_str().into()),
                None => on_host(self.plan.view.on_host(place)?),
                Some(_) => {
                    if let Some(tree) = self.tree() {
                        return on_host(tree.real(Path::new(place.as_str())));
                    }
                    let layers = &self.layered()?.layers;
                    let below = Below { host: self.layers.host(), layers };
                    let stored = below.stored(Path::new(place.as_str()))?;
                    // The plan has the properties of the file, and not its content.
                    let is_known = match (&stored.content, self.knows) {
                        (Content::OnHost(path), Knows::Unchanged(_)) => self.knows(path),
                        _ => true,
                    };
                    is_known.then_some(stored)
                }
            },
            Holder::Own => None,
        }
    }

    /// The path on the host of the file at a place.
    pub fn on_host(&self, place: &GuestPath) -> Option<PathBuf> {
        match self.stored(place)?.content {
            Content::OnHost(path) => Some(path),
            Content::InMemory(_) => None,
        }
    }

    /// The permission bits of the file at a place; `None` if they are not known, or if it is not a
    /// regular file.
    pub fn mode(&self, place: &GuestPath) -> Option<u32> {
        let StoredFile { content, mode } = self.stored(place)?;
        match (mode, content) {
            (Some(mode), _) => Some(mode),
            (None, Content::OnHost(path)) => {
                let found = self.host().metadata(&path).ok().filter(std::fs::Metadata::is_file)?;
                Some(found.mode() & 0o7777)
            }
            (None, Content::InMemory(_)) => None,
        }
    }

    /// Whether a place is in the root itself, and the root was assembled.
    pub fn is_in_built_root(&self, place: &GuestPath) -> bool {
        self.is_built() && self.lookup(|lookup| lookup.holder(place)) == Holder::Root
    }

    /// The beginning of the file at a place; `None` if it is not known.
    fn head(&self, place: &GuestPath) -> Option<Vec<u8>> {
        match self.stored(place)?.content {
            Content::InMemory(content) => Some(content.to_vec()),
            Content::OnHost(_) if matches!(self.knows, Knows::Planned) => None,
            Content::OnHost(path) => {
                let mut head = Vec::new();
                let found = self.host().metadata(&path).ok()?;
                // Opening a pipe would wait for whoever writes to it.
                let file = found.is_file().then(|| self.host().open(&path).ok()).flatten()?;
                file.take(HEAD).read_to_end(&mut head).ok()?;
                Some(head)
            }
        }
    }

    /// The interpreter of the script at a place; `None` if it is not a script.
    pub fn interpreter(&self, place: &GuestPath) -> Option<PathBuf> {
        elf::interpreter(&self.head(place)?)
    }

    /// The needs of the program at a place, looked up inside; `None` if a file that matters is not
    /// known.
    pub fn needs(&self, place: &GuestPath) -> Option<Result<elf::Needs, elf::ElfError>> {
        if matches!(self.knows, Knows::Planned) {
            return None;
        }
        let inside = Inside::of(self);
        let path = self.variable("PATH").unwrap_or_else(|| DEFAULT_PATH.to_owned());
        let mut loader = elf::Loader::new(&inside).with_path_variable(path);
        let needs = loader.needs(Path::new(place.as_str()));
        inside.is_sure().then_some(needs)
    }

    /// The files in `needs` that are missing inside: the name, the file that needs it, and its
    /// role.
    pub fn missing(needs: &elf::Needs) -> Vec<(PathBuf, PathBuf, Role)> {
        let missing = needs.all_missing().into_iter();
        let absent = missing.filter(|missing| missing.cause == elf::LoadError::NotFound);
        absent
            .map(|missing| (PathBuf::from(&missing.name), missing.by.clone(), missing.role))
            .collect()
    }

    /// The names in a directory, as far as they can be determined.
    pub fn names(&self, directory: &str) -> Vec<String> {
        let Some(found) = self.find(directory) else { return Vec::new() };
        let place = Path::new(found.place.as_str());
        let on_host = |path: &Path| {
            if self.knows(path) { self.host().names(path).unwrap_or_default() } else { Vec::new() }
        };
        let names = match self.lookup(|lookup| lookup.holder(&found.place)) {
            Holder::Host(path) => on_host(&path),
            Holder::Root => match (self.root_kind(), self.tree()) {
                (None, _) if self.is_here() => on_host(place),
                (None, _) => self
                    .plan
                    .view
                    .on_host(&found.place)
                    .map_or_else(Vec::new, |path| on_host(&path)),
                (Some(_), Some(tree)) if self.knows(&tree.real(place)) => {
                    tree.names(place).unwrap_or_default()
                }
                (Some(_), Some(_)) => Vec::new(),
                (Some(_), None) => self.layered().map_or_else(Vec::new, |tree| {
                    Below { host: self.layers.host(), layers: &tree.layers }.names(place)
                }),
            },
            Holder::Made(_) | Holder::Own => return Vec::new(),
        };
        names.into_iter().filter_map(|name| name.into_string().ok()).collect()
    }

    fn variable(&self, wanted: &str) -> Option<String> {
        let found = self.plan.environment.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.clone())
    }

    /// The shell: the one in `SHELL`, or else bash if it exists, or else sh.
    pub fn shell(&self) -> String {
        if let Some(shell) = self.variable("SHELL") {
            return shell;
        }
        let path = self.variable("PATH").unwrap_or_else(|| DEFAULT_PATH.to_owned());
        let has = |directory: &str| self.has(&Path::new(directory).join("bash")) == Some(true);
        if path.split(':').any(has) { "bash".into() } else { "sh".into() }
    }
}
