//! The error for an unknown variable.

use crate::diag::{Report, closest, quoted};
use crate::script::binding::catalog;
use crate::script::binding::verb::Kind;
use crate::script::language::foreign::{self, Place};

/// The report for an unknown variable; `others` are the known ones.
pub fn no_variable<'a>(name: &str, others: impl Iterator<Item = &'a str>) -> Report {
    let report = Report::error(format!("unknown variable {}", quoted(name)));
    if let Some(hint) = foreign::hint(name, &[Place::Name]) {
        return report.hint(hint);
    }
    let constants = catalog::constants();
    let names = constants.iter().map(|constant| constant.name);
    let names = names.chain(catalog::VALUES.map(|(name, _)| name));
    let is_verb = || catalog::named(name).iter().any(|verb| verb.kind == Kind::Function);
    match closest(name, names.chain(others)) {
        _ if is_verb() => report.hint(format!("{} is a verb: call it, `{name}(…)`", quoted(name))),
        Some(near) => report.hint(format!("did you mean {}?", quoted(near))),
        None if !name.contains(char::is_lowercase) => {
            let main = constants.iter().filter(|constant| constant.alias_of.is_none());
            let names: Vec<_> = main.map(|constant| constant.name).collect();
            report.hint(format!("the constants are `{}`", names.join("`, `")))
        }
        None => report,
    }
}

/// The report for a variable that exists only elsewhere in the recipe.
pub fn not_visible(name: &str) -> Report {
    let name = quoted(name);
    let report = Report::error(format!("unknown variable {name}"));
    report.hint(format!("{name} is visible from its `let` to the end of the block"))
}

/// The report for a variable that exists only outside of the function.
pub fn outside(name: &str) -> Report {
    Report::error(format!("unknown variable {}", quoted(name))).hint(
        "pass it to the function as a parameter: a function does not see the variables around it",
    )
}
