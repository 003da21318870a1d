//! The trace of a launch, and the gate that holds its program until the trace is reported.

use std::io::PipeWriter;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Trace;
use super::explain::Explained;
use crate::diag::Report;
use crate::ops::clone_flags;
use crate::ops::{
    Assembled, AttachImage, Called, Entry, Layer, MapMount, Maps, Op, Told, clone3, make_mapped,
    prepared as traced,
};
use crate::plan::{Plan, Planned, Side};
use crate::run::session::idmap::MapError;
use crate::spec::{Kind, Namespaces};
use crate::sys::{Call, CallError, Errno, LaunchError, Program, Syscall, Times, Watch};

/// A launch to report.
pub(in crate::run) struct LaunchTrace<'a> {
    pub trace: &'a Trace,
    pub plan: &'a Plan,
    /// The action of the plan for each call.
    pub actions: &'a [usize],
}

/// If a receiver is set, makes the new process time its calls, and the executed program wait until
/// the returned gate is dropped.
pub(in crate::run) fn watch(trace: &Trace, program: &mut Program) -> Option<PipeWriter> {
    if !trace.is_traced() {
        return None;
    }
    // Without memory for a watch, only the times are missing.
    program.watch = Watch::new(program.calls.len()).ok();
    if !matches!(program.calls.last(), Some(Call::Execute { .. })) {
        return None;
    }
    let (reader, writer) = std::io::pipe().ok()?;
    program.gate = Some(reader.into());
    Some(writer)
}

impl LaunchTrace<'_> {
    /// Reports the actions of the new process; `made` is its number, or the failure.
    pub fn tell(&self, program: &Program, made: Result<i32, &LaunchError>) {
        if !self.trace.is_traced() {
            return;
        }
        let times = program.watch.as_ref().map(Watch::times);
        let failed = made.err().map(|failed| (self.action_of(failed, &program.calls), failed));
        for (index, planned) in self.plan.actions.iter().enumerate() {
            // These were reported when they were performed.
            if matches!(
                planned.action,
                Op::BuildLayer(_)
                    | Op::PrepareMaps(_)
                    | Op::AttachImage(_)
                    | Op::MapMount(_)
                    | Op::OutliveParent(_)
            ) {
                continue;
            }
            let explained = match planned.action {
                Op::Start(_) | Op::Join(_) => {
                    let pid = match made {
                        Ok(pid) => Some(pid.to_string()),
                        // It was created, and has ended.
                        Err(failed) => failed.call.map(|_| "PID".to_owned()),
                    };
                    self.start(index, program, pid, times.as_ref())
                }
                _ => self.action(index, program, times.as_ref()),
            };
            match failed {
                Some((action, failed)) if action == index => {
                    let parts = times.as_ref().map_or(0, |times| times.parts);
                    let failed = (failed.error.syscall.name(), failed.error.errno);
                    return self.trace.explain(|| explained.failing(failed, parts));
                }
                _ => self.trace.explain(|| explained),
            }
        }
    }

    /// Reports that `action` failed in the carried program of process number `process`.
    pub fn report_not_executed(&self, process: usize, action: usize, why: CallError) {
        let Some(planned) = self.plan.actions.get(action) else { return };
        let failed = (why.syscall.name(), why.errno);
        self.trace.explain(|| {
            let calls = match why.syscall {
                Syscall::Clone => vec![Called::new("clone(CLONE_VFORK|SIGCHLD)")],
                Syscall::Ioctl => vec![Called::new("ioctl(0, TIOCSCTTY, 0)")],
                _ => planned.action.carried_calls(),
            };
            Explained { calls, ..self.explained(planned, process) }.failing(failed, 0)
        });
    }

    /// The action that failed.
    fn action_of(&self, failed: &LaunchError, calls: &[Call]) -> usize {
        match failed.call {
            None => self.plan.start().unwrap_or(0),
            // The process becomes the init.
            Some(call) if matches!(calls.get(call), Some(Call::Execute { as_init: true, .. })) => {
                let becomes = |planned: &Planned| matches!(planned.action, Op::StartInit(_));
                self.plan.actions.iter().position(becomes).unwrap_or(0)
            }
            Some(call) => self.actions.get(call).copied().unwrap_or(0),
        }
    }

    fn explained(&self, planned: &Planned, process: usize) -> Explained {
        let mut explained = prepared(self.trace, planned);
        match planned.side {
            Side::Parent => {}
            Side::Child => explained.process.push(process),
            // Init has started nothing else.
            Side::Program => explained.process.extend([process, 1]),
        }
        explained
    }

    /// Reports the creation of the process.
    fn start(
        &self,
        index: usize,
        program: &Program,
        pid: Option<String>,
        times: Option<&Times>,
    ) -> Explained {
        let planned = Planned { side: Side::Parent, ..self.plan.actions[index].clone() };
        let number = self.trace.next_process();
        let mut calls = entered(program);
        let starts = pid.is_some().then_some(number);
        if let Some(last) = calls.last_mut() {
            last.gives = pid;
        }
        let elapsed = times.map(|times| times.start);
        Explained { calls, starts, elapsed, ..self.explained(&planned, number) }
    }

    /// Reports an action of the new process.
    fn action(&self, index: usize, program: &Program, times: Option<&Times>) -> Explained {
        let planned = &self.plan.actions[index];
        let last = program.calls.len().saturating_sub(1);
        let with_init = matches!(program.calls.last(), Some(Call::Execute { as_init: true, .. }));
        let init = matches!(planned.action, Op::StartInit(_));
        let numbers: Vec<usize> = if init {
            vec![last]
        } else {
            // Executing init is not part of executing the program.
            let end = last + usize::from(!with_init);
            (0..end).filter(|call| self.actions.get(*call) == Some(&index)).collect()
        };
        let mut calls = traced(&program.calls, &numbers);
        // The process of a closure does not execute the carried program.
        let closure = self.plan.command.is_closure();
        let carried = if closure { Vec::new() } else { planned.action.carried_calls() };
        let elapsed = match times {
            Some(times) if init => Some(times.rest),
            Some(times) if !numbers.is_empty() && carried.is_empty() => {
                Some(numbers.iter().filter_map(|call| times.calls.get(*call)).sum::<Duration>())
            }
            _ => None,
        };
        calls.extend(carried);
        let elapsed = elapsed.filter(|_| !calls.is_empty());
        Explained { calls, elapsed, ..self.explained(planned, self.trace.next_process()) }
    }
}

