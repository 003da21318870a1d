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
    /// How a program is run to its end.
    struct Run {
        /// what the program reads from its standard input
        stdin: Bytes = "",
        /// whether another status than 0 is an error
        check: bool = "true",
        /// whether it has a terminal of its own, which is passed on to that of nsscript; the
        /// default is true where nsscript reads from a terminal and writes to one
        tty: bool = "",
    }

    /// How a program is run whose output is kept.
    struct Capture {
        /// what the program reads from its standard input
        stdin: Bytes = "",
        /// whether another status than 0 is an error
        check: bool = "true",
        /// the most that it may write, to both of its streams together
        limit: Size = "\"64M\"",
    }

    /// How a program is started.
    struct Start {
        /// its input and output are pipes, for `write` and `read_line`
        pipes: bool = "false",
    }
}

/// What is asked for by this call.
pub(in crate::script::verbs) fn request(
    command: Command,
    streams: Streams,
    call: &Call<'_, '_>,
) -> Request {
    // A closure prints by itself.
    let shows = matches!(streams, Streams::Inherited | Streams::Terminal);
    if shows && !command.is_closure() {
        // A program that cannot write either says so itself.
        let _ = call.context.part(Printed::Output);
    }
    Request { command, streams, origin: call.origin() }
}

/// The plan of a request; its warnings are printed.
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

/// What a program that is run to its end has as its standard streams: a terminal, where a person
/// sits at one.
pub(in crate::script::verbs) fn streams(
    options: &Run,
    call: &Call<'_, '_>,
) -> Result<Streams, VerbError> {
    let tty = options.tty.unwrap_or_else(|| options.stdin.is_none() && run::has_terminal());
    if tty && options.stdin.is_some() {
        let report = Report::error("`stdin` cannot be given to a program that has a terminal");
        return Err(call.fail_at_key("tty", report.hint("leave out `tty` or `stdin`")));
    }
    Ok(if tty { Streams::Terminal } else { Streams::Inherited })
}

/// What a closure that is waited for has, in the same way.
pub(in crate::script::verbs) fn streams_of_closure() -> Streams {
    if run::has_terminal() { Streams::Terminal } else { Streams::Inherited }
}

/// Makes another status than 0 an error, where that is asked for.
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

/// Runs a program to its end, with the terminal and the streams of nsscript.
///
/// At a terminal the program has one of its own, and everything goes from one to the other: keys,
/// the size of the window, Ctrl-C and Ctrl-Z. So it cannot write into the input of the shell that
/// nsscript was started from, and leaves the terminal as it was. `TERM` is then that of nsscript,
/// unless the sandbox says another.
///
/// Elsewhere, as in a pipeline, it reads what is typed from a pipe, line by line.
///
/// A command is a string, split as a shell splits words and nothing expanded, or an array of
/// strings. A program without `/` is looked for along `PATH` inside.
///
/// # Errors
/// Anything that could not be done, with the line that asked for it; another exit status
/// than 0, unless `check` is false.
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

/// Runs a program to its end and keeps what it writes.
///
/// It has nothing to read unless `stdin` says what.
///
/// # Errors
/// As for `run`; it writes more than `limit`, and is ended.
///
/// # Example
/// ```rhai
/// let said = sandbox("/").read_only_root().output("cat", #{ stdin: "hello" });
/// print(said.stdout);
/// ```
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

/// Runs a shell in the sandbox, to its end.
///
/// It is the one that `SHELL` inside says, bash, or sh. At a terminal it has one of its own, as for `run`. Its exit status is no error.
///
/// # Errors
/// No shell is in the root; anything that could not be done, with the line that asked for it.
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

/// Starts a program and goes on; it ends with the recipe at the latest.
///
/// It has nothing to read. What it writes goes to where nsscript writes; at a terminal that is passed on.
///
/// # Errors
/// Anything that could not be done, with the line that asked for it.
///
/// # Example
/// ```rhai
/// let cat = sandbox("/").read_only_root().start("cat", #{ pipes: true });
/// cat.write("hello\n");
/// print(cat.read_line());
/// cat.kill("TERM");
/// ```
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

/// Tells what `run` would do, without doing it.
///
/// # Errors
/// Every contradiction in the sandbox.
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
