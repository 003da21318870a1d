//! What is said of a verb that is called on a value of another type, or with other arguments.

use super::argument::a_type;
use super::catalog;
use super::verb::Verb;
use crate::diag::{Report, count, quoted};

/// That a type has no verb of this name, which is a function; or has one that takes other arguments
/// than these.
#[must_use]
pub fn no_verb_of(receiver: &str, name: &str, given: usize) -> Report {
    let verbs = catalog::named(name);
    if let Some(verb) = verbs.iter().find(|verb| verb.receiver() == receiver) {
        return arity(verb, given + 1);
    }
    let owner = a_type(receiver);
    let report = Report::error(format!("{owner} has no verb {}", quoted(name)));
    // The nearest word, or one that means the same.
    let near = match name {
        "mkdir" => Some("directory"),
        "write_file" => Some("file"),
        "mknod" => Some("device"),
        _ => catalog::near(name, |verb| verb.receiver() == receiver, []),
    };
    let near = near.filter(|near| catalog::named(near).iter().any(|it| it.receiver() == receiver));
    if let Some(near) = near {
        return report.hint(format!("did you mean {}?", quoted(near)));
    }
    if receiver == "Sandbox" && name.contains("capabilit") {
        return report.advise(
            "no_capability_inside",
            "a sandbox gives its program no capability; outside of one a program keeps those that \
             `clone(MOUNT, || { set_capabilities([…]); exec(…) })` names",
        );
    }
    let takes = |verb: &&&Verb| {
        let hidden = verb.parameters.len() - verb.given().len();
        (verb.least()..=verb.parameters.len()).contains(&(given + hidden))
    };
    match verbs.iter().filter(takes).find(|verb| verb.receiver().is_empty()) {
        Some(verb) => {
            report.hint(format!("it is a function of its own: {}", quoted(verb.signature())))
        }
        None => report,
    }
}

/// That a verb takes another number of arguments than `given`, its receiver among them.
#[must_use]
pub fn arity(verb: &Verb, given: usize) -> Report {
    let hidden = verb.parameters.len() - verb.given().len();
    let (least, most) = (verb.least() - hidden, verb.parameters.len() - hidden);
    another_number(verb.name, least, most, given.saturating_sub(hidden))
        .hint(format!("it is called as `{}`", verb.signature()))
}

/// That a property is called as if it were a verb.
#[must_use]
pub fn called_property(verb: &Verb) -> Report {
    let (name, owner) = (quoted(verb.name), a_type(verb.receiver()));
    let report = Report::error(format!("{name} of {owner} is a property, and not called"));
    report.hint(format!("it is read: `.{}`", verb.name))
}

/// That a function of the language takes another number of values than `given`; `counts` are those
/// that it takes, what it is called on among them.
#[must_use]
pub fn arity_of_language(name: &str, counts: &[usize], given: usize, is_method: bool) -> Report {
    let hidden = usize::from(is_method);
    let ends = |end: Option<&usize>| end.copied().unwrap_or_default().saturating_sub(hidden);
    let (least, most) = (ends(counts.first()), ends(counts.last()));
    another_number(name, least, most, given.saturating_sub(hidden))
}

fn another_number(name: &str, least: usize, most: usize, given: usize) -> Report {
    let takes = match (least, most) {
        (_, 0) => "no arguments".into(),
        _ if least == most => count(most, "argument"),
        _ if least + 1 == most => format!("{least} or {}", count(most, "argument")),
        _ => format!("{least} to {most} arguments"),
    };
    Report::error(format!("{} takes {takes}, not {given}", quoted(name)))
}