/// Reports the start of the keeper of a sandbox; `made` is the number of the process between, or
/// the failure.
pub(in crate::run) fn report_keeper(trace: &Trace, plan: &Plan, made: Result<i32, &LaunchError>) {
    let is_it = |planned: &&Planned| matches!(planned.action, Op::OutliveParent(_));
    let Some(planned) = plan.actions.iter().find(is_it) else { return };
    trace.explain(|| {
        let starts = made.ok().map(|_| trace.next_process());
        let mut call = clone3("");
        call.gives = made.ok().map(|pid| pid.to_string());
        let told = Explained { calls: vec![call], starts, ..prepared(trace, planned) };
        match made {
            Ok(_) => told,
            Err(failed) => told.failing((failed.error.syscall.name(), failed.error.errno), 0),
        }
    });
}

/// Reports the preparation of a layer.
pub(in crate::run) fn report_layer(
    trace: &Trace,
    planned: &Planned,
    layer: &Layer,
    (built, elapsed): (Result<&PathBuf, &Report>, Duration),
) {
    // An archive was unpacked before, because the plan depends on its contents.
    let unpacked = match layer {
        Layer::Kept(kept) => kept.elapsed.unwrap_or_default(),
        Layer::Assembled(_) => Duration::ZERO,
    };
    let elapsed = Some(elapsed + unpacked);
    let telling = |calls| Explained { calls, elapsed, ..prepared(trace, planned) };
    trace.explain(|| match built {
        Ok(directory) => telling(match layer {
            Layer::Assembled(assembled) => building(assembled, directory),
            Layer::Kept(_) => Vec::new(),
        }),
        Err(report) => {
            let errno = Errno::new(report.facts.errno.unwrap_or_default());
            telling(Vec::new()).failing(("openat", errno), 0)
        }
    });
}

/// Reports the preparation of a user namespace.
pub(in crate::run) fn report_maps(
    trace: &Trace,
    planned: &Planned,
    maps: &Maps,
    (failed, elapsed): (Option<&MapError>, Duration),
) {
    trace.explain(|| {
        let calls = preparing(trace, maps);
        let told = Explained { elapsed: Some(elapsed), calls, ..prepared(trace, planned) };
        match failed {
            None => told,
            Some(MapError::Call(error)) => told.failing((error.syscall.name(), error.errno), 0),
            // A helper reports its failure in its own words.
            Some(MapError::Helper(_)) => told.failing(("execve", Errno::PERMISSION), 0),
        }
    });
}

/// The calls that prepare a user namespace.
fn preparing(trace: &Trace, maps: &Maps) -> Vec<Called> {
    let session = trace.session();
    if trace.host().is_root() || session.has_user_namespace() {
        let users = session.translate(&maps.users, true);
        let groups = session.translate(&maps.groups, false);
        make_mapped(&Maps { users, groups, ..maps.clone() }, true)
    } else {
        make_mapped(maps, false)
    }
}

