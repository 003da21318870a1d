//! One runner a run: the machine, what was built on it, and doing what plans say.

use std::cell::RefCell;
use std::fs::DirBuilder;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use super::explain::Listener;
use super::idmap::UserNamespaces;
use super::manifest::Manifest;
use super::process::{Exit, Output, Process};
use super::session::Session;
use super::store::{Store, Stored};
use super::stream::converse;
use super::workspace::Workspace;
use super::{launch, loader, rootfs};
use crate::diag::{Report, quoted};
use crate::host::{Host, Tree};
use crate::plan::{Action, Maps, Plan, Planner, Request, RootTree};
use crate::spec::Sandbox;
use crate::sys;

/// What a program reads from its standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// What nsscript itself would read.
    Inherited,
    /// Nothing.
    Nothing,
    /// These bytes.
    Bytes(Vec<u8>),
}

/// A signal asked nsscript to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted {
    /// The signal.
    pub signal: i32,
}

/// Why something could not be done.
#[derive(Clone, Debug)]
pub enum Problem {
    /// These reports say it.
    Reports(Vec<Report>),
    /// A signal asked nsscript to end.
    Interrupted(Interrupted),
}

impl From<Vec<Report>> for Problem {
    fn from(reports: Vec<Report>) -> Self {
        Self::Reports(reports)
    }
}

impl From<Report> for Problem {
    fn from(report: Report) -> Self {
        Self::Reports(vec![report])
    }
}

impl From<Interrupted> for Problem {
    fn from(interrupted: Interrupted) -> Self {
        Self::Interrupted(interrupted)
    }
}

/// A root that was built.
#[derive(Debug)]
struct Built {
    tree: Rc<RootTree>,
    /// Whom it was given to.
    owner: Option<(u32, u32)>,
    directory: PathBuf,
    /// Where it is in the store, what keeps it there.
    _stored: Option<Stored>,
}

/// Does what plans say. Everything it makes for that is gone when it is dropped.
pub struct Runner {
    /// Makes the plans.
    pub planner: Planner,
    pub(super) users: RefCell<UserNamespaces>,
    pub(super) workspace: RefCell<Option<Workspace>>,
    built: RefCell<Vec<Built>>,
    pub(super) session: Session,
    pub(super) listener: Listener,
    /// The pipe that the value of a closure goes through, where this process is a copy.
    pub(super) answer: RefCell<Option<i32>>,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Runner").field("planner", &self.planner).finish_non_exhaustive()
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
            built: RefCell::default(),
            session: Session::default(),
            listener: Listener::default(),
            answer: RefCell::default(),
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

    /// The directory in which `tree` is built for a sandbox with these ids; it is built at most once
    /// a run for each owner.
    pub(super) fn root(&self, tree: &Rc<RootTree>, maps: &Maps) -> Result<PathBuf, Report> {
        let owner = self.owner(maps);
        if let Some(directory) = self.built_at(tree, owner) {
            return Ok(directory);
        }
        let cannot = |path: &Path, errno: sys::Errno| {
            let path = quoted(path.to_string_lossy());
            Report::error(format!("cannot make {path}: {errno}"))
        };
        let build = |directory: &Path| {
            rootfs::build(tree, directory)?;
            match owner {
                None => Ok(()),
                Some(owner) => {
                    rootfs::give(directory, owner).map_err(|(path, errno)| cannot(&path, errno))
                }
            }
        };
        let (directory, stored) = if let Some(store) = self.store()? {
            let stored = store.root(tree, self.host(), owner, build)?;
            (stored.tree(), Some(stored))
        } else {
            // Others may enter the private directory; what is in a root is not for them.
            let above = self.workspace()?.join("roots");
            let directory = above.join(format!("root-{}", self.built.borrow().len()));
            let mut closed = DirBuilder::new();
            std::os::unix::fs::DirBuilderExt::mode(closed.recursive(true), 0o700);
            closed
                .create(&above)
                .and_then(|()| std::fs::create_dir(&directory))
                .map_err(|error| cannot(&directory, sys::Errno::from(&error)))?;
            build(&directory)?;
            (directory, None)
        };
        let tree = tree.clone();
        let kept = Built { tree, owner, directory: directory.clone(), _stored: stored };
        self.built.borrow_mut().push(kept);
        Ok(directory)
    }

    /// Whether `tree` is built already for a sandbox with these ids.
    pub(super) fn is_built(&self, tree: &Rc<RootTree>, maps: &Maps) -> bool {
        self.built_at(tree, self.owner(maps)).is_some()
    }

    fn built_at(&self, tree: &Rc<RootTree>, owner: Option<(u32, u32)>) -> Option<PathBuf> {
        let known = |built: &&Built| Rc::ptr_eq(&built.tree, tree) && built.owner == owner;
        self.built.borrow().iter().find(known).map(|built| built.directory.clone())
    }

    /// The store of the caller; none where there is no place for one.
    fn store(&self) -> Result<Option<Store>, Report> {
        let Some(place) = Store::place(self.host()) else { return Ok(None) };
        match Store::open(&place) {
            Ok(store) => Ok(Some(store)),
            // A home that cannot be written to, as that of a system's own user: nothing is kept.
            Err(report) if report.facts.errno.is_some() => Ok(None),
            Err(report) => Err(report),
        }
    }

