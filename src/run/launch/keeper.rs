//! Sandboxes that outlive nsscript: a copy of nsscript stays with each of them, its keeper.
//!
//! The keeper starts the sandbox as nsscript does, so process 1 dies with it, it shows the record,
//! holds the locks, has the helpers of the network as children, and removes what was made when the
//! program has ended. It is a child of a process between it and nsscript. While nsscript starts the
//! program, each of the three dies with its parent. Then the keeper detaches itself and the process
//! between them ends, so nobody but the init of the machine has to wait for the keeper.

use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Instant;

use serde_json::{Value, json};

use super::join::Station;
use super::launcher::Launcher;
use super::process::Process;
use super::stream::Ends;
use crate::diag::Report;
use crate::ops::{Op, Own};
use crate::plan::{Plan, Request};
use crate::run::base::error::{Interrupted, RunError};
use crate::run::base::report_json::{error_from_json, error_to_json};
use crate::run::launch::stream::Input;
use crate::run::trace::launch_trace::report_keeper;
use crate::sys::{self, Call, Child, Errno, LaunchError, Program, Status, ready};

/// The byte by which nsscript says that the program may stay.
const STAY: u8 = b's';

/// The exit status of a keeper, or of the process between, that has failed.
const FAILED: i32 = 125;

/// What the keeper says when it is detached, and the exit status of the process between; otherwise, both
/// are the error.
const DETACHED: i32 = 0;

/// The ends of the pipes between nsscript and a keeper that the keeper has.
struct Line {
    /// Takes the answer, and in the end the status.
    answers: PipeWriter,
    /// Gives [`STAY`], or ends.
    decides: PipeReader,
    /// Ends when the trace of the start is written.
    gate: PipeReader,
    /// Says that the keeper is detached, or ends with it.
    attached: PipeWriter,
}

/// A program that the keeper has started.
struct Kept {
    pid: i32,
    keeper: i32,
}

impl Launcher {
    /// Starts a program with a keeper, and waits until it is executed.
    ///
    /// # Errors
    /// The action that failed, with its line.
    pub(super) fn start_with_keeper(
        &self,
        plan: &Plan,
        request: &Request,
        input: &Input,
    ) -> Result<Process, RunError> {
        let at = |report: Report| RunError::from(report.at(origin_of(plan)));
        self.refuse_keeper(plan)?;
        self.refuse_missing(plan)?;
        self.prepare_for_keeper(plan, request)?;
        let started = Instant::now();
        let (mut answered, answers) = pipe().map_err(at)?;
        let (decides, mut decision) = pipe().map_err(at)?;
        let (gate, opens) = pipe().map_err(at)?;
        let (mut detached, attached) = pipe().map_err(at)?;
        let mut line = Some(Line { answers, decides, gate, attached });
        let ours: [RawFd; 4] =
            [&answered as &dyn AsRawFd, &decision, &opens, &detached].map(AsRawFd::as_raw_fd);
        let program = Program { calls: vec![Call::DieWithParent], ..Program::default() };
        let between = sys::fork(&program, false, &mut || {
            // A pipe ends for the keeper when nsscript closes its end.
            ours[..3].iter().for_each(|end| sys::close(*end));
            let made = sys::fork(&program, false, &mut || {
                sys::close(ours[3]);
                line.take().map_or(FAILED, |line| self.keep(plan, request, input, line))
            });
            match made {
                Ok(mut keeper) => {
                    line = None;
                    let mut said = [0];
                    let told = detached.read_exact(&mut said);
                    let code = told.map_or(FAILED, |()| i32::from(said[0]));
                    if code == DETACHED {
                        keeper.leave();
                    } else {
                        // It is about to end.
                        keeper.wait();
                    }
                    code
                }
                Err(failed) => {
                    let error = RunError::from(not_started(plan, &failed));
                    if let Some(line) = &mut line {
                        let _ = answer(&mut line.answers, &error_to_json(&error));
                    }
                    FAILED
                }
            }
        });
        drop(line);
        report_keeper(self, plan, between.as_ref().map(Child::pid));
        let number = self.next_process();
        self.count_process();
        drop(opens);
        let mut between = between.map_err(|failed| not_started(plan, &failed))?;
        drop(detached);
        let answer = self.answer_of(&mut answered, plan);
        if answer.is_err() && sys::interrupted().is_none() {
            // What was made for the program is gone when the keeper is.
            between.wait();
        }
        let Kept { pid, keeper } = answer?;
        let has_init = plan.actions.iter().any(|it| matches!(it.action, Op::StartInit(_)));
        let child = Child::of_keeper(pid, has_init, keeper, answered.into());
        let told = match &child {
            Ok(_) => decision.write_all(&[STAY]).map_err(|error| Errno::from(&error)),
            Err(errno) => Err(*errno),
        };
        drop(decision);
        let code = between.wait().code;
        let stays = told.and(if code == DETACHED { Ok(()) } else { Err(Errno::new(code)) });
        let child = stays.and(child).map_err(|errno| {
            let message = format!("cannot leave the program behind: {errno}");
            let mut report = Report::error(message);
            report.facts.errno = Some(errno.code());
            at(report)
        })?;
        sys::leave_alone(keeper);
        let mut process = Process::new(child, Ends::default(), plan.clone(), (started, number));
        process.station = Station::of(plan, self);
        Ok(process)
    }

