//! `Effects` of a dry run: they are recorded, and a stand-in value lets the recipe continue.
//!
//! Nothing is changed, not even values of a run, which a dry run can meet at a prompt.

mod files;
mod foresight;
mod network;

use std::cell::{Cell, RefCell};
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rhai::{Array, Dynamic, FnPtr};

use super::child;
use crate::diag::{Origin, Report};
use crate::ops::raw::{Build, Clone3, DiskImage, Execute, MapIds, Pack, Pin, Setns, WriteFile};
use crate::ops::{self, Becomes};
use crate::plan::{Op, Plan, Planned, RawAction, Request, RootTree, Side};
use crate::run::{
    self, Bounds, Cause, Changed, Errno, Exit, ImageType, Input, Keeping, LoopSettings, Namespace,
    Output, RunError, Timeout, Usage, Verdict,
};
use crate::script::binding::call::Call;
use crate::script::binding::context::{Context, Printed};
use crate::script::binding::effects::{Attached, Dependence, Effects, Place, addressed};
use crate::script::binding::error::{DryRunTooLong, End, VerbError};
use crate::script::binding::value::{self, ProcessHandle};
use crate::script::binding::verb::Verb;
use crate::spec::{Command, Compression, IdMap, KeptLayer, Kind, Namespaces};

/// The limits of a dry run, operations and time. It has nothing to wait for, but may have to unpack
/// an archive.
const MOST_OPERATIONS: u64 = 1_000_000;
const LONGEST: Duration = Duration::from_secs(10);

/// The maximum number of sleeps in a dry run, where they take no time.
const MOST_SLEEPS: u32 = 20_000;

/// Stands for the private directory of a recipe.
const SCRATCH: &str = "/tmp/nsscript/scratch";

/// An effect of a run, as a dry run records it.
#[derive(Clone, Debug)]
pub enum Effect {
    /// A launch of a sandbox.
    Plan(Rc<Plan>),
    /// An action on nsscript's own process.
    Raw {
        /// The action, and the line that caused it.
        planned: Planned,
        /// The nesting depth of closures.
        depth: usize,
    },
}

/// The record of a dry run.
#[derive(Debug, Default)]
pub struct DryRun {
    /// The effects of a run, in order.
    effects: RefCell<Vec<Effect>>,
    /// The archives that it would pack.
    packed: RefCell<Vec<PathBuf>>,
    /// The current nesting depth of closures.
    depth: Cell<usize>,
    /// The number of sleeps so far.
    slept: Cell<u32>,
    /// Whether the recipe was given a value that a run might not give.
    pub made_up: Cell<bool>,
    /// Whether the recipe has gone on where a run might have ended, or without changes that a run
    /// would have kept.
    assumed: Cell<bool>,
    /// The programs that a run would certainly not execute.
    pub certain: RefCell<Vec<Report>>,
    /// The contradictions in plans.
    pub contradictions: RefCell<Vec<Report>>,
    /// What the dry run cannot know.
    depends: RefCell<Vec<Dependence>>,
    /// The deadline, if there is one.
    pub deadline: Cell<Option<Instant>>,
}

impl DryRun {
    /// The effects of a run, in order.
    pub fn effects(&self) -> Vec<Effect> {
        self.effects.borrow().clone()
    }

    /// What the dry run cannot know, in the order of the texts.
    pub fn depends(&self) -> Vec<Dependence> {
        self.depends.borrow().clone()
    }

    /// Takes the recorded effects.
    pub fn take(&self) -> Vec<Effect> {
        self.effects.take()
    }

    fn note(&self, action: impl Into<RawAction>, call: &Call<'_, '_>) {
        let action = action.into().into();
        let planned = Planned { action, side: Side::Parent, origin: call.origin() };
        self.effects.borrow_mut().push(Effect::Raw { planned, depth: self.depth.get() });
    }

    fn note_plan(&self, plan: Plan) -> Rc<Plan> {
        let plan = Rc::new(plan);
        self.effects.borrow_mut().push(Effect::Plan(plan.clone()));
        plan
    }

    /// Records a program that runs to its end, and returns how that is.
    fn end_of(&self, plan: &Plan, call: &Call<'_, '_>) -> Result<Exit, RunError> {
        const NOT_LOADED: i32 = 127;
        let refused = self.refuse_missing(plan, call);
        let lacks = refused.is_ok() && self.foresees_lack(plan, call).is_some();
        self.note_plan(plan.clone());
        refused?;
        Ok(if lacks { exit_with(NOT_LOADED) } else { exit() })
    }

