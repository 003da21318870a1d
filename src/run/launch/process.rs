//! Running programs in sandboxes, and their ends.

use std::io::{PipeReader, PipeWriter};
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::bounds::Deadline;
use super::exit::{self, Cause, Exit};
use super::join::Station;
use super::listing::{Listing, SOON};
use super::outside::Outside;
use super::piped::Written;
use super::relay::Relay;
use super::stream::Ends;
use crate::diag::Report;
use crate::plan::Plan;
use crate::run::base::error::{Interrupted, RunError};
use crate::run::layers::changes::Kept;
use crate::run::trace::whereabouts::{self, Whereabouts};
use crate::spec::Kind;
use crate::sys::{self, CallError, Child, Errno, KeptTerminal, PATIENCE, Status, Waiting, ready};

/// A program in a sandbox. It is killed when this value is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    started: Instant,
    ends: Ends,
    /// Its unread output, in a conversation.
    pub(in crate::run) written: Option<Written>,
    /// Its plan.
    pub(in crate::run) plan: Plan,
    /// Its number among the processes that nsscript started.
    pub(in crate::run) number: usize,
    exit: Option<Exit>,
    /// Whether its input was a pipe.
    piped: bool,
    /// Whether the recipe sent it a signal.
    signalled: bool,
    /// The end of the time that it may run.
    pub(super) deadline: Option<Deadline>,
    /// The reason why the program was not executed, known after its end.
    not_executed: Option<CallError>,
    /// The reason why its status is unknown, if so.
    lost: Option<Errno>,
    /// The pipe for the value of a closure, until its end.
    pub(in crate::run) answer: Option<PipeReader>,
    value: Vec<u8>,
    /// The resources that it uses while it runs.
    pub(in crate::run) holds: Holds,
    /// The place of its sandbox, for programs that join it.
    pub(in crate::run) station: Station,
    /// Whether other nsscript processes of the user find it.
    pub(in crate::run) listing: Listing,
}

/// The resources that a sandbox uses while it runs.
#[derive(Debug, Default)]
pub(in crate::run) struct Holds {
    /// The directory for its kept changes.
    pub changes: Option<Kept>,
    /// The token of the copy that is its root, which may be removed when the token is gone.
    pub copy: Option<Rc<()>>,
    /// The process that connects its network to the outside.
    pub outside: Option<Box<Outside>>,
    /// The earlier state of nsscript's terminal, if the program uses it.
    pub terminal: Option<KeptTerminal>,
}

impl Drop for Holds {
    fn drop(&mut self) {
        self.terminal.iter().for_each(KeptTerminal::restore);
    }
}

/// The time limit for a program to end after nsscript forwarded a signal to it.
const GRACE: Duration = Duration::from_secs(2);

