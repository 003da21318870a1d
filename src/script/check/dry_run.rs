//! The dry run of a recipe without mistakes in its text, which finds contradictions in its plans.
//!
//! A dry run does nothing, so the output of programs is empty, and answers about the machine do not
//! include earlier actions. Until the recipe sees such a value, a run would behave, and fail, in
//! the same way. After that, only contradictions of plans are reported, as warnings.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::diag::{Report, Severity, Sources};
use crate::script::binding::error::End;
use crate::script::engine::{Mode, Script};
use crate::script::language::recipe::Recipe;

/// The longest dry run: one that waits for something would never end.
const LONGEST: Duration = Duration::from_secs(2);

/// ENOENT of errno(3).
const NOT_FOUND: i32 = 2;

/// The errors and warnings of a dry run of `recipe`, and the signal that ended it. `is_open` is
/// whether the recipe depends on its arguments.
pub fn dry_run(recipe: &Recipe, sources: &Sources, is_open: bool) -> (Vec<Report>, Option<i32>) {
    let warned: Rc<RefCell<Vec<Report>>> = Rc::default();
    let warnings = warned.clone();
    let warn = move |report: &Report| warnings.borrow_mut().push(report.clone());
    let script = Script::new(recipe.clone(), Mode::DryRun, Box::new(warn));
    script.dry_run.made_up.set(is_open);
    script.dry_run.deadline.set(Some(Instant::now() + LONGEST));
    let end = script.run();
    let made_up = script.dry_run.made_up.get();
    let was_done = !script.effects().is_empty();
    let contradictions = script.dry_run.contradictions.borrow().clone();
    let certain = script.dry_run.certain.borrow().clone();
    script.close();
    sources.add(&script.sources());
    let mut found = if made_up { Vec::new() } else { warned.borrow().clone() };
    let signal = match end {
        End::Signal(signal) => Some(signal),
        End::Failed(reports) => {
            for mut report in reports {
                let of_plan = contradictions.iter().any(|it| it.message == report.message);
                let missing = report.facts.errno == Some(NOT_FOUND);
                let is_certain = certain.iter().any(|it| it.message == report.message);
                let is_sure = is_certain || !(made_up || missing && was_done);
                if !is_sure && !of_plan {
                    continue;
                }
                if !is_sure {
                    report.severity = Severity::Warning;
                    report = report
                        .note("found in a dry run, where programs do not run and print nothing");
                }
                found.push(report);
            }
            None
        }
        End::Status(_) | End::NotRun(_) => None,
    };
    (found, signal)
}
