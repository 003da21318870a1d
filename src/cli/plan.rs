//! `nsscript plan`.

use std::process::ExitCode;

use super::args::Source;
use super::exit::{Ui, print};
use super::recipe::script;
use crate::diag::Report;
use crate::json;
use crate::script::{Block, Dependence, End, Mode, blocks};

/// Prints the plan of every program that a recipe would run.
pub(super) fn plan(source: &Source, as_json: bool, ui: Ui) -> ExitCode {
    let script = match script(source, Mode::DryRun, ui) {
        Ok(script) => script,
        Err(code) => return code,
    };
    let end = script.run();
    let blocks = blocks(script.effects());
    let unknown = script.depends();
    let last = unknown.iter().position(|it| ends_at(&end, it));
    let text = if as_json {
        let plans = blocks.iter().map(Block::document).collect();
        let unknown = unknown.into_iter().enumerate();
        let unknown = unknown.map(|(index, it)| document(it, last == Some(index))).collect();
        json::text(&json::Plans { version: json::Version, plans, unknown })
    } else {
        let texts = blocks.iter().map(|block| format!("{}\n", block.text()));
        let marks = (!unknown.is_empty()).then(|| marks(&unknown, last));
        texts.chain(marks).collect::<Vec<_>>().join("\n")
    };
    let printed = print(&text, ui);
    match end {
        // A recipe that exits with the status of a program has no such status here.
        End::Status(_) => printed,
        // The recipe is not wrong: the stand-in of a value is.
        End::Failed(_) if last.is_some() => printed,
        other => ui.end(&other, &script.sources()),
    }
}

/// Whether the dry run ended there, with an argument that only a run gives.
fn ends_at(end: &End, unknown: &Dependence) -> bool {
    let is_there = |report: &Report| {
        let place = report.origin.as_ref().map(|origin| (&origin.source, origin.line));
        place == Some((&unknown.origin.source, unknown.origin.line))
    };
    matches!(end, End::Failed(reports) if !reports.is_empty() && reports.iter().all(is_there))
}

fn document(unknown: Dependence, ends: bool) -> json::Unknown {
    let Dependence { origin, what, on } = unknown;
    json::Unknown { what, depends_on: on, place: (&origin).into(), ends }
}

/// What a run decides, for people.
fn marks(unknown: &[Dependence], last: Option<usize>) -> String {
    let mut text =
        String::from("what a run decides: here programs print nothing and exit with status 0\n");
    for (index, Dependence { origin, what, on }) in unknown.iter().enumerate() {
        text += &format!("  {origin}: {what} depends on {on}\n");
        if last == Some(index) {
            text += "  The plan ends there.\n";
        }
    }
    text
}