    /// Runs a closure in this process. Its effects are one level deeper.
    fn go_through(&self, closure: &FnPtr, call: &Call<'_, '_>) -> Result<Dynamic, VerbError> {
        let (moved, depth) = (call.context.moved.get(), self.depth.get());
        self.depth.set(depth + 1);
        let done = call.run(closure);
        self.depth.set(depth);
        call.context.moved.set(moved);
        match done.map_err(|error| child::failed(*error, call)) {
            // The closure ends its own process, not the recipe.
            Err(VerbError::Exit(_)) => Ok(Dynamic::UNIT),
            done => done,
        }
    }
}

/// The exit status of a program that was not run.
fn exit() -> Exit {
    exit_with(0)
}

fn exit_with(code: i32) -> Exit {
    Exit { code, signal: None, cause: Cause::Exited, wall: Duration::ZERO, usage: Usage::default() }
}

/// A process that was not started.
fn process(planned: Option<Rc<Plan>>, value: Dynamic) -> ProcessHandle {
    ProcessHandle { process: None, pid: None, planned, value }
}

impl Effects for DryRun {
    /// The output of a program that was not run, and answers that depend on earlier effects, would
    /// differ in a run.
    fn returned_from(&self, verb: &Verb) {
        let of_program =
            matches!(verb.receiver(), "Process" | "Exit" | "Output" | "Namespace" | "Network");
        let is_plain = verb.returns != "nothing" && !value::TYPES.contains(&verb.returns);
        let is_raw = |effect: &Effect| matches!(effect, Effect::Raw { .. });
        if is_plain
            && (of_program || self.depth.get() > 0 || self.effects.borrow().iter().any(is_raw))
        {
            self.made_up.set(true);
        }
    }

    fn reads(&self, depends: &dyn Fn() -> Vec<Dependence>) {
        self.depends.borrow_mut().extend(depends());
    }

    fn gives_up(&self, operations: u64, begun: Instant) -> Option<Dynamic> {
        if operations > MOST_OPERATIONS && begun.elapsed() > LONGEST {
            return Some(Dynamic::from(DryRunTooLong));
        }
        let is_over = self.deadline.get().is_some_and(|deadline| Instant::now() > deadline);
        is_over.then(|| Dynamic::from(End::NotRun("it takes too long".into())))
    }

    fn has_breakpoints(&self) -> bool {
        false
    }

    fn print(&self, _: &str, _: Printed, _: &Context) -> Result<(), Errno> {
        Ok(())
    }

    fn part(&self, _: Printed, _: &Context) -> Result<(), Errno> {
        Ok(())
    }

    fn show(
        &self,
        _: &dyn Fn() -> Result<String, VerbError>,
        _: &Call<'_, '_>,
    ) -> Result<(), VerbError> {
        Ok(())
    }

    fn begin_session(&self, _: Option<&Origin>, _: &Context) -> Result<(), RunError> {
        Ok(())
    }

    fn holds(&self, condition: bool) -> bool {
        self.assumed.set(self.assumed.get() || !condition);
        true
    }

    fn sleep(&self, _: Duration, call: &Call<'_, '_>) -> Result<(), VerbError> {
        self.slept.set(self.slept.get() + 1);
        if self.slept.get() <= MOST_SLEEPS {
            return Ok(());
        }
        // A check reports nothing if it takes too long.
        if self.deadline.get().is_some() {
            return Err(VerbError::NotRun("it takes too long".into()));
        }
        let message = "the recipe waits for something that does not happen in a dry run";
        let hint = "wait with `wait_until(|| …)`, which a dry run skips";
        Err(call.fail(Report::error(message).hint(hint)))
    }

    fn wait_until(&self, _: &mut dyn FnMut() -> Result<(), VerbError>) -> Result<(), VerbError> {
        Ok(())
    }

    fn contradicted(&self, reports: &[Report]) {
        self.contradictions.borrow_mut().extend(reports.iter().cloned());
    }

    fn run(
        &self,
        plan: &Plan,
        _: &Request,
        _: &Input,
        _: &Bounds,
        call: &Call<'_, '_>,
    ) -> Result<Exit, RunError> {
        self.end_of(plan, call)
    }

    fn output(
        &self,
        plan: &Plan,
        _: &Request,
        _: &Input,
        _: &Bounds,
        call: &Call<'_, '_>,
    ) -> Result<Output, RunError> {
        let exit = self.end_of(plan, call)?;
        Ok(Output { stdout: Vec::new(), stderr: Vec::new(), exit })
    }

    fn lacks(&self, plan: &Plan, call: &Call<'_, '_>) -> Option<Report> {
        self.foresees_lack(plan, call)
    }

    fn start(
        &self,
        plan: Plan,
        _: &Request,
        call: &Call<'_, '_>,
    ) -> Result<ProcessHandle, RunError> {
        let refused = self.refuse_missing(&plan, call);
        let plan = self.note_plan(plan);
        refused?;
        Ok(process(Some(plan), Dynamic::UNIT))
    }

