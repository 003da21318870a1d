//! Programs that run in a sandbox, and how they ended.

use std::io::{PipeReader, PipeWriter};
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::exit::{self, Cause, Exit};
use super::join::Station;
use super::outside::Outside;
use super::piped::Written;
use super::relay::Relay;
use super::stream::Ends;
use crate::diag::Report;
use crate::plan::Plan;
use crate::run::base::problem::{Interrupted, Problem};
use crate::run::layers::changes::Kept;
use crate::run::trace::whereabouts::{self, Whereabouts};
use crate::spec::Kind;
use crate::sys::{self, Child, Errno, KeptTerminal, PATIENCE, Status, Trouble, ready};

/// A program in a sandbox. It is killed when this value is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    started: Instant,
    ends: Ends,
    /// What it writes, where it is talked to.
    pub(in crate::run) written: Option<Written>,
    /// What it was started by.
    pub(in crate::run) plan: Plan,
    /// Which of those it is that nsscript has started.
    pub(in crate::run) number: usize,
    exit: Option<Exit>,
    /// Whether its input was a pipe.
    piped: bool,
    /// Whether the recipe has sent it a signal.
    signalled: bool,
    /// Why the program was never executed, known once the process has ended.
    not_executed: Option<Trouble>,
    /// Why nobody can tell how it ended, if so.
    lost: Option<Errno>,
    /// Where the value of a closure comes from, until all of it has come.
    answer: Option<PipeReader>,
    value: Vec<u8>,
    /// What it has for itself as long as it runs.
    pub(in crate::run) holds: Holds,
    /// Where its sandbox is, for programs that join it.
    pub(in crate::run) station: Station,
}

/// What a sandbox has for itself as long as it runs.
#[derive(Debug, Default)]
pub(in crate::run) struct Holds {
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
    /// Where it is. Of a program that an init has started it is that program, as an init lets nobody look
    /// at it.
    #[must_use]
    pub fn whereabouts(&self) -> Whereabouts {
        let pid = self.pid();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let program = children.ok().and_then(|text| text.split_whitespace().next()?.parse().ok());
        Whereabouts {
            pid,
            ..whereabouts::of(program.filter(|_| !self.is_closure()).unwrap_or(pid))
        }
    }

    pub(in crate::run) fn new(
        child: Child,
        mut ends: Ends,
        plan: Plan,
        (started, number): (Instant, usize),
    ) -> Self {
        // Only what is talked to has no pipe for its errors.
        let written =
            if ends.errors.is_none() { ends.output.take().map(Written::new) } else { None };
        let piped = ends.input.is_some();
        if let (Some(_), Some(input)) = (&written, &ends.input) {
            // A pipe that was just made is a descriptor for which this cannot fail.
            let _ = sys::set_nonblocking(input.as_fd());
        }
        Self {
            child,
            started,
            ends,
            written,
            plan,
            number,
            exit: None,
            piped,
            signalled: false,
            not_executed: None,
            lost: None,
            answer: None,
            value: Vec::new(),
            holds: Holds::default(),
            station: Station::default(),
        }
    }

    /// A process that is a copy of nsscript, whose value comes through `answer`.
    pub(in crate::run) fn copy(
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
    pub(in crate::run) fn connect(&mut self, ends: Ends) {
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
        (self.written, self.answer) = (None, None);
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
    pub(in crate::run) fn not_executed(&self) -> Option<Trouble> {
        self.not_executed
    }

    /// Waits until the program is executed.
    ///
    /// # Errors
    /// It cannot be.
    pub(in crate::run) fn confirm(&mut self) -> Result<(), Trouble> {
        self.child.confirm()
    }

    /// The same as /proc shows it.
    ///
    /// # Errors
    /// It is not to be seen there: /proc is of another PID namespace, or the process has ended.
    pub(in crate::run) fn number_in_proc(&self) -> Result<i32, Report> {
        let number = self.child.number_in_proc().map_err(|errno| {
            Report::error(format!("cannot find the sandbox in `/proc`: {errno}"))
        })?;
        number.ok_or_else(|| {
            let message = "cannot find the sandbox in `/proc`, which shows another PID namespace";
            Report::error(message).note("or the sandbox has just ended")
        })
    }

    /// A descriptor of process 1 of the sandbox, or of the closure.
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.child.pidfd()
    }

    pub(in crate::run) fn pidfd(&self) -> BorrowedFd<'_> {
        self.child.pidfd()
    }

