//! What needs more ids than the caller's own: done by root itself, and for a user by a process in
//! a user namespace that maps all ids the user may have.

use std::io::{Read, Write};

use super::idmap::{MapError, all_ids};
use super::runner::Runner;
use crate::diag::Report;
use crate::sys::{self, Call, Program};

/// Something that is done with all ids.
pub(super) type Work<'a> = &'a mut dyn FnMut() -> Result<(), Report>;

impl Runner {
    /// The number by which [`Runner::with_all_ids`] calls a user (or group) of the host; none where
    /// that is none of the caller's.
    pub(super) fn number_with_all_ids(&self, outside: u32, users: bool) -> Option<u32> {
        if self.session().has_user_namespace() {
            return self.session().inside(outside, users);
        }
        if self.host().is_root() {
            return Some(outside);
        }
        let maps = all_ids(self.host());
        if users { maps.users.inside(outside) } else { maps.groups.inside(outside) }
    }

    /// Does `work` with the rights of root over all ids that the caller may have, and over what
    /// belongs to them. What it changes in memory may be lost.
    ///
    /// # Errors
    /// Those of `work`, or the caller has no other ids.
    pub(super) fn with_all_ids(&self, work: Work<'_>) -> Result<(), Report> {
        if self.host().is_root() || self.session().has_user_namespace() {
            return work();
        }
        let maps = all_ids(self.host());
        if maps.own {
            let message = "this user has no other ids to give files to, or to take them from";
            let hint = "an administrator gives some in /etc/subuid and /etc/subgid";
            return Err(Report::error(message).hint(hint));
        }
        let entered = self.users.borrow_mut().enter(&maps, self.host(), self.session());
        let enter = entered.map_err(|error| match error {
            MapError::Helper(report) => *report,
            MapError::Call(trouble) => {
                let errno = trouble.errno;
                Report::error(format!("cannot make a user namespace of all ids: {errno}"))
            }
        })?;
        let program =
            Program { enter: Some(enter), calls: vec![Call::DieWithParent], ..Program::default() };
        in_copy(&program, work)
    }
}

/// Does `work` in a copy of this process that has performed `program`.
fn in_copy(program: &Program, work: Work<'_>) -> Result<(), Report> {
    let cannot = |what: &str, errno: sys::Errno| Report::error(format!("cannot {what}: {errno}"));
    let (mut reader, writer) =
        std::io::pipe().map_err(|error| cannot("make a pipe", sys::Errno::from(&error)))?;
    let mut writer = Some(writer);
    let child = sys::fork(program, true, &mut || {
        let Some(mut writer) = writer.take() else { return 1 };
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(&mut *work));
        let said = match done {
            Ok(Ok(())) => DONE.to_vec(),
            Ok(Err(report)) => written(&report),
            Err(_) => Vec::new(),
        };
        i32::from(writer.write_all(&said).is_err())
    });
    drop(writer);
    let mut child = child.map_err(|fault| cannot("enter the user namespace", fault.errno))?;
    let mut said = Vec::new();
    let read = reader.read_to_end(&mut said);
    child.wait();
    match read {
        Ok(_) if said == DONE => Ok(()),
        _ => Err(read_back(&said)),
    }
}

/// What is said of work that is done.
const DONE: &[u8] = b"done";

/// A report for the other side of a pipe: what such work has to say.
fn written(report: &Report) -> Vec<u8> {
    let facts = &report.facts;
    let value = serde_json::json!({
        "message": report.message, "hints": report.hints, "errno": facts.errno,
        "operation": facts.operation, "target": facts.target,
    });
    value.to_string().into_bytes()
}

fn read_back(said: &[u8]) -> Report {
    let value: serde_json::Value = serde_json::from_slice(said).unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let Some(message) = text(&value["message"]) else {
        return Report::error("a process that works with other ids has ended early");
    };
    let mut report = Report::error(message);
    report.hints = value["hints"].as_array().into_iter().flatten().filter_map(text).collect();
    report.facts.errno = value["errno"].as_i64().and_then(|errno| i32::try_from(errno).ok());
    report.facts.operation = text(&value["operation"]);
    report.facts.target = text(&value["target"]);
    report
}
