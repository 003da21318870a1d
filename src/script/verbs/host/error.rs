//! What a `catch` can ask an error.

use crate::run::Errno;
use crate::script::binding::call::Call;
use crate::script::binding::error::ScriptError;
use crate::script::binding::verb::{Verb, verbs};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["error.rs";
    get message,
    get errno,
    get name,
    get operation,
    get source,
    get target,
    get hint,
    get line,
];

/// What is wrong, in one sentence.
fn message(_call: &Call<'_, '_>, error: ScriptError) -> String {
    error.message()
}

/// The kernel's error number; nothing where the kernel was not asked.
fn errno(_call: &Call<'_, '_>, error: ScriptError) -> Option<i64> {
    error.first().and_then(|report| report.facts.errno).map(i64::from)
}

/// The name of that number: `"EPERM"`; nothing where the kernel was not asked.
fn name(_call: &Call<'_, '_>, error: ScriptError) -> Option<String> {
    let errno = error.first().and_then(|report| report.facts.errno);
    errno.map(|errno| Errno::new(errno).name())
}

/// What was attempted, in one word, such as `"bind"` or `"execute"`.
fn operation(_call: &Call<'_, '_>, error: ScriptError) -> Option<String> {
    error.first().and_then(|report| report.facts.operation.clone())
}

/// The path on the host that it is about.
fn source(_call: &Call<'_, '_>, error: ScriptError) -> Option<String> {
    error.first().and_then(|report| report.facts.source.clone())
}

/// The path inside that it is about.
fn target(_call: &Call<'_, '_>, error: ScriptError) -> Option<String> {
    error.first().and_then(|report| report.facts.target.clone())
}

/// What helps, where that is known.
fn hint(_call: &Call<'_, '_>, error: ScriptError) -> Option<String> {
    error.first().and_then(|report| report.hints.first().cloned())
}

/// The line that asked for what failed.
fn line(_call: &Call<'_, '_>, error: ScriptError) -> Option<i64> {
    let origin = error.first().and_then(|report| report.origin.clone());
    origin.map(|origin| i64::from(origin.line))
}
