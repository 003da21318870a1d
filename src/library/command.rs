//! Programs of sandboxes, before they run.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::child::Child;
use super::error::{Error, here, invalid};
use super::plan::Plan;
use super::sandbox::Sandbox;
use super::values::{ExitStatus, Output};
use crate::diag::{self, Origin};
use crate::plan::{self, Request};
use crate::run::{Bounds, Input, MOST_KEPT, Runner};
use crate::spec::{self, OutputFile, Redirected, Sink, Streams};

/// A program in a sandbox, in the manner of [`std::process::Command`].
///
/// ```
/// use nsscript::Sandbox;
///
/// let mut command = Sandbox::host_view().command("tr");
/// let output = command.args(["a-z", "A-Z"]).input("hello").output()?;
/// assert_eq!(output.stdout, b"HELLO");
/// # Ok::<(), nsscript::Error>(())
/// ```
#[derive(Clone)]
pub struct Command {
    sandbox: Sandbox,
    words: Vec<String>,
    input: Option<Vec<u8>>,
    tty: bool,
    stdout: Option<PathBuf>,
    stderr: Option<PathBuf>,
    append: bool,
    limit: u64,
    warn: Warn,
    origin: Option<Origin>,
}

/// The receiver of warnings.
type Warn = Arc<dyn Fn(&str) + Send + Sync>;

impl fmt::Debug for Command {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Command").field("words", &self.words).finish_non_exhaustive()
    }
}

impl Command {
    pub(super) fn new(sandbox: Sandbox, program: String, origin: Option<Origin>) -> Self {
        let words = vec![program];
        // Nobody is left to tell if that cannot be written.
        let warn: Warn = Arc::new(|text| diag::say(&format!("warning: {text}\n")));
        Self {
            sandbox,
            words,
            input: None,
            tty: false,
            stdout: None,
            stderr: None,
            append: false,
            limit: MOST_KEPT,
            warn,
            origin,
        }
    }

