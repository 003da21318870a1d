//! Starting and running programs, in new and in existing sandboxes.

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::path::Path;
use std::time::Instant;

use super::bounds::Bounds;
use super::exit::{Exit, Output};
use super::fallback::Fallbacks;
use super::join::{self, Station};
use super::listing::Listing;
use super::process::{Holds, Process};
use super::stream::{Input, converse};
use super::{Launched, launch, not_executed};
use crate::diag::Report;
use crate::ops::{Execute, Op, Pod};
use crate::plan::{Plan, Request};
use crate::run::advice::action_error::ActionError;
use crate::run::advice::guest::{Guest, Knows};
use crate::run::advice::loader;
use crate::run::base::error::{Interrupted, RunError};
use crate::run::layers::mend::Attempt;
use crate::run::network::Networks;
use crate::spec::Namespaces;
use crate::sys::{self, CallError, KeptTerminal, Syscall, Waiting};

/// Starts the processes of this run.
pub struct Launcher {
    networks: Networks,
    pub(super) fallbacks: Fallbacks,
    /// The pipe for the value of a closure, if this process is a copy.
    pub(super) answer: RefCell<Option<i32>>,
    /// Whether this process is the keeper of a sandbox.
    pub(super) is_keeper: Cell<bool>,
}

impl Deref for Launcher {
    type Target = Networks;

    fn deref(&self) -> &Networks {
        &self.networks
    }
}

/// What restores the terminal of nsscript, if a program uses it itself.
fn kept_terminal(plan: &Plan) -> Holds {
    let mut holds = Holds::default();
    if plan.keeps_session() {
        holds.terminal = KeptTerminal::own();
    }
    holds
}

impl Launcher {
    pub(in crate::run) fn new(networks: Networks) -> Self {
        let (fallbacks, answer, is_keeper) = <(_, _, _)>::default();
        Self { networks, fallbacks, answer, is_keeper }
    }

    /// Removes everything that was created for plans.
    pub fn close(&self) {
        self.sweep();
        self.close_session();
        self.clear_roots();
        self.remove_workspace();
    }

    /// Starts a program, and waits until it is executed.
    ///
    /// # Errors
    /// The action that failed, with its line.
    pub fn start(
        &self,
        plan: &Plan,
        request: &Request,
        input: &Input,
    ) -> Result<Process, RunError> {
        if plan.outlives_parent() && !self.is_keeper.get() {
            return self.start_with_keeper(plan, request, input);
        }
        self.refuse_missing(plan)?;
        self.mending(plan, &mut || {
            let mut process = self.launch(plan, request, input)?;
            let confirmed = process.confirm();
            confirmed.map_err(|why| not_executed(self, plan, process.number, why))?;
            if let Err(errno) = process.show() {
                let message = format!("`nsscript ps` does not list the sandbox: {errno}");
                self.warn(&Report::warning(message).at(request.origin.clone()));
            }
            Ok(Ok(process))
        })
    }

    /// Starts a process that executes a program. Its end shows whether that succeeded.
    fn launch(&self, plan: &Plan, request: &Request, input: &Input) -> Result<Process, RunError> {
        if let Some(signal) = sys::interrupted() {
            return Err(Interrupted { signal }.into());
        }
        let started = Instant::now();
        let plan = self.possible(plan);
        match launch(self, &plan, request, input)? {
            Launched::Process(child, ends, holds) => {
                let mut process = Process::new(child, ends, plan, (started, self.started()));
                process.holds = holds;
                process.station = Station::of(&process.plan, self);
                process.listing = Listing::Later;
                self.sweep();
                Ok(process)
            }
            // The plan now uses a copy.
            Launched::NoOverlay(report) => {
                self.do_without_overlay(&report)?;
                self.launch(&plan, request, input)
            }
            Launched::Again => self.launch(&plan, request, input),
            Launched::NoSysfs => self.launch(&self.do_without_sysfs(plan), request, input),
        }
    }

    /// Runs a program to its end.
    ///
    /// # Errors
    /// The action that failed, with its line. A failing program is not an error here.
    pub fn run(
        &self,
        plan: &Plan,
        request: &Request,
        input: &Input,
        bounds: &Bounds,
    ) -> Result<Exit, RunError> {
        self.refuse_missing(plan)?;
        let _waiting = Waiting::begin();
        let _terminal = kept_terminal(plan);
        self.mending(plan, &mut || {
            let mut process = self.launch(plan, request, input)?;
            process.set_timeout(bounds.timeout);
            if let Input::Bytes(bytes) = input
                && let Err(error) = converse(&mut process, bytes, bounds.most)
            {
                return Ok(Err(error));
            }
            self.ended(plan, &mut process)
        })
    }

    /// Runs a program to its end and collects its output.
    ///
    /// # Errors
    /// As for [`Launcher::run`]; or the program wrote more and was killed.
    pub fn output(
        &self,
        plan: &Plan,
        request: &Request,
        input: &Input,
        bounds: &Bounds,
    ) -> Result<Output, RunError> {
        self.refuse_missing(plan)?;
        let _waiting = Waiting::begin();
        self.mending(plan, &mut || {
            let mut process = self.launch(plan, request, input)?;
            process.set_timeout(bounds.timeout);
            let bytes = if let Input::Bytes(bytes) = input { bytes.as_slice() } else { &[] };
            let (stdout, stderr) = match converse(&mut process, bytes, bounds.most) {
                Ok(written) => written,
                Err(error) => return Ok(Err(error)),
            };
            let ended = self.ended(plan, &mut process)?;
            Ok(ended.map(|exit| Output { stdout, stderr, exit }))
        })
    }

