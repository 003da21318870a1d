//! Telling what is done as it is done: for a projector, and for programs.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use super::args::Explain;
use crate::diag::escape;
use crate::plan::Side;
use crate::run::{Explained, Tell};

/// What tells, on standard error.
pub(super) fn teller(explain: Explain) -> Tell {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colour = std::io::stderr().is_terminal() && !plain;
    Box::new(move |explained| {
        let text = match explain {
            Explain::Human => human(explained, colour),
            Explain::Json => format!("{}\n", json(explained)),
        };
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    })
}

/// The width at which the line of the recipe stands.
const WIDTH: usize = 64;

fn human(explained: &Explained, colour: bool) -> String {
    let paint = |code: &str, text: &str| {
        if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    };
    let mark = if explained.failed.is_some() { paint("31", "✗") } else { paint("32", "▸") };
    let sentence = escape(&explained.sentence);
    let gap = WIDTH.saturating_sub(sentence.chars().count());
    let mut out = format!("{mark} {}", paint("1", &sentence));
    if let Some(origin) = &explained.origin {
        out.push_str(&format!("{:gap$}  {}", "", paint("2", &origin.to_string())));
    }
    out.push('\n');
    let last = explained.calls.len().saturating_sub(1);
    for (index, call) in explained.calls.iter().enumerate() {
        out.push_str(&format!("    {}", escape(call)));
        if index == last {
            out.push_str(&result(explained));
        }
        out.push('\n');
    }
    if let Some(shell) = &explained.shell {
        out.push_str(&format!("    {}\n", paint("36", &format!("$ {}", escape(shell)))));
    }
    out
}

/// ` = 0  (0.12 ms)`, or the error.
fn result(explained: &Explained) -> String {
    let result: String = match &explained.failed {
        // Which of several calls it was.
        Some((call, errno)) if !explained.calls.iter().any(|shown| shown.starts_with(call)) => {
            format!(" = -1 {} in {call}(2)", errno.name())
        }
        Some((_, errno)) => format!(" = -1 {}", errno.name()),
        None if explained.elapsed.is_none() => String::new(),
        None => " = 0".into(),
    };
    let time = explained.elapsed.map(|time| format!("  ({})", milliseconds(time)));
    result + time.unwrap_or_default().as_str()
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

fn json(explained: &Explained) -> serde_json::Value {
    let place = explained.origin.as_ref().map(|origin| {
        serde_json::json!({
            "file": &*origin.source, "line": origin.line, "column": origin.column,
        })
    });
    let failed = explained.failed.as_ref().map(|(call, errno)| {
        serde_json::json!({ "call": call, "errno": errno.code(), "name": errno.name() })
    });
    serde_json::json!({
        "sentence": explained.sentence,
        "operation": explained.operation,
        "by": match explained.side {
            Side::Parent => "parent",
            Side::Child => "child",
            Side::Program => "program",
        },
        "calls": explained.calls,
        "shell": explained.shell,
        "place": place,
        "failed": failed,
        "microseconds": explained.elapsed.map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX)),
    })
}