    fn join(
        &self,
        handle: &ProcessHandle,
        request: &Request,
        _: &Input,
        _: &Bounds,
        call: &Call<'_, '_>,
    ) -> Result<Exit, VerbError> {
        if let Some(first) = handle.plan() {
            self.note_plan(call.context.runner.plan_to_join(&first, request));
        }
        Ok(exit())
    }

    fn join_output(
        &self,
        handle: &ProcessHandle,
        request: &Request,
        input: &Input,
        bounds: &Bounds,
        call: &Call<'_, '_>,
    ) -> Result<Output, VerbError> {
        let exit = self.join(handle, request, input, bounds, call)?;
        Ok(Output { stdout: Vec::new(), stderr: Vec::new(), exit })
    }

    fn wait(
        &self,
        _: &ProcessHandle,
        _: Option<Timeout>,
        _: &Call<'_, '_>,
    ) -> Result<Exit, VerbError> {
        Ok(exit())
    }

    fn value(&self, handle: &ProcessHandle, _: &Call<'_, '_>) -> Result<Dynamic, VerbError> {
        Ok(handle.value.clone())
    }

    fn kill(
        &self,
        handle: &ProcessHandle,
        signal: i32,
        call: &Call<'_, '_>,
    ) -> Result<(), VerbError> {
        if let Some(pid) = handle.pid {
            self.note(run::signal(pid, signal), call);
        }
        Ok(())
    }

    fn kill_by_pid(&self, pid: i64, signal: i32, call: &Call<'_, '_>) -> Result<(), VerbError> {
        // A process that was not started has the number 0.
        if pid != 0 {
            let pid = addressed(pid, call)?;
            self.note(run::signal(pid, signal), call);
        }
        Ok(())
    }

    fn write(&self, _: &ProcessHandle, _: &[u8], _: &Call<'_, '_>) -> Result<(), VerbError> {
        Ok(())
    }

    fn read_line(&self, _: &ProcessHandle, _: &Call<'_, '_>) -> Result<Option<Vec<u8>>, VerbError> {
        Ok(None)
    }

    fn fork(
        &self,
        namespaces: Namespaces,
        closure: &FnPtr,
        call: &Call<'_, '_>,
    ) -> Result<ProcessHandle, VerbError> {
        self.note(Clone3(namespaces), call);
        Ok(process(None, self.go_through(closure, call)?))
    }

    fn within(
        &self,
        place: Place<'_>,
        closure: &FnPtr,
        call: &Call<'_, '_>,
    ) -> Result<Dynamic, VerbError> {
        match place {
            Place::New(namespaces) => self.note(Clone3(namespaces), call),
            Place::Namespace(namespace) => self.note(namespace.entering(), call),
            Place::Network(network) => {
                let (what, file) = (network.label.clone(), "FILE".into());
                let namespaces = Namespaces::from(Kind::Net);
                self.note(Setns { what, file, namespaces }, call);
            }
            Place::Process(..) => {}
            Place::Sandbox(plan, _) => {
                self.note_plan(*plan);
            }
        }
        self.go_through(closure, call)
    }

    fn parallel(
        &self,
        items: Array,
        closure: &FnPtr,
        _: usize,
        call: &Call<'_, '_>,
    ) -> Result<Array, VerbError> {
        let mut values = Array::new();
        for (index, item) in items.into_iter().enumerate() {
            self.note(Clone3(Namespaces::NONE), call);
            let done = self.go_through(&child::with_item(closure, item.clone()), call);
            values.push(done.map_err(|error| child::of_item(error, index, &item))?);
        }
        Ok(values)
    }

    fn act(&self, action: RawAction, call: &Call<'_, '_>) -> Result<(), RunError> {
        self.note(action, call);
        Ok(())
    }

    fn enter(&self, _: &Namespace, action: Setns, call: &Call<'_, '_>) -> Result<(), RunError> {
        self.note(action, call);
        Ok(())
    }

    fn enter_process(
        &self,
        _: Option<&ProcessHandle>,
        number: i32,
        kinds: Namespaces,
        call: &Call<'_, '_>,
    ) -> Result<(), VerbError> {
        self.note(run::entering(number, kinds), call);
        Ok(())
    }

    fn execute(
        &self,
        command: Command,
        _: Option<Vec<(String, String)>>,
        call: &Call<'_, '_>,
    ) -> Result<(), RunError> {
        self.note(Execute(command), call);
        Ok(())
    }

