//! `nsscript plan`.

use std::process::ExitCode;

use super::args::Source;
use super::exit::{Ui, print};
use super::recipe::script;
use crate::script::{Block, End, Mode, blocks};

/// Prints the plan of every program that a recipe would run.
pub(super) fn plan(source: &Source, json: bool, ui: Ui) -> ExitCode {
    let script = match script(source, Mode::DryRun, ui) {
        Ok(script) => script,
        Err(code) => return code,
    };
    let end = script.run();
    let blocks = blocks(script.effects());
    let text = if json {
        let blocks: Vec<_> = blocks.iter().map(Block::outline).collect();
        format!("{:#}\n", serde_json::Value::Array(blocks))
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
