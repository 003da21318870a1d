//! Programs that were started.

use super::command::{Run, checked, input, request, streams};
use crate::run::{Exit, Input};
use crate::script::binding::argument::Bytes;
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
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
    fn shell,
];

/// Runs another program in the sandbox of a process, to its end.
fn run_beside(
    handle: &ProcessHandle,
    command: Command,
    options: &Run,
    call: &Call<'_, '_>,
) -> Result<Exit, VerbError> {
    let request = request(command, streams(options, call)?, call);
    let input = input(options.stdin.clone(), Input::Inherited);
    let exit = call.effects().join(handle, &request, &input, call)?;
    checked(exit, options.check, &request.command, None, None, call)
}

/// The number of process 1 of the sandbox, as the host sees it.
fn pid(_call: &Call<'_, '_>, process: ProcessHandle) -> i64 {
    process.pid().map_or(0, i64::from)
}

/// Whether the program has not ended yet.
fn running(_call: &Call<'_, '_>, process: ProcessHandle) -> bool {
    process.running()
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
fn wait(call: &Call<'_, '_>, process: ProcessHandle) -> Result<Exit, VerbError> {
    call.effects().wait(&process, call)
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
fn kill(call: &Call<'_, '_>, process: ProcessHandle, signal: Signal) -> Result<(), VerbError> {
    call.effects().kill(&process, signal.0, call)
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
fn kill_by_pid(call: &Call<'_, '_>, pid: i64, signal: Signal) -> Result<(), VerbError> {
    call.effects().kill_by_pid(pid, signal.0, call)
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
fn write(call: &Call<'_, '_>, process: ProcessHandle, text: Bytes) -> Result<(), VerbError> {
    call.effects().write(&process, &text.0, call)
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
fn read_line(call: &Call<'_, '_>, process: ProcessHandle) -> Result<Option<String>, VerbError> {
    let line = call.effects().read_line(&process, call)?;
    Ok(line.map(|line| String::from_utf8_lossy(&line).into_owned()))
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
) -> Result<Exit, VerbError> {
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
fn shell(call: &Call<'_, '_>, process: ProcessHandle) -> Result<Exit, VerbError> {
    let options = Run { check: Some(false), ..Run::default() };
    let shell = process.plan().map(|plan| call.context.runner.shell_of(&plan));
    let command = Command::new(vec![shell.unwrap_or_else(|| "sh".into())]);
    let command = command.map_err(|invalid| call.fail((&invalid).into()))?;
    run_beside(&process, command, &options, call)
}
