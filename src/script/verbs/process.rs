//! Programs that were started.

use std::cell::RefMut;

use super::command::{Run, checked, found_here, rehearsed, request, streams};
use crate::diag::Report;
use crate::plan::{RawAction, Request};
use crate::run::{self, Exit, Input, Problem, Process};
use crate::script::Mode;
use crate::script::argument::Bytes;
use crate::script::call::Call;
use crate::script::child;
use crate::script::error::Failed;
use crate::script::signal::Signal;
use crate::script::value::ProcessHandle;
use crate::script::verb::{Verb, verbs};
use crate::spec::Command;

/// The verbs of this file.
pub(super) const VERBS: &[Verb] = verbs!["process.rs";
    get pid,
    get running,
    fn wait,
    fn kill,
    fn kill = kill_by_pid,
    fn write,
    fn read_line,
    fn run,
    fn shell,
];

/// The process itself; none in a rehearsal.
fn process(handle: &ProcessHandle) -> Option<RefMut<'_, Process>> {
    handle.process.as_ref().map(|process| process.borrow_mut())
}

/// The number of a process that a signal may be sent to.
fn addressed(pid: i64, call: &Call<'_, '_>) -> Result<i32, Failed> {
    if pid == i64::from(run::process_id()) {
        let report = Report::error(format!("process {pid} is nsscript itself"));
        return Err(call.fail(report.hint("`exit(status)` ends the recipe")));
    }
    i32::try_from(pid).ok().filter(|number| *number > 0).ok_or_else(|| {
        let report = Report::error(format!("{pid} is no number of a process"));
        call.fail(match pid {
            ..=0 => report.hint(
                "kill(2) would send the signal to a group of processes, or to all; here each is \
                 named by its own number",
            ),
            _ => report.hint("`processes()` lists those that there are"),
        })
    })
}

/// A process can be waited for by the one that has started it.
pub(super) fn own(process: &Process, call: &Call<'_, '_>) -> Result<(), Failed> {
    if process.is_own() {
        return Ok(());
    }
    let report = Report::error("another process has started it, and only that one is told its end");
    Err(call.fail(report.hint("a closure can ask `running`, and wait for what it starts itself")))
}

fn no_pipes(call: &Call<'_, '_>) -> Failed {
    if run::is_copy() {
        let message = format!("`{}` cannot be used in a child process", call.name());
        let hint = "the pipes of a program belong to the process that has started it";
        return call.fail(Report::error(message).hint(hint));
    }
    let report =
        Report::error(format!("`{}` needs a program that was started with pipes", call.name()));
    call.fail(report.hint("`start(command, #{ pipes: true })` connects its input and output"))
}

/// Runs a program in the namespaces of a process that goes on with a closure.
fn beside(
    process: &mut Process,
    request: &Request,
    options: &Run,
    call: &Call<'_, '_>,
) -> Result<Exit, Failed> {
    if options.stdin.is_some() {
        let report = Report::error("`stdin` is for programs of a sandbox");
        return Err(call.fail_at_key("stdin", report));
    }
    let runner = &call.context.runner;
    let closure = Request { command: Command::closure(), ..request.clone() };
    let mut program = runner.fork_beside(process, &closure, &mut || match runner.execute(
        &request.command,
        None,
        request.origin.as_ref(),
    ) {
        Problem::Reports(reports) => child::thrown_bytes(&reports),
        Problem::Interrupted(interrupted) => (Vec::new(), 128 + interrupted.signal),
    })?;
    let exit = program.wait()?;
    child::thrown(&program, call)?;
    checked(exit, options.check, &request.command, None, None, call)
}

/// Runs another program in the sandbox of a process, to its end.
fn run_beside(
    handle: &ProcessHandle,
    command: Command,
    options: &Run,
    call: &Call<'_, '_>,
) -> Result<Exit, Failed> {
    let request = request(command, streams(options, call)?, call);
    if let Some(first) = &handle.rehearsed {
        let joined = call.context.runner.plan_to_join(first, &request);
        call.context.rehearse_plan(joined);
    }
    let Some(mut process) = self::process(handle) else { return Ok(rehearsed()) };
    if process.is_closure() {
        return beside(&mut process, &request, options, call);
    }
    let input = options.stdin.clone().map_or(Input::Inherited, |bytes| Input::Bytes(bytes.0));
    let exit = call.context.runner.join(&mut process, &request, &input)?;
    checked(exit, options.check, &request.command, None, None, call)
}

/// The number of process 1 of the sandbox, as the host sees it.
fn pid(_call: &Call<'_, '_>, process: ProcessHandle) -> i64 {
    self::process(&process).map_or(0, |process| i64::from(process.pid()))
}

/// Whether the program has not ended yet.
fn running(_call: &Call<'_, '_>, process: ProcessHandle) -> bool {
    self::process(&process).is_some_and(|mut process| process.running())
}

/// Waits until the program has ended. Its input, where it is a pipe, ends first.
///
/// What it writes into a pipe meanwhile is kept, and `read_line` gives it afterwards.
///
/// # Errors
/// What the closure of a `clone` has thrown. Another status than 0 is none. The program has written more
/// than 64 MiB that nobody has read, and was ended.
///
/// # Example
/// ```rhai
/// let sleeper = sandbox("/").read_only_root().start("sleep 0.1");
/// print(sleeper.wait().code);
/// ```
fn wait(call: &Call<'_, '_>, process: ProcessHandle) -> Result<Exit, Failed> {
    let Some(mut process) = self::process(&process) else { return Ok(rehearsed()) };
    own(&process, call)?;
    let exit = process.wait().map_err(|problem| found_here(problem, call))?;
    // What a closure has thrown is not lost; how its process ended otherwise is no error.
    child::thrown(&process, call)?;
    Ok(exit)
}

