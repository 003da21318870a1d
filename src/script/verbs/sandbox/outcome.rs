//! Exit statuses and output of programs.

use rhai::Map;

use crate::run::{Cause, Exit};
use crate::script::binding::call::Call;
use crate::script::binding::value::SharedOutput;
use crate::script::binding::verb::{Verb, verbs};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["outcome.rs";
    get code,
    get signal,
    get success,
    get cause,
    get usage,
    get stdout,
    get stderr,
    get code = output_code,
    get exit,
];

/// Bytes as text. Invalid UTF-8 is replaced.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The exit status, or 128 + n if signal n ended the program.
fn code(_call: &Call<'_, '_>, exit: Exit) -> i64 {
    i64::from(exit.code)
}

/// The number of the signal that ended the program, or `()` if it exited.
fn signal(_call: &Call<'_, '_>, exit: Exit) -> Option<i64> {
    exit.signal.map(i64::from)
}

/// Whether the exit status is 0, and the program was not ended by a timeout.
fn success(_call: &Call<'_, '_>, exit: Exit) -> bool {
    exit.code == 0 && exit.cause != Cause::Timeout
}

/// How the program ended: `"exited"`, `"signal"`, or `"timeout"` if it ran too long.
fn cause(_call: &Call<'_, '_>, exit: Exit) -> String {
    exit.cause.to_string()
}

/// What the program used: `wall`, `user` and `system` time in seconds, and peak `memory` in bytes.
fn usage(_call: &Call<'_, '_>, exit: Exit) -> Map {
    let mut usage = Map::new();
    usage.insert("wall".into(), exit.wall.as_secs_f64().into());
    usage.insert("user".into(), exit.usage.user.as_secs_f64().into());
    usage.insert("system".into(), exit.usage.system.as_secs_f64().into());
    let memory = i64::try_from(exit.usage.peak_memory).unwrap_or(i64::MAX);
    usage.insert("memory".into(), memory.into());
    usage
}

/// The standard output of the program, as text. Invalid UTF-8 is replaced.
fn stdout(_call: &Call<'_, '_>, output: SharedOutput) -> String {
    text(&output.0.stdout)
}

/// The standard error of the program, as text. Invalid UTF-8 is replaced.
fn stderr(_call: &Call<'_, '_>, output: SharedOutput) -> String {
    text(&output.0.stderr)
}

/// The exit status, or 128 + n if signal n ended the program.
fn output_code(_call: &Call<'_, '_>, output: SharedOutput) -> i64 {
    i64::from(output.0.exit.code)
}

/// How the program ended: an `Exit`.
fn exit(_call: &Call<'_, '_>, output: SharedOutput) -> Exit {
    output.0.exit
}
