//! Closures in separate processes: copies of nsscript that return a value through a pipe.

use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Instant;

use super::join::{self, Station};
use super::launcher::Launcher;
use super::process::Process;
use crate::diag::{Origin, Report};
use crate::ops::raw::{Clone3, Setns};
use crate::ops::{Op, RawAction, clone_flags};
use crate::plan::{Plan, Planned, Request, Side};
use crate::run::advice::action_error::ActionError;
use crate::run::base::error::{Interrupted, RunError};
use crate::run::launch;
use crate::run::launch::stream::Input;
use crate::run::layers::mend::Attempt;
use crate::run::trace::explain::Explained;
use crate::run::trace::launch_trace::{LaunchTrace, entered, watch};
use crate::spec::Namespaces;
use crate::sys::{self, Call, Child, Enter, Errno, LaunchError, Program};

/// The work of a closure in its process: it returns the bytes for the pipe, and the exit status.
pub type Body<'a> = &'a mut dyn FnMut() -> (Vec<u8>, i32);

/// The exit status of a copy whose closure panicked, or whose value could not be passed on.
const NO_VALUE: i32 = 125;

impl Launcher {
    /// Starts a closure in a copy of this process, in new namespaces.
    ///
    /// # Errors
    /// The namespaces cannot be created.
    pub fn fork(
        &self,
        namespaces: Namespaces,
        origin: Option<&Origin>,
        body: Body<'_>,
    ) -> Result<Process, RunError> {
        self.begin_session(origin)?;
        let program = Program {
            namespaces: clone_flags(namespaces),
            calls: vec![Call::DieWithParent],
            ..Program::default()
        };
        self.fork_raw(Clone3(namespaces).into(), &program, origin, body)
    }

    /// Starts a closure in a copy of this process, in an existing namespace.
    ///
    /// # Errors
    /// The namespace cannot be entered.
    pub fn fork_into(
        &self,
        action: RawAction,
        descriptor: OwnedFd,
        namespaces: Namespaces,
        origin: Option<&Origin>,
        body: Body<'_>,
    ) -> Result<Process, RunError> {
        self.begin_session(origin)?;
        let enter = Enter { descriptor, namespaces: clone_flags(namespaces) };
        let calls = vec![Call::DieWithParent];
        let program = Program { enter: vec![enter], calls, ..Program::default() };
        self.fork_raw(action, &program, origin, body)
    }

    fn fork_raw(
        &self,
        action: RawAction,
        program: &Program,
        origin: Option<&Origin>,
        body: Body<'_>,
    ) -> Result<Process, RunError> {
        let planned =
            Planned { action: action.clone().into(), side: Side::Parent, origin: origin.cloned() };
        let plan = Plan { namespaces: action.namespaces(), ..Plan::of_one(planned) };
        let started = Instant::now();
        let moved = action.clone();
        let body = &mut || {
            self.session().begin_copy(&moved);
            body()
        };
        let tell = |made: Result<i32, &LaunchError>| {
            self.explain(|| {
                let mut calls = entered(program);
                if let (Some(last), Ok(pid)) = (calls.last_mut(), made) {
                    last.gives = Some(pid.to_string());
                }
                let told = Explained {
                    calls,
                    starts: made.ok().map(|_| self.next_process()),
                    elapsed: Some(started.elapsed()),
                    ..self.raw_explained(&action, origin)
                };
                match made {
                    Ok(_) => told,
                    Err(failed) => {
                        told.failing((failed.error.syscall.name(), failed.error.errno), 0)
                    }
                }
            });
        };
        self.before_call(&action, origin)?;
        // Programs of the closure use the terminal of nsscript itself.
        let terminal = sys::KeptTerminal::own();
        let made = self.copy(program, false, plan, body, &tell)?;
        let made = made.map(|mut process| {
            process.holds.terminal = terminal;
            process
        });
        made.map_err(|LaunchError { error, .. }| self.raw_failure(action, origin, error).into())
    }

    /// Starts a closure in a new sandbox.
    ///
    /// # Errors
    /// The action that failed, with its line.
    pub fn fork_sandbox(
        &self,
        plan: &Plan,
        request: &Request,
        body: Body<'_>,
    ) -> Result<Process, RunError> {
        self.mending(plan, &mut || self.fork_sandbox_once(plan, request, &mut *body))
    }

