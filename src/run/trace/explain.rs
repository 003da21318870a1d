//! Reports of actions, one by one, to whoever listens.

use std::time::{Duration, Instant};

use super::Trace;
use crate::diag::Origin;
use crate::ops::Told;
use crate::plan::{Called, RawAction, Side};
use crate::sys::Errno;

/// One action that was done, or tried.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The sentence.
    pub sentence: String,
    /// One word for it.
    pub operation: &'static str,
    /// The system calls. Where one failed, it is the last.
    pub calls: Vec<Called>,
    /// The command of a shell that does the same.
    pub shell: Option<String>,
    /// Who did it.
    pub side: Side,
    /// The process that did it, by the way to it from the one that runs the recipe: `[2, 1]` is the
    /// first that was started by the second that this one has started.
    pub process: Vec<usize>,
    /// The number of the process that it started.
    pub starts: Option<usize>,
    /// Which line asked for it.
    pub origin: Option<Origin>,
    /// The system call that failed, and the kernel's answer.
    pub failed: Option<(&'static str, Errno)>,
    /// How long it took; none where that cannot be told.
    pub elapsed: Option<Duration>,
}

impl Explained {
    /// The same, failed: what comes after the call that failed was not done. `parts` calls of its
    /// name were done before.
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

/// Who is told.
pub type Tell = Box<dyn Fn(&Explained)>;

impl Trace {
    /// Tells `tell` of every action from here on.
    pub fn tell(&self, tell: Tell) {
        *self.tell.borrow_mut() = Some(tell);
    }

    /// Tells nobody any more.
    pub fn tell_nobody(&self) {
        *self.tell.borrow_mut() = None;
    }

    /// Whether somebody listens.
    pub(in crate::run) fn is_heard(&self) -> bool {
        self.tell.borrow().is_some()
    }

    /// Tells of an action, where somebody listens.
    pub(in crate::run) fn explain(&self, explained: impl FnOnce() -> Explained) {
        if let Some(tell) = &*self.tell.borrow() {
            tell(&explained());
        }
    }

    /// An action of the raw layer, as it is told.
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

    /// Tells of something that was done, and began at this time.
    pub fn tell_done(&self, action: &RawAction, started: Instant, origin: Option<&Origin>) {
        let elapsed = Some(started.elapsed());
        self.explain(|| Explained { elapsed, ..self.raw_explained(action, origin) });
    }

    /// The process that this is.
    pub(in crate::run) fn process(&self) -> Vec<usize> {
        self.process.borrow().clone()
    }

    /// The number of the process that is started next.
    pub(in crate::run) fn next_process(&self) -> usize {
        self.started.get() + 1
    }

    /// That one is started.
    pub(in crate::run) fn count_process(&self) {
        self.started.set(self.next_process());
    }

    /// The number of the process that was started last.
    pub(in crate::run) fn started(&self) -> usize {
        self.started.get()
    }

    /// This is that one.
    pub(in crate::run) fn become_next_process(&self) {
        let number = self.next_process();
        self.process.borrow_mut().push(number);
        self.started.set(0);
    }
}
