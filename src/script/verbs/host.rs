//! Questions to the host, assertions, waiting.

mod date;
pub mod error;
pub mod files;
mod format;
mod json;
pub mod listing;
pub mod machine;
pub mod narrate;
pub mod path;
pub mod question;
pub mod stream;
pub mod text;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration as Time, Instant};

use rhai::{Dynamic, FnPtr};

use crate::diag::{Report, escape, quoted};
use crate::run::{self, Process};
use crate::script::binding::argument::{Duration, HostProgram, OwnPath, a_kind};
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::options::options;
use crate::script::binding::value::shown;
use crate::script::binding::verb::{Verb, verbs};
use crate::script::effects::child;

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["host.rs";
    fn which,
    fn exists,
    fn env,
    fn cwd,
    fn trim,
    fn exit,
    fn sleep,
    fn wait_until,
    fn assert,
    fn assert_eq,
];

options! {
    /// How long to wait for a condition.
    struct Patience {
        /// the longest wait, after which the recipe fails
        timeout: Duration = "\"10s\"",
    }
}

/// The first and the longest pause between two checks of a condition.
const PAUSES: [Time; 2] = [Time::from_millis(1), Time::from_millis(20)];

/// The boolean that a closure returns.
fn holds(closure: &FnPtr, call: &Call<'_, '_>) -> Result<bool, VerbError> {
    let given = call.run(closure).map_err(|error| child::failed(*error, call))?;
    given.as_bool().map_err(|_| {
        let (name, given) = (call.name(), a_kind(&given));
        let message = format!("the closure of `{name}` must return a boolean, not {given}");
        call.fail(Report::error(message))
    })
}

/// The processes that the recipe has started, and that run.
fn running(call: &Call<'_, '_>) -> Vec<Rc<RefCell<Process>>> {
    let mut running = call.context.running();
    running
        .retain(|process| process.try_borrow().is_ok_and(|it| it.is_own()) && !has_ended(process));
    running
}

fn has_ended(process: &Rc<RefCell<Process>>) -> bool {
    process.try_borrow().is_ok_and(|process| process.seems_ended())
}

/// Throws the error of an ended process, or that it failed.
fn not_failed(process: &RefCell<Process>, call: &Call<'_, '_>) -> Result<(), VerbError> {
    let Ok(mut process) = process.try_borrow_mut() else { return Ok(()) };
    let failed = process.failed();
    child::thrown(&process, call)?;
    let Some(exit) = failed else { return Ok(()) };
    let who = match &process.plan().command {
        closure if closure.is_closure() => "the process of a closure".into(),
        command => quoted(command.shown()),
    };
    Err(call.fail(Report::error(format!("the condition is still false, and {who} {exit}"))))
}

/// Returns the path of a host program that is found along `PATH`, or `()` if there is none.
///
/// # Errors
/// A directory of `PATH` cannot be read.
///
/// # Example
/// ```rhai
/// if which("busybox") == () { print("no busybox here"); }
/// ```
/// # See
/// which(1), environ(7)
fn which(call: &Call<'_, '_>, program: HostProgram) -> Result<Option<String>, VerbError> {
    let host = call.context.runner.host();
    let search = host.environment.get("PATH").map(String::as_str);
    host.tree.take_unseen();
    let path = host.tree.which(&program.0, search);
    if let Some(unseen) = host.tree.take_unseen() {
        return Err(call.fail(unseen.into()));
    }
    Ok(path.map(|path| path.to_string_lossy().into_owned()))
}

/// Returns whether a path exists on the host. Symbolic links are followed.
///
/// # Example
/// ```rhai
/// print(exists("/etc/passwd"));
/// ```
/// # See
/// stat(2)
fn exists(_call: &Call<'_, '_>, path: OwnPath) -> bool {
    std::fs::metadata(&path.0).is_ok()
}

/// Returns an environment variable of nsscript, or `()` if it is not set.
///
/// # Example
/// ```rhai
/// print(env("HOME") ?? "no home");
/// ```
/// # See
/// environ(7)
fn env(call: &Call<'_, '_>, name: String) -> Option<String> {
    call.context.runner.host().environment.get(&name).cloned()
}

/// Returns the working directory. It is the one nsscript was started in, until `chdir` changes it.
///
/// If the directory is outside the root directory, the kernel's path begins with `(unreachable)`.
///
/// # Example
/// ```rhai
/// print(cwd());
/// ```
/// # See
/// getcwd(3)
fn cwd(call: &Call<'_, '_>) -> Result<String, VerbError> {
    let directory = run::working_directory().map_err(|errno| {
        call.fail(Report::error(format!("cannot find the working directory: {errno}")))
    })?;
    Ok(directory.to_string_lossy().into_owned())
}

