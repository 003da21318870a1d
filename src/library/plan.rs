//! Plans of programs in sandboxes.

use std::fmt;

use crate::{json, plan};

/// What would be done to run a program: a list of steps, each with the line that asked for it.
///
/// It prints as `nsscript plan` prints it.
///
/// ```
/// let plan = nsscript::Sandbox::host_view().hostname("box").command("true").plan()?;
/// assert!(plan.to_string().contains("set the host name to `box`"));
/// assert!(plan.to_json().contains("\"operation\": \"hostname\""));
/// # Ok::<(), nsscript::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Plan(pub(super) plan::Plan);

impl Plan {
    /// What is probably a mistake, one sentence each.
    #[must_use]
    pub fn warnings(&self) -> Vec<&str> {
        self.0.warnings.iter().map(|warning| warning.message.as_str()).collect()
    }

    /// The plan as JSON, as `nsscript plan --json` prints it: docs/schema/plan.json.
    #[must_use]
    pub fn to_json(&self) -> String {
        let plans = vec![plan::document(&self.0)];
        json::text(&json::Plans { version: json::Version, plans, unknown: Vec::new() })
    }

    /// The steps, one sentence each, in the order in which they are done.
    #[must_use]
    pub fn steps(&self) -> Vec<String> {
        self.0.actions.iter().map(|planned| planned.action.told().sentence).collect()
    }

    /// The shell command that does about the same as each step, if there is one.
    #[must_use]
    pub fn shell(&self) -> Vec<Option<String>> {
        self.0.actions.iter().map(|planned| planned.action.told().shell).collect()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}