/// Sends a signal to the program: a name such as `"TERM"`, or a number.
///
/// # Example
/// ```rhai
/// let sleeper = sandbox("/").read_only_root().start("sleep 60");
/// sleeper.kill("TERM");
/// print(sleeper.wait().signal);
/// ```
/// # See
/// signal(7)
fn kill(call: &Call<'_, '_>, process: ProcessHandle, signal: Signal) -> Result<(), Failed> {
    let Some(mut process) = self::process(&process) else { return Ok(()) };
    process
        .kill(signal.0)
        .map_err(|errno| call.fail(Report::error(format!("cannot send the signal: {errno}"))))
}

/// Sends a signal to the process with this number: a name such as `"TERM"`, or a number.
///
/// # Errors
/// There is no such process, or it belongs to another user; it is none that the recipe has
/// started. Numbers below 1, by which kill(2) means many processes at a time, and nsscript
/// itself are refused.
///
/// # Example
/// ```rhai
/// let sleeper = sandbox("/").read_only_root().start("sleep 60");
/// kill(sleeper.pid, "TERM");
/// print(sleeper.wait().signal);
/// ```
/// # See
/// kill(2), signal(7)
fn kill_by_pid(call: &Call<'_, '_>, pid: i64, signal: Signal) -> Result<(), Failed> {
    let rehearses = call.context.mode() == Mode::Rehearse;
    // A process that a rehearsal did not start has the number 0.
    if rehearses && pid == 0 {
        return Ok(());
    }
    let number = addressed(pid, call)?;
    if rehearses {
        let signal = run::signal_name(signal.0);
        let action = RawAction::Signal { pid: number, signal };
        call.context.rehearse(action, call.origin());
        return Ok(());
    }
    for process in call.context.running() {
        if let Ok(mut process) = process.try_borrow_mut()
            && process.pid() == number
        {
            process.note_signal();
        }
    }
    Ok(call.context.runner.kill(number, signal.0, call.origin().as_ref())?)
}

/// Writes text or bytes to the input of a program that was started with pipes.
///
/// # Errors
/// The program has ended, or was started without pipes.
///
/// # Example
/// ```rhai
/// let cat = sandbox("/").read_only_root().start("cat", #{ pipes: true });
/// cat.write("hello\n");
/// ```
fn write(call: &Call<'_, '_>, process: ProcessHandle, text: Bytes) -> Result<(), Failed> {
    let Some(mut process) = self::process(&process) else { return Ok(()) };
    match process.write(&text.0) {
        Some(written) => written.map_err(|problem| found_here(problem, call)),
        None => Err(no_pipes(call)),
    }
}

/// Reads a line of the output of a program that was started with pipes; nothing at its end.
///
/// # Errors
/// The program was started without pipes.
///
/// # Example
/// ```rhai
/// let clock = sandbox("/").read_only_root().start("date", #{ pipes: true });
/// print(clock.read_line());
/// ```
fn read_line(call: &Call<'_, '_>, process: ProcessHandle) -> Result<Option<String>, Failed> {
    let Some(mut process) = self::process(&process) else { return Ok(None) };
    match process.read_line() {
        Some(Ok(line)) => Ok(line.map(|line| String::from_utf8_lossy(&line).into_owned())),
        Some(Err(problem)) => Err(found_here(problem, call)),
        None => Err(no_pipes(call)),
    }
}

/// Runs another program in the same sandbox, to its end.
///
/// It is in all namespaces of the sandbox, the same user, and has the same environment.
///
/// # Errors
/// The sandbox has ended; as for `run` of a sandbox.
///
/// # Example
/// ```rhai
/// let sleeper = sandbox("/").read_only_root().proc("/proc").start("sleep 60");
/// sleeper.run("ps ax");
/// ```
/// # See
/// setns(2)
fn run(
    call: &Call<'_, '_>,
    process: ProcessHandle,
    command: Command,
    options: Run,
) -> Result<Exit, Failed> {
    run_beside(&process, command, &options, call)
}

/// Runs a shell in the sandbox of the process, to its end.
///
/// It is the one that `SHELL` inside says, bash, or sh. Its exit status is no error.
///
/// # Errors
/// The sandbox has ended; no shell is in the root.
///
/// # Example
/// ```rhai
/// let sleeper = sandbox("/").read_only_root().dev("/dev").proc("/proc").start("sleep 60");
/// sleeper.shell();
/// ```
/// # See
/// setns(2), pty(7)
fn shell(call: &Call<'_, '_>, process: ProcessHandle) -> Result<Exit, Failed> {
    let options = Run { check: Some(false), ..Run::default() };
    let runner = &call.context.runner;
    let plan = match (&process.rehearsed, self::process(&process)) {
        (Some(first), _) => (**first).clone(),
        (None, Some(process)) => process.plan().clone(),
        (None, None) => return Ok(rehearsed()),
    };
    let command = Command::new(vec![runner.shell_of(&plan)]);
    let command = command.map_err(|invalid| call.fail((&invalid).into()))?;
    run_beside(&process, command, &options, call)
}
