//! Layers in the store that are not what they were any more: found where something failed that may
//! come from that, named, and made again.

use std::rc::Rc;

use super::manifest::Difference;
use super::root::described;
use super::store::Depth;
use crate::diag::Report;
use crate::ops::{Layer, Op, RootTree};
use crate::plan::Plan;
use crate::run::base::problem::Problem;
use crate::run::layers::Layers;

/// What came of a program; or why it has not begun.
pub(in crate::run) type Attempt<T> = Result<Result<T, Problem>, Problem>;

impl Layers {
    /// From here on, every layer that is found in the store is read to its end once.
    pub fn distrust_store(&self) {
        if !self.roots.verifies.replace(true)
            && let Some(store) = self.roots.store()
        {
            // What was found before is looked at again.
            store.forget_used();
            self.roots.let_go();
            self.planner.forget_roots();
        }
    }

    /// Does `attempt`; where no program has begun by it, and a layer that this run uses was changed,
    /// again with that made again. A launch that goes further can find another one. What comes of a
    /// program that has begun is given on: it is never run a second time.
    pub(in crate::run) fn mending<T>(
        &self,
        plan: &Plan,
        attempt: &mut dyn FnMut() -> Attempt<T>,
    ) -> Result<T, Problem> {
        let tree = root(plan);
        let mut left = tree.map_or(0, |tree| tree.layers.len());
        loop {
            let problem = match attempt() {
                Ok(done) => return done,
                Err(problem) => problem,
            };
            let (Problem::Reports(reports), Some(tree), 1..) = (&problem, tree, left) else {
                return Err(problem);
            };
            left -= 1;
            match self.mend(Some(tree)) {
                Ok(true) => {}
                Ok(false) => return Err(problem),
                Err(report) => {
                    let origin = report.origin.clone().or_else(|| reports.first()?.origin.clone());
                    return Err(report.at(origin).into());
                }
            }
        }
    }

    /// Looks at the layers that this run has found in the store, and removes those that were changed;
    /// gives whether there were any. What `tree` needs of them is made again.
    ///
    /// # Errors
    /// It cannot be made again, or is in use.
    pub(in crate::run) fn mend(&self, tree: Option<&Rc<RootTree>>) -> Result<bool, Report> {
        let Some(store) = self.roots.store() else { return Ok(false) };
        let changed: Vec<_> = store
            .used()
            .into_iter()
            .filter_map(|name| {
                let place = store.changed(self, &name, Depth::Outside)?;
                Some((name, place))
            })
            .collect();
        // What cannot be read now may be whole.
        if changed.is_empty() || changed.iter().any(|(_, difference)| difference.is_unseen()) {
            return Ok(false);
        }
        // What was kept by a recipe is not there a second time.
        let kept = self.planner.kept_layers();
        if let Some((name, place)) = changed.iter().find(|(name, _)| kept.contains(name)) {
            return Err(lost(name, place));
        }
        let root = tree.and_then(|tree| self.planner.root_of(tree));
        // What this run holds it could not remove.
        self.roots.let_go();
        self.planner.forget_roots();
        for (name, place) in &changed {
            if !store.remove_layer(self, name)? {
                let message = format!("{}, and is in use by another run", told(name, place));
                return Err(Report::error(message));
            }
        }
        if let Some((root, tree)) = root.zip(tree) {
            let again = self.tree(&root).map_err(|reports| {
                let (name, place) = &changed[0];
                let first = reports.into_iter().next();
                first.unwrap_or_else(|| Report::error(told(name, place)))
            })?;
            if again.layers.iter().zip(&tree.layers).any(|(one, other)| !is_same(one, other)) {
                let message = "a layer of the root was changed in the store, and its sources have \
                               changed, too";
                return Err(Report::error(message).hint("rerun the recipe"));
            }
        }
        for (name, place) in &changed {
            self.warn(&Report::warning(format!("{}: nsscript makes it again", told(name, place))));
        }
        Ok(true)
    }
}

/// That a layer was changed, and where.
pub(in crate::run) fn told(name: &str, difference: &Difference) -> String {
    let digits = name.split('-').next().unwrap_or(name);
    format!("the layer sha256:{digits} in the store {difference}")
}

/// The report of a layer that was changed, and that only the run that kept it could make.
pub(in crate::run) fn lost(name: &str, place: &Difference) -> Report {
    let report = Report::error(format!("{}, and only `commit` could make it", told(name, place)));
    report.hint("call `commit` again, if the changes still exist")
}

fn root(plan: &Plan) -> Option<&Rc<RootTree>> {
    plan.actions.iter().find_map(|planned| match &planned.action {
        Op::BuildLayer(building) => Some(&building.tree),
        _ => None,
    })
}

fn is_same(one: &Layer, other: &Layer) -> bool {
    match (one, other) {
        (Layer::Kept(one), Layer::Kept(other)) => one.name == other.name,
        (Layer::Assembled(one), Layer::Assembled(other)) => described(one) == described(other),
        _ => false,
    }
}
