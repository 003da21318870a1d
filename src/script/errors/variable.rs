//! What is said of a variable that there is not.

use crate::diag::{Report, closest, quoted};
use crate::script::binding::catalog;
use crate::script::binding::verb::Kind;

/// That there is no variable of this name; `others` are those that there are.
pub fn no_variable<'a>(name: &str, others: impl Iterator<Item = &'a str>) -> Report {
    let report = Report::error(format!("no variable {}", quoted(name)));
    let constants = catalog::constants();
    let names = constants.iter().map(|(name, ..)| *name);
    let names = names.chain(catalog::VALUES.map(|(name, _)| name));
    let is_verb = || catalog::named(name).iter().any(|verb| verb.kind == Kind::Function);
    match closest(name, names.chain(others)) {
        _ if is_verb() => {
            report.hint(format!("{} is a verb: it is called, `{name}(…)`", quoted(name)))
        }
        Some(near) => report.hint(format!("did you mean {}?", quoted(near))),
        None if !name.contains(char::is_lowercase) => {
            let names: Vec<_> = constants.iter().map(|(name, ..)| *name).collect();
            report.hint(format!("namespaces are `{}`", names.join("`, `")))
        }
        None => report,
    }
}

/// That a function does not see a variable of this name, which is outside of it.
pub fn outside(name: &str) -> Report {
    Report::error(format!("no variable {}", quoted(name))).hint(
        "a function sees its parameters and constants of modules, not the variables around it",
    )
}