    /// Refuses what would not last, or not be found.
    fn refuse_keeper(&self, plan: &Plan) -> Result<(), RunError> {
        let error = |message: &str| Report::error(message).at(origin_of(plan));
        if sys::is_copy() {
            let report = error("a closure in a process of its own cannot leave a program behind");
            let hint = "start the program outside of the closure, or leave out `outlive_parent()`";
            return Err(report.hint(hint).into());
        }
        if self.session().trail().children_are_elsewhere() {
            let report = error(
                "a program cannot outlive nsscript after `unshare(PID)`: new processes end with \
                 that namespace",
            );
            let hint = "start it before, or leave out `outlive_parent()`";
            return Err(report.hint(hint).into());
        }
        Ok(())
    }

    /// Does what can take long, so that it can be interrupted, and what this process would have to
    /// do itself.
    fn prepare_for_keeper(&self, plan: &Plan, request: &Request) -> Result<(), RunError> {
        for planned in &plan.actions {
            match planned.action.own() {
                Some(Own::BuildLayer(building)) => {
                    super::build(self, building, plan, planned)?;
                    if !self.has_lasting_store() {
                        let message = "the root of a program that outlives nsscript would be \
                                       removed with the store, which is only for this run";
                        let mut report = Report::error(message).at(origin_of(plan));
                        if let Some(why) = self.why_no_lasting_store() {
                            report.facts.errno = why.facts.errno;
                            report = report.note(why.message);
                        }
                        let hint = "set `XDG_CACHE_HOME` to a directory of your own";
                        return Err(report.hint(hint).into());
                    }
                }
                // The keeper needs the directory before this process removes it.
                Some(Own::ConnectOutside(_)) => drop(self.scratch(request.origin.as_ref())?),
                Some(
                    Own::KeepChanges(_)
                    | Own::MakeOnHost(_)
                    | Own::AttachImage(_)
                    | Own::EnterNetwork(_)
                    | Own::EnterSandbox(_)
                    | Own::PrepareMaps(_)
                    | Own::MapMount(_)
                    | Own::Name(_)
                    | Own::OutliveParent(_)
                    | Own::Start(_)
                    | Own::Join(_)
                    | Own::RawAction(_),
                )
                | None => {}
            }
        }
        Ok(())
    }

    /// Waits for the answer of a keeper.
    fn answer_of(&self, answered: &mut PipeReader, plan: &Plan) -> Result<Kept, RunError> {
        let ended = || {
            let message = "the keeper of the sandbox ended before it had started the program";
            RunError::from(Report::error(message).at(origin_of(plan)))
        };
        loop {
            let (count, wake) = sys::interruption();
            // The keeper, and what it has started, dies with the process between.
            if count > 0 {
                let signal = sys::interrupted().unwrap_or_default();
                return Err(Interrupted { signal }.into());
            }
            let mut watched = vec![(answered.as_fd(), false)];
            watched.extend(wake.map(|wake| (wake, false)));
            match ready(&watched, None).as_deref() {
                Ok([true, ..]) => break,
                Ok(_) => {}
                // poll(2) ran out of memory.
                Err(_) => _ = sys::pause(sys::PATIENCE),
            }
        }
        let mut length = [0; 4];
        answered.read_exact(&mut length).map_err(|_| ended())?;
        let mut bytes = vec![0; u32::from_ne_bytes(length) as usize];
        answered.read_exact(&mut bytes).map_err(|_| ended())?;
        let answer: Value = serde_json::from_slice(&bytes).map_err(|_| ended())?;
        let number = |at: usize| i32::try_from(answer["kept"][at].as_i64()?).ok();
        if let (Some(pid), Some(keeper)) = (number(0), number(1)) {
            return Ok(Kept { pid, keeper });
        }
        self.check_stepping()?;
        Err(error_from_json(&answer).unwrap_or_else(ended))
    }

