//! Programs that run in a sandbox, and how they ended.

use std::io::{BufRead, BufReader, PipeReader, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::changes::Kept;
use super::exit::{Cause, Exit};
use super::join::Station;
use super::network::Outside;
use super::runner::{Interrupted, Problem};
use super::stream::Ends;
use super::terminal::Relay;
use crate::diag::{Report, quoted};
use crate::plan::Plan;
use crate::spec::Kind;
use crate::sys::{self, Child, Errno, KeptTerminal, PATIENCE, Status, ready};

/// A program in a sandbox. It is killed when this value is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    started: Instant,
    ends: Ends,
    lines: Option<BufReader<PipeReader>>,
    /// What it was started by.
    pub(super) plan: Plan,
    /// Which of those it is that nsscript has started.
    pub(super) number: usize,
    exit: Option<Exit>,
    /// Whether its input was a pipe.
    piped: bool,
    /// Why the program was never executed, known once the process has ended.
    not_executed: Option<Errno>,
    /// Why nobody can tell how it ended, if so.
    lost: Option<Errno>,
    /// Where the value of a closure comes from, until all of it has come.
    answer: Option<PipeReader>,
    value: Vec<u8>,
    /// What it has for itself as long as it runs.
    pub(super) holds: Holds,
    /// Where its sandbox is, for programs that join it.
    pub(super) station: Station,
}

/// What a sandbox has for itself as long as it runs.
#[derive(Debug, Default)]
pub(super) struct Holds {
    /// The directory that its changes are kept in.
    pub changes: Option<Kept>,
    /// The copy that is its root: it may be removed once this is gone.
    pub copy: Option<Rc<()>>,
    /// What connects its network to the outside.
    pub outside: Option<Box<Outside>>,
    /// The terminal as it was before, of what has that of nsscript.
    pub terminal: Option<KeptTerminal>,
}

impl Drop for Holds {
    fn drop(&mut self) {
        self.terminal.iter().for_each(KeptTerminal::restore);
    }
}

/// How long a program has to end after the signal that interrupted nsscript was passed on to it.
const GRACE: Duration = Duration::from_secs(2);

impl Process {
    pub(super) fn new(
        child: Child,
        mut ends: Ends,
        plan: Plan,
        (started, number): (Instant, usize),
    ) -> Self {
        // Only a program that is talked to line by line has a reader of its own.
        let lines =
            if ends.errors.is_none() { ends.output.take().map(BufReader::new) } else { None };
        let piped = ends.input.is_some();
        Self {
            child,
            started,
            ends,
            lines,
            plan,
            number,
            exit: None,
            piped,
            not_executed: None,
            lost: None,
            answer: None,
            value: Vec::new(),
            holds: Holds::default(),
            station: Station::default(),
        }
    }

    /// A process that is a copy of nsscript, whose value comes through `answer`.
    pub(super) fn copy(
        child: Child,
        answer: PipeReader,
        plan: Plan,
        started: (Instant, usize),
    ) -> Self {
        let mut process = Self::new(child, Ends::default(), plan, started);
        process.answer = Some(answer);
        process
    }

    /// What it was started by.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Gives it what its standard streams are connected to.
    pub(super) fn connect(&mut self, ends: Ends) {
        self.ends = ends;
    }

