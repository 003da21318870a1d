//! The launch of a plan: parent-side work, then the process that performs the rest.

pub(super) mod bounds;
pub(super) mod closure;
pub(super) mod copier;
pub(super) mod exit;
pub(super) mod fallback;
mod id_mapped;
pub(super) mod join;
pub(super) mod keeper;
pub(super) mod launcher;
pub(super) mod listener;
pub(super) mod listing;
pub(super) mod lower;
pub(super) mod outside;
pub(super) mod piped;
pub(super) mod process;
pub(super) mod record;
pub(super) mod relay;
pub(super) mod running;
pub(super) mod several;
pub(super) mod stream;

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use self::id_mapped::map_mount;
use self::launcher::Launcher;
use self::lower::{Lowered, Supplies, lower};
use self::process::Holds;
use self::stream::{Around, Connected, Ends, connect};
use super::advice::action_error::ActionError;
use super::raw::attach_loop::{attach_open, open_image};
use super::raw::c;
use super::session::idmap::MapError;
use super::trace::launch_trace::{LaunchTrace, report_image, report_layer, report_maps, watch};
use crate::diag::{Report, quoted};
use crate::ops::{
    AttachImage, BuildLayer, EnterNetwork, EnterSandbox, MakeOnHost, Op, Operation, Own,
    OwnDirectory, Pod, PrepareMaps, clone_flags,
};
use crate::plan::{Plan, Planned, Request, Side};
use crate::run::base::error::RunError;
use crate::run::launch::stream::Input;
use crate::spec::JoinedNetwork;
use crate::sys::{
    self, CallError, Child, Enter, Errno, LaunchError, LoopSettings, Syscall, flags, spawn,
};

/// The prepared data of a new process.
pub(super) struct Ready {
    pub lowered: Lowered,
    pub holds: Holds,
    pub connected: Connected,
}

/// Performs the parent's actions, and prepares the calls of the process that performs the rest.
pub(super) fn ready(
    launcher: &Launcher,
    plan: &Plan,
    request: &Request,
    input: &Input,
) -> Result<Ready, RunError> {
    let (mut layers, mut directories) = (Vec::new(), Vec::new());
    let mut changes = None;
    let mut holds = Holds::default();
    let (mut enter, mut images, mut mapped) = (Vec::new(), Vec::new(), Vec::new());
    for (index, planned) in plan.actions.iter().enumerate() {
        if planned.side == Side::Parent {
            launcher.before_action(plan, index)?;
        }
        let Some(own_action) = planned.action.own() else { continue };
        match own_action {
            Own::BuildLayer(building) => {
                let layer = build(launcher, building, plan, planned)?;
                directories.insert(0, own(&layer, planned)?);
                layers.insert(0, layer);
            }
            Own::KeepChanges(keep) => {
                let lock = launcher.keep_changes(&keep.0, &plan.maps, &layers);
                let kept = lock.map_err(|report| report.at(planned.origin.clone()))?;
                changes = Some(own(&kept.overlay(), planned)?);
                holds.changes = Some(kept);
            }
            Own::MakeOnHost(make) => {
                make_on_host(make).map_err(|report| report.at(planned.origin.clone()))?;
            }
            Own::AttachImage(image) => {
                images.push(attach_image(launcher, image, plan, index)?);
            }
            Own::MapMount(map) => mapped.push(map_mount(launcher, map, plan, index)?),
            Own::EnterNetwork(EnterNetwork(network)) => {
                enter.push(enter_network(network, planned)?);
            }
            Own::EnterSandbox(EnterSandbox(pod)) => enter.push(enter_sandbox(pod, planned)?),
            Own::ConnectOutside(connect) => {
                let outside = launcher.connect_outside(&connect.0, planned.origin.as_ref())?;
                let joined = outside.network.held();
                let label = &outside.network.label;
                let joined = joined.map_err(|errno| not_duplicated(label, errno, planned))?;
                enter.push(enter_network(&joined, planned)?);
                holds.outside = Some(Box::new(outside));
            }
            Own::PrepareMaps(prepare) => {
                let PrepareMaps { maps, limited } = prepare;
                let known = launcher.users.borrow().holds(maps, *limited);
                let started = Instant::now();
                let (host, session) = (launcher.host(), launcher.session());
                let made = launcher.users.borrow_mut().enter(maps, *limited, host, session);
                if !known {
                    report_maps(launcher, planned, maps, (made.as_ref().err(), started.elapsed()));
                }
                enter.push(made.map_err(|error| match error {
                    MapError::Helper(report) => report.at(planned.origin.clone()),
                    MapError::Call(error) => {
                        ActionError { plan, action: index, error }.report(launcher)
                    }
                })?);
            }
            // This process is the keeper. The new process starts last, and is listed then; raw calls
            // have no launch.
            Own::OutliveParent(_)
            | Own::Name(_)
            | Own::Start(_)
            | Own::Join(_)
            | Own::RawAction(_) => {}
        }
    }
    let connected = connect_streams(launcher, request, input, Some(plan))?;
    let streams = connected.given;
    let (kernel, gated) = (launcher.host().kernel, launcher.is_traced());
    let own = launcher.own_ids();
    let copy = launcher.copy_for(plan)?;
    let (directory, token) = copy.unzip();
    holds.copy = token;
    let copy = directory.map(|directory| own_directory(&directory)).transpose();
    let copy = copy.map_err(|report| report.at(request.origin.clone()))?;
    let numbers = |mounts: &[OwnedFd]| mounts.iter().map(AsRawFd::as_raw_fd).collect::<Vec<_>>();
    let supplies = Supplies {
        images: &numbers(&images),
        mapped: &numbers(&mapped),
        layers: &directories,
        copy: copy.as_ref(),
        changes: changes.as_ref(),
        streams,
        kernel,
        own,
        gated,
    };
    let mut lowered = lower(plan, supplies);
    if plan.actions.iter().any(|it| matches!(it.action, Op::PrepareMaps(_))) {
        // The prepared user namespace is entered, and owns the new namespaces.
        lowered.program.namespaces &= !flags::USER;
    }
    lowered.program.enter = enter;
    lowered.program.given = images;
    lowered.program.given.append(&mut mapped);
    lowered.program.step = launcher.steps(plan, &lowered.actions);
    Ok(Ready { lowered, holds, connected })
}

