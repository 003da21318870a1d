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
    match (near, verbs.first()) {
        (Some(near), _) => report.hint(format!("did you mean {}?", quoted(near))),
        (None, Some(verb)) => {
            report.hint(format!("it is a function of its own: {}", quoted(verb.signature())))
        }
        (None, None) => report,
    }
}

/// That a verb takes another number of arguments than `given`, its receiver among them.
#[must_use]
pub fn arity(verb: &Verb, given: usize) -> Report {
    let hidden = verb.parameters.len() - verb.given().len();
    let (least, most) = (verb.least() - hidden, verb.parameters.len() - hidden);
    let takes = match (least, most) {
        (_, 0) => "no arguments".into(),
        _ if least == most => count(most, "argument"),
        _ if least + 1 == most => format!("{least} or {}", count(most, "argument")),
        _ => format!("{least} to {most} arguments"),
    };
    let given = given.saturating_sub(hidden);
    let report = Report::error(format!("{} takes {takes}, not {given}", quoted(verb.name)));
    report.hint(format!("it is called as `{}`", verb.signature()))
}
