//! The recorded effects of a dry run, grouped as a plan shows them.

use std::rc::Rc;

use super::dry_run::Effect;
use crate::json;
use crate::plan::{Plan, Planned, document, raw_document, raw_text};

/// A group of effects in a plan.
pub enum Block {
    /// A sandbox.
    Plan(Rc<Plan>),
    /// Consecutive raw calls.
    Raw(Vec<(Planned, usize)>),
}

/// Groups effects.
#[must_use]
pub fn blocks(effects: Vec<Effect>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for effect in effects {
        match (effect, blocks.last_mut()) {
            (Effect::Plan(plan), _) => blocks.push(Block::Plan(plan)),
            (Effect::Raw { planned, depth }, Some(Block::Raw(actions))) => {
                actions.push((planned, depth));
            }
            (Effect::Raw { planned, depth }, _) => {
                blocks.push(Block::Raw(vec![(planned, depth)]));
            }
        }
    }
    blocks
}

impl Block {
    /// The text for people.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Plan(plan) => plan.to_string(),
            Self::Raw(actions) => raw_text(actions),
        }
    }

    /// Whether to print JSON.
    #[must_use]
    pub fn document(&self) -> json::Plan {
        match self {
            Self::Plan(plan) => document(plan),
            Self::Raw(actions) => raw_document(actions),
        }
    }
}
