//! The layers of a root as directories, found or made in the store.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};

use super::changes::OVERLAY;
use super::contents::Contents;
use super::hash::sha256;
use super::manifest::Manifest;
use super::mend;
use super::owners::Variant;
use super::progress::{Task, Watcher};
use super::store::{Building, Facts, Store, StoreError, Stored, checked_manifest};
use super::tree::{self, Manner};
use crate::diag::Report;
use crate::host::Tree;
use crate::ops::{
    Assembled, Entry, Kept, Layer, MakeRoot, Maps, Op, Owner, RootKind, RootTree, Sandbox,
};
use crate::plan::{Plan, Request};
use crate::run::layers::Layers;
use crate::spec::{Part, Rootfs};

/// The state of the roots in a run.
#[derive(Default)]
pub(in crate::run) struct Roots {
    store: OnceCell<Store>,
    /// The reason why the store is only for this run, if a place was configured.
    pub no_store: RefCell<Option<Report>>,
    ready: RefCell<Vec<ReadyLayer>>,
    /// Other layers that are held.
    held: RefCell<Vec<Stored>>,
    /// Whether every layer is verified when it is found.
    pub verifies: Cell<bool>,
    /// The receiver of progress.
    watcher: RefCell<Option<Watcher>>,
    /// Whether this machine has no overlay for layers.
    pub no_overlay: Cell<bool>,
    /// Copies of roots, each in use while a sandbox holds its token.
    pub copies: RefCell<Vec<(PathBuf, Weak<()>)>>,
}

impl Roots {
    /// The store, if it is open.
    pub fn store(&self) -> Option<&Store> {
        self.store.get()
    }

    /// Releases all layers.
    pub fn let_go(&self) {
        self.ready.borrow_mut().clear();
        self.held.borrow_mut().clear();
    }
}

/// A layer that is ready for the owners of a sandbox.
struct ReadyLayer {
    tree: Rc<RootTree>,
    number: usize,
    variant: Option<String>,
    directory: PathBuf,
    stored: Option<Stored>,
}

impl Layers {
    /// Creates a plan.
    ///
    /// # Errors
    /// Every contradiction, each with its line.
    pub fn plan(&self, sandbox: &Sandbox, request: &Request) -> Result<Plan, Vec<Report>> {
        let make = || self.planner.plan(sandbox, request, &|part, below| self.keep(part, below));
        let mut plan = make().or_else(|reports| match self.mend(None) {
            Ok(true) => make(),
            Ok(false) | Err(_) => Err(reports),
        })?;
        plan.warnings.extend(self.unmapped_owners(&plan));
        Ok(plan)
    }

    /// Releases all roots, and removes files that no other run uses.
    pub(in crate::run) fn clear_roots(&self) {
        self.roots.let_go();
        // The workspace of the process that was copied stays.
        self.remove_copies(&|_| true);
        // So does its store.
        if let Some(store) = self.roots.store.get().filter(|_| self.existing_workspace().is_some())
        {
            store.end(self);
        }
    }

    /// Holds the layers of a plan for this process, a copy, while the process that was copied still
    /// does, and forgets all others. Descriptors of that process stay open.
    ///
    /// # Errors
    /// A layer cannot be opened.
    pub(in crate::run) fn hold_layers_of(&self, plan: &Plan) -> Result<(), Report> {
        let trees = plan.actions.iter().filter_map(|planned| match &planned.action {
            Op::BuildLayer(building) => Some(&building.tree),
            _ => None,
        });
        let trees: Vec<_> = trees.collect();
        let hold = |stored: &mut Stored| {
            stored.hold_too().map_err(|errno| {
                let message = format!("cannot hold the layer {} of the root: {errno}", stored.name);
                let mut report = Report::error(message);
                report.facts.errno = Some(errno.code());
                report
            })
        };
        for mut ready in self.roots.ready.take() {
            if !trees.iter().any(|tree| Rc::ptr_eq(tree, &ready.tree)) {
                std::mem::forget(ready);
                continue;
            }
            ready.stored.as_mut().map_or(Ok(()), hold)?;
            self.roots.ready.borrow_mut().push(ready);
        }
        let is_kept = |stored: &Stored, layer: &Layer| match layer {
            Layer::Kept(kept) => kept.name == stored.name,
            Layer::Assembled(_) => false,
        };
        for mut stored in self.roots.held.take() {
            let layers = trees.iter().flat_map(|tree| &tree.layers);
            if !layers.into_iter().any(|layer| is_kept(&stored, layer)) {
                std::mem::forget(stored);
                continue;
            }
            hold(&mut stored)?;
            self.roots.held.borrow_mut().push(stored);
        }
        Ok(())
    }

