//! Copies of roots, for machines without an overlay for layers.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::rc::{Rc, Weak};

use super::tree::{self, Manner};
use crate::diag::{Report, quoted};
use crate::ops::{MakeRoot, Op, RootKind};
use crate::plan::{Plan, Planned};
use crate::run::layers::Layers;
use crate::run::workspace::remove_own_directory;
use crate::sys;

impl Layers {
    /// The plan with a copy of the root's layers, if there is no overlay for them.
    pub(in crate::run) fn with_copy(&self, plan: &Plan) -> Option<Plan> {
        self.roots.no_overlay.get().then(|| plan.with_copy()).flatten()
    }

    /// Notes that this machine has no overlay, according to `refusal`.
    ///
    /// # Errors
    /// That was known already, so the cause is another one.
    pub(in crate::run) fn do_without_overlay(&self, refusal: &Report) -> Result<(), Report> {
        if self.roots.no_overlay.replace(true) {
            return Err(refusal.clone());
        }
        let message = "this machine cannot stack the layers of the root in an overlay: nsscript \
                       copies them at every launch, which takes longer";
        let report = Report::warning(message).at(refusal.origin.clone());
        self.warn(&report.note(refusal.message.clone()));
        Ok(())
    }

    /// The copy of a root, if the plan needs one, and a token that keeps it.
    pub(in crate::run) fn copy_for(
        &self,
        plan: &Plan,
    ) -> Result<Option<(PathBuf, Rc<()>)>, Report> {
        let wants =
            |planned: &&Planned| matches!(planned.action, Op::MakeRoot(MakeRoot(RootKind::Copy)));
        let tree = plan.actions.iter().find_map(|planned| match &planned.action {
            Op::BuildLayer(building) => Some(&building.tree),
            _ => None,
        });
        let Some(tree) = tree.filter(|_| plan.actions.iter().any(|it| wants(&it))) else {
            return Ok(None);
        };
        self.remove_copies(&|token| token.strong_count() == 0);
        let above = self.workspace()?.join("copies");
        let directory = above.join(self.next_process().to_string());
        let mut closed = DirBuilder::new();
        closed.recursive(true).mode(0o700);
        closed.create(&above).and_then(|()| std::fs::create_dir(&directory)).map_err(|error| {
            let shown = quoted(directory.to_string_lossy());
            Report::error(format!("cannot create {shown}: {}", sys::Errno::from(&error)))
        })?;
        let token = Rc::new(());
        self.roots.copies.borrow_mut().push((directory.clone(), Rc::downgrade(&token)));
        let mut contents = self.contents(tree)?;
        let task = self.task("copy the root".into(), contents.size().1);
        tree::write(&mut contents, &directory, Manner::ForSandboxes, &task)?;
        if let Some(variant) = self.variant_of(tree, tree.layers.len() - 1, &plan.maps) {
            self.give(&directory, &contents, &variant)?;
        }
        Ok(Some((directory, token)))
    }

    /// Removes copies of roots that are no longer needed.
    pub(in crate::run) fn remove_copies(&self, is_gone: &dyn Fn(&Weak<()>) -> bool) {
        // The copies of the process that was copied are not in this one's directory.
        let Some(own) = self.existing_workspace() else { return };
        self.roots.copies.borrow_mut().retain(|(directory, token)| {
            let gone = directory.starts_with(&own) && is_gone(token);
            if gone {
                let _ = remove_own_directory(self, directory);
            }
            !gone
        });
    }
}
