//! Errors for verbs that are called on a value of another type, or with wrong arguments.

use super::argument::a_type;
use super::catalog;
use super::verb::Verb;
use crate::diag::{Report, count, quoted};
use crate::script::language::foreign::{self, Place};

/// The report that a type has no verb of this name, or one with other arguments.
#[must_use]
pub fn no_verb_of(receiver: &str, name: &str, given: usize) -> Report {
    let verbs = catalog::named(name);
    if let Some(verb) = verbs.iter().find(|verb| verb.receiver() == receiver) {
        return arity(verb, given + 1);
    }
    let owner = a_type(receiver);
    let report = Report::error(format!("{owner} has no verb {}", quoted(name)));
    if let Some(hint) = foreign_verb(receiver, name) {
        return report.hint(hint);
    }
    // The most similar name, or a synonym.
    let near = match name {
        "mkdir" => Some("directory"),
        "write_file" => Some("file"),
        "mknod" => Some("device"),
        "capabilities" | "capability" | "cap_add" => Some("keep_capabilities"),
        _ => catalog::near(name, |verb| verb.receiver() == receiver, []),
    };
    let near = near.filter(|near| catalog::named(near).iter().any(|it| it.receiver() == receiver));
    if let Some(near) = near {
        return report.hint(format!("did you mean {}?", quoted(near)));
    }
    let takes = |verb: &&&Verb| {
        let hidden = verb.parameters.len() - verb.given().len();
        (verb.least()..=verb.parameters.len()).contains(&(given + hidden))
    };
    match verbs.iter().filter(takes).find(|verb| verb.receiver().is_empty()) {
        Some(verb) => {
            report.hint(format!("call the function instead: {}", quoted(verb.signature())))
        }
        None => report,
    }
}

/// The hint for a verb that other tools have for what a sandbox or root has.
#[must_use]
pub fn foreign_verb(receiver: &str, name: &str) -> Option<&'static str> {
    let has_words = matches!(receiver, "Sandbox" | "Rootfs");
    foreign::hint(name, &[Place::Verb]).filter(|_| has_words)
}

/// The report for a wrong number of arguments of a verb, including the receiver.
#[must_use]
pub fn arity(verb: &Verb, given: usize) -> Report {
    let hidden = verb.parameters.len() - verb.given().len();
    let (least, most) = (verb.least() - hidden, verb.parameters.len() - hidden);
    another_number(verb.name, least, most, given.saturating_sub(hidden))
        .hint(format!("call it as `{}`", verb.signature()))
}

/// The report for a property that is called like a verb.
#[must_use]
pub fn called_property(verb: &Verb) -> Report {
    let (name, owner) = (quoted(verb.name), a_type(verb.receiver()));
    let report = Report::error(format!("{name} of {owner} is a property, not a verb"));
    report.hint(format!("read it without parentheses: `.{}`", verb.name))
}

/// The report for a wrong number of arguments of a function of the language; `counts` are the
/// accepted numbers, including the receiver.
#[must_use]
pub fn arity_of_language(name: &str, counts: &[usize], given: usize, is_method: bool) -> Report {
    let hidden = usize::from(is_method);
    let ends = |end: Option<&usize>| end.copied().unwrap_or_default().saturating_sub(hidden);
    let (least, most) = (ends(counts.first()), ends(counts.last()));
    let report = another_number(name, least, most, given.saturating_sub(hidden));
    match foreign::hint(name, &[Place::Function]) {
        Some(hint) => report.hint(hint),
        None => report,
    }
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
