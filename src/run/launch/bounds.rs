//! Bounds of a program: how long it may run, and how much of its output is kept.

use std::time::{Duration, Instant};

use super::piped::MOST_KEPT;
use super::process::Process;
use crate::sys::Descendants;

/// Bounds of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The time that it may run.
    pub timeout: Option<Timeout>,
    /// The size of the output that is kept, in bytes.
    pub most: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { timeout: None, most: MOST_KEPT }
    }
}

/// The time that a program may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout {
    /// The time until it gets SIGTERM.
    pub time: Duration,
    /// The time from there until it gets SIGKILL.
    pub grace: Duration,
}

/// The deadline of a program that runs.
#[derive(Debug)]
pub(super) enum Deadline {
    /// It gets SIGTERM then.
    Term(Instant, Duration),
    /// It gets SIGKILL then, and its descendants at its end.
    Kill(Instant, Vec<Descendants>),
    /// It was killed.
    Over(Vec<Descendants>),
}

const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;

impl Process {
    /// Gives the program this time from now on.
    pub fn set_timeout(&mut self, timeout: Option<Timeout>) {
        self.deadline = timeout.and_then(|timeout| {
            // A time that no clock reaches is none.
            Some(Deadline::Term(Instant::now().checked_add(timeout.time)?, timeout.grace))
        });
    }

    /// The time until [`Process::keep_time`] has something to do.
    pub(super) fn time_left(&self) -> Option<Duration> {
        match self.deadline {
            Some(Deadline::Term(at, _) | Deadline::Kill(at, _)) => {
                // poll(2) counts milliseconds.
                let left = at.saturating_duration_since(Instant::now());
                Some(if left.is_zero() { left } else { left + Duration::from_millis(1) })
            }
            Some(Deadline::Over(_)) | None => None,
        }
    }

    /// Ends a program whose time is over: first with SIGTERM, then with SIGKILL.
    pub(super) fn keep_time(&mut self) {
        if self.time_left().is_none_or(|left| !left.is_zero()) {
            return;
        }
        // Without a PID namespace, processes that the program started would stay.
        let pid = self.number_in_proc().ok();
        let below = pid.map(|pid| Descendants::of(self.descriptor(), pid)).unwrap_or_default();
        match self.deadline.take() {
            Some(Deadline::Term(_, grace)) => {
                // It may have ended by itself.
                let _ = self.send(SIGTERM);
                let at = Instant::now() + grace.min(Duration::from_secs(1 << 30));
                self.deadline = Some(Deadline::Kill(at, vec![below]));
            }
            Some(Deadline::Kill(_, mut known)) => {
                known.push(below);
                let _ = self.send(SIGKILL);
                self.deadline = Some(Deadline::Over(known));
            }
            other => self.deadline = other,
        }
    }

    /// Whether it was ended because its time was over. Ends the processes that it has started.
    pub(super) fn has_timed_out(&mut self) -> bool {
        match self.deadline.take() {
            Some(Deadline::Kill(_, known) | Deadline::Over(known)) => {
                known.into_iter().for_each(Descendants::kill);
                true
            }
            Some(Deadline::Term(..)) | None => false,
        }
    }
}
