//! A plan as text, and as data.

use std::fmt;

use super::action::Side;
use super::build::Plan;
use crate::diag::quoted;

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
        write!(out, "plan for {}", quoted(self.command.shown()))?;
        let sentences: Vec<_> = self.actions.iter().map(|done| done.action.describe()).collect();
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

/// The plan as data: what `plan --json` prints.
#[must_use]
pub fn outline(plan: &Plan) -> serde_json::Value {
    let action = |(index, planned): (usize, &super::action::Planned)| {
        let (source, target) = planned.action.paths();
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
            "operation": planned.action.operation(),
            "sentence": planned.action.describe(),
            "source": source,
            "target": target,
            "place": place,
        })
    };
    let actions: Vec<_> = plan.actions.iter().enumerate().map(action).collect();
    let warnings: Vec<_> = plan.warnings.iter().map(|warning| &warning.message).collect();
    serde_json::json!({
        "command": plan.command.words(),
        "namespaces": plan.namespaces.to_string(),
        "actions": actions,
        "warnings": warnings,
    })
}