/// Returns the string without whitespace at both ends. The original string does not change.
///
/// # Example
/// ```rhai
/// assert_eq("box\n".trim(), "box");
/// ```
fn trim(_call: &Call<'_, '_>, text: String) -> String {
    text.trim().to_owned()
}

/// Ends the recipe with an exit status from 0 to 255; the default is 0.
///
/// # Example
/// ```rhai
/// if args.len() > 9 { exit(2); }
/// ```
fn exit(call: &Call<'_, '_>, status: Option<i64>) -> Result<(), VerbError> {
    let status = status.unwrap_or(0);
    let code = i32::try_from(status).ok().filter(|code| (0..=255).contains(code));
    Err(code.map_or_else(
        || {
            call.fail(Report::error(format!(
                "invalid exit status {status}: expected a number from 0 to 255"
            )))
        },
        VerbError::Exit,
    ))
}

/// Waits for a duration: a number of seconds, or a string such as `"250ms"`, `"5s"` or `"2m"`.
///
/// # Example
/// ```rhai
/// sleep("10ms");
/// ```
/// # See
/// nanosleep(2)
fn sleep(call: &Call<'_, '_>, duration: Duration) -> Result<(), VerbError> {
    call.effects().sleep(duration.0, call)
}

/// Waits until a closure returns `true`, for example until another process has done something.
///
/// The closure is called again and again, at first after 1 ms, later every 20 ms. A dry run skips
/// the verb, because no other process runs in it.
///
/// # Errors
/// The closure still returns `false` when the timeout expires, or when all processes of the recipe
/// have exited and one of them failed. An error that the closure throws, or that such a process
/// threw, is thrown here.
///
/// # Example
/// ```rhai
/// let ready = `${scratch()}/ready`;
/// let child = clone(UTS, || { sethostname("box"); write_file(ready, ""); sleep("5s"); });
/// wait_until(|| exists(ready));
/// assert_eq(child.within(|| hostname()), "box");
/// ```
fn wait_until(call: &Call<'_, '_>, condition: FnPtr, options: Patience) -> Result<(), VerbError> {
    let patience = options.timeout.map_or(Time::from_secs(10), |timeout| timeout.0);
    call.effects().wait_until(&mut || hold(&condition, patience, call))
}

/// Waits until a condition is true, at most for a given time.
fn hold(condition: &FnPtr, patience: Time, call: &Call<'_, '_>) -> Result<(), VerbError> {
    let (start, [mut time, longest]) = (Instant::now(), PAUSES);
    let mut others = running(call);
    while !holds(condition, call)? {
        if !others.is_empty() && others.iter().all(has_ended) {
            // Their last effects count.
            if holds(condition, call)? {
                break;
            }
            others.drain(..).try_for_each(|process| not_failed(&process, call))?;
        }
        let Some(left) = patience.checked_sub(start.elapsed()) else {
            let waited = format!("{patience:?}");
            let report = Report::error(format!("the condition is still false after {waited}"));
            return Err(call
                .fail(report.hint(
                    "check with `wait()` if the process that should make it true has failed",
                )));
        };
        call.effects().sleep(time.min(left), call)?;
        time = longest.min(time * 2);
    }
    Ok(())
}

/// Ends the recipe with an error unless `condition` is true. A dry run skips it.
///
/// # Example
/// ```rhai
/// assert(exists("/"), "there is a root");
/// ```
fn assert(call: &Call<'_, '_>, condition: bool, message: Option<String>) -> Result<(), VerbError> {
    if call.effects().holds(condition) {
        return Ok(());
    }
    let message = message.map(|text| format!(": {}", escape(&text))).unwrap_or_default();
    Err(call.fail(Report::error(format!("assertion failed{message}"))))
}

/// Ends the recipe with an error that shows both values unless they are equal. A dry run skips it.
///
/// # Example
/// ```rhai
/// assert_eq(1 + 1, 2);
/// ```
fn assert_eq(
    call: &Call<'_, '_>,
    left: Dynamic,
    right: Dynamic,
    message: Option<String>,
) -> Result<(), VerbError> {
    if call.effects().holds(call.equal(&left, &right)) {
        return Ok(());
    }
    let message = message.map(|text| format!(": {}", escape(&text))).unwrap_or_default();
    let report = Report::error(format!("the values are not equal{message}"));
    let report = report.note(format!("left:  {}", escape(&shown(&left))));
    let report = report.note(format!("right: {}", escape(&shown(&right))));
    Err(call.fail(report))
}
