//! Programs that join a running sandbox: in its namespaces, with its ids and limits.
#![warn(clippy::wildcard_enum_match_arm)]

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::connect_streams;
use super::launcher::Launcher;
use super::lower::{Lowered, Supplies, lower_joining};
use super::process::Process;
use super::stream::Given;
use crate::diag::{Origin, Report, quoted};
use crate::host::{Host, cgroups, mountinfo};
use crate::ops::clone_flags;
use crate::ops::{Closure, Join, NewSession, Op, Pod, Scope};
use crate::plan::{Plan, Planned, Request, Side, terminal_kind};
use crate::run::advice::action_error::ActionError;
use crate::run::base::error::RunError;
use crate::run::launch::stream::Input;
use crate::run::raw::c;
use crate::run::session::Trail;
use crate::run::trace::launch_trace::{LaunchTrace, watch};
use crate::spec::{Kind, Namespaces, Streams};
use crate::sys::{Call, Child, Enter, Errno, LaunchError, Program, spawn};

/// The place of a sandbox, as far as it does not follow from its plan and its process.
#[derive(Clone, Debug, Default)]
pub(in crate::run) struct Station {
    /// The kinds of namespaces in which it differed from nsscript when it started.
    apart: Namespaces,
    /// The trail of nsscript at that time.
    trail: Trail,
    /// Whether its root was changed only by chroot(2).
    chrooted: bool,
    /// The working directory of its first program, if it was that of nsscript.
    directory: Option<PathBuf>,
    /// Whether its ids are those of nsscript at that time.
    ids_of_caller: bool,
    /// Whether joining programs stay in the control groups of nsscript.
    stays_in_groups: bool,
}

impl Station {
    /// The station of a sandbox that starts now.
    pub fn of(plan: &Plan, launcher: &Launcher) -> Self {
        let does = |wanted: fn(&Op) -> bool| plan.actions.iter().any(|it| wanted(&it.action));
        let chrooted = does(|op| matches!(op, Op::Chroot(_)));
        let stays = !chrooted && !does(|op| matches!(op, Op::PivotRoot(_) | Op::Workdir(_)));
        Self {
            apart: plan.apart(),
            trail: launcher.session().trail(),
            chrooted,
            directory: if stays { std::env::current_dir().ok() } else { None },
            ids_of_caller: !does(|op| matches!(op, Op::SetIds(_))),
            stays_in_groups: false,
        }
    }

    /// The station of a sandbox that another nsscript process has started. It differs in these
    /// namespaces from this process, whose trail does not concern it.
    pub fn of_other(
        apart: Namespaces,
        chrooted: bool,
        directory: Option<PathBuf>,
        stays_in_groups: bool,
    ) -> Self {
        let (trail, ids_of_caller) = (Trail::default(), false);
        Self { apart, trail, chrooted, directory, ids_of_caller, stays_in_groups }
    }
}

/// The preparation of a joining process.
pub(in crate::run) struct Joining {
    pub program: Program,
    pub plan: Plan,
    /// The action of the plan for each call.
    pub actions: Vec<usize>,
    /// The root to enter, held open until then.
    _root: Option<File>,
}

impl Joining {
    /// Its trace.
    pub fn trace<'a>(&'a self, launcher: &'a Launcher) -> LaunchTrace<'a> {
        LaunchTrace { trace: launcher, plan: &self.plan, actions: &self.actions }
    }
}

/// The namespaces `kinds` of the sandbox of `process`, for another sandbox that shares them.
pub(in crate::run) fn pod(
    launcher: &Launcher,
    process: &mut Process,
    kinds: Namespaces,
) -> Result<Pod, Report> {
    if !process.running() {
        let message = "the sandbox has ended, so no other one can join it";
        let hint = "start a program in it that runs as long, such as `sleep`";
        return Err(Report::error(message).hint(hint));
    }
    if process.plan.is_raw() || process.is_closure() {
        let message = "this process is not the program of a sandbox";
        let hint = "join a program that `.start(…)` of a sandbox has started";
        return Err(Report::error(message).hint(hint));
    }
    let station = &process.station;
    let trail = launcher.session().trail();
    let moved = trail.kinds_since(&station.trail);
    let renamed = station.ids_of_caller && station.trail.ids != trail.ids;
    if renamed || moved.has(Kind::Pid) {
        let message = "nsscript changed its ids or its PID namespace after it started the sandbox, \
                       so no other one can join it";
        return Err(Report::error(message));
    }
    let pod = Pod::new(kinds, station.apart | moved, process.plan.maps.clone());
    let pod = pod.map_err(|error| Report::from(&error))?;
    let descriptor = process.pidfd().try_clone_to_owned().map_err(|error| {
        Report::error(format!("cannot join the sandbox: {}", Errno::from(&error)))
    })?;
    Ok(Pod { pid: Some(process.pid()), descriptor: Some(Arc::new(descriptor)), ..pod })
}

