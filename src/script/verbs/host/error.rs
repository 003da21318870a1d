//! The properties of an error that a `catch` receives.

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

/// The error message, one sentence.
fn message(_call: &Call<'_, '_>, error: ScriptError) -> String {
    error.message()
}

/// The error number of the kernel, or `()` if no system call failed.
fn errno(_call: &Call<'_, '_>, error: ScriptError) -> Option<i64> {
    error.first().and_then(|report| report.facts.errno).map(i64::from)
}

/// The name of the error number, such as `"EPERM"`, or `()` if no system call failed.
fn name(_call: &Call<'_, '_>, error: ScriptError) -> Option<String> {
    let errno = error.first().and_then(|report| report.facts.errno);
    errno.map(|errno| Errno::new(errno).name())
}

/// What was attempted, as one word such as `"bind"` or `"execute"`, or `()`.
fn operation(_call: &Call<'_, '_>, error: ScriptError) -> Option<String> {
    error.first().and_then(|report| report.facts.operation.clone())
}

/// The path on the host that the error is about, or `()`.
fn source(_call: &Call<'_, '_>, error: ScriptError) -> Option<String> {
    error.first().and_then(|report| report.facts.source.clone())
}

/// The path in the sandbox that the error is about, or `()`.
fn target(_call: &Call<'_, '_>, error: ScriptError) -> Option<String> {
    error.first().and_then(|report| report.facts.target.clone())
}

/// Advice on how to fix the error, or `()` if there is none.
fn hint(_call: &Call<'_, '_>, error: ScriptError) -> Option<String> {
    error.first().and_then(|report| report.hints.first().cloned())
}

/// The line of the recipe that asked for what failed, or `()`.
fn line(_call: &Call<'_, '_>, error: ScriptError) -> Option<i64> {
    let origin = error.first().and_then(|report| report.origin.clone());
    origin.map(|origin| i64::from(origin.line))
}
