//! `Effects` of a run: the runner does what verbs request.

mod files;
mod network;

use std::cell::RefMut;
use std::fs::Metadata;
use std::os::fd::AsFd;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rhai::{Array, Dynamic, FnPtr};

use self::network::existing;
use super::child;
use crate::diag::{Origin, Report};
use crate::ops::RawAction;
use crate::ops::raw::{Build, Pack, Setns, WriteFile};
use crate::plan::{Plan, Request, RootTree};
use crate::run::{
    self, Bounds, Changed, Errno, Exit, ImageType, Input, Keeping, LoopSettings, Namespace, Output,
    Process, RunError, Timeout, Verdict,
};
use crate::script::binding::call::Call;
use crate::script::binding::context::{Context, Printed};
use crate::script::binding::effects::{Attached, Dependence, Effects, Place, addressed};
use crate::script::binding::error::VerbError;
use crate::script::binding::value::ProcessHandle;
use crate::script::binding::verb::Verb;
use crate::spec::{Command, Compression, IdMap, KeptLayer, Namespaces};

/// Effects by the kernel.
pub struct Kernel;

/// The process of a handle. A value of a dry run, which a prompt can keep, has none. A closure
/// that runs in the namespaces of a process is called while that process is in use.
fn process<'a>(
    handle: &'a ProcessHandle,
    call: &Call<'_, '_>,
) -> Result<RefMut<'a, Process>, Report> {
    let process = handle.process.as_ref().ok_or_else(not_started)?;
    process.try_borrow_mut().map_err(|_| in_use().at(call.origin()))
}

fn not_started() -> Report {
    Report::error("this process was not started: it comes from a dry run")
}

/// The report that this process runs a closure in the namespaces of the other one.
pub fn in_use() -> Report {
    let message = "the process cannot be used in a closure that runs in its namespaces";
    Report::error(message).advise(
        "process_in_use",
        "call `exec` to run a program there, or use the process after the closure",
    )
}

/// Checks that this process started the other one, because only then can it wait for it.
fn own(process: &Process, call: &Call<'_, '_>) -> Result<(), VerbError> {
    if process.is_own() {
        return Ok(());
    }
    let report = Report::error("only the process that started it can wait for it");
    Err(call.fail(report.hint("check `running` instead, or start the program in the closure")))
}

fn no_pipes(call: &Call<'_, '_>) -> VerbError {
    if run::is_copy() {
        let message = format!("`{}` cannot be used in a child process", call.name());
        let hint = "use the pipes in the process that started the program";
        return call.fail(Report::error(message).hint(hint));
    }
    let report =
        Report::error(format!("`{}` needs a program that was started with pipes", call.name()));
    call.fail(report.hint("start it with `start(command, #{ pipes: true })`"))
}

/// Runs a program in the namespaces of a process that runs a closure.
fn beside(
    process: &mut Process,
    request: &Request,
    input: &Input,
    bounds: &Bounds,
    call: &Call<'_, '_>,
) -> Result<Exit, VerbError> {
    if matches!(input, Input::Bytes(_)) {
        let report = Report::error("`stdin` needs a program in a sandbox");
        return Err(call.fail_at_key("stdin", report));
    }
    let runner = &call.context.runner;
    let closure = Request { command: Command::closure(), ..request.clone() };
    let mut program = runner.fork_beside(process, &closure, &mut || match runner.execute(
        &request.command,
        None,
        request.origin.as_ref(),
    ) {
        RunError::Reports(reports) => child::thrown_bytes(&reports),
        RunError::Interrupted(interrupted) => (Vec::new(), 128 + interrupted.signal),
    })?;
    program.set_timeout(bounds.timeout);
    let exit = program.wait()?;
    child::thrown(&program, call)?;
    Ok(exit)
}

/// Runs a closure in one namespace.
fn within_namespace(
    namespace: &Namespace,
    closure: &FnPtr,
    call: &Call<'_, '_>,
) -> Result<Dynamic, VerbError> {
    let (action, kinds) = (namespace.entering(), Namespaces::from(namespace.kind));
    let origin = call.origin();
    child::run(closure, call, &|body| {
        let held = run::duplicated(namespace.descriptor().as_fd(), origin.as_ref())?;
        call.context.runner.fork_into(action.clone().into(), held, kinds, origin.as_ref(), body)
    })
}

impl Effects for Kernel {
    fn returned_from(&self, _: &Verb) {}

    fn reads(&self, _: &dyn Fn() -> Vec<Dependence>) {}

