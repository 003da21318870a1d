//! Programs of the host, without a sandbox.

use std::rc::Rc;

use super::command::{Capture, Finished, checked, input, request};
use crate::run::Input;
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::value::{HostFacts, ProcessHandle, SharedOutput};
use crate::script::binding::verb::{Verb, verbs};
use crate::spec::{Command, Streams};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["on_host.rs";
    fn output,
    fn output = process_output,
];

/// Runs a program of the host without a sandbox until it exits, and returns what it writes.
///
/// The program has all rights of nsscript, its environment, and the namespaces that nsscript is in.
/// After a raw call those are the session's, in which a user is root without rights on the host.
/// Standard input is empty unless `stdin` is given. `plan` shows the program and does not run it:
/// its output is then empty.
///
/// # Errors
/// The program does not exist. An exit status other than 0, unless `check` is false. The program
/// writes more than `limit`, and is killed.
///
/// # Example
/// ```rhai
/// let machine = host.output("uname -m").stdout.trim();
/// assert_eq(machine, host.machine);
/// ```
/// # See
/// execve(2), `sandbox.output`
fn output(
    call: &Call<'_, '_>,
    _host: HostFacts,
    command: Command,
    options: Capture,
) -> Result<SharedOutput, VerbError> {
    let request = request(command, Streams::Captured, call);
    let plan = call.context.runner.plan_on_host(&request);
    let bounds = options.bounds(call)?;
    let input = input(options.stdin, Input::Nothing);
    let output = call.effects().output(&plan, &request, &input, &bounds, call)?;
    let (command, timeout) = (&request.command, bounds.timeout);
    let written = Some([output.stdout.as_slice(), output.stderr.as_slice()]);
    let finished = Finished { command, written, timeout, lacks: None };
    checked(output.exit, options.check, finished, call)?;
    Ok(SharedOutput(Rc::new(output)))
}

/// Runs another program in the sandbox of the process until it exits, and returns what it writes.
///
/// # Errors
/// The sandbox has ended. As for `output` of a sandbox.
///
/// # Example
/// ```rhai
/// let sleeper = sandbox("/").hostname("box").start("sleep 60");
/// assert_eq(sleeper.output("uname -n").stdout, "box\n");
/// ```
/// # See
/// setns(2)
fn process_output(
    call: &Call<'_, '_>,
    process: ProcessHandle,
    command: Command,
    options: Capture,
) -> Result<SharedOutput, VerbError> {
    let request = request(command, Streams::Captured, call);
    let bounds = options.bounds(call)?;
    let input = input(options.stdin, Input::Nothing);
    let output = call.effects().join_output(&process, &request, &input, &bounds, call)?;
    let (command, timeout) = (&request.command, bounds.timeout);
    let written = Some([output.stdout.as_slice(), output.stderr.as_slice()]);
    let finished = Finished { command, written, timeout, lacks: None };
    checked(output.exit, options.check, finished, call)?;
    Ok(SharedOutput(Rc::new(output)))
}
