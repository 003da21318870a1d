//! One runner a run: the machine, what was built on it, and doing what plans say.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::time::Instant;

use super::advice::guest::Guest;
use super::advice::loader;
use super::base::problem::{Interrupted, Problem, Warn};
use super::launch::exit::{Exit, Output};
use super::launch::fallback::Fallbacks;
use super::launch::join::{self, Station};
use super::launch::piped::MOST_KEPT;
use super::launch::process::Process;
use super::launch::stream::{Input, converse};
use super::launch::{self, Launched};
use super::layers::mend::Begun;
use super::layers::root::Roots;
use super::layers::store::take_away;
use super::layers::workspace::{Workspace, distrusted, sweep_for_others};
use super::network::Networks;
use super::session::Session;
use super::session::idmap::UserNamespaces;
use super::trace::explain::Listener;
use super::trace::stepping::Stepping;
use crate::diag::{Report, quoted};
use crate::host::{DESCRIPTORS, Host, Tree};
use crate::ops::Sandbox;
use crate::plan::{Plan, Planner, Request};
use crate::sys::{self, Distrust, WalkError};

/// Does what plans say. Everything it makes for that is gone when it is dropped.
pub struct Runner {
    /// Makes the plans.
    pub planner: Planner,
    pub(super) users: RefCell<UserNamespaces>,
    pub(super) workspace: RefCell<Option<Workspace>>,
    /// Whether what killed runs have left was removed.
    swept: Cell<bool>,
    pub(super) roots: Roots,
    /// Ways to directories of our own that others can change, as was noted before a session.
    pub(super) distrusted: RefCell<Vec<(PathBuf, Distrust)>>,
    pub(super) fallbacks: Fallbacks,
    pub(super) session: Session,
    pub(super) networks: Networks,
    pub(super) listener: Listener,
    pub(super) stepping: Stepping,
    /// The pipe that the value of a closure goes through, where this process is a copy.
    pub(super) answer: RefCell<Option<i32>>,
    /// Who is told what is odd, and only found when it is done.
    warn: RefCell<Option<Warn>>,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Runner").field("planner", &self.planner).finish_non_exhaustive()
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // The private directory goes after this, without the rights over other ids.
        self.clear_roots();
    }
}

impl Default for Runner {
    fn default() -> Self {
        Self::new()
    }
}

impl Runner {
    /// A runner on this machine, for the user who asks.
    #[must_use]
    pub fn new() -> Self {
        let ids = sys::ids();
        let variable = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let host = Host {
            tree: Tree::host(),
            uid: ids.uid,
            gid: ids.gid,
            kernel: sys::kernel_version(),
            environment: std::env::vars_os().filter_map(variable).collect(),
        };
        Self {
            planner: Planner::new(host),
            users: RefCell::default(),
            workspace: RefCell::default(),
            swept: Cell::default(),
            roots: Roots::default(),
            distrusted: RefCell::default(),
            fallbacks: Fallbacks::default(),
            session: Session::default(),
            networks: Networks::default(),
            listener: Listener::default(),
            stepping: Stepping::default(),
            answer: RefCell::default(),
            warn: RefCell::default(),
        }
    }

    /// Tells `warn` what is odd, and only found when it is done.
    pub fn on_warning(&self, warn: Warn) {
        *self.warn.borrow_mut() = Some(warn);
    }

    pub(super) fn warn(&self, warning: &Report) {
        if let Some(warn) = &*self.warn.borrow() {
            warn(warning);
        }
    }