    fn gives_up(&self, _: u64, _: Instant) -> Option<Dynamic> {
        None
    }

    fn has_breakpoints(&self) -> bool {
        true
    }

    fn print(&self, text: &str, kind: Printed, context: &Context) -> Result<(), Errno> {
        self.part(kind, context)?;
        write(&format!("{text}\n"))
    }

    fn part(&self, next: Printed, context: &Context) -> Result<(), Errno> {
        if context.is_parted(next) { write("\n") } else { Ok(()) }
    }

    fn show(
        &self,
        text: &dyn Fn() -> Result<String, VerbError>,
        call: &Call<'_, '_>,
    ) -> Result<(), VerbError> {
        call.print(&text()?, Printed::Output)
    }

    fn begin_session(&self, origin: Option<&Origin>, context: &Context) -> Result<(), RunError> {
        let begun = context.runner.begin_session(origin);
        let is_refused = |error: &RunError| match error {
            RunError::Reports(reports) => reports.iter().all(|it| it.facts.operation.is_some()),
            RunError::Interrupted(_) => false,
        };
        match begun {
            Err(error) if is_refused(&error) && !context.runner.has_broken_session() => Ok(()),
            begun => begun,
        }
    }

    fn holds(&self, condition: bool) -> bool {
        condition
    }

    fn sleep(&self, time: Duration, _: &Call<'_, '_>) -> Result<(), VerbError> {
        if run::pause(time) {
            return Ok(());
        }
        Err(VerbError::Interrupted(run::interrupted().unwrap_or_default()))
    }

    fn wait_until(&self, wait: &mut dyn FnMut() -> Result<(), VerbError>) -> Result<(), VerbError> {
        wait()
    }

    fn contradicted(&self, _: &[Report]) {}

    fn run(
        &self,
        plan: &Plan,
        request: &Request,
        input: &Input,
        bounds: &Bounds,
        call: &Call<'_, '_>,
    ) -> Result<Exit, RunError> {
        call.context.runner.run(plan, request, input, bounds)
    }

    fn output(
        &self,
        plan: &Plan,
        request: &Request,
        input: &Input,
        bounds: &Bounds,
        call: &Call<'_, '_>,
    ) -> Result<Output, RunError> {
        call.context.runner.output(plan, request, input, bounds)
    }

    fn lacks(&self, plan: &Plan, call: &Call<'_, '_>) -> Option<Report> {
        call.context.runner.lacks(plan)
    }

    fn start(
        &self,
        plan: Plan,
        request: &Request,
        call: &Call<'_, '_>,
    ) -> Result<ProcessHandle, RunError> {
        let process = call.context.runner.start(&plan, request, &Input::Nothing)?;
        Ok(call.context.started(process))
    }

    fn join(
        &self,
        handle: &ProcessHandle,
        request: &Request,
        input: &Input,
        bounds: &Bounds,
        call: &Call<'_, '_>,
    ) -> Result<Exit, VerbError> {
        let mut process = process(handle, call)?;
        if process.is_closure() {
            return beside(&mut process, request, input, bounds, call);
        }
        Ok(call.context.runner.join(&mut process, request, input, bounds)?)
    }

    fn join_output(
        &self,
        handle: &ProcessHandle,
        request: &Request,
        input: &Input,
        bounds: &Bounds,
        call: &Call<'_, '_>,
    ) -> Result<Output, VerbError> {
        let mut process = process(handle, call)?;
        if process.is_closure() {
            let report = Report::error("`output` needs a program in a sandbox");
            let hint = "the output of a program in the namespaces of a closure is kept by \
                        `process.within(|| host.output(…))`";
            return Err(call.fail(report.hint(hint)));
        }
        Ok(call.context.runner.join_output(&mut process, request, input, bounds)?)
    }

    fn wait(
        &self,
        handle: &ProcessHandle,
        timeout: Option<Timeout>,
        call: &Call<'_, '_>,
    ) -> Result<Exit, VerbError> {
        let mut process = process(handle, call)?;
        own(&process, call)?;
        process.set_timeout(timeout);
        let exit = process.wait().map_err(|error| call.found_here(error))?;
        // The error of a closure is not lost. Another exit status is not an error.
        child::thrown(&process, call)?;
        Ok(exit)
    }

    fn value(&self, handle: &ProcessHandle, call: &Call<'_, '_>) -> Result<Dynamic, VerbError> {
        let mut process = process(handle, call)?;
        own(&process, call)?;
        if !process.is_closure() {
            let report = Report::error("a program has no value");
            return Err(call.fail(report.hint("use `wait()`, which returns its exit status")));
        }
        let exit = process.wait()?;
        child::value(&process, exit, call)
    }

