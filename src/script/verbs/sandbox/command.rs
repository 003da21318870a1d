//! Running programs in a sandbox.

use std::rc::Rc;

use crate::diag::Report;
use crate::ops::Sandbox;
use crate::plan::{Plan, Request};
use crate::run::{self, Exit, Input, MOST_KEPT};
use crate::script::binding::argument::{Bytes, Size};
use crate::script::binding::call::Call;
use crate::script::binding::context::Printed;
use crate::script::binding::error::VerbError;
use crate::script::binding::options::options;
use crate::script::binding::value::{ProcessHandle, SharedOutput, SharedPlan};
use crate::script::binding::verb::{Verb, verbs};
use crate::spec::{Command, Streams};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["command.rs";
    fn run,
    fn output,
    fn shell,
    fn start,
    fn plan,
];

options! {
    /// How to run a program.
    struct Run {
        /// the standard input of the program
        stdin: Bytes = "",
        /// treats an exit status other than 0 as an error
        check: bool = "true",
        /// gives the program a terminal of its own; the default is true if standard input and
        /// output of nsscript are terminals and `stdin` is not given
        tty: bool = "",
    }

    /// How to run a program and keep its output.
    struct Capture {
        /// the standard input of the program
        stdin: Bytes = "",
        /// treats an exit status other than 0 as an error
        check: bool = "true",
        /// the maximum size of standard output and standard error together
        limit: Size = "\"64M\"",
    }

    /// How to start a program.
    struct Start {
        /// connects standard input and output to pipes, for `write` and `read_line`
        pipes: bool = "false",
    }
}

/// The request of this call.
pub(in crate::script::verbs) fn request(
    command: Command,
    streams: Streams,
    call: &Call<'_, '_>,
) -> Request {
    // A closure prints itself.
    let shows = matches!(streams, Streams::Inherited | Streams::Terminal);
    if shows && !command.is_closure() {
        // If the program cannot write either, it reports that itself.
        let _ = call.context.part(Printed::Output);
    }
    Request { command, streams, origin: call.origin() }
}

/// Plans a request, and prints warnings.
pub(in crate::script::verbs) fn planned(
    sandbox: &Sandbox,
    request: &Request,
    call: &Call<'_, '_>,
) -> Result<Plan, VerbError> {
    let plan = call.context.runner.plan(sandbox, request).map_err(|reports| {
        call.effects().contradicted(&reports);
        call.found_here(reports)
    })?;
    for warning in &plan.warnings {
        call.context.warn(warning);
    }
    call.context.before_sandbox(call.origin().as_ref())?;
    Ok(plan)
}

/// The standard streams of a program: a terminal, if nsscript has one.
pub(in crate::script::verbs) fn streams(
    options: &Run,
    call: &Call<'_, '_>,
) -> Result<Streams, VerbError> {
    let tty = options.tty.unwrap_or_else(|| options.stdin.is_none() && run::has_terminal());
    if tty && options.stdin.is_some() {
        let report = Report::error("`stdin` cannot be given to a program that has a terminal");
        return Err(call.fail_at_key("tty", report.hint("omit `tty` or `stdin`")));
    }
    Ok(if tty { Streams::Terminal } else { Streams::Inherited })
}

/// The standard streams of a closure, by the same rule.
pub(in crate::script::verbs) fn streams_of_closure() -> Streams {
    if run::has_terminal() { Streams::Terminal } else { Streams::Inherited }
}

/// Makes an exit status other than 0 an error, unless `check` is false.
pub(in crate::script::verbs) fn checked(
    exit: Exit,
    check: Option<bool>,
    command: &Command,
    stderr: Option<&[u8]>,
    lacks: Option<String>,
    call: &Call<'_, '_>,
) -> Result<Exit, VerbError> {
    if exit.code == 0 || check == Some(false) {
        return Ok(exit);
    }
    let command = crate::diag::quoted(command.shown());
    let mut report = Report::error(format!("{command} {exit}"));
    report.facts.operation = Some("run".into());
    report.facts.status = Some(exit.code);
    if let Some(stderr) = stderr {
        let text = String::from_utf8_lossy(stderr);
        let lines: Vec<&str> = text.lines().collect();
        for line in &lines[lines.len().saturating_sub(5)..] {
            report = report.note(format!("it wrote: {}", crate::diag::escape(line)));
        }
    }
    if let Some(lacks) = lacks {
        report = report.hint(lacks);
    }
    Err(call.fail(report))
}

pub(in crate::script::verbs) fn input(stdin: Option<Bytes>, otherwise: Input) -> Input {
    stdin.map_or(otherwise, |bytes| Input::Bytes(bytes.0))
}