    fn fork_sandbox_once(
        &self,
        plan: &Plan,
        request: &Request,
        body: Body<'_>,
    ) -> Attempt<Process> {
        if let Some(planned) =
            plan.actions.iter().find(|it| matches!(it.action, Op::ClockOffset(_)))
        {
            let message = "a closure cannot run in a sandbox with a clock of its own";
            let report = Report::error(message).at(request.origin.clone());
            let report = report.related(planned.origin.as_ref(), "the clock");
            let hint = "run a program there: only a program enters a time namespace";
            return Err(report.advise("closure_with_clock", hint).into());
        }
        let plan = &self.possible(plan);
        let ready = launch::ready(self, plan, request, &Input::Inherited)?;
        let launch::Ready { mut lowered, holds, connected } = ready;
        watch(self, &mut lowered.program);
        let environment = plan.environment.clone();
        let body = &mut || {
            self.session().in_sandbox(environment.clone());
            body()
        };
        let trace = LaunchTrace { trace: self, plan, actions: &lowered.actions };
        let tell = |made: Result<i32, &LaunchError>| trace.tell(&lowered.program, made);
        match self.copy(&lowered.program, true, plan.clone(), &mut *body, &tell)? {
            Ok(mut process) => {
                process.holds = holds;
                process.station = Station::of(plan, self);
                // The closure has begun.
                Ok(connected.into_ends(plan).map_err(RunError::from).map(|ends| {
                    process.connect(ends);
                    process
                }))
            }
            Err(failed) if launch::is_without_overlay(plan, &lowered, failed) => {
                self.do_without_overlay(&launch::failure(self, plan, &lowered, failed))?;
                self.fork_sandbox_once(plan, request, body)
            }
            Err(failed) => {
                self.go_around(plan, &lowered, failed)?;
                self.fork_sandbox_once(plan, request, body)
            }
        }
    }

    /// Starts a closure in the namespaces of a process: with the ids of a sandbox and without
    /// capabilities, or, for the process of a closure, with all of them.
    ///
    /// # Errors
    /// The process has ended, or may not be entered.
    pub fn fork_beside(
        &self,
        process: &mut Process,
        request: &Request,
        body: Body<'_>,
    ) -> Result<Process, RunError> {
        if !process.running() {
            let message = "the process has exited, so its namespaces cannot be entered";
            let report = Report::error(message).at(request.origin.clone());
            let hint = "enter them while it runs, before `wait()`";
            return Err(report.advise("process_ended_before", hint).into());
        }
        if process.plan.is_raw() {
            let pid = process.pid();
            let kinds = self.differing(pid, Namespaces::ALL, request.origin.as_ref())?;
            let action = entering(pid, kinds);
            let descriptor = duplicated(process.pidfd(), request.origin.as_ref())?;
            return self.fork_into(action.into(), descriptor, kinds, request.origin.as_ref(), body);
        }
        let plan = Some(&process.plan);
        let connected = launch::connect_streams(self, request, &Input::Inherited, plan)?;
        let mut joining = join::joining(self, process, request, &connected.given, false)?;
        watch(self, &mut joining.program);
        let environment = process.plan.environment.clone();
        let body = &mut || {
            self.session().in_sandbox(environment.clone());
            body()
        };
        let tell =
            |made: Result<i32, &LaunchError>| joining.trace(self).tell(&joining.program, made);
        let made = self.copy(&joining.program, true, joining.plan.clone(), body, &tell)?;
        let station = process.station.clone();
        if let Ok(mut process) = made {
            process.connect(connected.into_ends(&joining.plan)?);
            process.station = station;
            return Ok(process);
        }
        made.map_err(|LaunchError { call, error }| {
            let action = call.and_then(|call| joining.actions.get(call).copied()).unwrap_or(0);
            ActionError { plan: &joining.plan, action, error }.report(self).into()
        })
    }