    /// The manifest of the root in the store that has this digest.
    #[must_use]
    pub fn stored_manifest(&self, digest: &str) -> Option<Manifest> {
        self.store().ok()??.show(digest).ok()
    }

    /// Whom a root has to belong to on the host, so that its files are of user 0 inside, where
    /// that is not the caller. Only root can give files away.
    fn owner(&self, maps: &Maps) -> Option<(u32, u32)> {
        if maps.own || !self.host().is_root() {
            return None;
        }
        Some((maps.users.outside(0)?, maps.groups.outside(0)?))
    }

    pub(super) fn workspace(&self) -> Result<PathBuf, Report> {
        if let Some(workspace) = &*self.workspace.borrow() {
            return Ok(workspace.path().to_path_buf());
        }
        let workspace = Workspace::make(self.host().uid).map_err(|(path, errno)| {
            let path = quoted(path.to_string_lossy());
            let message = format!("cannot make a private directory in {path}: {errno}");
            Report::error(message).hint("set `TMPDIR` to a directory that you can write to")
        })?;
        let path = workspace.path().to_path_buf();
        *self.workspace.borrow_mut() = Some(workspace);
        Ok(path)
    }

    /// Leaves the private directory to the process that made it.
    pub(super) fn forget_workspace(&self) {
        std::mem::forget(self.workspace.take());
    }

    /// Removes what was made for the plans that were carried out.
    pub fn close(&self) {
        self.close_session();
        self.built.borrow_mut().clear();
        self.workspace.borrow_mut().take();
    }

    /// What would be done.
    ///
    /// # Errors
    /// Every contradiction, each with its line.
    pub fn plan(&self, sandbox: &Sandbox, request: &Request) -> Result<Plan, Vec<Report>> {
        self.planner.plan(sandbox, request)
    }

    /// Starts a program, and waits until it is executed.
    ///
    /// # Errors
    /// What could not be done, with its line.
    pub fn start(&self, plan: &Plan, request: &Request, input: &Input) -> Result<Process, Problem> {
        let mut process = self.launch(plan, request, input)?;
        let confirmed = process.confirm();
        confirmed.map_err(|errno| launch::not_executed(self, plan, process.number, errno))?;
        Ok(process)
    }

    /// Starts a process that executes a program. Whether it could is known when it has ended.
    fn launch(&self, plan: &Plan, request: &Request, input: &Input) -> Result<Process, Problem> {
        if let Some(signal) = sys::interrupted() {
            return Err(Interrupted { signal }.into());
        }
        let started = Instant::now();
        let (child, ends) = launch::launch(self, plan, request, input)?;
        Ok(Process::new(child, ends, plan.clone(), (started, self.started())))
    }

    /// Runs a program to its end.
    ///
    /// # Errors
    /// What could not be done, with its line. How the program ended is no error here.
    pub fn run(&self, plan: &Plan, request: &Request, input: &Input) -> Result<Exit, Problem> {
        let mut process = self.launch(plan, request, input)?;
        if let Input::Bytes(bytes) = input {
            converse(&mut process, bytes)?;
        }
        self.ended(plan, &mut process)
    }

    /// Runs a program to its end and keeps what it writes.
    ///
    /// # Errors
    /// As for [`Runner::run`].
    pub fn output(&self, plan: &Plan, request: &Request, input: &Input) -> Result<Output, Problem> {
        let mut process = self.launch(plan, request, input)?;
        let bytes = if let Input::Bytes(bytes) = input { bytes.as_slice() } else { &[] };
        let (stdout, stderr) = converse(&mut process, bytes)?;
        let exit = self.ended(plan, &mut process)?;
        Ok(Output { stdout, stderr, exit })
    }

    /// How a program has ended, which may be that it was never executed.
    fn ended(&self, plan: &Plan, process: &mut Process) -> Result<Exit, Problem> {
        let exit = process.wait()?;
        match process.not_executed() {
            Some(errno) => Err(launch::not_executed(self, plan, process.number, errno).into()),
            None => Ok(exit),
        }
    }

    /// Where the root of a plan was assembled.
    pub(super) fn root_of(&self, plan: &Plan) -> Option<PathBuf> {
        let tree = plan.actions.iter().find_map(|planned| match &planned.action {
            Action::BuildRoot(tree) => Some(tree),
            _ => None,
        })?;
        self.root(tree, &plan.maps).ok()
    }

    /// The library that the program of a plan lacks inside: what it is about where a program ends
    /// with status 127 as soon as it starts.
    #[must_use]
    pub fn lacks(&self, plan: &Plan) -> Option<String> {
        let root = self.root_of(plan);
        let guest = loader::Guest { plan, runner: self, root: root.as_deref() };
        loader::lacks(&guest, &plan.command)
    }

    /// What would be done to run another program in the sandbox that `first` is the plan of.
    #[must_use]
    pub fn plan_to_join(&self, first: &Plan, request: &Request) -> Plan {
        launch::joined(first, request)
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
        let mut joined = launch::join(self, process, request, input)?;
        if let Input::Bytes(bytes) = input {
            converse(&mut joined, bytes)?;
        }
        let plan = joined.plan.clone();
        self.ended(&plan, &mut joined)
    }
}