    /// Whether this process has started it: only that one is told how it ends.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.child.is_own()
    }

    /// Whether it runs a closure, whose value comes back.
    #[must_use]
    pub fn is_closure(&self) -> bool {
        self.plan.command.is_closure()
    }

    /// What has come back from a closure.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// Lets go of its pipes, in a copy of the process that started it: whoever else holds them
    /// would keep it from seeing their end.
    pub fn leave_pipes(&mut self) {
        self.ends = Ends::default();
        (self.lines, self.answer) = (None, None);
    }

    /// Reads what is there of the value.
    fn read_value(&mut self) {
        let Some(answer) = &mut self.answer else { return };
        let mut bytes = [0; 1 << 13];
        match std::io::Read::read(answer, &mut bytes) {
            Ok(0) => self.answer = None,
            Ok(length) => self.value.extend_from_slice(&bytes[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => self.answer = None,
        }
    }

    /// The number of process 1 of the sandbox, as the host sees it.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.child.pid()
    }

    /// Why the program was never executed, once the process has ended.
    pub(super) fn not_executed(&self) -> Option<Errno> {
        self.not_executed
    }

    /// Waits until the program is executed.
    ///
    /// # Errors
    /// It cannot be.
    pub(super) fn confirm(&mut self) -> Result<(), Errno> {
        self.child.confirm()
    }

    /// A descriptor of process 1 of the sandbox, or of the closure.
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.child.pidfd()
    }

    pub(super) fn pidfd(&self) -> BorrowedFd<'_> {
        self.child.pidfd()
    }

    pub(super) fn ends(&mut self) -> &mut Ends {
        &mut self.ends
    }

    /// Whether it has not ended yet.
    pub fn running(&mut self) -> bool {
        // A closure whose value is not read would wait for that.
        while let Some(answer) = &self.answer
            && ready(&[(answer.as_fd(), false)], Some(Duration::ZERO)).is_ok_and(|it| it[0])
        {
            self.read_value();
        }
        let status = self.child.poll();
        if let Some(status) = status {
            self.ended(status);
        }
        status.is_none()
    }

    /// Sends a signal to the program.
    ///
    /// # Errors
    /// There is no such signal.
    pub fn kill(&mut self, signal: i32) -> Result<(), Errno> {
        self.child.signal(signal)
    }

    /// Waits for its end. Its input, where that is a pipe, ends.
    ///
    /// # Errors
    /// A signal asked nsscript to end: the program is ended too. Nobody can tell how it ended.
    pub fn wait(&mut self) -> Result<Exit, Problem> {
        self.ends.input = None;
        // As long as this lives, the terminal of nsscript is that of the program.
        let mut relay = self.ends.terminal.take().map(Relay::begin);
        loop {
            // A closure ends only when its value was read.
            if self.answer.is_none()
                && let Some(status) = self.child.poll()
            {
                relay.iter_mut().for_each(Relay::finish);
                self.ends.copier = None;
                let exit = self.ended(status);
                return self.lost.map_or(Ok(exit), |errno| Err(self.lost_report(errno).into()));
            }
            let (count, wake) = sys::interruption();
            if count > 0 {
                return Err(self.interrupt(relay.as_mut()).into());
            }
            let first = match &self.answer {
                Some(answer) => answer.as_fd(),
                None => self.child.pidfd(),
            };
            let mut watched = vec![(first, false)];
            watched.extend(wake.map(|wake| (wake, false)));
            watched.extend(relay.iter().flat_map(Relay::watched));
            let answers = ready(&watched, Some(PATIENCE));
            let ends = || self.ends_by_signal();
            if let Some(relay) = &mut relay {
                relay.pass(&ends);
            }
            match answers {
                Ok(ready) if ready[0] => self.read_value(),
                // Process 1 of a PID namespace ends once others in it were waited for.
                Ok(_) => sys::note_ended_children(),
                Err(_) => {}
            }
        }
    }

    /// Whether Ctrl-C can end the program: of process 1 of a PID namespace only what it handles.
    fn ends_by_signal(&self) -> bool {
        const SIGINT: u32 = 2;
        if self.child.has_init() || !self.plan.namespaces.has(Kind::Pid) {
            return true;
        }
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
        caught.is_none_or(|set| set >> (SIGINT - 1) & 1 == 1)
    }

    /// That its exit status is lost: which is no success.
    fn lost_report(&self, errno: Errno) -> Report {
        let command = &self.plan.command;
        let what =
            if command.is_closure() { "the closure".into() } else { quoted(command.shown()) };
        let message = format!("nobody can tell how {what} ended: {errno}");
        let mut report = Report::error(message);
        report.facts.operation = Some("wait".into());
        report.facts.errno = Some(errno.code());
        let last = self.plan.actions.last();
        report.note("the call was waitid(2)").at(last.and_then(|last| last.origin.clone()))
    }

    fn ended(&mut self, status: Status) -> Exit {
        if let Some(exit) = self.exit {
            return exit;
        }
        let Status { signal, code, usage, not_executed, lost } = status;
        (self.not_executed, self.lost) = (not_executed, lost);
        self.holds = Holds::default();
        let cause = if signal.is_some() { Cause::Signal } else { Cause::Exited };
        let exit = Exit { code, signal, cause, wall: self.started.elapsed(), usage };
        self.exit = Some(exit);
        exit
    }

    /// Passes the signal that interrupted nsscript on, and ends the program where that does not,
    /// or where a second signal comes.
    pub(super) fn interrupt(&mut self, mut relay: Option<&mut Relay>) -> Interrupted {
        let signal = sys::interrupted().unwrap_or_default();
        let _ = self.child.signal(signal);
        let (first, end) = (sys::interruption().0, Instant::now() + GRACE);
        while self.child.poll().is_none() {
            let Some(left) = end.checked_duration_since(Instant::now()) else { break };
            if sys::interruption().0 > first {
                break;
            }
            let step = left.min(Duration::from_millis(50));
            let mut watched = vec![(self.child.pidfd(), false)];
            watched.extend(relay.iter().flat_map(|relay| relay.watched()));
            let _ = ready(&watched, Some(step));
            // What it says in the end is seen, and does not hold it up.
            if let Some(relay) = &mut relay {
                relay.pass(&|| true);
            }
        }
        if let Some(relay) = relay {
            relay.finish();
        }
        let _ = self.child.signal(9);
        let status = self.child.wait();
        self.ends.copier = None;
        self.ended(status);
        Interrupted { signal }
    }

    /// Writes to its input.
    ///
    /// # Errors
    /// None where its input is no pipe; else write(2): it has ended or closed its input.
    pub fn write(&mut self, bytes: &[u8]) -> Option<Result<(), Errno>> {
        if self.exit.is_some() && self.piped {
            return Some(Err(Errno::PIPE));
        }
        let writer = self.ends.input.as_mut()?;
        let written = writer.write_all(bytes).and_then(|()| writer.flush());
        Some(written.map_err(|error| Errno::from(&error)))
    }

    /// Reads a line of its output without its line end: none at the end.
    ///
    /// # Errors
    /// A signal asked nsscript to end. The outer none: its output is no pipe.
    pub fn read_line(&mut self) -> Option<Result<Option<Vec<u8>>, Interrupted>> {
        let lines = self.lines.as_mut()?;
        let mut line = Vec::new();
        loop {
            if lines.buffer().is_empty() {
                let (count, wake) = sys::interruption();
                if count > 0 {
                    return Some(Err(self.interrupt(None)));
                }
                let mut watched = vec![(lines.get_ref().as_fd(), false)];
                watched.extend(wake.map(|wake| (wake, false)));
                if !ready(&watched, None).is_ok_and(|ready| ready[0]) {
                    continue;
                }
            }
            let Ok(buffer) = lines.fill_buf() else { return Some(Ok(None)) };
            if buffer.is_empty() {
                return Some(Ok((!line.is_empty()).then_some(line)));
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            line.extend_from_slice(&buffer[..end.unwrap_or(buffer.len())]);
            let used = end.map_or(buffer.len(), |end| end + 1);
            lines.consume(used);
            if end.is_some() {
                return Some(Ok(Some(line)));
            }
        }
    }
}