    /// The kinds among `wanted` in which process `pid` differs from this one.
    ///
    /// # Errors
    /// It has ended, or its namespaces may not be read.
    pub fn differing(
        &self,
        pid: i32,
        wanted: Namespaces,
        origin: Option<&Origin>,
    ) -> Result<Namespaces, RunError> {
        self.begin_session(origin)?;
        let mut differing = Namespaces::NONE;
        for kind in wanted.kinds() {
            let differs = sys::differing(pid, &[(kind.file(), 1)]).map_err(|errno| {
                let message = format!("cannot read the namespaces of process {pid}: {errno}");
                let report = Report::error(message).at(origin.cloned());
                match errno.name().as_str() {
                    "ENOENT" | "ESRCH" => report.advise(
                        "process_has_ended",
                        "choose a process that `processes()` lists; to keep a namespace after its \
                         process exits, hold a value such as `let net = process.namespace(NET)`",
                    ),
                    "EACCES" | "EPERM" => report.advise(
                        "process_with_more_rights",
                        "the process has more rights than this one: run the recipe as the user of \
                         that process, which `processes()` shows",
                    ),
                    _ => report,
                }
            })?;
            if differs != 0 {
                differing = differing | kind.into();
            }
        }
        Ok(differing)
    }

    /// Creates the copy and the pipe for its value. If the trace is on, the copy continues after
    /// `tell` has reported it.
    fn copy(
        &self,
        program: &Program,
        guard: bool,
        plan: Plan,
        body: Body<'_>,
        tell: &dyn Fn(Result<i32, &LaunchError>),
    ) -> Result<Result<Process, LaunchError>, RunError> {
        if let Some(signal) = sys::interrupted() {
            return Err(Interrupted { signal }.into());
        }
        if sys::keeps_threads() {
            // The copy would have the descriptors of the other threads, and the locks that they
            // hold.
            let origin = plan.actions.last().and_then(|last| last.origin.clone());
            let message = "cannot run a closure in a copy of a process that has several threads";
            let note = "run it before other threads start, or in a process of its own";
            return Err(Report::error(message).note(note).at(origin).into());
        }
        let (reader, writer) = pipe()?;
        let mut gate = if self.is_traced() { Some(pipe()?) } else { None };
        let started = Instant::now();
        let write_end = writer.as_raw_fd();
        let mut writer = Some(writer);
        let child = sys::fork(program, guard, &mut || {
            let Some(mut writer) = writer.take() else { return NO_VALUE };
            self.become_copy(write_end);
            if let Some((mut waits, opens)) = gate.take() {
                drop(opens);
                let _ = waits.read(&mut [0]);
            }
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(&mut *body));
            let (bytes, code) = done.unwrap_or((Vec::new(), NO_VALUE));
            let code = match writer.write_all(&bytes) {
                Ok(()) => code,
                Err(error) => self.lose_value(Errno::from(&error)),
            };
            self.close();
            code
        });
        drop(writer);
        tell(child.as_ref().map(Child::pid));
        self.count_process();
        drop(gate);
        self.check_stepping()?;
        Ok(child.map(|child| Process::copy(child, reader, plan, (started, self.started()))))
    }

    /// Warns that the value of a closure could not be passed on, and returns the exit status.
    fn lose_value(&self, errno: Errno) -> i32 {
        self.warn(&Report::error(format!("cannot pass on the value of the closure: {errno}")));
        NO_VALUE
    }

    /// Forgets what belongs to the process that was copied.
    fn become_copy(&self, answer: i32) {
        self.forget_workspace();
        self.become_next_process();
        // The pipe of the outer closure is not for this process.
        if let Some(outer) = self.answer.replace(Some(answer)) {
            sys::close(outer);
        }
    }
}

fn pipe() -> Result<(PipeReader, PipeWriter), Report> {
    std::io::pipe()
        .map_err(|error| Report::error(format!("cannot create a pipe: {}", Errno::from(&error))))
}

/// The action of entering the namespaces of a process.
#[must_use]
pub fn entering(pid: i32, namespaces: Namespaces) -> Setns {
    let what = format!("process {pid}");
    Setns { what, file: format!("pid {pid}"), namespaces }
}

/// Duplicates the descriptor of a process.
///
/// # Errors
/// No descriptor is left.
pub fn duplicated(
    descriptor: std::os::fd::BorrowedFd<'_>,
    origin: Option<&Origin>,
) -> Result<OwnedFd, RunError> {
    sys::duplicate(descriptor.as_fd()).map_err(|errno| {
        Report::error(format!("cannot duplicate the descriptor of the process: {errno}"))
            .at(origin.cloned())
            .into()
    })
}

/// Opens a descriptor of process `pid`.
///
/// # Errors
/// The process does not exist.
pub fn open_process(pid: i32) -> Result<OwnedFd, Errno> {
    sys::pidfd_open(pid).map_err(|error| error.errno)
}
