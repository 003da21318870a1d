//! Telling what a recipe would do.

use std::process::ExitCode;
use std::rc::Rc;

use super::args::Source;
use super::exit::{Ui, print};
use super::recipe::script;
use crate::plan::{Plan, Planned, outline, raw_outline, raw_text};
use crate::script::{End, Mode, Rehearsed};

/// Prints the plan of every program that a recipe would run.
pub(super) fn plan(source: &Source, json: bool, ui: Ui) -> ExitCode {
    let script = match script(source, Mode::Rehearse, ui) {
        Ok(script) => script,
        Err(code) => return code,
    };
    let end = script.run();
    let blocks = blocks(script.rehearsed());
    let text = if json {
        let blocks: Vec<_> = blocks.iter().map(Block::outline).collect();
        format!("{:#}\n", serde_json::Value::Array(blocks))
    } else {
        let texts: Vec<_> = blocks.iter().map(|block| format!("{}\n", block.text())).collect();
        texts.join("\n")
    };
    let printed = print(&text, ui);
    match end {
        // A recipe that ends with a status of a program ends with none here.
        End::Status(_) => printed,
        other => ui.end(&other, &script.sources()),
    }
}

/// What is told together.
enum Block {
    /// A sandbox.
    Plan(Rc<Plan>),
    /// Raw calls that follow each other.
    Raw(Vec<(Planned, usize)>),
}

fn blocks(rehearsed: Vec<Rehearsed>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for one in rehearsed {
        match (one, blocks.last_mut()) {
            (Rehearsed::Plan(plan), _) => blocks.push(Block::Plan(plan)),
            (Rehearsed::Raw { planned, depth }, Some(Block::Raw(actions))) => {
                actions.push((planned, depth));
            }
            (Rehearsed::Raw { planned, depth }, _) => {
                blocks.push(Block::Raw(vec![(planned, depth)]));
            }
        }
    }
    blocks
}

impl Block {
    fn text(&self) -> String {
        match self {
            Self::Plan(plan) => plan.to_string(),
            Self::Raw(actions) => raw_text(actions),
        }
    }

    fn outline(&self) -> serde_json::Value {
        match self {
            Self::Plan(plan) => outline(plan),
            Self::Raw(actions) => raw_outline(actions),
        }
    }
}