    fn map_ids(
        &self,
        pid: i32,
        users: Option<&IdMap>,
        groups: Option<&IdMap>,
        call: &Call<'_, '_>,
    ) -> Result<(), RunError> {
        for (what, map) in [("users", users), ("groups", groups)] {
            if let Some(map) = map {
                self.note(MapIds { pid, what, map: map.kernel_text() }, call);
            }
        }
        Ok(())
    }

    fn attach_loop(
        &self,
        file: &Path,
        settings: LoopSettings,
        call: &Call<'_, '_>,
    ) -> Result<Attached, RunError> {
        self.note(settings.action(file), call);
        Ok(Attached { path: "/dev/loopN".into(), device: None })
    }

    fn pin(&self, namespace: &Namespace, path: &Path, call: &Call<'_, '_>) -> Result<(), RunError> {
        let namespace = namespace.to_string();
        self.note(Pin { namespace, path: path.to_path_buf() }, call);
        Ok(())
    }

    fn write_file(
        &self,
        path: &Path,
        content: &[u8],
        append: bool,
        call: &Call<'_, '_>,
    ) -> Result<(), RunError> {
        let (path, size) = (path.to_path_buf(), content.len());
        self.note(WriteFile { path, size, append }, call);
        Ok(())
    }

    /// Reads only regular files, so that it never waits. A missing file may be one that a run would
    /// have created.
    fn read_file(&self, path: &Path, largest: u64) -> Result<Vec<u8>, Errno> {
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            self.made_up.set(true);
            return Ok(Vec::new());
        }
        Ok(run::read_file(path, largest).unwrap_or_default())
    }

    fn metadata(&self, path: &Path) -> Result<Option<Metadata>, Errno> {
        Ok(std::fs::metadata(path).ok())
    }

    fn foreseen(&self, path: &Path) -> Option<bool> {
        self.effects.borrow().iter().rev().find_map(|effect| {
            let Effect::Raw { planned, .. } = effect else { return None };
            let Op::RawAction(action) = &planned.action else { return None };
            match action.effect() {
                ops::Effect::Name(made, entry) | ops::Effect::Result(made, entry)
                    if made == path =>
                {
                    match entry {
                        Becomes::Directory => Some(true),
                        Becomes::File => Some(false),
                        Becomes::Nothing | Becomes::Link => None,
                    }
                }
                ops::Effect::Content(made) if made == path => Some(false),
                // What was moved there is what it was before.
                ops::Effect::Rename(from, to) if to == path => {
                    self.foreseen(from).or_else(|| Some(from.metadata().ok()?.is_dir()))
                }
                _ => None,
            }
        })
    }

    fn foresees_archive(&self, path: &Path) -> bool {
        self.packed.borrow().iter().any(|packed| packed == path)
    }

    /// A namespace that was not pinned is replaced by any other.
    fn open_namespace(&self, path: &Path) -> Result<Option<Namespace>, Errno> {
        Namespace::open(path).or_else(|_| Namespace::open("/proc/self/ns/net".as_ref()))
    }

    fn scratch(&self, _: &Call<'_, '_>) -> Result<String, RunError> {
        Ok(SCRATCH.into())
    }

    fn disk_image(
        &self,
        path: &Path,
        size: u64,
        kind: &ImageType,
        call: &Call<'_, '_>,
    ) -> Result<(), RunError> {
        let (path, kind) = (path.to_path_buf(), kind.name().to_owned());
        self.note(DiskImage { path, size, kind }, call);
        Ok(())
    }

    fn build(
        &self,
        _: &Rc<RootTree>,
        directory: &Path,
        _: bool,
        call: &Call<'_, '_>,
    ) -> Result<Vec<Report>, Report> {
        self.note(Build(directory.to_path_buf()), call);
        Ok(Vec::new())
    }

    fn pack(
        &self,
        _: &Rc<RootTree>,
        file: &Path,
        _: Compression,
        _: bool,
        call: &Call<'_, '_>,
    ) -> Result<String, Report> {
        self.note(Pack(file.to_path_buf()), call);
        self.packed.borrow_mut().push(file.to_path_buf());
        Ok(String::new())
    }

    fn changes(&self, _: &Keeping, _: &Call<'_, '_>) -> Result<Vec<Changed>, RunError> {
        self.assumed.set(true);
        Ok(Vec::new())
    }

    fn commit(&self, _: &Keeping, _: &Call<'_, '_>) -> Result<Option<KeptLayer>, RunError> {
        self.assumed.set(true);
        Ok(None)
    }

    fn fact(&self, _: &str, _: &Call<'_, '_>) -> Result<Verdict, Vec<&'static str>> {
        Ok(Verdict::Ok)
    }

    fn in_user_namespace(&self, call: &Call<'_, '_>) -> bool {
        !call.context.runner.host().is_root()
    }
}
