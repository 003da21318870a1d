//! The dry run of a recipe whose text is without fault: its plans can contradict themselves.
//!
//! A dry run does nothing, so what programs print is empty, and what a recipe asks of the machine
//! is as if nothing had been done. Until a recipe gets to see that, a run would do the same, and
//! fail the same; after that, only what a plan contradicts is said, as a warning.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::diag::{Report, Severity, Sources};
use crate::script::binding::error::End;
use crate::script::engine::{Mode, Script};
use crate::script::language::recipe::Recipe;

/// How long a dry run goes on: one that waits for something would do so for ever.
const LONGEST: Duration = Duration::from_secs(2);

/// ENOENT of errno(3).
const NOT_FOUND: i32 = 2;

/// What a dry run of `recipe` finds, and the signal that has ended it. `is_open` says whether
/// what it does depends on what it is called with.
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
    script.close();
    sources.add(&script.sources());
    let mut found = if made_up { Vec::new() } else { warned.borrow().clone() };
    let signal = match end {
        End::Signal(signal) => Some(signal),
        End::Failed(reports) => {
            for mut report in reports {
                let of_plan = contradictions.iter().any(|it| it.message == report.message);
                let missing = report.facts.errno == Some(NOT_FOUND);
                let is_sure = !(made_up || missing && was_done);
                if !is_sure && !of_plan {
                    continue;
                }
                if !is_sure {
                    report.severity = Severity::Warning;
                    report = report
                        .note("found in a dry run, in which programs do nothing and print nothing");
                }
                found.push(report);
            }
            None
        }
        End::Status(_) | End::NotRun(_) => None,
    };
    (found, signal)
}
