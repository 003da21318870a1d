//! Telling, action by action, what is being done.

use std::time::Duration;

use super::runner::Runner;
use crate::diag::Origin;
use crate::plan::Side;
use crate::sys::Errno;

/// One action that was done, or tried.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The sentence.
    pub sentence: String,
    /// One word for it.
    pub operation: &'static str,
    /// The system calls, as strace(1) writes them.
    pub calls: Vec<String>,
    /// The command of a shell that does the same.
    pub shell: Option<String>,
    /// Who did it.
    pub side: Side,
    /// Which line asked for it.
    pub origin: Option<Origin>,
    /// The system call that failed, and the kernel's answer.
    pub failed: Option<(&'static str, Errno)>,
    /// How long it took; none where that cannot be told.
    pub elapsed: Option<Duration>,
}

/// Who is told.
pub type Tell = Box<dyn Fn(&Explained)>;

impl Runner {
    /// Tells `tell` of every action from here on.
    pub fn tell(&self, tell: Tell) {
        *self.tell.borrow_mut() = Some(tell);
    }

    /// Tells of an action, where somebody listens.
    pub(super) fn explain(&self, explained: impl FnOnce() -> Explained) {
        if let Some(tell) = &*self.tell.borrow() {
            tell(&explained());
        }
    }
}
