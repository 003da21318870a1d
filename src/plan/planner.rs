//! Planners: plans for one machine, and the layers of their roots.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use super::assemble::assemble;
use super::build::{Draft, Plan, Request};
use super::check;
use super::identity::maps;
use super::settings::Settings;
use crate::diag::Report;
use crate::host::{Host, Tree, accounts};
use crate::ops::{Kept, Layer, Maps, RootTree, Sandbox};
use crate::spec::{Command, Part, Root, Rootfs, Streams};

/// The maximum number of layers in a root: an overlay takes 500, and each is held by a descriptor.
const MOST_LAYERS: usize = 400;

/// Gets the layer of a part that is not assembled from the host, on top of others.
pub type Keeper<'a> = &'a dyn Fn(Part<'_>, &[Layer]) -> Result<Rc<Kept>, Report>;

/// Creates plans for one machine. It caches the roots that it has assembled.
#[derive(Debug)]
pub struct Planner {
    /// The machine.
    pub host: Host,
    roots: RefCell<Vec<(Rootfs, Rc<RootTree>)>>,
}

impl Planner {
    /// A planner for this machine.
    #[must_use]
    pub fn new(host: Host) -> Self {
        Self { host, roots: RefCell::default() }
    }

    /// The layers of a root.
    ///
    /// # Errors
    /// All files that cannot be found.
    pub fn tree(&self, rootfs: &Rootfs, keeper: Keeper<'_>) -> Result<Rc<RootTree>, Vec<Report>> {
        // Earlier failed look-ups do not concern this tree.
        self.host.tree.take_unseen();
        self.layers(rootfs, keeper)
    }

    fn layers(&self, rootfs: &Rootfs, keeper: Keeper<'_>) -> Result<Rc<RootTree>, Vec<Report>> {
        let known = self.roots.borrow().iter().find(|(known, _)| known.is(rootfs)).cloned();
        if let Some((_, tree)) = known {
            return Ok(tree);
        }
        let parts = rootfs.parts();
        if parts.len() > MOST_LAYERS {
            let message =
                format!("the root has {} layers; at most {MOST_LAYERS} are possible", parts.len());
            let hint = "merge them into one directory with `build`, or into one archive with \
                        `pack`";
            return Err(vec![Report::error(message).advise("too_many_layers", hint)]);
        }
        let mut layers = self.known_layers(rootfs);
        for part in &parts[layers.len()..] {
            layers.push(match part {
                Part::Assembled(ingredients) => {
                    let assembled = assemble(ingredients, &self.host, &layers)?;
                    if let Some(unseen) = self.host.tree.take_unseen() {
                        return Err(vec![unseen.into()]);
                    }
                    Layer::Assembled(Rc::new(assembled))
                }
                Part::Archive(_, origin) | Part::Kept(_, origin) => {
                    let kept = keeper(*part, &layers).map_err(|report| {
                        let origin = report.origin.clone().or_else(|| (*origin).clone());
                        vec![report.at(origin)]
                    });
                    Layer::Kept(kept?)
                }
            });
        }
        let tree = Rc::new(RootTree { layers });
        self.roots.borrow_mut().push((rootfs.clone(), tree.clone()));
        Ok(tree)
    }

    /// The root of these layers.
    #[must_use]
    pub fn root_of(&self, tree: &Rc<RootTree>) -> Option<Rootfs> {
        let known = self.roots.borrow();
        known.iter().find(|(_, known)| Rc::ptr_eq(known, tree)).map(|(root, _)| root.clone())
    }

    /// The names of the layers that recipes have kept, in all roots.
    #[must_use]
    pub fn kept_layers(&self) -> Vec<String> {
        let known = self.roots.borrow();
        let parts = known.iter().flat_map(|(root, _)| root.parts());
        let names = parts.filter_map(|part| match part {
            Part::Kept(layer, _) => Some(layer.name.clone()),
            Part::Archive(..) | Part::Assembled(_) => None,
        });
        names.collect()
    }

    /// Clears the cache of roots.
    pub fn forget_roots(&self) {
        self.roots.borrow_mut().clear();
    }

    /// The lowest layers of a root that a cached one shares.
    fn known_layers(&self, rootfs: &Rootfs) -> Vec<Layer> {
        let known = self.roots.borrow();
        let shared =
            |(known, tree): &(Rootfs, Rc<RootTree>)| (rootfs.shared_parts(known), tree.clone());
        let most = known.iter().map(shared).max_by_key(|(number, _)| *number);
        most.map(|(number, tree)| tree.layers[..number].to_vec()).unwrap_or_default()
    }

    /// The directory for the kept changes of a sandbox, its root, and its ids; `None` if it keeps
    /// none.
    ///
    /// # Errors
    /// As for [`Planner::plan`].
    pub fn kept_changes(
        &self,
        sandbox: &Sandbox,
        keeper: Keeper<'_>,
    ) -> Result<Option<(PathBuf, Root, Maps)>, Vec<Report>> {
        let settings = Settings::of(sandbox, &self.host);
        let Some(keep) = &settings.keep_changes else { return Ok(None) };
        let (command, streams) = (Command::closure(), Streams::Inherited);
        let request = Request { command, streams, origin: None };
        let plan = self.plan(sandbox, &request, keeper)?;
        Ok(Some((keep.value.clone(), settings.root.value, plan.maps)))
    }

    /// The plan of running `request` in `sandbox`.
    ///
    /// # Errors
    /// Every contradiction, each with its line.
    pub fn plan(
        &self,
        sandbox: &Sandbox,
        request: &Request,
        keeper: Keeper<'_>,
    ) -> Result<Plan, Vec<Report>> {
        self.host.tree.take_unseen();
        let settings = Settings::of(sandbox, &self.host);
        let mut reports = check::check(&settings, &self.host);
        let tree = match &settings.root.value {
            Root::Rootfs(rootfs) => match self.layers(rootfs, keeper) {
                Ok(tree) => Some(tree),
                Err(more) => {
                    let origin = settings.root.origin.as_ref();
                    reports.extend(more.into_iter().map(|report| match report.origin {
                        Some(_) => report,
                        None => report.at(origin.cloned()),
                    }));
                    None
                }
            },
            _ => None,
        };
        let named = |file: &str, name: &str| match (&settings.root.value, &tree) {
            (Root::Directory(path), _) => {
                accounts::number(&Tree::at(self.host.tree.real(path)), file, name)
            }
            (Root::Rootfs(_), Some(tree)) => Ok(tree.number(&self.host, file, name)),
            _ => Ok((name == "root").then_some(0)),
        };
        let mut warnings = Vec::new();
        let maps = maps(&settings, &self.host, &named, (&mut reports, &mut warnings));
        let draft = Draft { settings: &settings, host: &self.host, tree, maps, request, warnings };
        let plan = draft.finish(&mut reports);
        // A plan based on failed look-ups could differ from the correct one.
        if let Some(unseen) = self.host.tree.take_unseen()
            && !reports.iter().any(|report| report.facts.errno == Some(unseen.errno))
        {
            reports.insert(0, Report::from(unseen).at(request.origin.clone()));
        }
        if reports.is_empty() { Ok(plan) } else { Err(reports) }
    }
}
