//! Plans as text, and as documents for programs.

use std::fmt;

use super::action::{Planned, Side};
use super::build::Plan;
use crate::diag::quoted;
use crate::json;
use crate::ops::{Op, Told};
use crate::spec::MountAttributes;

impl Side {
    /// The performer in words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Parent => "nsscript",
            Self::Child => "the new process",
            Self::Program => "the program's process",
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.command.is_closure() {
            out.write_str("plan for a closure")?;
        } else {
            write!(out, "plan for {}", quoted(self.command.shown()))?;
        }
        let sentences: Vec<_> =
            self.actions.iter().map(|done| done.action.told().sentence).collect();
        let width = sentences.iter().map(|text| text.chars().count()).max().unwrap_or(0).min(72);
        let mut side = None;
        for (index, (planned, sentence)) in self.actions.iter().zip(&sentences).enumerate() {
            if side != Some(planned.side) {
                side = Some(planned.side);
                write!(out, "\n  {}", planned.side.name())?;
            }
            write!(out, "\n{:>5}  {sentence}", index + 1)?;
            if let Some(origin) = &planned.origin {
                let gap = width.saturating_sub(sentence.chars().count());
                write!(out, "{:gap$}  {origin}", "")?;
            }
        }
        Ok(())
    }
}

/// The actions of nsscript on its own process, in order: each with the number of closures around
/// it, which is the number of bars before it.
#[must_use]
pub fn raw_text(actions: &[(Planned, usize)]) -> String {
    let sentence = |(planned, depth): &(Planned, usize)| {
        format!("{}{}", "│ ".repeat(*depth), planned.action.told().sentence)
    };
    let sentences: Vec<_> = actions.iter().map(sentence).collect();
    let width = sentences.iter().map(|text| text.chars().count()).max().unwrap_or(0).min(72);
    let mut out = String::from("plan for raw calls");
    for (index, ((planned, _), sentence)) in actions.iter().zip(&sentences).enumerate() {
        out.push_str(&format!("\n{:>5}  {sentence}", index + 1));
        if let Some(origin) = &planned.origin {
            let gap = width.saturating_sub(sentence.chars().count());
            out.push_str(&format!("{:gap$}  {origin}", ""));
        }
    }
    out
}

impl From<Side> for json::Performer {
    fn from(side: Side) -> Self {
        match side {
            Side::Parent => Self::Parent,
            Side::Child => Self::Child,
            Side::Program => Self::Program,
        }
    }
}

/// The actions of nsscript on its own process, as a program reads them.
#[must_use]
pub fn raw_document(actions: &[(Planned, usize)]) -> json::Plan {
    let action = |(index, (planned, depth)): (usize, &(Planned, usize))| {
        let mut action = action(index, planned);
        action.depth = Some(*depth);
        if let Op::RawAction(raw) = &planned.action {
            action.calls = Some(raw.calls().iter().map(ToString::to_string).collect());
        }
        action
    };
    json::Plan {
        kind: json::Kind::Raw,
        command: None,
        namespaces: None,
        actions: actions.iter().enumerate().map(action).collect(),
        warnings: Vec::new(),
    }
}

fn action(index: usize, planned: &Planned) -> json::Action {
    let Told { sentence, source, target, shell } = planned.action.told();
    let facts = planned.action.facts();
    let words = |attributes: MountAttributes| {
        attributes.words().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    json::Action {
        number: index + 1,
        by: planned.side.into(),
        operation: facts.name.to_owned(),
        sentence,
        source,
        target,
        attributes: facts.leaves.attributes().map(words),
        calls: None,
        shell,
        depth: None,
        place: planned.origin.as_ref().map(Into::into),
    }
}

/// The plan as a program reads it.
#[must_use]
pub fn document(plan: &Plan) -> json::Plan {
    let (kind, command) = if plan.command.is_closure() {
        (json::Kind::Closure, None)
    } else {
        (json::Kind::Program, Some(plan.command.words().to_vec()))
    };
    json::Plan {
        kind,
        command,
        namespaces: Some(plan.namespaces.to_string()),
        actions: plan.actions.iter().enumerate().map(|(at, planned)| action(at, planned)).collect(),
        warnings: plan.warnings.iter().map(|warning| warning.message.clone()).collect(),
    }
}