    /// The machine.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.planner.host
    }

    /// What keeps raw calls from changing the host.
    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    pub(super) fn workspace(&self) -> Result<PathBuf, Report> {
        if let Some(workspace) = &*self.workspace.borrow() {
            return Ok(workspace.path().to_path_buf());
        }
        let sweep = |path: &std::path::Path| {
            let _ = take_away(self, path);
        };
        self.swept.set(true);
        let made = match self.distrusts(&Workspace::parent()) {
            Some(Distrust::Unseen(_, errno)) => Err(WalkError::Call(Workspace::parent(), errno)),
            Some(distrust) => Err(WalkError::Distrust(distrust)),
            None => Workspace::make(self.host().uid, &sweep),
        };
        let workspace = made.map_err(|error| match error {
            WalkError::Call(path, errno) => {
                let path = quoted(path.to_string_lossy());
                let message = format!("cannot make a private directory in {path}: {errno}");
                let report = Report::error(message);
                match errno.name().as_str() {
                    "EMFILE" | "ENFILE" => report.advise("no_descriptor_left", DESCRIPTORS),
                    "ENOMEM" | "EIO" => report,
                    _ => report.advise(
                        "tmpdir_refused",
                        "set `TMPDIR` to a directory that you can write to",
                    ),
                }
            }
            WalkError::Distrust(distrust) => {
                let message = "cannot make a private directory where `TMPDIR` says: others could \
                               put another one in its place";
                let report = Report::error(message).note(distrusted(&distrust));
                report.advise(
                    "tmpdir_of_others",
                    "set `TMPDIR` to a directory of your own, or to /tmp",
                )
            }
        })?;
        let path = workspace.path().to_path_buf();
        *self.workspace.borrow_mut() = Some(workspace);
        Ok(path)
    }

    /// Removes what killed runs have left, once a run: while a program runs, where one does, as that
    /// takes no time then. A recipe that has left the host's root does not see what it was.
    fn sweep(&self) {
        if self.swept.replace(true) || sys::is_copy() || self.session().has_begun() {
            return;
        }
        sweep_for_others(self.host().uid, &|path| {
            let _ = take_away(self, path);
        });
    }

    /// Leaves the private directory to the process that made it.
    pub(super) fn forget_workspace(&self) {
        std::mem::forget(self.workspace.take());
    }

    /// Removes what was made for the plans that were carried out.
    pub fn close(&self) {
        self.sweep();
        self.close_session();
        self.clear_roots();
        let Some(mut workspace) = self.workspace.borrow_mut().take() else { return };
        if let Err(errno) = workspace.remove() {
            let path = quoted(workspace.path().to_string_lossy());
            let warning = Report::warning(format!("cannot remove {path}: {errno}"));
            self.warn(&warning.note("the next run that makes such a directory removes it"));
        }
    }

    /// What would be done.
    ///
    /// # Errors
    /// Every contradiction, each with its line.
    pub fn plan(&self, sandbox: &Sandbox, request: &Request) -> Result<Plan, Vec<Report>> {
        let make = || self.planner.plan(sandbox, request, &|part, below| self.keep(part, below));
        let mut plan = make().or_else(|reports| match self.mend(None) {
            Ok(true) => make(),
            Ok(false) | Err(_) => Err(reports),
        })?;
        plan.warnings.extend(self.squashed(&plan));
        Ok(plan)
    }

    /// Starts a program, and waits until it is executed.
    ///
    /// # Errors
    /// What could not be done, with its line.
    pub fn start(&self, plan: &Plan, request: &Request, input: &Input) -> Result<Process, Problem> {
        self.mending(plan, &mut || {
            let mut process = self.launch(plan, request, input)?;
            let confirmed = process.confirm();
            confirmed.map_err(|why| launch::not_executed(self, plan, process.number, why))?;
            Ok(Ok(process))
        })
    }

    /// Starts a process that executes a program. Whether it could is known when it has ended.
    fn launch(&self, plan: &Plan, request: &Request, input: &Input) -> Result<Process, Problem> {
        if let Some(signal) = sys::interrupted() {
            return Err(Interrupted { signal }.into());
        }
        let started = Instant::now();
        let plan = self.possible(plan);
        match launch::launch(self, &plan, request, input)? {
            Launched::Process(child, ends, holds) => {
                let mut process = Process::new(child, ends, plan, (started, self.started()));
                process.holds = holds;
                process.station = Station::of(&process.plan, self);
                self.sweep();
                Ok(process)
            }
            // The plan that is possible now has a copy.
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
    /// What could not be done, with its line. How the program ended is no error here.
    pub fn run(&self, plan: &Plan, request: &Request, input: &Input) -> Result<Exit, Problem> {
        self.mending(plan, &mut || {
            let mut process = self.launch(plan, request, input)?;
            if let Input::Bytes(bytes) = input
                && let Err(problem) = converse(&mut process, bytes, MOST_KEPT)
            {
                return Ok(Err(problem));
            }
            self.ended(plan, &mut process)
        })
    }

    /// Runs a program to its end and keeps what it writes: at most `most` bytes.
    ///
    /// # Errors
    /// As for [`Runner::run`]; it has written more, and was ended.
    pub fn output(
        &self,
        plan: &Plan,
        request: &Request,
        input: &Input,
        most: u64,
    ) -> Result<Output, Problem> {
        self.mending(plan, &mut || {
            let mut process = self.launch(plan, request, input)?;
            let bytes = if let Input::Bytes(bytes) = input { bytes.as_slice() } else { &[] };
            let (stdout, stderr) = match converse(&mut process, bytes, most) {
                Ok(written) => written,
                Err(problem) => return Ok(Err(problem)),
            };
            let ended = self.ended(plan, &mut process)?;
            Ok(ended.map(|exit| Output { stdout, stderr, exit }))
        })
    }

    /// How a program has ended, which may be that it was never executed.
    fn ended(&self, plan: &Plan, process: &mut Process) -> Begun<Exit> {
        let ended = process.wait();
        match process.not_executed() {
            Some(why) => Err(launch::not_executed(self, plan, process.number, why).into()),
            None => Ok(ended),
        }
    }

    /// The library that the program of a plan lacks inside: what it is about where a program ends
    /// with status 127 as soon as it starts.
    #[must_use]
    pub fn lacks(&self, plan: &Plan) -> Option<String> {
        if self.mend(None).is_ok_and(|any| any) {
            return Some("a layer of the root was changed in the store: run it again".into());
        }
        loader::lacks(&Guest::new(plan, self), &plan.command)
    }

    /// The shell of a sandbox: the one that `SHELL` inside says; else bash, where it has that.
    #[must_use]
    pub fn shell_of(&self, plan: &Plan) -> String {
        Guest::new(plan, self).shell()
    }

    /// What would be done to run another program in the sandbox that `first` is the plan of.
    #[must_use]
    pub fn plan_to_join(&self, first: &Plan, request: &Request) -> Plan {
        join::joined(first, request, self.host())
    }

    /// Runs another program in the sandbox of `process`, to its end.
    ///
    /// # Errors
    /// The sandbox has ended, or what could not be done.
    pub fn join(
        &self,
        process: &mut Process,
        request: &Request,
        input: &Input,
    ) -> Result<Exit, Problem> {
        let mut joined = join::join(self, process, request, input)?;
        if let Input::Bytes(bytes) = input {
            converse(&mut joined, bytes, MOST_KEPT)?;
        }
        let plan = joined.plan.clone();
        self.ended(&plan, &mut joined)?
    }
}
