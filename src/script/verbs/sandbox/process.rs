//! Started programs.

use super::command::{
    Finished, Run, checked, input, opened, refuse_terminal, request, shell_command, streams, time,
};
use crate::run::{Cause, Exit, Input};
use crate::script::binding::argument::{Bytes, Duration};
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::options::options;
use crate::script::binding::signal::Signal;
use crate::script::binding::value::ProcessHandle;
use crate::script::binding::verb::{Verb, verbs};
use crate::spec::Command;

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["process.rs";
    get pid,
    get running,
    fn wait,
    fn kill,
    fn kill = kill_by_pid,
    fn write,
    fn read_line,
    fn run,
    fn sh,
    fn shell,
];

options! {
    /// How long to wait for a process.
    struct Patience {
        /// how long the process may still run; then it gets SIGTERM
        timeout: Duration = "",
        /// how long the process may take to end after SIGTERM; then it is killed
        grace: Duration = "\"1s\"",
        /// treats an exit status other than 0 as an error; false allows a timeout as well
        check: bool = "false",
    }
}

/// Runs another program in the sandbox of a process until it exits.
fn run_beside(
    handle: &ProcessHandle,
    command: Command,
    options: &Run,
    call: &Call<'_, '_>,
) -> Result<Exit, VerbError> {
    let (streams, bounds) = (streams(options, call)?, options.bounds(call)?);
    if let Some(plan) = handle.plan() {
        refuse_terminal(&plan, options, call)?;
    }
    let request = opened(request(command, streams, call), call)?;
    let input = input(options.stdin.clone(), Input::Inherited);
    let exit = call.effects().join(handle, &request, &input, &bounds, call)?;
    let (command, timeout) = (&request.command, bounds.timeout);
    let finished = Finished { command, written: None, timeout, lacks: None };
    checked(exit, options.check, finished, call)
}

/// The process id, on the host, of process 1 of the sandbox.
fn pid(_call: &Call<'_, '_>, process: ProcessHandle) -> i64 {
    process.pid.map_or(0, i64::from)
}

/// Whether the program is still running.
fn running(_call: &Call<'_, '_>, process: ProcessHandle) -> bool {
    process.running()
}

/// Waits until the program exits. If its input is a pipe, the pipe is closed first.
///
/// Output that the program writes to a pipe meanwhile is kept for `read_line`. An exit status other
/// than 0 is an error only if `check` is true.
///
/// # Errors
/// An error that the closure of `clone` threw. The program wrote more than 64 MiB that nobody read,
/// and was killed. The program runs longer than `timeout`, unless `check` is false.
///
/// # Example
/// ```rhai
/// let sleeper = sandbox("/").start("sleep 0.1");
/// print(sleeper.wait().code);
/// let sleeper = sandbox("/").start("sleep 60");
/// assert_eq(sleeper.wait(#{ timeout: "50ms", check: false }).cause, "timeout");
/// ```
/// # See
/// wait(2)
fn wait(call: &Call<'_, '_>, process: ProcessHandle, options: Patience) -> Result<Exit, VerbError> {
    let timeout = time(options.timeout, options.grace, call)?;
    let exit = call.effects().wait(&process, timeout, call)?;
    let check = options.check.unwrap_or(timeout.is_some() && exit.cause == Cause::Timeout);
    let plan = process.plan();
    let closure = Command::closure();
    let command = plan.as_ref().map_or(&closure, |plan| &plan.command);
    let finished = Finished { command, written: None, timeout, lacks: None };
    checked(exit, Some(check), finished, call)
}

/// Sends a signal to the program: a name such as `"TERM"`, or a number.
///
/// # Example
/// ```rhai
/// let sleeper = sandbox("/").start("sleep 60");
/// sleeper.kill("TERM");
/// print(sleeper.wait().signal);
/// ```
/// # See
/// signal(7)
fn kill(call: &Call<'_, '_>, process: ProcessHandle, signal: Signal) -> Result<(), VerbError> {
    call.effects().kill(&process, signal.0, call)
}