    /// Sets the receiver of progress, which any thread may call.
    pub fn watch(&self, watcher: Watcher) {
        *self.roots.watcher.borrow_mut() = Some(watcher);
    }

    /// Starts a task of `total` bytes.
    pub(in crate::run) fn task(&self, what: String, total: u64) -> Task {
        Task::begin(self.roots.watcher.borrow().clone(), what, total)
    }

    /// The layers of a root.
    ///
    /// # Errors
    /// All files that cannot be found.
    pub fn tree(&self, rootfs: &Rootfs) -> Result<Rc<RootTree>, Vec<Report>> {
        let make = || self.planner.tree(rootfs, &|part, below| self.keep(part, below));
        make().or_else(|reports| match self.mend(None) {
            Ok(true) => make(),
            Ok(false) | Err(_) => Err(reports),
        })
    }

    /// Whether layers are kept for other runs.
    pub(in crate::run) fn has_lasting_store(&self) -> bool {
        self.roots.store.get().is_none_or(|store| !store.is_of_this_run())
    }

    /// The reason why layers are not kept, if a place for them was configured.
    pub(in crate::run) fn why_no_lasting_store(&self) -> Option<Report> {
        self.roots.no_store.borrow().clone()
    }

    /// The store of the caller, or a store for this run only if none can be created.
    pub(in crate::run) fn store(&self) -> Result<&Store, Report> {
        if let Some(store) = self.roots.store.get() {
            return Ok(store);
        }
        let opened = Store::place(self.host()).map(|place| {
            let known = place.path.parent().and_then(|parent| self.distrusts(parent));
            known.map_or_else(
                || Store::open(&place),
                |distrust| Err(Store::distrust(&place, &distrust)),
            )
        });
        let store = match opened {
            Some(Ok(store)) => store,
            Some(Err(StoreError::Refused(report))) => return Err(report),
            // The home is not writable, as for a system user, or belongs to another user: nothing
            // is kept.
            Some(Err(StoreError::Nowhere(report))) => {
                *self.roots.no_store.borrow_mut() = Some(report);
                Store::of_run(&self.workspace()?)?
            }
            None => Store::of_run(&self.workspace()?)?,
        };
        Ok(self.roots.store.get_or_init(|| store))
    }

    /// Holds a layer of the store for the rest of this run.
    pub(in crate::run) fn hold(&self, stored: Stored) {
        self.roots.held.borrow_mut().push(stored);
    }

    /// The layer of a part that is not assembled from the host.
    pub(in crate::run) fn keep(&self, part: Part<'_>, below: &[Layer]) -> Result<Rc<Kept>, Report> {
        match part {
            Part::Archive(archive, origin) => self.unpacked(archive, below, origin.as_ref()),
            Part::Kept(layer, origin) => {
                let stored = self.store()?.hold_whole(self, &layer.name);
                let stored = stored.map_err(|place| mend::lost(&layer.name, &place))?;
                let unreadable = |error| super::store::unreadable(&layer.name, &error);
                let gone = || unreadable(std::io::ErrorKind::NotFound.into());
                let stored = stored.ok_or_else(gone)?;
                let facts = Facts::read(stored.directory()).map_err(unreadable)?;
                let kept = facts.kept(&layer.name, stored.directory());
                self.hold(stored);
                Ok(Rc::new(Kept { origin: origin.clone(), ..kept }))
            }
            Part::Assembled(_) => Err(Report::error("this layer is put together from the host")),
        }
    }

    /// The directories of a root for sandboxes with these ids, the topmost layer first.
    ///
    /// # Errors
    /// A layer cannot be made.
    pub(in crate::run) fn layers(
        &self,
        tree: &Rc<RootTree>,
        maps: &Maps,
    ) -> Result<Vec<PathBuf>, Report> {
        let numbers = (0..tree.layers.len()).rev();
        numbers.map(|number| self.layer(tree, number, maps)).collect()
    }

