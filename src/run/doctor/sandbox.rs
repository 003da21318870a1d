//! A complete sandbox, as in `recipes/busybox.rhai`.

use std::time::Instant;

use super::exam::Exam;
use super::{Finding, Verdict};
use crate::diag::{Report, list, quoted};
use crate::ops::{Dev, Hostname, Proc, Sandbox, Tmpfs, What};
use crate::plan::Request;
use crate::run::base::error::RunError;
use crate::run::remedy::{self, Remedy};
use crate::spec::{Command, GuestPath, Kind, ProcOptions, Root, Streams, ValueError};
use crate::sys::{self, CStrings, Call, Passed};

/// Executes the init that nsscript carries, in a user namespace if possible.
pub(super) fn init(exam: &Exam<'_>) -> Finding {
    let execute =
        Call::Execute { as_init: true, told: CStrings::default(), passed: Passed::default() };
    let mut program = exam.with_rights();
    program.calls = vec![Call::DieWithParent, execute];
    match sys::spawn(&program) {
        // Dropping it kills it.
        Ok(_) => Finding::ok("executed from a memory file"),
        Err(failed) => {
            let refused = format!("{}(2): {}", failed.error.syscall.name(), failed.error.errno);
            let remedy = remedy::file_in_memory(exam.host);
            Finding::new(Verdict::No, format!("cannot be executed: {refused}")).remedy(remedy)
        }
    }
}

pub(super) fn temporary(exam: &Exam<'_>) -> Finding {
    match exam.launcher.workspace() {
        Ok(path) => {
            let above = path.parent().unwrap_or(&path).to_string_lossy().into_owned();
            let found = format!("a private directory can be created in {}", quoted(&above));
            Finding::ok(found).value(above)
        }
        Err(report) => failed(&report),
    }
}

/// The programs of the recipe: busybox, or the host's own.
pub(super) fn programs(exam: &Exam<'_>) -> Finding {
    let search = exam.host.environment.get("PATH").map(String::as_str);
    let find = |name: &str| exam.host.tree.which(name, search);
    if let Some(path) = find("busybox") {
        let path = path.to_string_lossy().into_owned();
        return Finding::ok(quoted(&path)).value(path);
    }
    let own = ["sh", "cat", "id", "ls", "uname"];
    let missing: Vec<_> = own.into_iter().filter(|name| find(name).is_none()).collect();
    if missing.is_empty() {
        let found = format!("no `busybox`; the host has its own {}", list(&own, "and"));
        return Finding::ok(found).value(own.map(str::to_owned).to_vec());
    }
    let found = format!("neither `busybox` nor {}", list(&missing, "and"));
    Finding::new(Verdict::No, found).remedy(remedy::no_programs())
}

fn wanted() -> Result<Sandbox, ValueError> {
    let steps: [What; 4] = [
        Hostname("busybox".into()).into(),
        Proc { target: GuestPath::new("/proc")?, options: ProcOptions::default() }.into(),
        Dev::new(GuestPath::new("/dev")?).into(),
        Tmpfs { target: GuestPath::new("/run")?, size: Some(16 << 20), mode: 0o755, create: false }
            .into(),
    ];
    let empty = Sandbox::new(Root::Empty, None);
    Ok(steps.into_iter().fold(empty, |sandbox, step| sandbox.with(step, None)))
}

/// Starts a process in the sandbox that performs a complete launch, but executes nothing.
pub(super) fn launch(exam: &Exam<'_>) -> Finding {
    let started = Instant::now();
    match launched(exam) {
        Ok(()) => {
            let time = started.elapsed().as_millis();
            let found = format!("succeeded, in {} new namespaces, in {time} ms", Kind::ALL.len());
            Finding::ok(found)
        }
        Err(RunError::Reports(reports)) => match reports.first() {
            Some(report) => failed(report),
            None => Finding::new(Verdict::No, "refused"),
        },
        Err(RunError::Interrupted(_)) => Finding::new(Verdict::Unknown, "interrupted by a signal"),
    }
}

fn launched(exam: &Exam<'_>) -> Result<(), RunError> {
    let sandbox = wanted().map_err(|invalid| Report::from(&invalid))?;
    let (command, streams) = (Command::closure(), Streams::Inherited);
    let request = Request { command, streams, origin: None };
    let plan = exam.launcher.plan(&sandbox, &request)?;
    let mut process = exam.launcher.fork_sandbox(&plan, &request, &mut || (Vec::new(), 0))?;
    let exit = process.wait()?;
    if exit.code != 0 {
        return Err(Report::error(format!("the process inside {exit}")).into());
    }
    Ok(())
}

/// The finding of a report, with its hints.
fn failed(report: &Report) -> Finding {
    let remedy = (!report.hints.is_empty()).then(|| Remedy::of_report(report));
    Finding::new(Verdict::No, report.message.clone()).remedy(remedy)
}
