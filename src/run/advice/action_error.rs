//! Reports of failed actions.

use std::error::Error;
use std::ffi::CString;
use std::fmt;

use super::guest::Guest;
use super::{hint, loader};
use crate::diag::Report;
use crate::ops::{Called, Execute, Op, RawAction, Told};
use crate::plan::{Plan, Planned, Side};
use crate::run::layers::Layers;
use crate::spec::Kind;
use crate::sys::{self, CallError, Errno, Syscall};

/// An action of a plan that failed.
#[derive(Clone, Copy, Debug)]
pub struct ActionError<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The index of the action.
    pub action: usize,
    /// The system call that failed.
    pub error: CallError,
}

impl fmt::Display for ActionError<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.plan.actions.get(self.action) {
            Some(planned) => out.write_str(&self.sentence(&planned.action)),
            None => write!(out, "cannot start a process: {}", self.error.errno),
        }
    }
}

impl Error for ActionError<'_> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

impl ActionError<'_> {
    /// The report of a failure that is certain before the launch, from what is known then.
    pub(in crate::run) fn foreseen(&self, guest: &Guest<'_>) -> Option<Report> {
        let planned = self.plan.actions.get(self.action)?;
        let Op::Execute(Execute { command, search, .. }) = &planned.action else { return None };
        let report = self.executing(self.of(planned));
        let report = loader::explain(report, guest, command, search, self.error.errno);
        // A failure that has no known cause is not certain.
        (!report.hints.is_empty()).then_some(report)
    }

    /// The report without what is known of the inside.
    fn of(&self, planned: &Planned) -> Report {
        let action = &planned.action;
        let mut report = Report::error(self.to_string());
        report = report.at(planned.origin.clone().or_else(|| self.nearest_origin()));
        let Told { source, target, .. } = action.told();
        report.facts.operation = Some(action.facts().name.to_owned());
        report.facts.errno = Some(self.error.errno.code());
        (report.facts.source, report.facts.target) = (source, target);
        report
    }

    /// The report of a program that is not executed.
    fn executing(&self, mut report: Report) -> Report {
        let missing = self.error.errno.name() == "ENOENT";
        report.facts.status = Some(if missing { 127 } else { 126 });
        report
    }

    /// The report of the failure.
    pub(in crate::run) fn report(&self, layers: &Layers) -> Report {
        let Some(planned) = self.plan.actions.get(self.action) else {
            return Report::error(self.to_string());
        };
        let action = &planned.action;
        let mut report = self.of(planned).note(self.place(planned.side));
        for said in Self::kernel_messages(action) {
            report = report.note(format!("the kernel says: {said}"));
        }
        if let Op::Execute(Execute { command, search, .. }) = action
            && (self.error.syscall == Syscall::Execve || self.error.errno == Errno::E2BIG)
        {
            let guest = Guest::new(self.plan, layers);
            let report = self.executing(report);
            return loader::explain(report, &guest, command, search, self.error.errno);
        }
        hint::add(report, self, layers)
    }

    /// The file system's own messages about a failed mount.
    fn kernel_messages(action: &Op) -> Vec<String> {
        let Op::RawAction(RawAction::Mount(mount)) = action else { return Vec::new() };
        let text = |text: &str| CString::new(text).unwrap_or_default();
        let Some(kind) = mount.new_file_system() else { return Vec::new() };
        let options: Vec<_> = mount.options().collect();
        let options = options.iter().map(|option| match option.split_once('=') {
            Some((key, value)) => (text(key), Some(text(value))),
            None => (text(option), None),
        });
        let options: Vec<_> = options.collect();
        let source = mount.source.as_deref().map(text);
        sys::refusal(&text(kind), source.as_deref(), &options)
            .into_iter()
            .map(|said| crate::diag::escape(&said))
            .collect()
    }

    fn sentence(&self, action: &Op) -> String {
        if self.error.errno == Errno::STALE {
            let sentence = action.told().sentence;
            return format!("cannot {sentence}: the source was replaced by another file meanwhile");
        }
        format!("cannot {}: {}", action.told().sentence, self.error.errno)
    }

    /// The place of the last action with a line: the place that the recipe had reached.
    fn nearest_origin(&self) -> Option<crate::diag::Origin> {
        let last = self.plan.actions.iter().rev().find_map(|done| match done.action {
            Op::Execute(_) => done.origin.clone(),
            _ => None,
        });
        last.or_else(|| self.plan.actions.iter().find_map(|done| done.origin.clone()))
    }

    fn place(&self, side: Side) -> String {
        if let Some(Op::RawAction(raw)) =
            self.plan.actions.get(self.action).map(|done| &done.action)
        {
            let calls = raw.calls();
            let name = self.error.syscall.name();
            let is_it = |call: &&Called| call.call.starts_with(&format!("{name}("));
            let call = calls.iter().find(is_it);
            let shown = call.map_or_else(|| format!("{name}(2)"), |called| called.call.clone());
            return format!("the call was {shown}");
        }
        let (number, total) = (self.action + 1, self.plan.actions.len());
        let inside = self.plan.namespaces.has(Kind::User);
        let place = match side {
            Side::Parent => "in nsscript itself, before the new process exists".to_owned(),
            _ if inside => format!("in {}, inside the user namespace", side.name()),
            _ => format!("in {}", side.name()),
        };
        format!("step {number} of {total}, {place}; the call was {}(2)", self.error.syscall.name())
    }
}