/// Reports the copy of a mount with mapped ids, and the user namespace with the map if it is made
/// for that.
pub(in crate::run) fn report_map_mount(
    trace: &Trace,
    planned: &Planned,
    map: &MapMount,
    known: bool,
    (failed, elapsed): (Option<&CallError>, Duration),
) {
    trace.explain(|| {
        let mut calls = if known { Vec::new() } else { preparing(trace, &map.maps) };
        calls.extend(map.calls());
        let told = Explained { elapsed: Some(elapsed), calls, ..prepared(trace, planned) };
        match failed {
            None => told,
            Some(error) => told.failing((error.syscall.name(), error.errno), 0),
        }
    });
}

/// Reports the mount of an image.
pub(in crate::run) fn report_image(
    trace: &Trace,
    planned: &Planned,
    image: &AttachImage,
    (failed, elapsed): (Option<&CallError>, Duration),
) {
    trace.explain(|| {
        let calls = image.calls();
        let told = Explained { elapsed: Some(elapsed), calls, ..prepared(trace, planned) };
        match failed {
            None => told,
            Some(error) => told.failing((error.syscall.name(), error.errno), 0),
        }
    });
}

/// The report of an action of the parent, before its result.
fn prepared(trace: &Trace, planned: &Planned) -> Explained {
    let Told { sentence, shell, .. } = planned.action.told();
    Explained {
        sentence,
        operation: planned.action.facts().name,
        calls: Vec::new(),
        shell,
        side: planned.side,
        process: trace.process(),
        starts: None,
        origin: planned.origin.clone(),
        failed: None,
        elapsed: None,
    }
}

/// The calls that build a tree, one for each kind of entry.
fn building(tree: &Assembled, directory: &Path) -> Vec<Called> {
    let count = |wanted: fn(&Entry) -> bool| {
        tree.entries.values().filter(|made| wanted(&made.entry)).count()
    };
    let directories = count(|entry| entry.directory_mode().is_some());
    let links = count(|entry| matches!(entry, Entry::Symlink { .. }));
    let copies = count(|entry| matches!(entry, Entry::Copy { .. }));
    let files = count(|entry| matches!(entry, Entry::File { .. } | Entry::Device));
    let path = crate::diag::c_literal(&crate::sys::shown(directory).to_string_lossy());
    let made = [
        (directories, "mkdirat(parent, …, 0755)", "directory"),
        (files + copies, "openat(parent, …, O_WRONLY|O_CREAT|O_EXCL, 0600)", "file"),
        (copies, "copy_file_range(source, NULL, file, NULL, …, 0)", "file"),
        (links, "symlinkat(…, parent, …)", "link"),
    ];
    let made = made.iter().filter(|(number, ..)| *number > 0);
    let told = made.map(|(number, call, noun)| {
        let noun = if *number == 1 { noun } else { plural(noun) };
        Called::new(format!("{call} /* {number} {noun} */"))
    });
    std::iter::once(Called::new(format!("mkdir({path}, 0777)"))).chain(told).collect()
}

fn plural(noun: &str) -> &str {
    match noun {
        "directory" => "directories",
        "file" => "files",
        _ => "links",
    }
}

/// The calls that create the process of a program. If it enters namespaces first, an intermediate
/// process does that, and creates a child of nsscript.
pub(in crate::run) fn entered(program: &Program) -> Vec<Called> {
    let executes = matches!(program.calls.last(), Some(Call::Execute { .. }));
    let mut flags: Vec<_> = kinds(program.namespaces).kinds().map(Kind::flag).collect();
    flags.extend((executes && program.share_memory).then_some("CLONE_VM"));
    flags.extend(executes.then_some("CLONE_VFORK"));
    if program.enter.is_empty() {
        return vec![clone3(&flags.join("|"))];
    }
    flags.push("CLONE_PARENT");
    let entered = program.enter.iter();
    let entered = entered.map(|it| Called::new(format!("setns(fd, {})", kinds(it.namespaces))));
    entered.chain([Called::new(format!("clone3({{flags={}}}, 64)", flags.join("|")))]).collect()
}

/// The namespaces of clone flags.
fn kinds(flags: u64) -> Namespaces {
    let given = |kind: &Kind| flags & clone_flags((*kind).into()) != 0;
    let kinds = Kind::ALL.into_iter().filter(given);
    kinds.fold(Namespaces::NONE, |all, kind| all | kind.into())
}
