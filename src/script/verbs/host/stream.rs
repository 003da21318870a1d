//! The streams of nsscript, the time, and random numbers.

use std::time::{SystemTime, UNIX_EPOCH};

use rhai::{Blob, Dynamic};

use super::date;
use crate::diag::{Report, quoted};
use crate::run::Errno;
use crate::script::binding::argument::a_kind;
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::memory::room;
use crate::script::binding::verb::{Verb, verbs};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["stream.rs";
    fn eprint,
    fn stdin,
    fn now,
    fn rfc3339,
    fn parse_rfc3339,
    fn random,
    fn random_bytes,
];

/// The largest input that a recipe can read.
const LARGEST: u64 = 64 << 20;

/// The error of a failed system call.
fn failed(what: &str, errno: Errno, call: &Call<'_, '_>) -> VerbError {
    let mut report = Report::error(format!("cannot {what}: {errno}"));
    report.facts.errno = Some(errno.code());
    report.facts.operation = Some(call.name().into());
    call.fail(if errno == Errno::TOO_BIG {
        report.hint("pass a large input as a file: a recipe can read up to 64 MiB")
    } else {
        report
    })
}

/// Prints a value as a line to standard error, as `print` does to standard output.
///
/// # Example
/// ```rhai
/// if !exists("/etc/passwd") { eprint("no accounts here"); }
/// ```
/// # See
/// stderr(3)
fn eprint(call: &Call<'_, '_>, value: Dynamic) {
    call.effects().print_error(&call.printed(&value));
}

/// Returns the standard input of nsscript, read to its end, as text.
///
/// Invalid UTF-8 becomes `\u{fffd}`. A second call returns an empty string. A dry run does not read
/// it, and the string is empty.
///
/// # Errors
/// The input cannot be read, or is larger than 64 MiB.
///
/// # Example
/// ```rhai
/// for line in lines(stdin()) { print(line); }
/// ```
/// # See
/// stdin(3)
fn stdin(call: &Call<'_, '_>) -> Result<String, VerbError> {
    let bytes = call.effects().standard_input(LARGEST);
    let bytes = bytes.map_err(|errno| failed("read the standard input", errno, call))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns the time in whole seconds since the beginning of 1970, in UTC.
///
/// # Example
/// ```rhai
/// print(`started at ${rfc3339(now())}`);
/// ```
/// # See
/// time(2), `clock`
fn now(_call: &Call<'_, '_>) -> i64 {
    let whole = |time: std::time::Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => whole(since),
        Err(before) => -whole(before.duration()),
    }
}

/// Returns a time in seconds since 1970 as a date and time in UTC, in the form of RFC 3339.
///
/// # Errors
/// The year is not between 0 and 9999.
///
/// # Example
/// ```rhai
/// assert_eq(rfc3339(0), "1970-01-01T00:00:00Z");
/// ```
/// # See
/// RFC 3339, date(1)
fn rfc3339(call: &Call<'_, '_>, seconds: i64) -> Result<String, VerbError> {
    date::text(seconds).ok_or_else(|| {
        let report = Report::error(format!("the time {seconds} is outside the years 0 to 9999"));
        call.fail(report)
    })
}

/// Returns the seconds since 1970 of a date and time in the form of RFC 3339.
///
/// Fractions of a second are left out.
///
/// # Errors
/// The text has another form, or is no date.
///
/// # Example
/// ```rhai
/// assert_eq(parse_rfc3339("1970-01-02T01:00:00+01:00"), 86400);
/// ```
/// # See
/// RFC 3339
fn parse_rfc3339(call: &Call<'_, '_>, text: String) -> Result<i64, VerbError> {
    date::seconds(&text).ok_or_else(|| {
        let report = Report::error(format!("invalid date {}", quoted(&text)));
        call.fail(report.hint("expected a form such as `2026-01-31T12:00:00Z`"))
    })
}

/// Returns a random integer from 0 to `below` - 1.
///
/// The numbers come from the kernel and cannot be predicted. In a dry run, the number is 0.
///
/// # Errors
/// `below` is not above 0.
///
/// # Example
/// ```rhai
/// let die = random(6) + 1;
/// assert(die >= 1 && die <= 6);
/// ```
/// # See
/// getrandom(2)
fn random(call: &Call<'_, '_>, below: i64) -> Result<i64, VerbError> {
    let Some(below) = u64::try_from(below).ok().filter(|below| *below > 0) else {
        let report = Report::error(format!("`random` takes a number above 0, not {below}"));
        return Err(call.fail(report));
    };
    // What is above the last multiple would make small numbers more likely.
    let end = u64::MAX - u64::MAX % below;
    loop {
        let mut bytes = [0; 8];
        let filled = call.effects().random(&mut bytes);
        filled.map_err(|errno| failed("get random numbers", errno, call))?;
        let number = u64::from_ne_bytes(bytes);
        if number < end {
            return Ok(i64::try_from(number % below).unwrap_or(0));
        }
    }
}

/// Returns a blob of random bytes. In a dry run, all are 0.
///
/// # Errors
/// The number is negative, or more than a recipe may have in memory.
///
/// # Example
/// ```rhai
/// let key = base64(random_bytes(32));
/// ```
/// # See
/// getrandom(2)
fn random_bytes(call: &Call<'_, '_>, count: i64) -> Result<Dynamic, VerbError> {
    let Ok(count) = usize::try_from(count) else {
        let given = a_kind(&count.into());
        let message = format!("`random_bytes` takes a number of bytes, not {given} below 0");
        return Err(call.fail(Report::error(message)));
    };
    room(count, call)?;
    let mut bytes: Blob = vec![0; count];
    let filled = call.effects().random(&mut bytes);
    filled.map_err(|errno| failed("get random bytes", errno, call))?;
    Ok(Dynamic::from_blob(bytes))
}