    /// The directory of a layer for sandboxes with these ids; made at most once per run.
    pub(in crate::run) fn layer(
        &self,
        tree: &Rc<RootTree>,
        number: usize,
        maps: &Maps,
    ) -> Result<PathBuf, Report> {
        let variant = self.variant_of(tree, number, maps);
        let name = variant.as_ref().map(|variant| variant.name.clone());
        if let Some(directory) = self.ready(tree, number, name.as_deref()) {
            return Ok(directory);
        }
        let (directory, stored) = match (&tree.layers[number], &variant) {
            (Layer::Kept(kept), None) => {
                Self::note_unmapped_owners(kept, maps);
                (kept.tree(), None)
            }
            (Layer::Kept(kept), Some(variant)) => {
                let key = sha256(format!("variant 1\n{}\n{}", kept.name, variant.name));
                let stored = self.store()?.layer(self, &key, name.as_deref(), &mut |building| {
                    let manifest = checked_manifest(&kept.directory, &kept.name)?;
                    let contents = Contents::of_manifest(&manifest, &kept.tree());
                    self.write_layer(building, contents, Some(variant), Some(kept.came.clone()))
                })?;
                (stored.tree(), Some(stored))
            }
            (Layer::Assembled(assembled), variant) => {
                let key = key(tree, number, variant.as_ref());
                let stored = self.store()?.layer(self, &key, name.as_deref(), &mut |building| {
                    let contents = self.assembled(tree, number, assembled)?;
                    self.write_layer(building, contents, variant.as_ref(), None)
                })?;
                (stored.tree(), Some(stored))
            }
        };
        let (tree, path) = (tree.clone(), directory.clone());
        let ready = ReadyLayer { tree, number, variant: name, directory: path, stored };
        self.roots.ready.borrow_mut().push(ready);
        Ok(directory)
    }

    /// Whether a layer is ready already.
    pub(in crate::run) fn is_ready(&self, tree: &Rc<RootTree>, number: usize, maps: &Maps) -> bool {
        let variant = self.variant_of(tree, number, maps);
        self.ready(tree, number, variant.as_ref().map(|it| it.name.as_str())).is_some()
    }

    fn ready(&self, tree: &Rc<RootTree>, number: usize, variant: Option<&str>) -> Option<PathBuf> {
        let is_it = |ready: &&ReadyLayer| {
            Rc::ptr_eq(&ready.tree, tree)
                && ready.number == number
                && ready.variant.as_deref() == variant
        };
        self.roots.ready.borrow().iter().find(is_it).map(|ready| ready.directory.clone())
    }

    pub(in crate::run) fn variant_of(
        &self,
        tree: &RootTree,
        number: usize,
        maps: &Maps,
    ) -> Option<Variant> {
        // A layer also contains unchanged directories of the layers below.
        let owners = tree.layers[..=number].iter().flat_map(|layer| match layer {
            Layer::Kept(kept) => kept.owners.clone(),
            Layer::Assembled(assembled) => owners_of(assembled),
        });
        self.variant(owners, maps)
    }

    /// Writes a layer, sets its owners, and records its contents.
    pub(in crate::run) fn write_layer(
        &self,
        building: &Building<'_>,
        mut contents: Contents,
        variant: Option<&Variant>,
        came: Option<crate::plan::Came>,
    ) -> Result<(), Report> {
        let task = self.task("assemble the root".into(), contents.size().1);
        tree::write(&mut contents, &building.tree(), Manner::ForSandboxes, &task)?;
        drop(task);
        building.note(&Manifest::of(&contents), &Facts::of(&contents, came))?;
        match variant {
            Some(variant) => self.give(&building.tree(), &contents, variant),
            None => Ok(()),
        }
    }

    /// The contents of an assembled layer.
    fn assembled(
        &self,
        tree: &RootTree,
        number: usize,
        assembled: &Assembled,
    ) -> Result<Contents, Report> {
        let below = self.merged(&tree.layers[..number])?;
        let mut look = |path: &Path| below.items.get(path).cloned();
        Ok(Contents::of_assembled(assembled, self.host(), &mut look))
    }

