//! The properties of an error that a `catch` receives.

use crate::diag::Ended;
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
    get code,
    get signal,
    get stdout,
    get stderr,
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

/// How the program ended, if the error is that a program failed.
fn program(error: &ScriptError) -> Option<&Ended> {
    error.first().and_then(|report| report.facts.program.as_deref())
}

/// The exit status of the program that failed, or 128 + n if signal n ended it; otherwise `()`.
fn code(_call: &Call<'_, '_>, error: ScriptError) -> Option<i64> {
    program(&error).map(|program| i64::from(program.code))
}

/// The number of the signal that ended the program, or `()`.
fn signal(_call: &Call<'_, '_>, error: ScriptError) -> Option<i64> {
    program(&error).and_then(|program| program.signal).map(i64::from)
}

/// What the program that failed wrote to standard output, if `output` kept it; otherwise `()`.
fn stdout(_call: &Call<'_, '_>, error: ScriptError) -> Option<String> {
    program(&error).and_then(|program| program.written.clone()).map(|[output, _]| output)
}

/// What the program that failed wrote to standard error, if `output` kept it; otherwise `()`.
fn stderr(_call: &Call<'_, '_>, error: ScriptError) -> Option<String> {
    program(&error).and_then(|program| program.written.clone()).map(|[_, errors]| errors)
}
