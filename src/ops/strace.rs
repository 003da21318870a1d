//! System calls in the notation of strace(1).

mod prepared;

use std::fmt;

use super::Maps;
use crate::diag::c_literal;
use crate::spec::Command;
pub(in crate::ops) use prepared::map_ids;
pub use prepared::prepared;

/// A system call in the notation of strace(1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// The call with its arguments; descriptors are shown by name.
    pub call: String,
    /// Its result, if it is not 0.
    pub gives: Option<String>,
}

impl fmt::Display for Called {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.call)?;
        self.gives.as_ref().map_or(Ok(()), |given| write!(out, " = {given}"))
    }
}

impl Called {
    /// A call without a result.
    #[must_use]
    pub fn new(call: impl Into<String>) -> Self {
        Self { call: call.into(), gives: None }
    }

    /// The call with this result.
    #[must_use]
    pub fn giving(self, what: impl Into<String>) -> Self {
        Self { gives: Some(what.into()), ..self }
    }
}

/// The calls that write a file of /proc, of this process or another one.
#[must_use]
pub fn write_proc(path: &str, what: &str) -> Called {
    let file = format!("/proc/{path}");
    Called::new(format!("write(fd<{file}>, {}, {})", c_literal(what), what.len()))
}

/// clone3(2) with these flags.
#[must_use]
pub fn clone3(flags: &str) -> Called {
    let flags = if flags.is_empty() { "0" } else { flags };
    Called::new(format!("clone3({{flags={flags}, exit_signal=SIGCHLD}}, 64)"))
}

/// The calls that create a user namespace with these maps. A process holds it open until nsscript,
/// or the helpers for users, have written the maps.
#[must_use]
pub fn make_mapped(maps: &Maps, directly: bool) -> Vec<Called> {
    let mut calls = vec![clone3("CLONE_NEWUSER|CLONE_VM|CLONE_VFORK").giving("PID")];
    for (file, helper, map) in
        [("uid_map", "newuidmap", &maps.users), ("gid_map", "newgidmap", &maps.groups)]
    {
        let text = map.kernel_text();
        let numbers: Vec<_> = text.split_whitespace().map(c_literal).collect();
        let numbers = numbers.join(", ");
        calls.push(if directly {
            write_proc(&format!("PID/{file}"), &text)
        } else {
            let path = c_literal(&format!("…/{helper}"));
            Called::new(format!("execve({path}, [\"{helper}\", \"PID\", {numbers}], …)"))
        });
    }
    calls.push(Called::new("openat(AT_FDCWD, \"/proc/PID/ns/user\", O_RDONLY)").giving("fd"));
    calls
}

/// execve(2), with one of the paths in `PATH`.
#[must_use]
pub fn execve(command: &Command, environment: &str) -> Called {
    let program = command.program();
    let path = if program.contains('/') { program.to_owned() } else { format!("…/{program}") };
    let words: Vec<_> = command.words().iter().map(|word| c_literal(word)).collect();
    Called::new(format!("execve({}, [{}], {environment})", c_literal(&path), words.join(", ")))
}
