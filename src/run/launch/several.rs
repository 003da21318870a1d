//! Several processes at once.

use std::cell::RefCell;
use std::os::fd::AsFd;
use std::rc::Rc;

use super::process::Process;
use crate::run::base::error::{Interrupted, RunError};
use crate::sys::{self, PATIENCE, ready};

/// Waits until one of several processes has ended, and returns its index. Values of closures are
/// read meanwhile, because a closure whose pipe is full would not end.
///
/// # Errors
/// A signal asked nsscript to end.
pub fn first_ended(processes: &[Rc<RefCell<Process>>]) -> Result<usize, RunError> {
    loop {
        let ended = processes.iter().position(|process| !process.borrow_mut().running());
        if let Some(index) = ended {
            return Ok(index);
        }
        let (count, wake) = sys::interruption();
        if count > 0 {
            return Err(Interrupted { signal: sys::interrupted().unwrap_or_default() }.into());
        }
        let held: Vec<_> = processes.iter().map(|process| process.borrow()).collect();
        let mut watched = Vec::new();
        for process in &held {
            watched.push((process.pidfd(), false));
            watched.extend(process.answer.as_ref().map(|answer| (answer.as_fd(), false)));
        }
        watched.extend(wake.map(|wake| (wake, false)));
        if ready(&watched, Some(PATIENCE)).is_ok_and(|any| !any.contains(&true)) {
            sys::note_ended_children();
        }
    }
}