    fn kill(
        &self,
        handle: &ProcessHandle,
        signal: i32,
        call: &Call<'_, '_>,
    ) -> Result<(), VerbError> {
        let killed = process(handle, call)?.kill(signal);
        killed.map_err(|errno| call.fail(Report::error(format!("cannot send the signal: {errno}"))))
    }

    fn kill_by_pid(&self, pid: i64, signal: i32, call: &Call<'_, '_>) -> Result<(), VerbError> {
        let number = addressed(pid, call)?;
        for process in call.context.running() {
            if let Ok(mut process) = process.try_borrow_mut()
                && process.pid() == number
            {
                process.note_signal();
            }
        }
        Ok(call.context.runner.kill(number, signal, call.origin().as_ref())?)
    }

    fn write(
        &self,
        handle: &ProcessHandle,
        bytes: &[u8],
        call: &Call<'_, '_>,
    ) -> Result<(), VerbError> {
        match process(handle, call)?.write(bytes) {
            Some(written) => written.map_err(|error| call.found_here(error)),
            None => Err(no_pipes(call)),
        }
    }

    fn read_line(
        &self,
        handle: &ProcessHandle,
        call: &Call<'_, '_>,
    ) -> Result<Option<Vec<u8>>, VerbError> {
        match process(handle, call)?.read_line() {
            Some(line) => line.map_err(|error| call.found_here(error)),
            None => Err(no_pipes(call)),
        }
    }

    fn fork(
        &self,
        namespaces: Namespaces,
        closure: &FnPtr,
        call: &Call<'_, '_>,
    ) -> Result<ProcessHandle, VerbError> {
        let origin = call.origin();
        child::start(closure, call, &|body| {
            call.context.runner.fork(namespaces, origin.as_ref(), body)
        })
    }

    fn within(
        &self,
        place: Place<'_>,
        closure: &FnPtr,
        call: &Call<'_, '_>,
    ) -> Result<Dynamic, VerbError> {
        let runner = &call.context.runner;
        match place {
            Place::New(namespaces) => {
                let origin = call.origin();
                child::run(closure, call, &|body| runner.fork(namespaces, origin.as_ref(), body))
            }
            Place::Namespace(namespace) => within_namespace(namespace, closure, call),
            Place::Network(network) => {
                within_namespace(existing(network)?.namespace(), closure, call)
            }
            Place::Process(handle, request) => child::run(closure, call, &|body| {
                runner.fork_beside(&mut *process(handle, call)?, &request, body)
            }),
            Place::Sandbox(plan, request) => {
                let done =
                    child::run(closure, call, &|body| runner.fork_sandbox(&plan, &request, body));
                done.map_err(|failed| match failed {
                    VerbError::Reports(reports) => call.found_here(reports),
                    other => other,
                })
            }
        }
    }

    fn parallel(
        &self,
        items: Array,
        closure: &FnPtr,
        most: usize,
        call: &Call<'_, '_>,
    ) -> Result<Array, VerbError> {
        let origin = call.origin();
        child::several(&items, closure, most, call, &|body| {
            call.context.runner.fork(Namespaces::NONE, origin.as_ref(), body)
        })
    }

    fn act(&self, action: RawAction, call: &Call<'_, '_>) -> Result<(), RunError> {
        call.context.runner.act(action, call.origin().as_ref())
    }

    fn enter(
        &self,
        namespace: &Namespace,
        action: Setns,
        call: &Call<'_, '_>,
    ) -> Result<(), RunError> {
        call.context.runner.enter(action, namespace.descriptor(), call.origin().as_ref())
    }

    fn enter_process(
        &self,
        process: Option<&ProcessHandle>,
        number: i32,
        kinds: Namespaces,
        call: &Call<'_, '_>,
    ) -> Result<(), VerbError> {
        let (runner, origin) = (&call.context.runner, call.origin());
        let differing = runner.differing(number, kinds, origin.as_ref())?;
        if differing.is_empty() {
            return Ok(());
        }
        let action = run::entering(number, differing);
        let held = match process.and_then(|handle| handle.process.as_ref()) {
            Some(process) => {
                let process = process.try_borrow().map_err(|_| in_use().at(call.origin()))?;
                run::duplicated(process.descriptor(), origin.as_ref())?
            }
            None => run::open_process(number).map_err(|errno| {
                call.fail(Report::error(format!("cannot open process {number}: {errno}")))
            })?,
        };
        Ok(runner.enter(action, held.as_fd(), origin.as_ref())?)
    }

