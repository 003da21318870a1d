//! `nsscript plan`.

use std::process::ExitCode;

use super::args::Source;
use super::exit::{Ui, print};
use super::recipe::script;
use crate::json;
use crate::script::{Block, End, Mode, blocks};

/// Prints the plan of every program that a recipe would run.
pub(super) fn plan(source: &Source, as_json: bool, ui: Ui) -> ExitCode {
    let script = match script(source, Mode::DryRun, ui) {
        Ok(script) => script,
        Err(code) => return code,
    };
    let end = script.run();
    let blocks = blocks(script.effects());
    let text = if as_json {
        let plans = blocks.iter().map(Block::document).collect();
        json::text(&json::Plans { version: json::Version, plans })
    } else {
        let texts: Vec<_> = blocks.iter().map(|block| format!("{}\n", block.text())).collect();
        texts.join("\n")
    };
    let printed = print(&text, ui);
    match end {
        // A recipe that exits with the status of a program has no such status here.
        End::Status(_) => printed,
        other => ui.end(&other, &script.sources()),
    }
}