/// Starts another program in the sandbox of `process`: in all its namespaces, with its ids, its
/// environment and its working directory.
pub(in crate::run) fn join(
    launcher: &Launcher,
    process: &mut Process,
    request: &Request,
    input: &Input,
) -> Result<Process, RunError> {
    if !process.running() {
        let message = "the sandbox has ended, so no other program can run in it";
        return Err(Report::error(message).at(request.origin.clone()).into());
    }
    let connected = connect_streams(launcher, request, input, Some(&process.plan))?;
    let mut joining = joining(launcher, process, request, &connected.given, launcher.is_traced())?;
    let gate = watch(launcher, &mut joining.program);
    let started = Instant::now();
    let spawned = spawn(&joining.program);
    joining.trace(launcher).tell(&joining.program, spawned.as_ref().map(Child::pid));
    launcher.count_process();
    drop(gate);
    match spawned {
        Ok(child) => {
            let (number, plan) = (launcher.started(), joining.plan);
            let ends = connected.into_ends(&plan)?;
            let mut joined = Process::new(child, ends, plan, (started, number));
            joined.station = process.station.clone();
            Ok(joined)
        }
        Err(LaunchError { call, error }) => {
            let action = call.and_then(|call| joining.actions.get(call).copied()).unwrap_or(0);
            let failed = ActionError { plan: &joining.plan, action, error };
            Err(failed.report(launcher).into())
        }
    }
}

/// Prepares a process that joins the sandbox of `process` to execute a program or to run a closure,
/// with these streams.
pub(in crate::run) fn joining(
    launcher: &Launcher,
    process: &Process,
    request: &Request,
    streams: &Given,
    gated: bool,
) -> Result<Joining, RunError> {
    let plan = joined(&process.plan, request, launcher.host());
    let origin = request.origin.as_ref();
    let station = &process.station;
    let trail = launcher.session().trail();
    if station.ids_of_caller && station.trail.ids != trail.ids {
        let message = "nsscript changed its ids after it started the sandbox, which still has the \
                       old ones";
        let hint = "change ids in a closure: `clone(UTS, || setgid(1))`, or start another sandbox";
        return Err(Report::error(message).at(origin.cloned()).hint(hint).into());
    }
    let moved = trail.kinds_since(&station.trail);
    if moved.has(Kind::Pid) {
        let message = "nsscript entered another PID namespace after it started the sandbox, so \
                       new processes cannot be in the sandbox's";
        let hint = "join the sandbox before that, or create the PID namespace for a closure \
                    alone: `within(PID, || …)`";
        return Err(Report::error(message).at(origin.cloned()).hint(hint).into());
    }
    let groups = if station.stays_in_groups {
        Vec::new()
    } else {
        let pid = process.number_in_proc().map_err(|report| report.at(origin.cloned()))?;
        groups_to_enter(launcher.host(), pid, origin)?
    };
    let root = if station.chrooted { Some(open_root(process, origin)?) } else { None };
    let mut before = Vec::new();
    before.extend(root.as_ref().map(|root| Call::ChrootInto(root.as_raw_fd())));
    before.extend(station.directory.as_ref().map(|path| Call::Workdir(c(path))));
    let (kernel, own) = (launcher.host().kernel, launcher.own_ids());
    let supplies = Supplies { streams: *streams, kernel, own, gated, ..Supplies::default() };
    let Lowered { program, actions } = lower_joining(&plan, supplies, before);
    let descriptor = process.pidfd().as_fd().try_clone_to_owned();
    let descriptor = descriptor.map_err(|error| {
        let message = format!("cannot enter the sandbox: {}", Errno::from(&error));
        Report::error(message).at(origin.cloned())
    })?;
    // If nsscript has entered other namespaces since, the sandbox is still in the old ones.
    let namespaces = station.apart | moved;
    let enter = Enter { descriptor, namespaces: clone_flags(namespaces) };
    // Never in shared memory, because programs in the sandbox could read it.
    let program =
        Program { groups, enter: vec![enter], calls: program.calls, ..Program::default() };
    Ok(Joining { program, plan, actions, _root: root })
}
/// Opens the root of a sandbox that used chroot(2): entering its mount namespace would lead to the
/// namespace's own root.
fn open_root(process: &Process, origin: Option<&Origin>) -> Result<File, Report> {
    let pid = process.number_in_proc().map_err(|report| report.at(origin.cloned()))?;
    File::open(format!("/proc/{pid}/root")).map_err(|error| {
        let message = format!("cannot enter the root of the sandbox: {}", Errno::from(&error));
        Report::error(message).at(origin.cloned())
    })
}

