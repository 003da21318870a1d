//! `nsscript check`: mistakes in recipes, found before they run.

use std::process::ExitCode;

use super::args::Source;
use super::exit::{FAILED, Ui};
use super::recipe::read;
use crate::diag::{Format, Report, Severity, Sources, count, say};
use crate::run;
use crate::script;

/// The exit status if a recipe has an error.
const FAULTS: u8 = 1;

/// Reports all mistakes in recipes, and their number.
pub(super) fn check(sources: &[Source], ui: Ui) -> ExitCode {
    run::raise_stack_limit();
    if let Err(errno) = run::watch_interruptions() {
        return ui.fail(format!("cannot watch for signals: {errno}"));
    }
    let (mut errors, mut warnings, mut unread) = (0, 0, 0);
    for source in sources {
        let recipe = match read(source) {
            Ok(recipe) => recipe,
            Err(message) => {
                if let Some(signal) = run::interrupted() {
                    return ExitCode::from(u8::try_from(128 + signal).unwrap_or(FAILED));
                }
                let is_directory = message.ends_with("is a directory");
                let hint = "`check` takes files; `nsscript test` takes directories";
                let report = Report::error(message);
                let report = if is_directory { report.hint(hint) } else { report };
                ui.say(&report, &Sources::default());
                unread += 1;
                continue;
            }
        };
        let checked = script::check(&recipe);
        if let Some(signal) = checked.signal {
            return ExitCode::from(u8::try_from(128 + signal).unwrap_or(FAILED));
        }
        for report in &checked.reports {
            ui.say(report, &checked.sources);
            match report.severity {
                Severity::Error => errors += 1,
                Severity::Warning | Severity::NotRun => warnings += 1,
            }
        }
    }
    if ui.format() != Format::Json && unread < sources.len() {
        say(&format!("{}\n", summary(errors, warnings, sources.len() - unread)));
    }
    match (unread, errors) {
        (1.., _) => ExitCode::from(FAILED),
        (_, 1..) => ExitCode::from(FAULTS),
        _ => ExitCode::SUCCESS,
    }
}

/// `2 errors, 1 warning in 3 recipes`.
fn summary(errors: usize, warnings: usize, recipes: usize) -> String {
    let kinds = [(errors, "error"), (warnings, "warning")];
    let found: Vec<_> = kinds
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, noun)| count(number, noun))
        .collect();
    let recipes = count(recipes, "recipe");
    if found.is_empty() {
        return format!("no errors in {recipes}");
    }
    format!("{} in {recipes}", found.join(", "))
}