/// Creates a mount point on the host.
fn make_on_host(planned: &MakeOnHost) -> Result<(), Report> {
    let MakeOnHost { base, id, below, directory } = planned;
    let made = || {
        let beneath = sys::Beneath::open(base)?;
        if beneath.identity()? != *id {
            return Err(Errno::STALE);
        }
        beneath.mount_point(below, *directory)
    };
    made().map_err(|errno| {
        let path = base.join(below);
        let shown = quoted(path.to_string_lossy());
        let mut report = Report::error(format!("cannot create {shown} on the host: {errno}"));
        report.facts.operation = Some(planned.facts().name.into());
        report.facts.errno = Some(errno.code());
        report.facts.target = Some(path.to_string_lossy().into_owned());
        report
    })
}

/// Creates the mount of an image.
fn attach_image(
    launcher: &Launcher,
    image: &AttachImage,
    plan: &Plan,
    index: usize,
) -> Result<OwnedFd, Report> {
    let AttachImage { file: path, id, kind, read_only } = image;
    let planned = &plan.actions[index];
    let started = Instant::now();
    let settings = LoopSettings { read_only: *read_only, ..LoopSettings::default() };
    let attach = || {
        let file = open_image(path, *id, *read_only)?;
        attach_open(path, &file, &settings)
    };
    // The mount holds the device.
    let device = attach().map_err(|report| report.at(planned.origin.clone()))?;
    let made = device.mount(&c(Path::new(kind)), *read_only);
    report_image(launcher, planned, image, (made.as_ref().err(), started.elapsed()));
    made.map_err(|error| {
        let report = ActionError { plan, action: index, error }.report(launcher);
        if report.hints.is_empty() && error.errno.name() == "EINVAL" {
            let hint =
                format!("the file may hold no {kind}: leave out `type`, which is then found");
            return report.hint(hint);
        }
        report
    })
}

/// Examines a directory of nsscript's own that an action uses.
fn own(path: &Path, planned: &Planned) -> Result<OwnDirectory, Report> {
    own_directory(path).map_err(|report| report.at(planned.origin.clone()))
}