/// Opens the control groups of a process that differ from those of nsscript, for processes to
/// enter.
pub(super) fn groups_to_enter(
    host: &Host,
    pid: i32,
    origin: Option<&Origin>,
) -> Result<Vec<OwnedFd>, Report> {
    let fails = |what: &str, error: &std::io::Error| {
        let errno = Errno::from(error);
        let message = format!("cannot enter the control group of the sandbox: {what}: {errno}");
        let mut report = Report::error(message).at(origin.cloned());
        report.facts.errno = Some(errno.code());
        report
    };
    let of = |who: &str| {
        let path = format!("/proc/{who}/cgroup");
        host.tree.read(path.as_ref()).map_err(|error| (fails(&quoted(path), &error), error))
    };
    let own = match of("self") {
        Ok(own) => own,
        // The kernel has no control groups, or /proc does not show them.
        Err((_, error)) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err((report, _)) => return Err(report),
    };
    let other = of(&pid.to_string()).map_err(|(report, _)| report)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (own, other) = (text(&own), text(&other));
    if own == other {
        return Ok(Vec::new());
    }
    let mounts = mountinfo::read(&host.tree);
    let mounts = mounts.map_err(|unread| fails("/proc/self/mountinfo", &unread.error))?;
    let differing = other.lines().filter(|line| !own.lines().any(|it| it == *line));
    let open = |line: &str| {
        let path = cgroups::entrance(&mounts, line).ok_or_else(|| {
            let message = format!("cannot enter the control group {} of the sandbox", quoted(line));
            let report = Report::error(message).at(origin.cloned());
            report.note("no cgroup file system that is mounted here shows it")
        })?;
        let file = File::options().write(true).open(&path);
        file.map(OwnedFd::from).map_err(|error| fails(&quoted(path.to_string_lossy()), &error))
    };
    differing.map(open).collect()
}

/// The part of a plan that applies to a joining program: its identity and settings.
pub(in crate::run) fn joined(plan: &Plan, request: &Request, host: &Host) -> Plan {
    let mut joined = plan.clone();
    let keeps_session = plan.keeps_session();
    let terminal = request.streams == Streams::Terminal;
    joined.command = request.command.clone();
    joined.actions.retain(|planned| planned.action.facts().scope == Scope::EveryProgram);
    let closure = request.command.is_closure();
    for planned in &mut joined.actions {
        planned.side = Side::Child;
        // A joining program has its own streams, session and command.
        if let Op::DieWithParent(die) = &mut planned.action {
            die.keeper = false;
        } else if let Op::Connect(connect) = &mut planned.action {
            let at_terminal = keeps_session && terminal;
            connect.0 = if at_terminal { Streams::Inherited } else { request.streams.clone() };
        } else if let Op::NewSession(session) = &mut planned.action {
            session.closure = closure;
        } else if let Op::Start(_) | Op::Join(_) = &planned.action {
            planned.action = Join(plan.apart()).into();
            planned.side = Side::Parent;
        } else if let Op::Execute(execute) = &mut planned.action {
            let environment = &mut execute.environment;
            environment.extend(terminal.then(|| terminal_kind(environment, host)).flatten());
            execute.command = request.command.clone();
            planned.origin.clone_from(&request.origin);
            if closure {
                planned.action = Closure.into();
            }
        }
    }
    if closure && terminal && !keeps_session {
        let begins = |planned: &Planned| matches!(planned.action, Op::NewSession(_));
        if !joined.actions.iter().any(begins) {
            // A program in a network stays in the session of nsscript.
            let action = NewSession { closure }.into();
            let last = joined.actions.len().saturating_sub(1);
            joined.actions.insert(last, Planned { action, side: Side::Child, origin: None });
        }
    }
    joined
}
