//! Closures of a recipe in child processes, and their values.

use std::cell::RefCell;
use std::rc::Rc;

use rhai::{Array, Dynamic, EvalAltResult, FnPtr};

use super::codec::{self, Answer};
use crate::diag::{Caller, Ended, Origin, Report, Severity, escape, shortened};
use crate::run::{self, Exit, Process, RunError};
use crate::script::binding::call::Call;
use crate::script::binding::error::{End, IN_CHILD, VerbError};
use crate::script::binding::value::{ProcessHandle, SharedNetwork, shown};
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

/// Calls `closure` for each item, in processes that `make` creates, `most` at once, and returns the
/// values in the order of the items.
///
/// # Errors
/// The first error that one of them throws, with its item. The others are ended.
pub fn several(
    items: &Array,
    closure: &FnPtr,
    most: usize,
    call: &Call<'_, '_>,
    make: Start<'_>,
) -> Result<Array, VerbError> {
    let mut values = vec![Dynamic::UNIT; items.len()];
    let mut running = Running(Vec::new());
    let mut next = 0;
    loop {
        while next < items.len() && running.0.len() < most {
            let handle = start(&with_item(closure, items[next].clone()), call, make);
            let handle = handle.map_err(|error| of_item(error, next, &items[next]))?;
            running.0.extend(handle.process.map(|process| (next, process)));
            next += 1;
        }
        if running.0.is_empty() {
            return Ok(values);
        }
        let processes: Vec<_> = running.0.iter().map(|(_, process)| process.clone()).collect();
        let (index, process) = running.0.remove(run::first_ended(&processes)?);
        let mut process = process.borrow_mut();
        let given = match process.wait() {
            Ok(exit) => value(&process, exit, call),
            Err(error) => Err(error.into()),
        };
        values[index] = given.map_err(|error| of_item(error, index, &items[index]))?;
    }
}

/// The closure with its argument.
pub fn with_item(closure: &FnPtr, item: Dynamic) -> FnPtr {
    let mut closure = closure.clone();
    closure.add_curry(item);
    closure
}

/// The error of a closure, with the item that it was called for.
pub fn of_item(error: VerbError, index: usize, item: &Dynamic) -> VerbError {
    match error {
        VerbError::Reports(mut reports) => {
            let item = escape(&shortened(&shown(item), 60));
            for report in &mut reports {
                report.notes.push(format!("in the call for item {index}: {item}"));
            }
            VerbError::Reports(reports)
        }
        other => other,
    }
}

/// Processes that are ended when this is dropped, each with the index of its item.
struct Running(Vec<(usize, Rc<RefCell<Process>>)>);

impl Drop for Running {
    fn drop(&mut self) {
        const SIGKILL: i32 = 9;
        for (_, process) in &self.0 {
            if let Ok(mut process) = process.try_borrow_mut() {
                let _ = process.kill(SIGKILL);
                let _ = process.wait();
            }
        }
    }
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