/// Examines a directory of nsscript's own.
fn own_directory(path: &Path) -> Result<OwnDirectory, Report> {
    OwnDirectory::find(path).map_err(|error| {
        let (shown, errno) = (sys::shown(path), Errno::from(&error));
        let name = quoted(shown.to_string_lossy());
        let mut report = Report::error(format!("cannot access {name}: {errno}"));
        report.facts.errno = Some(errno.code());
        report.facts.target = Some(shown.to_string_lossy().into_owned());
        report
    })
}

/// The report of a network that cannot be entered, because its descriptor cannot be duplicated.
fn not_duplicated(network: &str, errno: Errno, planned: &Planned) -> Report {
    let message = format!("cannot duplicate the descriptor of the network {network}: {errno}");
    let mut report = Report::error(message).at(planned.origin.clone());
    report.facts.errno = Some(errno.code());
    report
}

/// A network for a new process to enter.
fn enter_network(network: &JoinedNetwork, planned: &Planned) -> Result<Enter, Report> {
    let fails = |errno| not_duplicated(&network.label, errno, planned);
    let Some(descriptor) = &network.descriptor else { return Err(fails(Errno::MISSING)) };
    let descriptor = descriptor.try_clone().map_err(|error| fails((&error).into()))?;
    Ok(Enter { descriptor, namespaces: flags::NET })
}

/// The namespaces of a running sandbox, for a new process to enter.
fn enter_sandbox(pod: &Pod, planned: &Planned) -> Result<Enter, Report> {
    let fails = |why: String| {
        let shown = pod.shown();
        Report::error(format!("cannot join {shown}: {why}")).at(planned.origin.clone())
    };
    let Some(descriptor) = &pod.descriptor else { return Err(fails("it is unknown".into())) };
    // A descriptor of a process is readable when it has ended.
    let ended = sys::ready(&[(descriptor.as_fd(), false)], Some(Duration::ZERO));
    if ended.is_ok_and(|it| it[0]) {
        let hint = "start a program in it that runs as long, such as `sleep`";
        return Err(fails("it has ended".into()).hint(hint));
    }
    let descriptor = descriptor.try_clone();
    let descriptor = descriptor.map_err(|error| fails(Errno::from(&error).to_string()))?;
    Ok(Enter { descriptor, namespaces: clone_flags(pod.enters) })
}

/// The result of a launch.
pub(super) enum Launched {
    /// A process.
    Process(Child, Ends, Holds),
    /// This machine has no overlay for the layers of the root.
    NoOverlay(Report),
    /// A new sysfs cannot be mounted, because parts of /sys are masked, as in most containers.
    NoSysfs,
    /// The launch must be repeated with a fallback.
    Again,
}

/// Starts the process that performs the plan.
pub(super) fn launch(
    launcher: &Launcher,
    plan: &Plan,
    request: &Request,
    input: &Input,
) -> Result<Launched, RunError> {
    let Ready { mut lowered, holds, connected } = ready(launcher, plan, request, input)?;
    let gate = watch(launcher, &mut lowered.program);
    let spawned = spawn(&lowered.program);
    let trace = LaunchTrace { trace: launcher, plan, actions: &lowered.actions };
    trace.tell(&lowered.program, spawned.as_ref().map(Child::pid));
    launcher.count_process();
    drop(gate);
    launcher.check_stepping()?;
    match spawned {
        Ok(child) => Ok(Launched::Process(child, connected.into_ends(plan)?, holds)),
        Err(failed) if is_without_overlay(plan, &lowered, failed) => {
            Ok(Launched::NoOverlay(failure(launcher, plan, &lowered, failed)))
        }
        Err(failed) if is_without_sysfs(plan, &lowered, failed) => Ok(Launched::NoSysfs),
        Err(failed) => launcher.go_around(plan, &lowered, failed).map(|()| Launched::Again),
    }
}

