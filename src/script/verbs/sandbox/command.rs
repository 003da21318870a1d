//! Running programs in a sandbox.

use std::rc::Rc;

use crate::diag::{Ended, Report, quoted};
use crate::ops::Sandbox;
use crate::plan::{Plan, Request};
use crate::run::{self, Bounds, Cause, Exit, Input, MOST_KEPT, Timeout};
use crate::script::binding::argument::{Argument, Bytes, Duration, HostPath, Size};
use crate::script::binding::call::Call;
use crate::script::binding::context::Printed;
use crate::script::binding::error::VerbError;
use crate::script::binding::options::{options, wrong};
use crate::script::binding::value::{ProcessHandle, SharedOutput, SharedPlan};
use crate::script::binding::verb::{Verb, verbs};
use crate::spec::{Command, OutputFile, Redirected, Sink, Streams};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["command.rs";
    fn run,
    fn sh,
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
        /// output of nsscript are terminals and none of `stdin`, `stdout` and `stderr` is given
        tty: bool = "",
        /// `"inherit"`, `"discard"` for no output, or a path with `/` of a file on the host;
        /// `output` keeps it
        stdout: String = "\"inherit\"",
        /// the same for standard error
        stderr: String = "\"inherit\"",
        /// appends to these files, which are otherwise emptied
        append: bool = "false",
        /// how long the program may run; then it gets SIGTERM
        timeout: Duration = "",
        /// how long the program may take to end after SIGTERM; then it is killed
        grace: Duration = "\"1s\"",
    }

    /// How to run a program and keep its output.
    struct Capture {
        /// the standard input of the program
        stdin: Bytes = "",
        /// treats an exit status other than 0 as an error
        check: bool = "true",
        /// the maximum size of standard output and standard error together
        limit: Size = "\"64M\"",
        /// how long the program may run; then it gets SIGTERM
        timeout: Duration = "",
        /// how long the program may take to end after SIGTERM; then it is killed
        grace: Duration = "\"1s\"",
    }

    /// How to start a program.
    struct Start {
        /// connects standard input and output to pipes, for `write` and `read_line`
        pipes: bool = "false",
        /// `"inherit"`, `"discard"` for no output, or a path with `/` of a file on the host
        stdout: String = "\"inherit\"",
        /// the same for standard error
        stderr: String = "\"inherit\"",
        /// appends to these files, which are otherwise emptied
        append: bool = "false",
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

/// The place that the option `key` names for an output.
fn sink(
    key: &str,
    given: Option<&str>,
    append: bool,
    call: &Call<'_, '_>,
) -> Result<Sink, VerbError> {
    match given {
        None | Some("inherit") => Ok(Sink::Inherited),
        Some("discard") => Ok(Sink::Discarded),
        Some(path) if path.contains('/') => {
            let path = HostPath::take(Some(path.to_owned().into()), call);
            let path =
                path.map_err(|error| call.fail(wrong(&quoted(call.name()), key, &error, call)))?;
            Ok(Sink::File(OutputFile { path: path.0, append, descriptor: None }))
        }
        Some(other) => {
            let report = Report::error(format!("invalid value of `{key}`: {}", quoted(other)));
            let hint = if other.is_empty() {
                "expected `\"inherit\"`, `\"discard\"`, or a path that contains a `/`".into()
            } else {
                let path = quoted(format!("\"./{other}\""));
                format!(
                    "expected `\"inherit\"`, `\"discard\"`, or a path that contains a `/`: \
                     write {path} for a file; `output(command).{key}` is what the program writes"
                )
            };
            Err(call.fail_at_key(key, report.hint(hint)))
        }
    }
}

/// The redirected output and errors of a program.
fn redirected(
    stdout: Option<&str>,
    stderr: Option<&str>,
    append: Option<bool>,
    call: &Call<'_, '_>,
) -> Result<Redirected, VerbError> {
    let appends = append == Some(true);
    let output = sink("stdout", stdout, appends, call)?;
    let errors = sink("stderr", stderr, appends, call)?;
    let has_file = [&output, &errors].iter().any(|sink| matches!(sink, Sink::File(_)));
    if appends && !has_file {
        let report = Report::error("`append` needs a file");
        let hint = "name one with `stdout` or `stderr`";
        return Err(call.fail_at_key("append", report.hint(hint)));
    }
    Ok(Redirected { piped: false, output, errors })
}

/// Opens the files that the streams of a request lead to.
pub(in crate::script::verbs) fn opened(
    mut request: Request,
    call: &Call<'_, '_>,
) -> Result<Request, VerbError> {
    if let Streams::Redirected(redirected) = &mut request.streams {
        let opened = run::open_each(redirected, |action| call.effects().open_output(action, call));
        opened.map_err(|error| call.found_here(error))?;
    }
    Ok(request)
}

/// The standard streams of a program: a terminal, if nsscript has one.
pub(in crate::script::verbs) fn streams(
    options: &Run,
    call: &Call<'_, '_>,
) -> Result<Streams, VerbError> {
    let (stdout, stderr) = (options.stdout.as_deref(), options.stderr.as_deref());
    let redirected = redirected(stdout, stderr, options.append, call)?;
    if redirected != Redirected::default() {
        if options.tty == Some(true) {
            let key = if redirected.output == Sink::Inherited { "stderr" } else { "stdout" };
            let report = Report::error(format!("`{key}` cannot be redirected at a terminal"));
            return Err(call.fail_at_key("tty", report.hint(format!("omit `tty` or `{key}`"))));
        }
        return Ok(Streams::Redirected(redirected));
    }
    let tty = options.tty.unwrap_or_else(|| options.stdin.is_none() && run::has_terminal());
    if tty && options.stdin.is_some() {
        let report = Report::error("`stdin` cannot be given to a program that has a terminal");
        return Err(call.fail_at_key("tty", report.hint("omit `tty` or `stdin`")));
    }
    Ok(if tty { Streams::Terminal } else { Streams::Inherited })
}

/// Refuses a terminal of its own for a program that stays at that of nsscript.
pub(in crate::script::verbs) fn refuse_terminal(
    plan: &Plan,
    options: &Run,
    call: &Call<'_, '_>,
) -> Result<(), VerbError> {
    if options.tty == Some(true) && plan.keeps_session() {
        let message = "with `session(false)`, a program has no terminal of its own";
        let report = Report::error(message).hint("omit `tty` or `session(false)`");
        return Err(call.fail_at_key("tty", report));
    }
    Ok(())
}

/// The standard streams of a program that is started.
pub(in crate::script::verbs) fn started_streams(
    options: &Start,
    call: &Call<'_, '_>,
) -> Result<Streams, VerbError> {
    let (stdout, stderr) = (options.stdout.as_deref(), options.stderr.as_deref());
    let mut redirected = redirected(stdout, stderr, options.append, call)?;
    redirected.piped = options.pipes.unwrap_or(false);
    if redirected.piped && redirected.output != Sink::Inherited {
        let report = Report::error("with `pipes`, the output goes to a pipe, not to `stdout`");
        return Err(call.fail_at_key("stdout", report.hint("omit `pipes` or `stdout`")));
    }
    Ok(if redirected.errors != Sink::Inherited || redirected.output != Sink::Inherited {
        Streams::Redirected(redirected)
    } else if redirected.piped {
        Streams::Piped
    } else {
        Streams::Inherited
    })
}

/// The standard streams of a closure, by the same rule.
pub(in crate::script::verbs) fn streams_of_closure() -> Streams {
    if run::has_terminal() { Streams::Terminal } else { Streams::Inherited }
}

/// The time that the options give a program.
pub(in crate::script::verbs) fn time(
    timeout: Option<Duration>,
    grace: Option<Duration>,
    call: &Call<'_, '_>,
) -> Result<Option<Timeout>, VerbError> {
    const GRACE: Duration = Duration(std::time::Duration::from_secs(1));
    if timeout.is_none() && grace.is_some() {
        let report = Report::error("`grace` is the time after a `timeout`");
        return Err(call.fail_at_key("grace", report.hint("add the option `timeout`")));
    }
    let Some(time) = timeout else { return Ok(None) };
    Ok(Some(Timeout { time: time.0, grace: grace.unwrap_or(GRACE).0 }))
}

impl Run {
    /// The bounds of the program.
    pub(in crate::script::verbs) fn bounds(
        &self,
        call: &Call<'_, '_>,
    ) -> Result<Bounds, VerbError> {
        Ok(Bounds { timeout: time(self.timeout, self.grace, call)?, most: MOST_KEPT })
    }
}

impl Capture {
    /// The bounds of the program.
    pub(in crate::script::verbs) fn bounds(
        &self,
        call: &Call<'_, '_>,
    ) -> Result<Bounds, VerbError> {
        let most = self.limit.map_or(MOST_KEPT, |size| size.0);
        Ok(Bounds { timeout: time(self.timeout, self.grace, call)?, most })
    }
}

/// A program that has ended, for [`checked`].
pub(in crate::script::verbs) struct Finished<'a> {
    /// The program; for a closure, its placeholder.
    pub command: &'a Command,
    /// Its standard output and standard error, if they were kept.
    pub written: Option<[&'a [u8]; 2]>,
    /// The time that it had.
    pub timeout: Option<Timeout>,
    /// What it lacks.
    pub lacks: Option<Report>,
}

/// Makes an exit status other than 0 and a timeout errors, unless `check` is false.
pub(in crate::script::verbs) fn checked(
    exit: Exit,
    check: Option<bool>,
    finished: Finished<'_>,
    call: &Call<'_, '_>,
) -> Result<Exit, VerbError> {
    let is_fine = exit.code == 0 && exit.cause != Cause::Timeout;
    if is_fine || check == Some(false) {
        return Ok(exit);
    }
    let Finished { command, written, timeout, lacks } = finished;
    let is_closure = command.is_closure();
    let command = if is_closure { "the closure".into() } else { quoted(command.shown()) };
    let message = match timeout {
        Some(timeout) if exit.cause == Cause::Timeout => timed_out(&command, timeout, exit),
        _ => format!("{command} {exit}"),
    };
    let mut report = match lacks {
        Some(lacks) => lacks.note(message),
        None => Report::error(message),
    };
    report.facts.operation = Some("run".into());
    // A program that ends with 0 when it gets SIGTERM has not done what was asked.
    report.facts.status = (exit.code != 0).then_some(exit.code);
    let texts = |written: [&[u8]; 2]| written.map(|one| String::from_utf8_lossy(one).into_owned());
    let ended = Ended { code: exit.code, signal: exit.signal, written: written.map(texts) };
    if let Some([_, text]) = &ended.written {
        let lines: Vec<&str> = text.lines().collect();
        for line in &lines[lines.len().saturating_sub(5)..] {
            report = report.note(format!("it wrote: {}", crate::diag::escape(line)));
        }
    }
    report.facts.program = Some(Box::new(ended));
    Err(call.fail(report))
}

/// The message for a program whose time was over.
fn timed_out(command: &str, timeout: Timeout, exit: Exit) -> String {
    const SIGTERM: i32 = 15;
    const SIGKILL: i32 = 9;
    let (time, grace) = (duration(timeout.time), duration(timeout.grace));
    match exit.signal {
        Some(SIGTERM) => format!("{command} ran longer than {time}, and was ended by SIGTERM"),
        Some(SIGKILL) => {
            format!("{command} ran longer than {time}, and {grace} after SIGTERM, and was killed")
        }
        _ => {
            let ended = Exit { cause: Cause::Exited, ..exit };
            format!("{command} ran longer than {time}, got SIGTERM, and {ended}")
        }
    }
}

/// A duration of a recipe, in its units.
fn duration(time: std::time::Duration) -> String {
    let millis = time.as_millis();
    if millis.is_multiple_of(1000) {
        format!("{} s", millis / 1000)
    } else {
        format!("{millis} ms")
    }
}

pub(in crate::script::verbs) fn input(stdin: Option<Bytes>, otherwise: Input) -> Input {
    stdin.map_or(otherwise, |bytes| Input::Bytes(bytes.0))
}

/// Runs a program until it exits, with the terminal and the standard streams of nsscript.
///
/// `command` is an array of strings, or one string that is split into words as a shell does. The
/// string is not a shell: `&&`, `|`, `>`, `$HOME` or `*` outside of quotes is an error. Use `sh` to
/// run a shell. A program name without `/` is looked up in the `PATH` inside.
///
/// If nsscript runs at a terminal, the program gets a terminal of its own, and nsscript forwards
/// keys, window size, Ctrl-C and Ctrl-Z. The program therefore cannot type into the shell that
/// started nsscript, and the terminal is restored afterwards. `TERM` is passed on unless the
/// sandbox sets it. Otherwise, for example in a pipeline, the program reads keyboard input through
/// a pipe, line by line. While nsscript waits for a program, it passes SIGUSR1 and SIGUSR2 on.
///
/// A file for `stdout` or `stderr` is one of the host, where the caller may write. It is created
/// with the caller's umask, or emptied, before the program starts, as by the `>` of a shell. One
/// file for both is opened once.
///
/// # Errors
/// Anything that cannot be done, with the line that asked for it. An exit status other than 0,
/// unless `check` is false. The program runs longer than `timeout`, unless `check` is false; the
/// `cause` of its exit is then `"timeout"`. With it, all processes of the sandbox end.
///
/// # Example
/// ```rhai
/// let guest = sandbox("/");
/// let exit = guest.run(["sh", "-c", "exit 3"], #{ check: false });
/// print(exit.code);
/// try { guest.run("sleep 60", #{ timeout: "50ms" }); } catch (e) { print(e.message); }
/// ```
/// # See
/// execve(2), pty(7)
fn run(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    command: Command,
    options: Run,
) -> Result<Exit, VerbError> {
    run_to_end(call, &sandbox, command, options)
}

/// Runs a shell script until it exits: `run(["sh", "-c", script])`.
///
/// To keep the output of a script, or to start one, pass the array to `output` or `start`.
///
/// # Errors
/// As for `run`. The sandbox has no `sh`.
///
/// # Example
/// ```rhai
/// sandbox("/").sh("cd /usr && ls -d bin lib | sort");
/// ```
/// # See
/// sh(1)
fn sh(
    call: &Call<'_, '_>,
    sandbox: Sandbox,
    script: String,
    options: Run,
) -> Result<Exit, VerbError> {
    run_to_end(call, &sandbox, shell_command(script, call)?, options)
}

/// The command that has a shell run a script.
pub(in crate::script::verbs) fn shell_command(
    script: String,
    call: &Call<'_, '_>,
) -> Result<Command, VerbError> {
    let words = vec!["sh".to_owned(), "-c".to_owned(), script];
    Command::new(words).map_err(|invalid| call.fail((&invalid).into()))
}

fn run_to_end(
    call: &Call<'_, '_>,
    sandbox: &Sandbox,
    command: Command,
    options: Run,
) -> Result<Exit, VerbError> {
    let (streams, bounds) = (streams(&options, call)?, options.bounds(call)?);
    let request = request(command, streams, call);
    let plan = planned(sandbox, &request, call)?.waited_for();
    refuse_terminal(&plan, &options, call)?;
    let request = opened(request, call)?;
    let input = input(options.stdin, Input::Inherited);
    let exit = call.effects().run(&plan, &request, &input, &bounds, call);
    let exit = exit.map_err(|error| call.found_here(error))?;
    let lacks = if exit.code == 127 { call.effects().lacks(&plan, call) } else { None };
    let (command, timeout) = (&request.command, bounds.timeout);
    let finished = Finished { command, written: None, timeout, lacks };
    checked(exit, options.check, finished, call)
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
/// let said = sandbox("/").output("cat", #{ stdin: "hello" });
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
    let bounds = options.bounds(call)?;
    let request = request(command, Streams::Captured, call);
    let plan = planned(&sandbox, &request, call)?.waited_for();
    let input = input(options.stdin, Input::Nothing);
    let output = call.effects().output(&plan, &request, &input, &bounds, call);
    let output = output.map_err(|error| call.found_here(error))?;
    let lacks = if output.exit.code == 127 { call.effects().lacks(&plan, call) } else { None };
    let (command, timeout) = (&request.command, bounds.timeout);
    let written = Some([output.stdout.as_slice(), output.stderr.as_slice()]);
    let finished = Finished { command, written, timeout, lacks };
    checked(output.exit, options.check, finished, call)?;
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
/// sandbox("/").shell();
/// ```
/// # See
/// pty(7)
fn shell(call: &Call<'_, '_>, sandbox: Sandbox) -> Result<Exit, VerbError> {
    let runner = &call.context.runner;
    let streams = || streams(&Run::default(), call);
    let command = |shell: &str| {
        Command::new(vec![shell.to_owned()]).map_err(|invalid| call.fail((&invalid).into()))
    };
    let first = runner.plan(&sandbox, &request(command("sh")?, streams()?, call));
    let first = first.map_err(|reports| call.found_here(reports))?;
    let request = request(command(&runner.shell_of(&first))?, streams()?, call);
    let plan = planned(&sandbox, &request, call)?.waited_for();
    let exit = call.effects().run(&plan, &request, &Input::Inherited, &Bounds::default(), call);
    exit.map_err(|error| call.found_here(error))
}

/// Starts a program and continues without waiting. The program is killed when the recipe ends.
///
/// With `outlive_parent`, the program goes on instead. Standard input is empty. The program writes to the standard streams of nsscript, at a terminal
/// through a pipe.
///
/// # Errors
/// Anything that cannot be done, with the line that asked for it.
///
/// # Example
/// ```rhai
/// let cat = sandbox("/").start("cat", #{ pipes: true });
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
    let request = request(command, started_streams(&options, call)?, call);
    let plan = planned(&sandbox, &request, call)?;
    if plan.outlives_parent() && options.pipes == Some(true) {
        let message = "a program that outlives nsscript cannot have pipes to it";
        let hint = "omit `pipes`, and let the program write to a file: `#{ stdout: path }`";
        return Err(call.fail_at_key("pipes", Report::error(message).hint(hint)));
    }
    let request = opened(request, call)?;
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
