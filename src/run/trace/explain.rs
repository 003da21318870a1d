//! Reports of single actions to a receiver.

use std::time::{Duration, Instant};

use super::Trace;
use crate::diag::Origin;
use crate::ops::Told;
use crate::plan::{Called, RawAction, Side};
use crate::sys::Errno;

/// An action that was performed or attempted.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The sentence.
    pub sentence: String,
    /// Its operation in one word.
    pub operation: &'static str,
    /// The system calls; a failed one is the last.
    pub calls: Vec<Called>,
    /// The equivalent shell command, if one exists.
    pub shell: Option<String>,
    /// Its performer.
    pub side: Side,
    /// The process that performed it, as a path from the one that runs the recipe: `[2, 1]` is the
    /// first child of its second child.
    pub process: Vec<usize>,
    /// The number of the process that it started.
    pub starts: Option<usize>,
    /// The line that asked for it.
    pub origin: Option<Origin>,
    /// The failed system call and its error.
    pub failed: Option<(&'static str, Errno)>,
    /// Its duration; `None` if it is unknown.
    pub elapsed: Option<Duration>,
}

impl Explained {
    /// Marks it as failed, and drops the calls after the failed one. `parts` calls of the same name
    /// succeeded before.
    #[must_use]
    pub(in crate::run) fn failing(mut self, failed: (&'static str, Errno), parts: usize) -> Self {
        // The file of a write is opened first.
        let opens = |called: &Called| failed.0 == "openat" && called.call.starts_with("write(fd<");
        let is_it = |called: &Called| called.call.starts_with(failed.0) || opens(called);
        let found = self.calls.iter().enumerate().filter(|(_, called)| is_it(called));
        if let Some((index, _)) = found.take(parts + 1).last() {
            self.calls.truncate(index + 1);
        }
        if let Some(last) = self.calls.last_mut() {
            last.gives = None;
        }
        Self { failed: Some(failed), ..self }
    }
}

/// The receiver of reports.
pub type Tell = Box<dyn Fn(&Explained)>;

impl Trace {
    /// Sets the receiver of all further actions.
    pub fn tell(&self, tell: Tell) {
        *self.tell.borrow_mut() = Some(tell);
    }

    /// Removes the receiver.
    pub fn tell_nobody(&self) {
        *self.tell.borrow_mut() = None;
    }

    /// Whether a receiver is set.
    pub(in crate::run) fn is_traced(&self) -> bool {
        self.tell.borrow().is_some()
    }

    /// Reports an action if a receiver is set.
    pub(in crate::run) fn explain(&self, explained: impl FnOnce() -> Explained) {
        if let Some(tell) = &*self.tell.borrow() {
            tell(&explained());
        }
    }

    /// The report of an action of the raw layer.
    pub(in crate::run) fn raw_explained(
        &self,
        action: &RawAction,
        origin: Option<&Origin>,
    ) -> Explained {
        let Told { sentence, shell, .. } = action.told();
        Explained {
            sentence,
            operation: action.name(),
            calls: action.calls(),
            shell,
            side: Side::Parent,
            process: self.process(),
            starts: None,
            origin: origin.cloned(),
            failed: None,
            elapsed: None,
        }
    }

    /// Reports a completed action that started at this time.
    pub fn tell_done(&self, action: &RawAction, started: Instant, origin: Option<&Origin>) {
        let elapsed = Some(started.elapsed());
        self.explain(|| Explained { elapsed, ..self.raw_explained(action, origin) });
    }

    /// The number of this process, as a path.
    pub(in crate::run) fn process(&self) -> Vec<usize> {
        self.process.borrow().clone()
    }

    /// The number of the next process to start.
    pub(in crate::run) fn next_process(&self) -> usize {
        self.started.get() + 1
    }

    /// Counts a started process.
    pub(in crate::run) fn count_process(&self) {
        self.started.set(self.next_process());
    }

    /// The number of the last started process.
    pub(in crate::run) fn started(&self) -> usize {
        self.started.get()
    }

    /// Continues as that process.
    pub(in crate::run) fn become_next_process(&self) {
        let number = self.next_process();
        self.process.borrow_mut().push(number);
        self.started.set(0);
    }
}