/// Whether a root failed because this machine has no overlay for its layers: the kernel has no
/// overlays, or none for users, or the layers are on too many overlays already.
pub(super) fn is_without_overlay(plan: &Plan, lowered: &Lowered, failed: LaunchError) -> bool {
    let action = failed.call.and_then(|call| lowered.action_of(call));
    let action = action.and_then(|action| plan.actions.get(action));
    let makes_root = action.is_some_and(|planned| matches!(planned.action, Op::MakeRoot(_)));
    let refused = matches!(failed.error.errno.name().as_str(), "EINVAL" | "ENODEV" | "EPERM");
    let asked =
        matches!(failed.error.syscall, Syscall::Fsopen | Syscall::Fsconfig | Syscall::Fsmount);
    makes_root && refused && asked && plan.with_copy().is_some()
}

/// Whether the sysfs of a network could not be mounted for a program of the host, which can run
/// without it.
fn is_without_sysfs(plan: &Plan, lowered: &Lowered, failed: LaunchError) -> bool {
    let action = failed.call.and_then(|call| lowered.action_of(call));
    action.is_some_and(|action| plan.sysfs_of_host() == Some(action))
}

/// The report of a failed call.
pub(super) fn failure(
    launcher: &Launcher,
    plan: &Plan,
    lowered: &Lowered,
    failed: LaunchError,
) -> Report {
    let LaunchError { call, error } = failed;
    let action = call.and_then(|call| lowered.action_of(call)).or(plan.start()).unwrap_or(0);
    ActionError { plan, action, error }.report(launcher)
}

/// The action that the carried program could not perform. Executing the program is the last one. Of
/// the limits, only those above nsscript's own hard limit are refused.
fn refused(plan: &Plan, why: CallError) -> usize {
    let is_limit = |planned: &Planned| matches!(planned.action, Op::Limit(_));
    let is_above = |planned: &Planned| {
        let Op::Limit(limit) = &planned.action else { return false };
        sys::hard_limit(limit.resource.number).is_some_and(|most| limit.hard > most)
    };
    let is_passed = |planned: &Planned| matches!(planned.action, Op::PassFd(_));
    let find = |wanted: &dyn Fn(&Planned) -> bool| plan.actions.iter().position(wanted);
    let refused = match why.syscall {
        Syscall::Prlimit => find(&is_above).or_else(|| find(&is_limit)),
        Syscall::Dup3 | Syscall::Fcntl => find(&is_passed),
        Syscall::Seccomp => find(&|planned| matches!(planned.action, Op::Seccomp(_))),
        _ => None,
    };
    refused.unwrap_or(plan.actions.len().saturating_sub(1))
}

/// The report of a program that init could not execute, in process number `process`.
pub(super) fn not_executed(
    launcher: &Launcher,
    plan: &Plan,
    process: usize,
    why: CallError,
) -> Report {
    let action = refused(plan, why);
    let trace = LaunchTrace { trace: launcher, plan, actions: &[] };
    trace.report_not_executed(process, action, why);
    ActionError { plan, action, error: why }.report(launcher)
}

fn build(
    launcher: &Launcher,
    building: &BuildLayer,
    plan: &Plan,
    planned: &Planned,
) -> Result<PathBuf, RunError> {
    let (tree, number) = (&building.tree, building.number);
    let known = launcher.is_ready(tree, number, &plan.maps);
    let started = Instant::now();
    let built = launcher.layer(tree, number, &plan.maps);
    if !known {
        let layer = &tree.layers[number];
        report_layer(launcher, planned, layer, (built.as_ref(), started.elapsed()));
    }
    built.map_err(|report| {
        let origin = report.origin.clone().or_else(|| planned.origin.clone());
        report.at(origin).into()
    })
}

/// Creates the standard streams of a program in the sandbox of a plan, or of one on the host.
pub(super) fn connect_streams(
    launcher: &Launcher,
    request: &Request,
    input: &Input,
    plan: Option<&Plan>,
) -> Result<Connected, Report> {
    let session = launcher.session();
    let around = Around {
        inside: plan.is_some_and(Plan::has_terminals),
        of_caller: !session.is_in_sandbox(),
        keeps_session: plan.is_some_and(Plan::keeps_session),
        elsewhere: session.trail().children_are_elsewhere(),
    };
    connect(&request.streams, input, around).map_err(|error| {
        let mut report = Report::error(error.to_string());
        report.facts.errno = error.errno().map(Errno::code);
        report.hints.extend(error.hint().map(Into::into));
        report.at(request.origin.clone())
    })
}
