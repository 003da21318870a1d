//! What a rehearsal has found, as it is told.

use std::rc::Rc;

use super::context::Rehearsed;
use crate::plan::{Plan, Planned, outline, raw_outline, raw_text};

/// What is told together.
pub enum Block {
    /// A sandbox.
    Plan(Rc<Plan>),
    /// Raw calls that follow each other.
    Raw(Vec<(Planned, usize)>),
}

/// What belongs together of what was found.
#[must_use]
pub fn blocks(rehearsed: Vec<Rehearsed>) -> Vec<Block> {
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
    /// For a person.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Plan(plan) => plan.to_string(),
            Self::Raw(actions) => raw_text(actions),
        }
    }

    /// As JSON.
    #[must_use]
    pub fn outline(&self) -> serde_json::Value {
        match self {
            Self::Plan(plan) => outline(plan),
            Self::Raw(actions) => raw_outline(actions),
        }
    }
}
