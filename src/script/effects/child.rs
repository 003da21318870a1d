//! Closures of a recipe in child processes, and their values.

use rhai::{Dynamic, EvalAltResult, FnPtr};

use super::codec::{self, Answer};
use crate::diag::{Caller, Ended, Origin, Report, Severity};
use crate::run::{Exit, Process, RunError};
use crate::script::binding::call::Call;
use crate::script::binding::error::{End, IN_CHILD, VerbError};
use crate::script::binding::value::{ProcessHandle, SharedNetwork};
use crate::script::errors::reword;

/// Creates the process of a closure, given the function that it runs.
pub type Start<'a> = &'a dyn Fn(crate::run::Body<'_>) -> Result<Process, RunError>;

/// Starts `closure` in a process that `start` creates.
///
/// # Errors
/// The process cannot be created.
pub fn start(
    closure: &FnPtr,
    call: &Call<'_, '_>,
    start: Start<'_>,
) -> Result<ProcessHandle, VerbError> {
    // Before the child exists, because it shares this record.
    call.context.printed();
    let process = start(&mut || {
        call.context.enter_copy();
        perform(closure, call)
    })?;
    Ok(call.context.started(process))
}

/// Runs `closure` in a process that `start` creates, and returns its value.
///
/// # Errors
/// The process cannot be created, or the closure throws an error.
pub fn run(closure: &FnPtr, call: &Call<'_, '_>, make: Start<'_>) -> Result<Dynamic, VerbError> {
    let handle = start(closure, call, make)?;
    let Some(process) = handle.process else { return Ok(Dynamic::UNIT) };
    let mut process = process.borrow_mut();
    let exit = process.wait()?;
    value(&process, exit, call)
}

/// The value of a closure whose process has exited.
///
/// # Errors
/// The error that it threw, or that it exited without a value.
pub fn value(process: &Process, exit: Exit, call: &Call<'_, '_>) -> Result<Dynamic, VerbError> {
    match codec::from_bytes(process.value()) {
        Some(Answer::Value(value)) => Ok(value),
        Some(Answer::Failed(reports)) => Err(inside(reports, call)),
        // It became a program, or called `exit`.
        None if exit.code == 0 => Ok(Dynamic::UNIT),
        None => {
            let mut report = Report::error(format!("the child process {exit}"));
            report.facts.operation = Some(call.name().into());
            report.facts.status = Some(exit.code);
            let ended = Ended { code: exit.code, signal: exit.signal, written: None };
            report.facts.program = Some(Box::new(ended));
            Err(call.fail(match exit.signal {
                Some(11) => report.hint(
                    "a program crashed, or the recipe itself: check its closures for endless \
                     recursion",
                ),
                _ => report,
            }))
        }
    }
}

/// Throws the error of a closure whose process has exited.
///
/// # Errors
/// The error of the closure.
pub fn thrown(process: &Process, call: &Call<'_, '_>) -> Result<(), VerbError> {
    match codec::from_bytes(process.value()) {
        Some(Answer::Failed(reports)) => Err(inside(reports, call)),
        _ => Ok(()),
    }
}

/// The bytes to send for these reports, and the exit status.
pub fn thrown_bytes(reports: &[Report]) -> (Vec<u8>, i32) {
    let status = reports.iter().find_map(|report| report.facts.status);
    (codec::reports_to_bytes(reports), status.unwrap_or(1))
}

/// The errors of a closure, with the call that waited for it.
fn inside(mut reports: Vec<Report>, call: &Call<'_, '_>) -> VerbError {
    if let Some(report) = reports.iter().find(|report| report.severity == Severity::NotRun) {
        return VerbError::NotRun(report.message.clone());
    }
    for report in &mut reports {
        match (&report.origin, call.origin()) {
            (None, here) => report.origin = here,
            (Some(_), Some(here)) => {
                let which = match call.name() {
                    "wait" | "value" | "wait_until" => format!("that `{}` waited for", call.name()),
                    name => format!("of `{name}`"),
                };
                report.notes.push(format!("{IN_CHILD} {which} at {here}"));
            }
            _ => {}
        }
    }
    VerbError::Reports(reports)
}

/// Runs the closure in its process, and returns the bytes to send and the exit status.
fn perform(closure: &FnPtr, call: &Call<'_, '_>) -> (Vec<u8>, i32) {
    let value = match call.run(closure) {
        Ok(value) => value,
        Err(error) => {
            return match failed(*error, call) {
                VerbError::Exit(code) => (Vec::new(), code),
                VerbError::Interrupted(signal) => (Vec::new(), 128 + signal),
                // A missing requirement is reported by the whole recipe.
                VerbError::NotRun(reason) => thrown_bytes(&[Report::not_run(reason)]),
                VerbError::Reports(reports) => thrown_bytes(&reports),
            };
        }
    };
    // Verbs of networks return the network, which is not meant as the closure's value.
    let value = if value.is::<SharedNetwork>() { Dynamic::UNIT } else { value };
    match codec::value_to_bytes(&value) {
        Ok(bytes) => (bytes, 0),
        Err(why) => {
            let message = format!("the value of the closure cannot be passed back: {why}");
            let report = Report::error(message).at(call.origin()).hint(
                "return plain values: booleans, numbers, strings, blobs, arrays, maps, errors",
            );
            (codec::reports_to_bytes(&[report]), 1)
        }
    }
}

/// The error that ended a closure.
pub fn failed(error: EvalAltResult, call: &Call<'_, '_>) -> VerbError {
    let mut inner = &error;
    while let EvalAltResult::ErrorInFunctionCall(_, _, next, _)
    | EvalAltResult::ErrorInModule(_, next, _) = inner
    {
        inner = next;
    }
    if let EvalAltResult::ErrorTerminated(token, _) = inner
        && let Some(end) = token.clone().try_cast::<End>()
    {
        return end.into();
    }
    let mut reports = reword::reports(error, call.context);
    // The call itself reports that its closure leads there.
    let here = call.origin();
    for origin in reports.iter_mut().filter_map(|report| report.origin.as_mut()) {
        let is_this = |caller: &&Caller| {
            let same = |here: &Origin| (here.line, here.column) == (caller.line, caller.column);
            !(caller.function.is_empty() && here.as_ref().is_some_and(same))
        };
        origin.callers = origin.callers.iter().filter(is_this).cloned().collect();
    }
    VerbError::Reports(reports)
}
