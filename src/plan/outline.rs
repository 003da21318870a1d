//! A plan as text, and as data.

use std::fmt;

use super::action::{Planned, Side};
use super::build::Plan;
use crate::diag::quoted;
use crate::ops::{Op, Told};
use crate::spec::MountAttributes;

impl Side {
    /// Who that is, in words.
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

/// What nsscript would do to its own process, one after the other: each action and how many
/// closures deep it is, which is the number of bars before it.
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

/// The same as data.
#[must_use]
pub fn raw_outline(actions: &[(Planned, usize)]) -> serde_json::Value {
    let action = |(index, (planned, depth)): (usize, &(Planned, usize))| {
        let mut value = one(index, planned);
        value["depth"] = (*depth).into();
        if let Op::RawAction(raw) = &planned.action {
            value["calls"] = raw.calls().iter().map(ToString::to_string).collect();
        }
        value
    };
    let actions: Vec<_> = actions.iter().enumerate().map(action).collect();
    serde_json::json!({ "command": null, "actions": actions, "warnings": [] })
}

fn one(index: usize, planned: &Planned) -> serde_json::Value {
    let Told { sentence, source, target, shell } = planned.action.told();
    let place = planned.origin.as_ref().map(|origin| {
        serde_json::json!({
            "file": &*origin.source, "line": origin.line, "column": origin.column,
        })
    });
    serde_json::json!({
        "number": index + 1,
        "by": match planned.side {
            Side::Parent => "parent",
            Side::Child => "child",
            Side::Program => "program",
        },
        "operation": planned.action.facts().name,
        "sentence": sentence,
        "source": source,
        "target": target,
        "attributes": planned.action.facts().leaves.attributes().map(MountAttributes::words),
        "shell": shell,
        "place": place,
    })
}

/// The plan as data: what `plan --json` prints.
#[must_use]
pub fn outline(plan: &Plan) -> serde_json::Value {
    let actions: Vec<_> =
        plan.actions.iter().enumerate().map(|(index, planned)| one(index, planned)).collect();
    let warnings: Vec<_> = plan.warnings.iter().map(|warning| &warning.message).collect();
    serde_json::json!({
        "command": if plan.command.is_closure() { &[] } else { plan.command.words() },
        "namespaces": plan.namespaces.to_string(),
        "actions": actions,
        "warnings": warnings,
    })
}
