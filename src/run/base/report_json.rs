//! Reports and errors as JSON, for other processes of the same run.

use std::sync::Arc;

use serde_json::{Value, json};

use super::error::{Interrupted, RunError};
use crate::diag::{Caller, Ended, Facts, Origin, Report, Severity};

/// An error as JSON.
pub(in crate::run) fn error_to_json(error: &RunError) -> Value {
    match error {
        RunError::Reports(reports) => {
            let reports: Vec<_> = reports.iter().map(report_to_json).collect();
            json!({ "reports": reports })
        }
        RunError::Interrupted(Interrupted { signal }) => json!({ "interrupted": signal }),
    }
}

/// The error of a JSON value that [`error_to_json`] has made; `None` if it is none.
pub(in crate::run) fn error_from_json(value: &Value) -> Option<RunError> {
    if let Some(signal) = value["interrupted"].as_i64() {
        return Some(Interrupted { signal: i32::try_from(signal).ok()? }.into());
    }
    let reports = value["reports"].as_array()?;
    Some(RunError::Reports(reports.iter().map(report_from_json).collect()))
}

fn origin(origin: &Origin) -> Value {
    let caller =
        |caller: &Caller| json!([&*caller.function, &*caller.source, caller.line, caller.column]);
    let callers: Vec<_> = origin.callers.iter().map(caller).collect();
    json!([&*origin.source, origin.line, origin.column, origin.length, callers])
}

fn text(value: &Value) -> Arc<str> {
    value.as_str().unwrap_or_default().into()
}

fn number(value: &Value) -> u32 {
    value.as_u64().and_then(|number| u32::try_from(number).ok()).unwrap_or_default()
}

fn read_origin(value: &Value) -> Option<Origin> {
    let callers = value.get(4)?.as_array()?.iter().map(|caller| Caller {
        function: text(&caller[0]),
        source: text(&caller[1]),
        line: number(&caller[2]),
        column: number(&caller[3]),
    });
    Some(Origin {
        source: text(&value[0]),
        line: number(&value[1]),
        column: number(&value[2]),
        length: number(&value[3]),
        callers: callers.collect(),
    })
}

/// The severities, by number.
const SEVERITIES: [Severity; 3] = [Severity::Error, Severity::Warning, Severity::NotRun];

/// A report as JSON.
#[must_use]
pub fn report_to_json(report: &Report) -> Value {
    let Facts { operation, errno, source, target, status, advice, program } = &report.facts;
    let program = program.as_ref().map(|it| json!([it.code, it.signal, it.written]));
    let severity = SEVERITIES.iter().position(|one| *one == report.severity);
    let related: Vec<_> =
        report.related.iter().map(|(place, what)| json!([origin(place), what])).collect();
    json!({
        "severity": severity,
        "message": report.message,
        "origin": report.origin.as_ref().map(origin),
        "related": related,
        "notes": report.notes,
        "hints": report.hints,
        "facts": [operation, errno, source, target, status, advice, program],
    })
}

/// The report of a JSON value that [`report_to_json`] has made.
#[must_use]
pub fn report_from_json(value: &Value) -> Report {
    let texts = |value: &Value| -> Vec<String> {
        let texts = value.as_array().into_iter().flatten();
        texts.filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let facts = &value["facts"];
    let word = |index: usize| facts[index].as_str().map(str::to_owned);
    let code = |index: usize| facts[index].as_i64().and_then(|code| i32::try_from(code).ok());
    let mut report = Report::error(value["message"].as_str().unwrap_or_default());
    let severity = value["severity"].as_u64().and_then(|at| usize::try_from(at).ok());
    let severity = severity.and_then(|at| SEVERITIES.get(at));
    report.severity = severity.copied().unwrap_or(Severity::Error);
    report.origin = read_origin(&value["origin"]);
    let related = value["related"].as_array().into_iter().flatten();
    report.related = related
        .filter_map(|pair| Some((read_origin(&pair[0])?, pair[1].as_str()?.to_owned())))
        .collect();
    report.notes = texts(&value["notes"]);
    report.hints = texts(&value["hints"]);
    report.facts = Facts {
        operation: word(0),
        errno: code(1),
        source: word(2),
        target: word(3),
        status: code(4),
        advice: texts(&facts[5]),
        program: read_program(&facts[6]).map(Box::new),
    };
    report
}

fn read_program(value: &Value) -> Option<Ended> {
    let number = |value: &Value| value.as_i64().and_then(|it| i32::try_from(it).ok());
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let written = text(&value[2][0]).zip(text(&value[2][1])).map(|(out, errors)| [out, errors]);
    Some(Ended { code: number(value.get(0)?)?, signal: number(&value[1]), written })
}
