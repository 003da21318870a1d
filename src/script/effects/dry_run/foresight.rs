//! Programs that a run would not execute, as far as a dry run is certain of it.
//!
//! A wrong alarm is worse than none. So nothing is foreseen once the recipe has a value that a run
//! might not give, and a file that an earlier part of the recipe could change is unknown.

use std::path::{Path, PathBuf};

use super::{DryRun, Effect};
use crate::diag::Report;
use crate::ops::{self, Leaves, Op, RootKind};
use crate::plan::Plan;
use crate::run::RunError;
use crate::script::binding::call::Call;
use crate::spec::Kind;

/// The files of the host that earlier effects could have changed.
enum Changed {
    /// Any.
    All,
    /// Those at and below these paths.
    Paths(Vec<PathBuf>),
}

impl Changed {
    /// What these effects could change.
    fn by(effects: &[Effect]) -> Self {
        let mut paths = Vec::new();
        for effect in effects {
            let known = match effect {
                Effect::Plan(plan) => of_plan(plan, &mut paths),
                Effect::Raw { planned, .. } => match &planned.action {
                    Op::RawAction(action) => of_raw(&action.effect(), &mut paths),
                    _ => false,
                },
            };
            if !known {
                return Self::All;
            }
        }
        Self::Paths(paths.iter().map(|path| without_links(path)).collect())
    }

    /// Whether the file at `path` could be another one.
    fn has(&self, path: &Path) -> bool {
        match self {
            Self::All => true,
            Self::Paths(paths) if paths.is_empty() => false,
            Self::Paths(paths) => {
                let path = without_links(path);
                paths.iter().any(|changed| path.starts_with(changed))
            }
        }
    }
}

/// Adds what a program of this plan could change; false if that is not known.
fn of_plan(plan: &Plan, paths: &mut Vec<PathBuf>) -> bool {
    let mut has_root = false;
    for planned in &plan.actions {
        match &planned.action {
            Op::MakeRoot(root) => match &root.0 {
                RootKind::Plain(_) | RootKind::View { read_only: false, .. } => return false,
                RootKind::View { read_only: true, .. }
                | RootKind::Memory
                | RootKind::Overlay { .. }
                | RootKind::Copy => has_root = true,
            },
            // The upper directory and the file are written to under other names, and nobody knows
            // what a descriptor leads to.
            Op::Overlaid(_) | Op::Imaged(_) | Op::AttachImage(_) | Op::PassFd(_) => return false,
            op => {
                if let Leaves::Bound { source, attributes, .. } = op.facts().leaves
                    && !attributes.read_only
                    && (!source.starts_with("/dev") || source.starts_with("/dev/shm"))
                {
                    paths.push(source.to_path_buf());
                }
            }
        }
    }
    has_root
}

/// Adds what a raw call changes; false if that is not known.
fn of_raw(effect: &ops::Effect<'_>, paths: &mut Vec<PathBuf>) -> bool {
    use ops::Effect::{
        Child, Content, Enter, Held, Ids, Image, Maps, Metadata, Mount, Name, Network, Own, Pin,
        Process, Rename, Result, Session, Unshare,
    };
    match effect {
        Name(path, _) | Content(path) | Metadata(path) | Result(path, _) => {
            paths.push(path.to_path_buf());
            true
        }
        Rename(from, to) => {
            paths.extend([from.to_path_buf(), to.to_path_buf()]);
            true
        }
        Held(kind) => *kind != Kind::Mount,
        Network | Process(_) | Maps(_) => true,
        // Other files may have the same names afterwards.
        Own | Session(_) | Unshare(_) | Enter(_) | Child(_) | Ids | Mount(_) | Pin(_)
        | Image(_) => false,
    }
}

/// The path with the links of the part that exists resolved.
fn without_links(path: &Path) -> PathBuf {
    for above in path.ancestors() {
        if let Ok(place) = std::fs::canonicalize(above) {
            return place.join(path.strip_prefix(above).unwrap_or(Path::new("")));
        }
    }
    path.to_path_buf()
}

impl DryRun {
    /// Refuses a plan whose program a run would not execute.
    ///
    /// # Errors
    /// The error of the run.
    pub(super) fn refuse_missing(&self, plan: &Plan, call: &Call<'_, '_>) -> Result<(), RunError> {
        if !self.is_certain() {
            return Ok(());
        }
        let changed = self.changed();
        let runner = &call.context.runner;
        let Some(report) = runner.foresee(plan, &|path| changed.has(path))? else { return Ok(()) };
        self.certain.borrow_mut().push(report.clone());
        Err(report.into())
    }

    /// The report of a program that would start without a library that it needs.
    pub(super) fn foresees_lack(&self, plan: &Plan, call: &Call<'_, '_>) -> Option<Report> {
        if !self.is_certain() {
            return None;
        }
        let changed = self.changed();
        let report = call.context.runner.foresee_lack(plan, &|path| changed.has(path))?;
        self.certain.borrow_mut().push(report.clone());
        Some(report)
    }

    /// Whether a run would have come here, with the same values.
    fn is_certain(&self) -> bool {
        !self.made_up.get() && !self.assumed.get()
    }

    fn changed(&self) -> Changed {
        Changed::by(&self.effects.borrow())
    }
}