    /// Adds an argument.
    pub fn arg(&mut self, argument: impl Into<String>) -> &mut Self {
        self.words.push(argument.into());
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, arguments: impl IntoIterator<Item = impl Into<String>>) -> &mut Self {
        self.words.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Has `warn` called with each warning, one sentence, before and while the program runs.
    /// Default: they are written to standard error.
    pub fn on_warning(&mut self, warn: impl Fn(&str) + Send + Sync + 'static) -> &mut Self {
        self.warn = Arc::new(warn);
        self
    }

    /// The bytes that the program reads from its standard input. Default: the caller's standard
    /// input for [`Command::status`], and nothing otherwise.
    pub fn input(&mut self, bytes: impl Into<Vec<u8>>) -> &mut Self {
        self.input = Some(bytes.into());
        self
    }

    /// Whether [`Command::status`] gives the program a terminal of its own, which `nsscript` relays
    /// to the caller's, unless an output goes to a file. Default: no. No program gets the caller's terminal itself.
    pub fn tty(&mut self, tty: bool) -> &mut Self {
        self.tty = tty;
        self
    }

    /// The file of the host that [`Command::status`] and [`Command::spawn`] write standard output
    /// to. It is created or emptied before the program starts. Default: the caller's standard
    /// output.
    pub fn stdout(&mut self, file: impl Into<PathBuf>) -> &mut Self {
        self.stdout = Some(file.into());
        self
    }

    /// The file of the host that [`Command::status`], [`Command::spawn`] and
    /// [`Command::spawn_piped`] write standard error to. Default: the caller's standard error.
    pub fn stderr(&mut self, file: impl Into<PathBuf>) -> &mut Self {
        self.stderr = Some(file.into());
        self
    }

    /// Whether [`Command::stdout`] and [`Command::stderr`] append to files instead of emptying
    /// them. Default: no.
    pub fn append(&mut self, append: bool) -> &mut Self {
        self.append = append;
        self
    }

    /// The most that [`Command::output`] keeps, in bytes. Default: 64 MiB. A program that writes
    /// more is ended, which is an error.
    pub fn output_limit(&mut self, bytes: u64) -> &mut Self {
        self.limit = bytes;
        self
    }

    /// What would be done to run it, without doing it.
    ///
    /// # Errors
    /// Everything that contradicts itself, is missing or is invalid, each with its line.
    pub fn plan(&self) -> Result<Plan, Error> {
        let (_, plan, _) = self.planned(self.inherited())?;
        Ok(Plan(plan))
    }

    /// Runs the program to its end, with the caller's standard streams.
    ///
    /// # Errors
    /// As for [`Command::plan`]; a system call failed, or the program cannot be executed. How it
    /// ends is no error.
    #[track_caller]
    pub fn status(&self) -> Result<ExitStatus, Error> {
        let at = here();
        let (runner, plan, request) = self.ready(self.inherited())?;
        let plan = plan.waited_for();
        let request = opened(&runner, request)?;
        let input = self.input.clone().map_or(Input::Inherited, Input::Bytes);
        let exit = runner.run(&plan, &request, &input, &Bounds::default());
        exit.map(ExitStatus).map_err(|error| Error::from(error).or_at(at.as_ref()))
    }

    /// Runs the program to its end, and keeps what it writes.
    ///
    /// # Errors
    /// As for [`Command::status`]; it has written too much.
    #[track_caller]
    pub fn output(&self) -> Result<Output, Error> {
        let at = here();
        let (runner, plan, request) = self.ready(Streams::Captured)?;
        let plan = plan.waited_for();
        let input = self.input.clone().map_or(Input::Nothing, Input::Bytes);
        let bounds = Bounds { most: self.limit, ..Bounds::default() };
        let output = runner.output(&plan, &request, &input, &bounds);
        output.map(Into::into).map_err(|error| Error::from(error).or_at(at.as_ref()))
    }

    /// Starts the program, with the caller's standard output and error and no input.
    ///
    /// # Errors
    /// As for [`Command::status`].
    #[track_caller]
    pub fn spawn(&self) -> Result<Child, Error> {
        self.spawn_with(self.redirected().map_or(Streams::Inherited, Streams::Redirected))
    }

    /// Starts the program with pipes, for [`Child::write`] and [`Child::read_line`].
    ///
    /// # Errors
    /// As for [`Command::status`].
    #[track_caller]
    pub fn spawn_piped(&self) -> Result<Child, Error> {
        if self.stdout.is_some() {
            let error = spec::ValueError::new("a program with pipes has no file as `stdout`")
                .hint("`spawn` writes to the file");
            return Err(invalid(&error, here()).into());
        }
        let errors = self.redirected().map(|redirected| Redirected { piped: true, ..redirected });
        self.spawn_with(errors.map_or(Streams::Piped, Streams::Redirected))
    }

    #[track_caller]
    fn spawn_with(&self, streams: Streams) -> Result<Child, Error> {
        let at = here();
        if self.input.is_some() {
            let error = spec::ValueError::new("a program that is spawned has no `input`")
                .hint("`spawn_piped` gives it a pipe for `write`");
            return Err(invalid(&error, at).into());
        }
        let streams_piped = matches!(
            &streams,
            Streams::Piped | Streams::Redirected(Redirected { piped: true, .. })
        );
        let (runner, plan, request) = self.ready(streams)?;
        if plan.outlives_parent() && streams_piped {
            let error =
                spec::ValueError::new("a program that outlives its parent has no pipes to it")
                    .hint("`spawn` starts it, with a file as `stdout`");
            return Err(invalid(&error, at).into());
        }
        let request = opened(&runner, request)?;
        let process = runner.start(&plan, &request, &Input::Nothing);
        let process = process.map_err(|error| Error::from(error).or_at(at.as_ref()))?;
        Ok(Child::new(process, runner))
    }

    /// Output and errors, if a file is given for one of them.
    fn redirected(&self) -> Option<Redirected> {
        let sink = |path: &Option<PathBuf>| match path {
            Some(path) => {
                let (path, append) = (path.clone(), self.append);
                Sink::File(OutputFile { path, append, descriptor: None })
            }
            None => Sink::Inherited,
        };
        let (output, errors) = (sink(&self.stdout), sink(&self.stderr));
        let is_any = self.stdout.is_some() || self.stderr.is_some();
        is_any.then_some(Redirected { piped: false, output, errors })
    }

    fn inherited(&self) -> Streams {
        if let Some(redirected) = self.redirected() {
            return Streams::Redirected(redirected);
        }
        if self.tty && self.input.is_none() { Streams::Terminal } else { Streams::Inherited }
    }

    /// The same, with warnings.
    fn ready(&self, streams: Streams) -> Result<(Runner, plan::Plan, Request), Error> {
        let (runner, plan, request) = self.planned(streams)?;
        plan.warnings.iter().for_each(|warning| (self.warn)(&warning.message));
        let warn = self.warn.clone();
        runner.on_warning(Box::new(move |warning| warn(&warning.message)));
        Ok((runner, plan, request))
    }

    fn planned(&self, streams: Streams) -> Result<(Runner, plan::Plan, Request), Error> {
        let origin = self.origin.clone();
        let command = spec::Command::new(self.words.clone());
        let command = command.map_err(|error| invalid(&error, origin.clone()))?;
        let sandbox = self.sandbox.checked()?;
        let (runner, request) = (Runner::new(), Request { command, streams, origin });
        let plan = runner.plan(sandbox, &request)?;
        Ok((runner, plan, request))
    }
}

/// Opens the files that the streams of a request lead to.
fn opened(runner: &Runner, mut request: Request) -> Result<Request, Error> {
    let origin = request.origin.clone();
    if let Streams::Redirected(redirected) = &mut request.streams {
        runner.open_outputs(redirected, origin.as_ref())?;
    }
    Ok(request)
}