    /// The merged contents of stacked layers.
    fn merged(&self, layers: &[Layer]) -> Result<Contents, Report> {
        let mut all = Contents::default();
        for layer in layers {
            let one = match layer {
                Layer::Kept(kept) if kept.is_unknown() => continue,
                Layer::Kept(kept) => {
                    let manifest = checked_manifest(&kept.directory, &kept.name)?;
                    Contents::of_manifest(&manifest, &kept.tree())
                }
                Layer::Assembled(assembled) => {
                    let mut look = |path: &Path| all.items.get(path).cloned();
                    Contents::of_assembled(assembled, self.host(), &mut look)
                }
            };
            all.cover(one);
        }
        Ok(all.settled())
    }

    /// The contents of a root, path by path.
    ///
    /// # Errors
    /// A manifest in the store cannot be read.
    pub fn contents(&self, tree: &RootTree) -> Result<Contents, Report> {
        self.merged(&tree.layers)
    }

    /// The manifest of a root; reads files without known hashes on all processors.
    ///
    /// # Errors
    /// A file cannot be read, or was replaced.
    pub fn manifest(&self, tree: &Rc<RootTree>) -> Result<Manifest, Report> {
        // The stored layers are verified.
        self.mend(Some(tree))?;
        let mut contents = self.contents(tree)?;
        let task = self.task("read the root".into(), contents.size().1);
        tree::hash(&mut contents, &task)?;
        let manifest = Manifest::of(&contents);
        if tree.layers.len() > 1 && Store::place(self.host()).is_some() {
            self.store()?.remember(&manifest)?;
        }
        Ok(manifest)
    }

    /// The stored manifest of the root with this digest.
    #[must_use]
    pub fn stored_manifest(&self, digest: &str) -> Option<Manifest> {
        self.store().ok()?.show(digest).ok()
    }

    /// The current directories of a plan's root.
    pub(in crate::run) fn root_of(&self, plan: &Plan) -> Option<Tree> {
        let tree = plan.actions.iter().find_map(|planned| match &planned.action {
            Op::BuildLayer(building) => Some(&building.tree),
            _ => None,
        })?;
        let changes = plan.actions.iter().find_map(|planned| match &planned.action {
            Op::MakeRoot(MakeRoot(RootKind::Overlay { changes, .. })) => changes.as_ref(),
            _ => None,
        });
        let mut layers = self.layers(tree, &plan.maps).ok()?;
        if let Some(changes) = changes {
            layers.insert(0, changes.join(OVERLAY).join("upper"));
        }
        Some(Tree::layered(layers))
    }
}

/// The key of a description on this host: copied files count by path, inode and times, so nothing
/// must be read.
fn key(tree: &RootTree, number: usize, variant: Option<&Variant>) -> String {
    let mut text = String::from("2\n");
    for (index, layer) in tree.layers[..=number].iter().enumerate() {
        match layer {
            Layer::Kept(kept) => text.push_str(&format!("kept {}\n", kept.name)),
            // Of the layers below, only the properties of directories count, which are its entries.
            Layer::Assembled(assembled) if index < number => {
                text.push_str(&format!("{}\n", sha256(described(assembled))));
            }
            Layer::Assembled(assembled) => text.push_str(&described(assembled)),
        }
    }
    text.push_str(variant.map_or("", |variant| &variant.name));
    sha256(text)
}

/// The owners of the entries of a layer.
fn owners_of(assembled: &Assembled) -> Vec<(u32, u32)> {
    let own = |owner: Owner| (owner.uid.unwrap_or(0), owner.gid.unwrap_or(0));
    let owners: BTreeSet<_> =
        assembled.entries.values().map(|made| own(made.owner)).chain([(0, 0)]).collect();
    owners.into_iter().collect()
}

/// The description of a layer as text.
pub(in crate::run) fn described(assembled: &Assembled) -> String {
    let mut text = String::new();
    for (path, made) in &assembled.entries {
        let (path, owner) = (path.as_os_str(), made.owner);
        let line = match &made.entry {
            Entry::File { content, mode } => {
                format!("{:?}", (path, owner, "file", mode, sha256(content)))
            }
            Entry::Copy { source, id, mode, size, modified, changed, .. } => {
                let source = (source, id, size, modified, changed);
                format!("{:?}", (path, owner, "copy", mode, source))
            }
            other => format!("{:?}", (path, owner, other)),
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}