    /// Returns how a program ended, or the failure to execute it.
    fn ended(&self, plan: &Plan, process: &mut Process) -> Attempt<Exit> {
        let ended = process.wait();
        match process.not_executed() {
            Some(why) => Err(not_executed(self, plan, process.number, why).into()),
            None => Ok(ended),
        }
    }

    /// The report of a program that lacks a file inside, which explains exit status 127.
    #[must_use]
    pub fn lacks(&self, plan: &Plan) -> Option<Report> {
        if self.mend(None).is_ok_and(|any| any) {
            let message = "a layer of the root was changed in the store";
            return Some(Report::error(message).hint("rerun the recipe"));
        }
        loader::lacks(&Guest::new(plan, self), execute_of(plan)?.1)
    }

    /// The same before a launch; `None` if it is not certain. `is_changed` is whether a file of the
    /// host may be another one at the launch.
    #[must_use]
    pub fn foresee_lack(&self, plan: &Plan, is_changed: &dyn Fn(&Path) -> bool) -> Option<Report> {
        let guest = Guest::foreseen(plan, self, Knows::Unchanged(is_changed));
        let lacks = loader::lacks(&guest, execute_of(plan)?.1);
        lacks.filter(|_| self.host().tree.take_unseen().is_none())
    }

    /// The error with which the program of a plan would not be executed; `None` if that is not
    /// certain. `is_changed` is whether a file of the host may be another one at the launch.
    ///
    /// # Errors
    /// A look-up has failed, so that it is not known what a file is.
    pub fn foresee(
        &self,
        plan: &Plan,
        is_changed: &dyn Fn(&Path) -> bool,
    ) -> Result<Option<Report>, Report> {
        let found = self.foreseen(plan, Knows::Unchanged(is_changed));
        match self.host().tree.take_unseen() {
            Some(unseen) => {
                let origin = execute_of(plan).and_then(|(at, _)| plan.actions[at].origin.clone());
                Err(Report::from(unseen).at(origin))
            }
            None => Ok(found),
        }
    }

    /// Refuses a plan whose program is not in the root, as far as the plan alone shows that.
    pub(super) fn refuse_missing(&self, plan: &Plan) -> Result<(), Report> {
        self.foreseen(plan, Knows::Planned).map_or(Ok(()), Err)
    }

    fn foreseen(&self, plan: &Plan, knows: Knows<'_>) -> Option<Report> {
        let (action, execute) = execute_of(plan)?;
        let guest = Guest::foreseen(plan, self, knows);
        if matches!(knows, Knows::Planned) && !guest.has_planned_root() {
            return None;
        }
        let errno = loader::foresee(&guest, execute)?;
        // What cannot be known for certain is still good for the explanation.
        let guest = Guest::foreseen(plan, self, Knows::All);
        let error = CallError { syscall: Syscall::Execve, errno };
        ActionError { plan, action, error }.foreseen(&guest)
    }

    /// The shell of a sandbox: the one in `SHELL` inside, or else bash if it exists, or else sh.
    #[must_use]
    pub fn shell_of(&self, plan: &Plan) -> String {
        Guest::new(plan, self).shell()
    }

    /// The plan of running another program in the sandbox of the plan `first`.
    #[must_use]
    pub fn plan_to_join(&self, first: &Plan, request: &Request) -> Plan {
        join::joined(first, request, self.host())
    }

    /// The namespaces `kinds` of the sandbox of `process`, for another sandbox that shares them.
    ///
    /// # Errors
    /// The sandbox has ended, or is none; or a kind that cannot be shared.
    pub fn pod(&self, process: &mut Process, kinds: Namespaces) -> Result<Pod, Report> {
        join::pod(self, process, kinds)
    }

    /// Runs another program in the sandbox of `process`, to its end.
    ///
    /// # Errors
    /// The sandbox has ended, or an action failed.
    pub fn join(
        &self,
        process: &mut Process,
        request: &Request,
        input: &Input,
        bounds: &Bounds,
    ) -> Result<Exit, RunError> {
        let _waiting = Waiting::begin();
        let _terminal = kept_terminal(&process.plan);
        let mut joined = join::join(self, process, request, input)?;
        joined.set_timeout(bounds.timeout);
        if let Input::Bytes(bytes) = input {
            converse(&mut joined, bytes, bounds.most)?;
        }
        let plan = joined.plan.clone();
        self.ended(&plan, &mut joined)?
    }

    /// Runs another program in the sandbox of `process`, to its end, and collects its output.
    ///
    /// # Errors
    /// As for [`Launcher::join`]; or the program wrote more and was killed.
    pub fn join_output(
        &self,
        process: &mut Process,
        request: &Request,
        input: &Input,
        bounds: &Bounds,
    ) -> Result<Output, RunError> {
        let _waiting = Waiting::begin();
        let mut joined = join::join(self, process, request, input)?;
        joined.set_timeout(bounds.timeout);
        let bytes = if let Input::Bytes(bytes) = input { bytes.as_slice() } else { &[] };
        let (stdout, stderr) = converse(&mut joined, bytes, bounds.most)?;
        let plan = joined.plan.clone();
        let exit = self.ended(&plan, &mut joined)??;
        Ok(Output { stdout, stderr, exit })
    }
}

/// The action that executes the program, with its index; closures have none.
fn execute_of(plan: &Plan) -> Option<(usize, &Execute)> {
    plan.actions.iter().enumerate().rev().find_map(|(index, planned)| match &planned.action {
        Op::Execute(execute) => Some((index, execute)),
        _ => None,
    })
}