    fn execute(
        &self,
        command: Command,
        environment: Option<Vec<(String, String)>>,
        call: &Call<'_, '_>,
    ) -> Result<(), RunError> {
        // If the program cannot write either, it reports that itself.
        let _ = call.context.part(Printed::Output);
        Err(call.context.runner.execute(&command, environment, call.origin().as_ref()))
    }

    fn map_ids(
        &self,
        pid: i32,
        users: Option<&IdMap>,
        groups: Option<&IdMap>,
        call: &Call<'_, '_>,
    ) -> Result<(), RunError> {
        call.context.runner.map_ids(pid, users, groups, call.origin().as_ref())
    }

    fn attach_loop(
        &self,
        file: &Path,
        settings: LoopSettings,
        call: &Call<'_, '_>,
    ) -> Result<Attached, RunError> {
        let device = call.context.runner.attach_loop(file, settings, call.origin().as_ref())?;
        let path = device.path().to_string_lossy().into_owned();
        Ok(Attached { path, device: Some(device) })
    }

    fn pin(&self, namespace: &Namespace, path: &Path, call: &Call<'_, '_>) -> Result<(), RunError> {
        call.context.runner.pin(namespace, path, call.origin().as_ref())
    }

    fn write_file(
        &self,
        path: &Path,
        content: &[u8],
        append: bool,
        call: &Call<'_, '_>,
    ) -> Result<(), RunError> {
        let action = WriteFile { path: path.to_path_buf(), size: content.len(), append };
        call.context.runner.write_file(action, content, call.origin().as_ref())
    }

    fn read_file(&self, path: &Path, largest: u64) -> Result<Vec<u8>, Errno> {
        run::read_file(path, largest)
    }

    fn metadata(&self, path: &Path) -> Result<Option<Metadata>, Errno> {
        std::fs::metadata(path).map(Some).map_err(|error| Errno::from(&error))
    }

    fn foreseen(&self, _: &Path) -> Option<bool> {
        None
    }

    fn foresees_archive(&self, _: &Path) -> bool {
        false
    }

    fn open_namespace(&self, path: &Path) -> Result<Option<Namespace>, Errno> {
        Namespace::open(path)
    }

    fn scratch(&self, call: &Call<'_, '_>) -> Result<String, RunError> {
        let path = call.context.runner.scratch(call.origin().as_ref())?;
        Ok(path.to_string_lossy().into_owned())
    }

    fn disk_image(
        &self,
        path: &Path,
        size: u64,
        kind: &ImageType,
        call: &Call<'_, '_>,
    ) -> Result<(), RunError> {
        call.context.runner.disk_image(path, size, kind, call.origin().as_ref())
    }

    fn build(
        &self,
        tree: &Rc<RootTree>,
        directory: &Path,
        setuid: bool,
        call: &Call<'_, '_>,
    ) -> Result<Vec<Report>, Report> {
        let started = Instant::now();
        let warnings = call.context.runner.build(tree, directory, setuid)?;
        let action = RawAction::from(Build(directory.to_path_buf()));
        call.context.runner.tell_done(&action, started, call.origin().as_ref());
        Ok(warnings)
    }

    fn pack(
        &self,
        tree: &Rc<RootTree>,
        file: &Path,
        compression: Compression,
        replace: bool,
        call: &Call<'_, '_>,
    ) -> Result<String, Report> {
        let started = Instant::now();
        let digest = call.context.runner.pack(tree, file, compression, replace)?;
        let action = RawAction::from(Pack(file.to_path_buf()));
        call.context.runner.tell_done(&action, started, call.origin().as_ref());
        Ok(digest)
    }

    fn changes(&self, keeping: &Keeping, call: &Call<'_, '_>) -> Result<Vec<Changed>, RunError> {
        call.context.runner.changes(keeping)
    }

    fn commit(
        &self,
        keeping: &Keeping,
        call: &Call<'_, '_>,
    ) -> Result<Option<KeptLayer>, RunError> {
        call.context.runner.commit(keeping)
    }

    fn fact(&self, key: &str, call: &Call<'_, '_>) -> Result<Verdict, Vec<&'static str>> {
        call.context.runner.fact(key)
    }

    fn in_user_namespace(&self, call: &Call<'_, '_>) -> bool {
        call.context.runner.in_user_namespace()
    }
}

fn write(text: &str) -> Result<(), Errno> {
    crate::diag::print(text).map_err(|error| Errno::from(&error))
}
