//! Programs of sandboxes while they run.

use std::fmt;
use std::time::{Duration, Instant};

use super::error::{Error, here, invalid};
use super::values::ExitStatus;
use crate::diag::Report;
use crate::ops::Pod;
use crate::plan::Request;
use crate::run::{self, Bounds, Input, Process, Runner};
use crate::spec::{self, Namespaces, Streams};

/// A program that runs in a sandbox. Dropping it kills the sandbox and removes all that was made
/// for it, unless the sandbox [outlives its parent](crate::Sandbox::outlive_parent).
///
/// It belongs to the thread that started it, because the kernel ends the sandbox together with that
/// thread: `PR_SET_PDEATHSIG` of prctl(2).
///
/// ```
/// use nsscript::Sandbox;
///
/// let mut child = Sandbox::host_view().command("cat").spawn_piped()?;
/// child.write("one\ntwo\n")?;
/// assert_eq!(child.read_line()?.as_deref(), Some("one"));
/// assert!(child.try_wait()?.is_none());
/// assert!(child.wait()?.success());
/// # Ok::<(), nsscript::Error>(())
/// ```
#[must_use = "dropping it kills the sandbox"]
pub struct Child {
    // Before the runner, whose directories it uses.
    process: Process,
    runner: Runner,
}

impl Child {
    pub(super) fn new(process: Process, runner: Runner) -> Self {
        Self { process, runner }
    }

    /// The number of process 1 of the sandbox, in the caller's PID namespace.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.pid().cast_unsigned()
    }

    /// Namespaces of its sandbox, for another one.
    pub(super) fn pod(&mut self, kinds: Namespaces) -> Result<Pod, Report> {
        self.runner.pod(&mut self.process, kinds)
    }

    /// Waits for its end. Its input ends, if that is a pipe; lines that it has written can be read
    /// afterwards.
    ///
    /// # Errors
    /// Nobody can tell how it ended, or it has written more than 64 MiB that nobody read.
    pub fn wait(&mut self) -> Result<ExitStatus, Error> {
        Ok(ExitStatus(self.process.wait()?))
    }

    /// How it ended, or `None` while it runs.
    ///
    /// # Errors
    /// As for [`Child::wait`].
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>, Error> {
        if self.process.running() { Ok(None) } else { self.wait().map(Some) }
    }

    /// How it ended, or `None` if it still runs after this time.
    ///
    /// # Errors
    /// As for [`Child::wait`].
    pub fn wait_timeout(&mut self, time: Duration) -> Result<Option<ExitStatus>, Error> {
        let end = Instant::now() + time;
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(Some(status));
            }
            let Some(left) = end.checked_duration_since(Instant::now()) else { return Ok(None) };
            // What it writes meanwhile is read in between.
            let step = left.min(Duration::from_millis(20));
            let _ = run::ready(&[(self.process.descriptor(), false)], Some(step));
        }
    }

    /// Sends it a signal: kill(2). A program that has ended is no error.
    ///
    /// # Errors
    /// There is no such signal.
    #[track_caller]
    pub fn signal(&mut self, signal: i32) -> Result<(), Error> {
        let at = here();
        self.process.kill(signal).map_err(|errno| {
            let mut report = Report::error(format!("cannot send signal {signal}: {errno}"));
            report.facts.operation = Some("kill".into());
            report.facts.errno = Some(errno.code());
            report.at(at).into()
        })
    }

    /// Kills it: `SIGKILL`.
    ///
    /// # Errors
    /// As for [`Child::signal`].
    #[track_caller]
    pub fn kill(&mut self) -> Result<(), Error> {
        self.signal(9)
    }

    /// Writes to its input, of a program that was started by `spawn_piped`.
    ///
    /// # Errors
    /// It has no pipe, has ended, or has closed its input.
    #[track_caller]
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), Error> {
        let at = here();
        let written = self.process.write(bytes.as_ref()).ok_or_else(no_pipe);
        let written = written.map_err(Error::from).and_then(|it| it.map_err(Error::from));
        written.map_err(|error| error.or_at(at.as_ref()))
    }

    /// Reads a line of its output, without the line end, or `None` at the end of the output. Bytes
    /// that are not UTF-8 are replaced.
    ///
    /// # Errors
    /// It has no pipe, or the line is longer than 64 MiB.
    #[track_caller]
    pub fn read_line(&mut self) -> Result<Option<String>, Error> {
        let at = here();
        let line = self.process.read_line().ok_or_else(no_pipe);
        let line = line.map_err(Error::from).and_then(|it| it.map_err(Error::from));
        let line = line.map_err(|error| error.or_at(at.as_ref()))?;
        Ok(line.map(|line| String::from_utf8_lossy(&line).into_owned()))
    }

    /// Runs another program in the same sandbox, to its end: with all its namespaces, rights and
    /// limits.
    ///
    /// # Errors
    /// The sandbox has ended, or what could not be done.
    #[track_caller]
    pub fn run(
        &mut self,
        words: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<ExitStatus, Error> {
        let at = here();
        let command = spec::Command::new(words.into_iter().map(Into::into).collect());
        let command = command.map_err(|error| invalid(&error, at.clone()))?;
        let request = Request { command, streams: Streams::Inherited, origin: at };
        let bounds = Bounds::default();
        let process = &mut self.process;
        Ok(ExitStatus(self.runner.join(process, &request, &Input::Inherited, &bounds)?))
    }
}

fn no_pipe() -> Report {
    Report::error("the program was started without pipes").hint("start it by `spawn_piped`")
}

impl fmt::Debug for Child {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Child").field("id", &self.id()).finish_non_exhaustive()
    }
}
