//! Questions to the host, and what a recipe says of itself.

pub mod error;
pub mod listing;
pub mod machine;
pub mod narrate;
pub mod question;

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
    /// How long a condition is waited for.
    struct Patience {
        /// how long, before that is an error
        timeout: Duration = "\"10s\"",
    }
}

/// How long a condition that does not hold is left alone: first, and at most.
const PAUSES: [Time; 2] = [Time::from_millis(1), Time::from_millis(20)];

/// Whether the condition of a closure holds.
fn holds(closure: &FnPtr, call: &Call<'_, '_>) -> Result<bool, VerbError> {
    let given = call.run(closure).map_err(|error| child::failed(*error, call))?;
    given.as_bool().map_err(|_| {
        let (name, given) = (call.name(), a_kind(&given));
        let message = format!("`{name}` takes a closure that gives a boolean, not {given}");
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

/// Throws what a process that has ended has thrown, or that it has failed.
fn not_failed(process: &RefCell<Process>, call: &Call<'_, '_>) -> Result<(), VerbError> {
    let Ok(mut process) = process.try_borrow_mut() else { return Ok(()) };
    let failed = process.failed();
    child::thrown(&process, call)?;
    let Some(exit) = failed else { return Ok(()) };
    let who = match &process.plan().command {
        closure if closure.is_closure() => "the process of a closure".into(),
        command => quoted(command.shown()),
    };
    Err(call.fail(Report::error(format!("the condition does not hold, and {who} {exit}"))))
}

/// The path of a program of the host, looked for along `PATH`; nothing where there is none.
///
/// # Errors
/// A place on the way cannot be looked at.
///
/// # Example
/// ```rhai
/// if which("busybox") == () { print("no busybox here"); }
/// ```
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

/// Whether something is at a path of the host.
///
/// # Example
/// ```rhai
/// print(exists("/etc/passwd"));
/// ```
fn exists(_call: &Call<'_, '_>, path: OwnPath) -> bool {
    std::fs::metadata(&path.0).is_ok()
}

/// A variable of nsscript's own environment; nothing where it is not set.
///
/// # Example
/// ```rhai
/// print(env("HOME") ?? "no home");
/// ```
fn env(call: &Call<'_, '_>, name: String) -> Option<String> {
    call.context.runner.host().environment.get(&name).cloned()
}

/// The working directory: the one that nsscript was started in, until `chdir`.
///
/// What the kernel says of one that the root does not lead to begins with `(unreachable)`.
///
/// # Example
/// ```rhai
/// print(cwd());
/// ```
/// # See
/// getcwd(3)
fn cwd(call: &Call<'_, '_>) -> Result<String, VerbError> {
    let directory = run::working_directory().map_err(|errno| {
        call.fail(Report::error(format!("the working directory is gone: {errno}")))
    })?;
    Ok(directory.to_string_lossy().into_owned())
}

/// The text without the blanks and line ends at both of its ends; the text itself stays.
///
/// # Example
/// ```rhai
/// assert_eq("box\n".trim(), "box");
/// ```
fn trim(_call: &Call<'_, '_>, text: String) -> String {
    text.trim().to_owned()
}

/// Ends the recipe with this exit status; without it, with 0.
///
/// # Example
/// ```rhai
/// if args.len() > 9 { exit(2); }
/// ```
fn exit(call: &Call<'_, '_>, status: Option<i64>) -> Result<(), VerbError> {
    let status = status.unwrap_or(0);
    let code = i32::try_from(status).ok().filter(|code| (0..=255).contains(code));
    Err(code.map_or_else(
        || call.fail(Report::error(format!("{status} is no exit status: they go from 0 to 255"))),
        VerbError::Exit,
    ))
}

/// Waits: seconds, or a text like `"250ms"`, `"5s"`, `"2m"`.
///
/// # Example
/// ```rhai
/// sleep("10ms");
/// ```
fn sleep(call: &Call<'_, '_>, duration: Duration) -> Result<(), VerbError> {
    call.effects().sleep(duration.0, call)
}

/// Waits until `condition`, a closure, gives `true`: for what another process does.
///
/// A dry run, in which no other process does anything, skips it.
///
/// # Errors
/// It still gives `false` when the time is up, or when the processes that the recipe has started have
/// ended and one of them has failed; what it throws, and what that process has thrown.
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

/// Waits until a condition holds, for so long at the most.
fn hold(condition: &FnPtr, patience: Time, call: &Call<'_, '_>) -> Result<(), VerbError> {
    let (start, [mut time, longest]) = (Instant::now(), PAUSES);
    let mut others = running(call);
    while !holds(condition, call)? {
        if !others.is_empty() && others.iter().all(has_ended) {
            // What they did last counts.
            if holds(condition, call)? {
                break;
            }
            others.drain(..).try_for_each(|process| not_failed(&process, call))?;
        }
        let Some(left) = patience.checked_sub(start.elapsed()) else {
            let waited = format!("{patience:?}");
            let report = Report::error(format!("the condition does not hold after {waited}"));
            return Err(call.fail(report.hint(
                "perhaps the process that should bring it about has failed: `wait()` tells",
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
    Err(call.fail(Report::error(format!("the assertion does not hold{message}"))))
}

/// Ends the recipe with an error unless both values are equal. A dry run skips it.
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