    pub(in crate::run) fn ends(&mut self) -> &mut Ends {
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
        self.note_signal();
        self.child.signal(signal)
    }

    /// Notes that the recipe has sent it a signal: how it ends then is what was asked for.
    pub fn note_signal(&mut self) {
        self.signalled = true;
    }

    /// Whether it has ended, or is about to. Its parent is not told so yet, and sees it as before.
    #[must_use]
    pub fn seems_ended(&self) -> bool {
        let descriptor = [(self.child.pidfd(), false)];
        self.has_ended() || ready(&descriptor, Some(Duration::ZERO)).is_ok_and(|it| it[0])
    }

    /// How it has failed; none where it has not, or the recipe itself has sent it a signal.
    pub fn failed(&mut self) -> Option<Exit> {
        let failed = !self.running() && !self.signalled;
        self.exit.filter(|exit| failed && exit.code != 0)
    }

    /// Waits for its end. Its input, where that is a pipe, ends; what it writes into one is kept.
    ///
    /// # Errors
    /// A signal asked nsscript to end, or it has written more than is kept: the program is ended too.
    /// Nobody can tell how it ended.
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
                self.keep_written()?;
                let exit = self.ended(status);
                if let Some(errno) = relay.and_then(|relay| relay.unseen) {
                    return Err(exit::unseen(&self.plan, errno).into());
                }
                return self
                    .lost
                    .map_or(Ok(exit), |errno| Err(exit::lost(&self.plan, errno).into()));
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
            let written = self.written.as_ref().and_then(Written::pipe);
            watched.extend(written.map(|pipe| (pipe, false)));
            let written = written.map(|_| watched.len() - 1);
            watched.extend(relay.iter().flat_map(Relay::watched));
            let answers = ready(&watched, Some(PATIENCE));
            let has_written = written.zip(answers.as_ref().ok()).is_some_and(|(at, is)| is[at]);
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
            if has_written {
                self.keep_written()?;
            }
        }
    }

    /// Whether Ctrl-C can end the program: of process 1 of a PID namespace only what it handles.
    fn ends_by_signal(&self) -> bool {
        const SIGINT: u32 = 2;
        if self.child.has_init() || !self.plan.namespaces.has(Kind::Pid) {
            return true;
        }
        let Ok(Some(number)) = self.child.number_in_proc() else { return true };
        let status = std::fs::read_to_string(format!("/proc/{number}/status"));
        let status = status.unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
        caught.is_none_or(|set| set >> (SIGINT - 1) & 1 == 1)
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
    pub(in crate::run) fn interrupt(&mut self, mut relay: Option<&mut Relay>) -> Interrupted {
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
        self.end_at_once();
        Interrupted { signal }
    }

    /// Kills the program.
    pub(in crate::run) fn end_at_once(&mut self) {
        let _ = self.child.signal(9);
        let status = self.child.wait();
        self.ends.copier = None;
        self.ended(status);
    }

    /// Whether it is known to have ended.
    pub(in crate::run) fn has_ended(&self) -> bool {
        self.exit.is_some()
    }

    /// Whether its input was a pipe.
    pub(in crate::run) fn was_piped(&self) -> bool {
        self.piped
    }

    /// Its input, where that is a pipe.
    pub(in crate::run) fn input(&mut self) -> Option<&mut PipeWriter> {
        self.ends.input.as_mut()
    }

    /// A descriptor of the same.
    pub(in crate::run) fn input_end(&self) -> Option<BorrowedFd<'_>> {
        self.ends.input.as_ref().map(AsFd::as_fd)
    }
}