impl Process {
    /// Its whereabouts: those of the program if it has an init, which nobody may trace.
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
        // Only in a conversation, errors have no pipe.
        let written =
            if ends.errors.is_none() { ends.output.take().map(Written::new) } else { None };
        let piped = ends.input.is_some();
        if let (Some(_), Some(input)) = (&written, &ends.input) {
            // This cannot fail for a new pipe.
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
            deadline: None,
            not_executed: None,
            lost: None,
            answer: None,
            value: Vec::new(),
            holds: Holds::default(),
            station: Station::default(),
            listing: Listing::Never,
        }
    }

    /// Shows the sandbox to other nsscript processes of the user, unless that was done.
    ///
    /// # Errors
    /// This process has no free descriptor, or the machine no memory.
    pub(in crate::run) fn show(&mut self) -> Result<(), Errno> {
        self.listing.show(&self.plan, self.child.pid())
    }

    /// Shows the sandbox if it has run for a while. If that fails, the program goes on unlisted.
    pub(in crate::run) fn show_soon(&mut self) {
        if matches!(self.listing, Listing::Later) && self.started.elapsed() >= SOON {
            let _ = self.show();
        }
    }

    /// The time until the sandbox is to be shown; `None` if that was done.
    pub(in crate::run) fn until_shown(&self) -> Option<Duration> {
        let waits = matches!(self.listing, Listing::Later);
        waits.then(|| SOON.saturating_sub(self.started.elapsed()))
    }

    /// Wraps a copy of nsscript whose value comes through `answer`.
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

    /// Its plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Sets the ends of its standard streams.
    pub(in crate::run) fn connect(&mut self, ends: Ends) {
        self.ends = ends;
    }

    /// Whether this process started it: only the parent learns how it ends.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.child.is_own()
    }

    /// Whether it runs a closure, which returns a value.
    #[must_use]
    pub fn is_closure(&self) -> bool {
        self.plan.command.is_closure()
    }

    /// The bytes that the closure returned.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// Closes its pipes in a copy of its parent, because other holders would keep it from seeing
    /// their end.
    pub fn leave_pipes(&mut self) {
        self.ends = Ends::default();
        (self.written, self.answer) = (None, None);
    }

    /// Reads the available bytes of the value.
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

    /// The reason why the program was not executed, after its end.
    pub(in crate::run) fn not_executed(&self) -> Option<CallError> {
        self.not_executed
    }

    /// Waits until the program is executed.
    ///
    /// # Errors
    /// The program cannot be executed.
    pub(in crate::run) fn confirm(&mut self) -> Result<(), CallError> {
        self.child.confirm()
    }

    /// Its number in /proc.
    ///
    /// # Errors
    /// It is not visible there: /proc shows another PID namespace, or the process has ended.
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
        // A closure would block until its value is read.
        while let Some(answer) = &self.answer
            && ready(&[(answer.as_fd(), false)], Some(Duration::ZERO)).is_ok_and(|it| it[0])
        {
            self.read_value();
        }
        // A program whose pipe is full would not end. If it has written too much, `wait` says so.
        let _ = self.keep_written();
        let status = self.child.poll();
        if let Some(status) = status {
            self.ended(status);
        }
        status.is_none()
    }

    /// Sends a signal to the program.
    ///
    /// # Errors
    /// The signal does not exist.
    pub fn kill(&mut self, signal: i32) -> Result<(), Errno> {
        self.note_signal();
        self.child.signal(signal)
    }

    /// Sends a signal that nobody has asked for.
    pub(super) fn send(&self, signal: i32) -> Result<(), Errno> {
        self.child.signal(signal)
    }

    /// Notes that the recipe sent it a signal, so that its end is intended.
    pub fn note_signal(&mut self) {
        self.signalled = true;
    }

    /// Whether it has ended or is about to, without reaping it.
    #[must_use]
    pub fn seems_ended(&self) -> bool {
        let descriptor = [(self.child.pidfd(), false)];
        self.has_ended() || ready(&descriptor, Some(Duration::ZERO)).is_ok_and(|it| it[0])
    }

    /// Its failure; `None` if it did not fail, or the recipe sent it a signal.
    pub fn failed(&mut self) -> Option<Exit> {
        let failed = !self.running() && !self.signalled;
        self.exit.filter(|exit| failed && exit.code != 0)
    }

    /// Waits for its end. Closes its input if that is a pipe, and keeps its output.
    ///
    /// # Errors
    /// A signal asked nsscript to end, or the output exceeds the maximum: the program is then
    /// killed. Its status is unknown.
    pub fn wait(&mut self) -> Result<Exit, RunError> {
        self.ends.input = None;
        // While this lives, the program uses the terminal of nsscript.
        let mut relay = self.ends.terminal.take().map(Relay::begin);
        let waiting = Waiting::begin();
        loop {
            self.pass_on(&waiting);
            // A closure ends only after its value was read.
            if self.answer.is_none()
                && let Some(status) = self.child.poll()
            {
                relay.iter_mut().for_each(Relay::finish);
                self.ends.copier = None;
                self.keep_written()?;
                let exit = self.ended(status);
                if let Some(errno) = relay.and_then(|relay| relay.unseen) {
                    return Err(exit::output_lost(&self.plan, errno).into());
                }
                return self
                    .lost
                    .map_or(Ok(exit), |errno| Err(exit::status_lost(&self.plan, errno).into()));
            }
            let (count, wake) = sys::interruption();
            if count > 0 {
                return Err(self.interrupt(relay.as_mut()).into());
            }
            self.keep_time();
            self.show_soon();
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
            let patience = self.time_left().map_or(PATIENCE, |left| left.min(PATIENCE));
            let answers = ready(&watched, Some(patience));
            let has_written = written.zip(answers.as_ref().ok()).is_some_and(|(at, is)| is[at]);
            let ends = || self.ends_by_signal();
            if let Some(relay) = &mut relay {
                relay.pass(&ends);
            }
            match answers {
                Ok(ready) if ready[0] => self.read_value(),
                // Process 1 of a PID namespace ends after the others in it were waited for.
                Ok(_) => sys::note_ended_children(),
                Err(_) => {}
            }
            if has_written {
                self.keep_written()?;
            }
        }
    }

    /// Sends the program the signals that arrived for it.
    pub(in crate::run) fn pass_on(&mut self, waiting: &Waiting) {
        for signal in waiting.signals() {
            let _ = self.child.signal(signal);
        }
    }

    /// Whether Ctrl-C can end the program: process 1 of a PID namespace gets only signals that it
    /// handles.
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
        self.listing = Listing::Never;
        let cause = match signal {
            _ if self.has_timed_out() => Cause::Timeout,
            Some(_) => Cause::Signal,
            None => Cause::Exited,
        };
        let exit = Exit { code, signal, cause, wall: self.started.elapsed(), usage };
        self.exit = Some(exit);
        exit
    }

    /// Forwards the signal that interrupted nsscript, and kills the program if it does not end, or
    /// if a second signal arrives.
    pub(in crate::run) fn interrupt(&mut self, mut relay: Option<&mut Relay>) -> Interrupted {
        let signal = sys::interrupted().unwrap_or_default();
        if self.child.has_keeper() {
            return Interrupted { signal };
        }
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
            // Its last output is shown and does not block it.
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

    /// Its input, if that is a pipe.
    pub(in crate::run) fn input(&mut self) -> Option<&mut PipeWriter> {
        self.ends.input.as_mut()
    }

    /// The descriptor of its input, if that is a pipe.
    pub(in crate::run) fn input_end(&self) -> Option<BorrowedFd<'_>> {
        self.ends.input.as_ref().map(AsFd::as_fd)
    }
}