/// Runs a program until it exits, with the terminal and the standard streams of nsscript.
///
/// `command` is an array of strings, or one string that is split into words as a shell does,
/// without expansion. A program name without `/` is looked up in the `PATH` inside.
///
/// If nsscript runs at a terminal, the program gets a terminal of its own, and nsscript forwards
/// keys, window size, Ctrl-C and Ctrl-Z. The program therefore cannot type into the shell that
/// started nsscript, and the terminal is restored afterwards. `TERM` is passed on unless the
/// sandbox sets it. Otherwise, for example in a pipeline, the program reads keyboard input through
/// a pipe, line by line. While nsscript waits for a program, it passes SIGUSR1 and SIGUSR2 on.
///
/// # Errors
/// Anything that cannot be done, with the line that asked for it. An exit status other than 0,
/// unless `check` is false.
///
/// # Example
/// ```rhai
/// let exit = sandbox("/").read_only_root().run(["sh", "-c", "exit 3"], #{ check: false });
/// print(exit.code);
/// ```
/// # See
/// execve(2), pty(7)
fn run(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    command: Command,
    options: Run,
) -> Result<Exit, VerbError> {
    let request = request(command, streams(&options, call)?, call);
    let plan = planned(&sandbox, &request, call)?;
    let input = input(options.stdin, Input::Inherited);
    let exit = call.effects().run(&plan, &request, &input, call);
    let exit = exit.map_err(|error| call.found_here(error))?;
    let lacks = if exit.code == 127 { call.context.runner.lacks(&plan) } else { None };
    checked(exit, options.check, &request.command, None, lacks, call)
}

/// Runs a program until it exits, and returns what it writes.
///
/// Standard input is empty unless `stdin` is given.
///
/// # Errors
/// As for `run`. The program writes more than `limit`, and is killed.
///
/// # Example
/// ```rhai
/// let said = sandbox("/").read_only_root().output("cat", #{ stdin: "hello" });
/// print(said.stdout);
/// ```
/// # See
/// execve(2)
fn output(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    command: Command,
    options: Capture,
) -> Result<SharedOutput, VerbError> {
    let request = request(command, Streams::Captured, call);
    let plan = planned(&sandbox, &request, call)?;
    let most = options.limit.map_or(MOST_KEPT, |size| size.0);
    let input = input(options.stdin, Input::Nothing);
    let output = call.effects().output(&plan, &request, &input, most, call);
    let output = output.map_err(|error| call.found_here(error))?;
    let lacks = if output.exit.code == 127 { call.context.runner.lacks(&plan) } else { None };
    let stderr = Some(output.stderr.as_slice());
    checked(output.exit, options.check, &request.command, stderr, lacks, call)?;
    Ok(SharedOutput(Rc::new(output)))
}

/// Runs an interactive shell in the sandbox until it exits.
///
/// The shell is the program that `SHELL` names inside, otherwise bash, otherwise sh. It gets a
/// terminal as for `run`. An exit status other than 0 is not an error.
///
/// # Errors
/// The root has no shell. Anything that cannot be done, with the line that asked for it.
///
/// # Example
/// ```rhai
/// sandbox("/").read_only_root().dev("/dev").proc("/proc").shell();
/// ```
/// # See
/// pty(7)
fn shell(call: &Call<'_, '_>, sandbox: Sandbox) -> Result<Exit, VerbError> {
    let runner = &call.context.runner;
    let streams = streams(&Run::default(), call)?;
    let command = |shell: &str| {
        Command::new(vec![shell.to_owned()]).map_err(|invalid| call.fail((&invalid).into()))
    };
    let first = runner.plan(&sandbox, &request(command("sh")?, streams, call));
    let first = first.map_err(|reports| call.found_here(reports))?;
    let request = request(command(&runner.shell_of(&first))?, streams, call);
    let plan = planned(&sandbox, &request, call)?;
    let exit = call.effects().run(&plan, &request, &Input::Inherited, call);
    exit.map_err(|error| call.found_here(error))
}

/// Starts a program and continues without waiting. The program is killed when the recipe ends.
///
/// Standard input is empty. The program writes to the standard streams of nsscript, at a terminal
/// through a pipe.
///
/// # Errors
/// Anything that cannot be done, with the line that asked for it.
///
/// # Example
/// ```rhai
/// let cat = sandbox("/").read_only_root().start("cat", #{ pipes: true });
/// cat.write("hello\n");
/// print(cat.read_line());
/// cat.kill("TERM");
/// ```
/// # See
/// execve(2)
fn start(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    command: Command,
    options: Start,
) -> Result<ProcessHandle, VerbError> {
    let pipes = options.pipes.unwrap_or(false);
    let streams = if pipes { Streams::Piped } else { Streams::Inherited };
    let request = request(command, streams, call);
    let plan = planned(&sandbox, &request, call)?;
    let process = call.effects().start(plan, &request, call);
    process.map_err(|error| call.found_here(error))
}

/// Returns what `run` would do, as a list of steps, without doing it.
///
/// # Errors
/// The sandbox contradicts itself: all contradictions are reported.
///
/// # Example
/// ```rhai
/// print(sandbox().hostname("box").plan("/bin/sh"));
/// ```
fn plan(call: &Call<'_, '_>, sandbox: Sandbox, command: Command) -> Result<SharedPlan, VerbError> {
    let request = request(command, streams(&Run::default(), call)?, call);
    let plan = call.context.runner.plan(&sandbox, &request);
    let plan = plan.map_err(|reports| call.found_here(reports))?;
    for warning in &plan.warnings {
        call.context.warn(warning);
    }
    Ok(SharedPlan(Rc::new(plan)))
}
