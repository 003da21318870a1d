//! Recovery from changed layers in the store: they are checked after a failure that they may
//! explain, reported, and made again.

use std::rc::Rc;

use super::manifest::Difference;
use super::root::described;
use super::store::Depth;
use crate::diag::Report;
use crate::ops::{Layer, Op, RootTree};
use crate::plan::Plan;
use crate::run::base::error::RunError;
use crate::run::layers::Layers;

/// The result of a program, or the failure to start it.
pub(in crate::run) type Attempt<T> = Result<Result<T, RunError>, RunError>;

impl Layers {
    /// Makes this run verify every layer that it finds in the store, once.
    pub fn distrust_store(&self) {
        if !self.roots.verifies.replace(true)
            && let Some(store) = self.roots.store()
        {
            // Layers found before are checked again.
            store.forget_used();
            self.roots.let_go();
            self.planner.forget_roots();
        }
    }

    /// Runs `attempt`. If no program has started, and a layer of this run was changed, makes the
    /// layer again and repeats the attempt, which may find another changed layer. A program that
    /// has started is never run twice.
    pub(in crate::run) fn mending<T>(
        &self,
        plan: &Plan,
        attempt: &mut dyn FnMut() -> Attempt<T>,
    ) -> Result<T, RunError> {
        let tree = root(plan);
        let mut left = tree.map_or(0, |tree| tree.layers.len());
        loop {
            let error = match attempt() {
                Ok(done) => return done,
                Err(error) => error,
            };
            let (RunError::Reports(reports), Some(tree), 1..) = (&error, tree, left) else {
                return Err(error);
            };
            left -= 1;
            match self.mend(Some(tree)) {
                Ok(true) => {}
                Ok(false) => return Err(error),
                Err(report) => {
                    let origin = report.origin.clone().or_else(|| reports.first()?.origin.clone());
                    return Err(report.at(origin).into());
                }
            }
        }
    }

    /// Checks the layers that this run uses, and removes changed ones; returns whether there were
    /// any. Makes those of `tree` again.
    ///
    /// # Errors
    /// A layer cannot be made again, or is in use.
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
        // A layer that cannot be read may be unchanged.
        if changed.is_empty() || changed.iter().any(|(_, difference)| difference.is_unseen()) {
            return Ok(false);
        }
        // A layer from kept changes has no other source.
        let kept = self.planner.kept_layers();
        if let Some((name, place)) = changed.iter().find(|(name, _)| kept.contains(name)) {
            return Err(lost(name, place));
        }
        let root = tree.and_then(|tree| self.planner.root_of(tree));
        // A layer that this run holds could not be removed.
        self.roots.let_go();
        self.planner.forget_roots();
        for (name, place) in &changed {
            if !store.remove_layer(self, name)? {
                let message =
                    format!("{}, and is in use by another run", changed_message(name, place));
                return Err(Report::error(message));
            }
        }
        if let Some((root, tree)) = root.zip(tree) {
            let again = self.tree(&root).map_err(|reports| {
                let (name, place) = &changed[0];
                let first = reports.into_iter().next();
                first.unwrap_or_else(|| Report::error(changed_message(name, place)))
            })?;
            if again.layers.iter().zip(&tree.layers).any(|(one, other)| !is_same(one, other)) {
                let message = "a layer of the root was changed in the store, and its sources have \
                               changed, too";
                return Err(Report::error(message).hint("rerun the recipe"));
            }
        }
        for (name, place) in &changed {
            self.warn(&Report::warning(format!(
                "{}: nsscript makes it again",
                changed_message(name, place)
            )));
        }
        Ok(true)
    }
}

/// The message that a layer was changed, with the path.
pub(in crate::run) fn changed_message(name: &str, difference: &Difference) -> String {
    let digits = name.split('-').next().unwrap_or(name);
    format!("the layer sha256:{digits} in the store {difference}")
}

/// The report of a changed layer that only `commit` could make.
pub(in crate::run) fn lost(name: &str, place: &Difference) -> Report {
    let report =
        Report::error(format!("{}, and only `commit` could make it", changed_message(name, place)));
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
