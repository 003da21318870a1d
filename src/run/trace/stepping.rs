//! Stepping through a plan, action by action.

use std::cell::{OnceCell, RefCell};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, RawFd};
use std::rc::Rc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use super::Trace;
use super::whereabouts::Whereabouts;
use crate::diag::Origin;
use crate::plan::{Plan, RawAction, Side};
use crate::run::base::error::{Interrupted, RunError};
use crate::sys::{self, Step};

/// What is about to be done.
#[derive(Clone, Debug)]
pub struct Pause {
    /// Which action of how many it is; none for a raw call.
    pub number: Option<(usize, usize)>,
    /// The action as a sentence.
    pub sentence: String,
    /// The line that asked for it.
    pub origin: Option<Origin>,
    /// Whether the new process performs it.
    pub is_inside: bool,
    /// The root under construction, if any.
    root: Option<RawFd>,
}

impl Pause {
    /// The whereabouts of the process that performs it.
    #[must_use]
    pub fn whereabouts(&self) -> Whereabouts {
        Whereabouts::of_this_process()
    }

    /// Runs a shell in the namespaces of that process, in the root under construction.
    ///
    /// # Errors
    /// No shell exists there.
    pub fn shell(&self, input: &File, output: &File) -> std::io::Result<()> {
        sys::shell(self.root, input.as_fd(), output.as_fd())
    }

    /// Reads a line that the person types; `None` at the end of the input, or if a signal asks
    /// nsscript to end.
    #[must_use]
    pub fn line(&self, mut input: &File) -> Option<String> {
        let mut line = Vec::new();
        loop {
            if sys::is_asked_to_end() {
                return None;
            }
            let waits = Some(Duration::from_millis(100));
            if !sys::ready(&[(input.as_fd(), false)], waits).is_ok_and(|it| it == [true]) {
                continue;
            }
            let mut byte = [0];
            // Byte by byte, because the input after the line is for the program.
            match input.read(&mut byte) {
                Ok(1) if byte == *b"\n" => return String::from_utf8(line).ok(),
                Ok(1) => line.extend(byte),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => return None,
            }
        }
    }
}

/// The answer of the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Perform the action, and ask about the next one.
    Next,
    /// Perform all actions.
    Continue,
    /// Perform no more actions.
    Quit,
}

/// The function that asks the person.
pub type Ask = Rc<dyn Fn(&Pause) -> Answer>;

/// The state of stepping.
#[derive(Default)]
pub(in crate::run) struct Stepping {
    ask: RefCell<Option<Ask>>,
    /// The last answer, shared with new processes: see [`Answer`].
    said: OnceCell<&'static AtomicU8>,
}

impl Stepping {
    fn said(&self) -> &'static AtomicU8 {
        self.said.get_or_init(sys::shared_byte)
    }

    fn is_over(&self) -> bool {
        self.said().load(Ordering::Relaxed) != Answer::Next as u8
    }

    fn has_quit(&self) -> bool {
        self.said().load(Ordering::Relaxed) == Answer::Quit as u8
    }
}

impl Trace {
    /// Starts asking before every action.
    pub fn step(&self, ask: Ask) {
        *self.stepping.ask.borrow_mut() = Some(ask);
        self.stepping.said();
    }

    fn asks(&self) -> Option<Ask> {
        let ask = self.stepping.ask.borrow().clone()?;
        (!self.stepping.is_over()).then_some(ask)
    }

    /// Asks before this process performs action `index` of a plan.
    pub(in crate::run) fn before_action(&self, plan: &Plan, index: usize) -> Result<(), RunError> {
        let Some(ask) = self.asks() else { return Ok(()) };
        self.answered(ask(&pause(plan, index, false)))
    }

    /// Asks before a raw call.
    pub(in crate::run) fn before_call(
        &self,
        action: &RawAction,
        at: Option<&Origin>,
    ) -> Result<(), RunError> {
        let Some(ask) = self.asks() else { return Ok(()) };
        let sentence = action.told().sentence;
        let origin = at.cloned();
        let is_inside = sys::is_copy();
        self.answered(ask(&Pause { number: None, sentence, origin, is_inside, root: None }))
    }

    fn answered(&self, answer: Answer) -> Result<(), RunError> {
        self.stepping.said().store(answer as u8, Ordering::Relaxed);
        self.check_stepping()
    }

    /// Returns an error if the person has ended the stepping.
    pub(in crate::run) fn check_stepping(&self) -> Result<(), RunError> {
        const SIGINT: i32 = 2;
        let quit = self.stepping.ask.borrow().is_some() && self.stepping.has_quit();
        if quit { Err(Interrupted { signal: SIGINT }.into()) } else { Ok(()) }
    }

    /// The function that a new process calls before its calls, which belong to these actions of a
    /// plan.
    pub(in crate::run) fn steps(&self, plan: &Plan, actions: &[usize]) -> Option<Step> {
        let ask = self.asks()?;
        let (plan, actions, said) = (plan.clone(), actions.to_vec(), self.stepping.said());
        Some(Step::new(move |call, root| {
            let action = actions.get(call).copied().unwrap_or(0);
            let is_first = call == 0 || actions.get(call - 1) != Some(&action);
            let is_asked = is_first && plan.actions[action].side != Side::Parent;
            if said.load(Ordering::Relaxed) == Answer::Next as u8 && is_asked {
                let pause =
                    Pause { root: (root >= 0).then_some(root), ..pause(&plan, action, true) };
                said.store(ask(&pause) as u8, Ordering::Relaxed);
            }
            said.load(Ordering::Relaxed) != Answer::Quit as u8
        }))
    }
}

fn pause(plan: &Plan, index: usize, is_inside: bool) -> Pause {
    let planned = &plan.actions[index];
    Pause {
        number: Some((index + 1, plan.actions.len())),
        sentence: planned.action.told().sentence,
        origin: planned.origin.clone(),
        is_inside,
        root: None,
    }
}