/// Sends a signal to the process with this id: a name such as `"TERM"`, or a number.
///
/// # Errors
/// The process does not exist, belongs to another user, or was not started by the recipe. The id is
/// that of nsscript, or below 1, which kill(2) takes for groups of processes.
///
/// # Example
/// ```rhai
/// let sleeper = sandbox("/").start("sleep 60");
/// kill(sleeper.pid, "TERM");
/// print(sleeper.wait().signal);
/// ```
/// # See
/// kill(2), signal(7)
fn kill_by_pid(call: &Call<'_, '_>, pid: i64, signal: Signal) -> Result<(), VerbError> {
    call.effects().kill_by_pid(pid, signal.0, call)
}

/// Writes a string or blob to the input of a program that was started with `pipes: true`.
///
/// # Errors
/// The program has exited, or was started without pipes.
///
/// # Example
/// ```rhai
/// let cat = sandbox("/").start("cat", #{ pipes: true });
/// cat.write("hello\n");
/// ```
/// # See
/// pipe(7)
fn write(call: &Call<'_, '_>, process: ProcessHandle, text: Bytes) -> Result<(), VerbError> {
    call.effects().write(&process, &text.0, call)
}

/// Returns the next line of the output of a program started with `pipes: true`, or `()` at the end.
///
/// # Errors
/// The program was started without pipes.
///
/// # Example
/// ```rhai
/// let clock = sandbox("/").start("date", #{ pipes: true });
/// print(clock.read_line());
/// ```
/// # See
/// pipe(7)
fn read_line(call: &Call<'_, '_>, process: ProcessHandle) -> Result<Option<String>, VerbError> {
    let line = call.effects().read_line(&process, call)?;
    Ok(line.map(|line| String::from_utf8_lossy(&line).into_owned()))
}

/// Runs another program in the sandbox of the process until it exits.
///
/// It has the same namespaces, root, user and environment as the first program.
///
/// # Errors
/// The sandbox has ended. As for `run` of a sandbox.
///
/// # Example
/// ```rhai
/// let sleeper = sandbox("/").start("sleep 60");
/// sleeper.run("ps ax");
/// ```
/// # See
/// setns(2)
fn run(
    call: &Call<'_, '_>,
    process: ProcessHandle,
    command: Command,
    options: Run,
) -> Result<Exit, VerbError> {
    run_beside(&process, command, &options, call)
}

/// Runs a shell script in the sandbox of the process until it exits: `run(["sh", "-c", script])`.
///
/// # Errors
/// As for `run`. The sandbox has no `sh`.
///
/// # Example
/// ```rhai
/// let sleeper = sandbox("/").start("sleep 60");
/// sleeper.sh("ps ax | grep sleep");
/// ```
/// # See
/// sh(1), setns(2)
fn sh(
    call: &Call<'_, '_>,
    process: ProcessHandle,
    script: String,
    options: Run,
) -> Result<Exit, VerbError> {
    run_beside(&process, shell_command(script, call)?, &options, call)
}

/// Runs an interactive shell in the sandbox of the process until it exits.
///
/// The shell is the program that `SHELL` names inside, otherwise bash, otherwise sh. An exit status
/// other than 0 is not an error.
///
/// # Errors
/// The sandbox has ended; the root has no shell.
///
/// # Example
/// ```rhai
/// let sleeper = sandbox("/").start("sleep 60");
/// sleeper.shell();
/// ```
/// # See
/// setns(2), pty(7)
fn shell(call: &Call<'_, '_>, process: ProcessHandle) -> Result<Exit, VerbError> {
    let options = Run { check: Some(false), ..Run::default() };
    let shell = process.plan().map(|plan| call.context.runner.shell_of(&plan));
    let command = Command::new(vec![shell.unwrap_or_else(|| "sh".into())]);
    let command = command.map_err(|invalid| call.fail((&invalid).into()))?;
    run_beside(&process, command, &options, call)
}
