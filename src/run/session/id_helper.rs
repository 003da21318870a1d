//! Work that needs other ids: root does it directly, a user through a helper process in a fully
//! mapped user namespace.

use std::io::{Read, Write};

use super::Caller;
use super::idmap::{MapError, all_ids};
use crate::diag::Report;
use crate::run::remedy;
use crate::sys::{self, Call, Program};

/// Work with all ids, which returns bytes.
pub(in crate::run) type Work<'a> = &'a mut dyn FnMut() -> Result<Vec<u8>, Report>;

impl Caller {
    /// Converts a user (or group) id of the host to one in [`Caller::with_all_ids`]; `None` if it
    /// is not one of the caller's.
    ///
    /// # Errors
    /// The caller's ids cannot be read.
    pub(in crate::run) fn number_with_all_ids(
        &self,
        outside: u32,
        users: bool,
    ) -> Result<Option<u32>, Report> {
        if self.session().has_user_namespace() {
            return Ok(self.session().inside(outside, users));
        }
        if self.host().is_root() {
            return Ok(Some(outside));
        }
        let maps = all_ids(self.host())?;
        Ok(if users { maps.users.inside(outside) } else { maps.groups.inside(outside) })
    }

    /// Converts a user (or group) id in [`Caller::with_all_ids`] to one of the host.
    ///
    /// # Errors
    /// The caller's ids cannot be read.
    pub(in crate::run) fn outside_with_all_ids(
        &self,
    ) -> Result<impl Fn(u32, bool) -> Option<u32> + '_, Report> {
        let is_session = self.host().is_root() || self.session().has_user_namespace();
        let maps = if is_session { None } else { Some(all_ids(self.host())?) };
        Ok(move |number, users| match &maps {
            None => self.session().outside(number, users),
            Some(maps) if users => maps.users.outside(number),
            Some(maps) => maps.groups.outside(number),
        })
    }

    /// Runs `work` with root's rights over all ids of the caller and their files. Changes in memory
    /// may be lost.
    ///
    /// # Errors
    /// Those of `work`, or the caller has no other ids.
    pub(in crate::run) fn with_all_ids(&self, work: Work<'_>) -> Result<Vec<u8>, Report> {
        if self.host().is_root() || self.session().has_user_namespace() {
            return work();
        }
        let maps = all_ids(self.host())?;
        if maps.own {
            let message = "cannot work with files of other ids: this user has none";
            let file = if maps.users.one().is_some() { "/etc/subuid" } else { "/etc/subgid" };
            let remedy = remedy::no_subordinate_ids(self.host(), file);
            return Err(Report::error(message).hint(remedy.hint()));
        }
        let entered = self.users.borrow_mut().enter(&maps, false, self.host(), self.session());
        let enter = entered.map_err(|error| match error {
            MapError::Helper(report) => *report,
            MapError::Call(error) => {
                let errno = error.errno;
                Report::error(format!("cannot create a user namespace with all ids: {errno}"))
            }
        })?;
        let program =
            Program { enter: vec![enter], calls: vec![Call::DieWithParent], ..Program::default() };
        in_copy(&program, work)
    }

    /// Runs `work` with root's rights over the caller's files, including files without rights for
    /// their owner.
    ///
    /// # Errors
    /// Those of `work`.
    pub(in crate::run) fn with_own_id(&self, work: Work<'_>) -> Result<Vec<u8>, Report> {
        if self.host().is_root() || self.session().has_user_namespace() {
            return work();
        }
        let ids = sys::ids();
        // The kernel lets only processes map groups that can no longer drop one (CVE-2014-8989).
        let files = [
            (c"/proc/self/setgroups", "deny".to_owned()),
            (c"/proc/self/uid_map", format!("{0} {0} 1", ids.uid)),
            (c"/proc/self/gid_map", format!("{0} {0} 1", ids.gid)),
        ];
        let write = |(path, text): (&std::ffi::CStr, String)| Call::WriteProc {
            path: path.to_owned(),
            bytes: text.into_bytes(),
        };
        let calls = files.into_iter().map(write).chain([Call::DieWithParent]).collect();
        let program = Program { namespaces: sys::flags::USER, calls, ..Program::default() };
        in_copy(&program, work)
    }
}

/// Runs `work` in a copy of this process that has performed `program`.
fn in_copy(program: &Program, work: Work<'_>) -> Result<Vec<u8>, Report> {
    let cannot = |what: &str, errno: sys::Errno| Report::error(format!("cannot {what}: {errno}"));
    let (mut reader, writer) =
        std::io::pipe().map_err(|error| cannot("create a pipe", sys::Errno::from(&error)))?;
    let mut writer = Some(writer);
    let child = sys::fork(program, true, &mut || {
        let Some(mut writer) = writer.take() else { return 1 };
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(&mut *work));
        let (first, said) = match done {
            Ok(Ok(bytes)) => (DONE, bytes),
            Ok(Err(report)) => (FAILED, written(&report)),
            Err(_) => (FAILED, Vec::new()),
        };
        i32::from(writer.write_all(&[first]).and_then(|()| writer.write_all(&said)).is_err())
    });
    drop(writer);
    let mut child =
        child.map_err(|failed| cannot("enter the user namespace", failed.error.errno))?;
    let mut said = Vec::new();
    let read = reader.read_to_end(&mut said);
    let ended = child.wait();
    match said.split_first() {
        Some((&DONE, bytes)) if read.is_ok() && ended.is_success() => Ok(bytes.to_vec()),
        Some((_, bytes)) => Err(read_back(bytes)),
        None => Err(read_back(&[])),
    }
}

/// The first byte before a result.
const DONE: u8 = b'+';
/// The first byte before a report.
const FAILED: u8 = b'-';

/// Encodes a report for a pipe.
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
        return Report::error("the helper process for other ids exited early");
    };
    let mut report = Report::error(message);
    report.hints = value["hints"].as_array().into_iter().flatten().filter_map(text).collect();
    report.facts.errno = value["errno"].as_i64().and_then(|errno| i32::try_from(errno).ok());
    report.facts.operation = text(&value["operation"]);
    report.facts.target = text(&value["target"]);
    report
}