    /// The work of a keeper. Returns its exit status.
    fn keep(&self, plan: &Plan, request: &Request, input: &Input, line: Line) -> i32 {
        let Line { mut answers, mut decides, mut gate, mut attached } = line;
        let ends = [answers.as_raw_fd(), decides.as_raw_fd(), attached.as_raw_fd()];
        let _ = gate.read_exact(&mut [0]);
        drop(gate);
        let made = self.become_keeper(plan).and_then(|inherited| {
            let process = self.start(plan, request, input)?;
            // Everything that is still needed was opened here, and is above.
            let unneeded = inherited.iter().filter(|number| !ends.contains(number));
            unneeded.for_each(|number| sys::close(*number));
            sys::leave_streams_and_directory().map_err(|errno| {
                Report::error(format!("the keeper cannot leave the standard streams: {errno}"))
                    .at(origin_of(plan))
            })?;
            Ok(process)
        });
        self.tell_nobody();
        let process = match made {
            Ok(process) => process,
            Err(error) => {
                self.clear_roots();
                self.remove_workspace();
                let _ = answer(&mut answers, &error_to_json(&error));
                return FAILED;
            }
        };
        let pid = process.pid();
        let told = answer(&mut answers, &json!({ "kept": [pid, sys::process_id()] }));
        let mut decision = [0];
        let stays = told.is_ok()
            && decides.read_exact(&mut decision).is_ok()
            && decision == [STAY]
            && detach(&mut attached);
        let status = if stays {
            drop((decides, attached));
            wait(process)
        } else {
            drop(process);
            None
        };
        self.clear_roots();
        self.remove_workspace();
        if let Some(status) = status {
            // nsscript may have ended, and nobody else asks.
            let _ = answers.write_all(&status.to_bytes());
        }
        0
    }

    /// Makes this process, a copy, one that stays. Returns the descriptors that it has from the
    /// process that was copied.
    fn become_keeper(&self, plan: &Plan) -> Result<Vec<RawFd>, RunError> {
        let cannot = |what: &str, errno: Errno| {
            let mut report = Report::error(format!("the keeper cannot {what}: {errno}"));
            report.facts.errno = Some(errno.code());
            RunError::from(report.at(origin_of(plan)))
        };
        self.is_keeper.set(true);
        self.forget_workspace();
        self.become_next_process();
        sys::forget_handlers();
        sys::begin_session().map_err(|errno| cannot("start a session", errno))?;
        let inherited = sys::descriptors().map_err(|errno| cannot("list descriptors", errno))?;
        // A user namespace that was prepared is prepared again: it may be needed at the end. Nothing
        // of the process that was copied is closed before the end of the start, so no number in the
        // list becomes that of another descriptor.
        std::mem::forget(self.users.take());
        self.hold_layers_of(plan).map_err(|report| report.at(origin_of(plan)))?;
        Ok(inherited)
    }
}

/// Waits for the end of a program, or for a signal that asks the keeper to end it. What was held for
/// the program is released then.
fn wait(mut process: Process) -> Option<Status> {
    while !process.seems_ended() && sys::interrupted().is_none() {
        let mut watched = vec![(process.descriptor(), false)];
        watched.extend(sys::interruption().1.map(|wake| (wake, false)));
        if ready(&watched, None).is_err() {
            // poll(2) ran out of memory.
            let _ = sys::pause(sys::PATIENCE);
        }
    }
    let exit = process.wait().ok()?;
    let (signal, code, usage) = (exit.signal, exit.code, exit.usage);
    Some(Status { signal, code, not_executed: None, lost: None, usage })
}

/// Detaches the keeper, and tells the process between.
fn detach(attached: &mut PipeWriter) -> bool {
    let code = sys::detach().err().map_or(DETACHED, Errno::code);
    let said = attached.write_all(&[u8::try_from(code).unwrap_or(u8::MAX)]);
    said.is_ok() && code == DETACHED
}

/// The report of a keeper that could not be started.
fn not_started(plan: &Plan, failed: &LaunchError) -> Report {
    let error = failed.error;
    let message = format!("cannot start the keeper of the sandbox: {error}");
    let mut report = Report::error(message).at(origin_of(plan));
    report.facts.errno = Some(error.errno.code());
    report
}

/// The line that asked for a keeper.
fn origin_of(plan: &Plan) -> Option<crate::diag::Origin> {
    let asked = plan.actions.iter().find(|it| matches!(it.action, Op::OutliveParent(_)));
    asked.and_then(|asked| asked.origin.clone())
}

/// Sends an answer with its length.
fn answer(to: &mut PipeWriter, answer: &Value) -> std::io::Result<()> {
    let bytes = answer.to_string().into_bytes();
    let length = u32::try_from(bytes.len()).unwrap_or_default();
    to.write_all(&[&length.to_ne_bytes(), bytes.as_slice()].concat())
}

fn pipe() -> Result<(PipeReader, PipeWriter), Report> {
    std::io::pipe().map_err(|error| {
        let errno = Errno::from(&error);
        let mut report = Report::error(format!("cannot create a pipe: {errno}"));
        report.facts.errno = Some(errno.code());
        report
    })
}
