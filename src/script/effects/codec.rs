//! Serialization of values that a closure in another process returns.
//!
//! A value comes back exactly as it was, or is refused by name. Errors keep their position and all
//! facts.

use std::time::Duration;

use rhai::{Array, Blob, Dynamic, ImmutableString, Map};
use serde_json::{Value, json};

use crate::diag::Report;
use crate::run::{Cause, Exit, Usage, report_from_json, report_to_json};
use crate::script::binding::argument::a_kind;
use crate::script::binding::error::ScriptError;
use crate::spec::{Kind, Namespaces};

/// The maximum nesting of values. The JSON parser's limit is twice that, and each level needs two.
const DEEPEST: usize = 48;

/// The result of a closure.
pub enum Answer {
    /// A value.
    Value(Dynamic),
    /// It failed.
    Failed(Vec<Report>),
}

/// A value as bytes.
///
/// # Errors
/// A part of the value cannot be passed to another process.
pub fn value_to_bytes(value: &Dynamic) -> Result<Vec<u8>, String> {
    let encoded = encode(value, "the value", 0)?;
    Ok(json!({ "value": encoded }).to_string().into_bytes())
}

/// Reports as bytes.
pub fn reports_to_bytes(reports: &[Report]) -> Vec<u8> {
    let reports: Vec<_> = reports.iter().map(report_to_json).collect();
    json!({ "error": reports }).to_string().into_bytes()
}

/// The result that was sent, if any.
pub fn from_bytes(bytes: &[u8]) -> Option<Answer> {
    let whole: Value = serde_json::from_slice(bytes).ok()?;
    if let Some(value) = whole.get("value") {
        return Some(Answer::Value(decode(value)));
    }
    let reports = whole.get("error")?.as_array()?;
    Some(Answer::Failed(reports.iter().map(report_from_json).collect()))
}

fn encode(value: &Dynamic, place: &str, depth: usize) -> Result<Value, String> {
    if depth > DEEPEST {
        return Err(format!("the value is nested deeper than {DEEPEST} levels"));
    }
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(truth) = value.as_bool() {
        return Ok(truth.into());
    }
    if let Ok(number) = value.as_int() {
        return Ok(number.into());
    }
    if let Ok(number) = value.as_float() {
        return Ok(json!({ "float": number.to_bits() }));
    }
    if let Ok(letter) = value.as_char() {
        return Ok(json!({ "char": letter.to_string() }));
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return Ok(text.as_str().into());
    }
    if let Some(blob) = value.read_lock::<Blob>() {
        return Ok(json!({ "blob": *blob }));
    }
    if let Some(array) = value.read_lock::<Array>() {
        let element = |(index, value)| encode(value, &format!("{place}[{index}]"), depth + 1);
        let elements = array.iter().enumerate().map(element).collect::<Result<Vec<_>, _>>()?;
        return Ok(elements.into());
    }
    if let Some(map) = value.read_lock::<Map>() {
        let pair = |(key, value): (&_, &Dynamic)| {
            let value = encode(value, &format!("{place}.{key}"), depth + 1)?;
            Ok((ToString::to_string(key), value))
        };
        let pairs = map.iter().map(pair).collect::<Result<serde_json::Map<_, _>, String>>()?;
        return Ok(json!({ "map": pairs }));
    }
    if let Some(error) = value.read_lock::<ScriptError>() {
        let reports: Vec<_> = error.reports.iter().map(report_to_json).collect();
        return Ok(json!({ "error": reports }));
    }
    if let Some(exit) = value.read_lock::<Exit>() {
        let times = [exit.wall, exit.usage.user, exit.usage.system];
        let times = times.map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        let timeout = exit.cause == Cause::Timeout;
        let memory = exit.usage.peak_memory;
        return Ok(json!({ "exit": [exit.code, exit.signal, times, memory, timeout] }));
    }
    if let Some(namespaces) = value.read_lock::<Namespaces>() {
        let names: Vec<_> = namespaces.kinds().map(Kind::constant).collect();
        return Ok(json!({ "namespaces": names }));
    }
    Err(format!("{place} is {}", a_kind(value)))
}

fn decode(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(truth) => (*truth).into(),
        Value::Number(number) => number.as_i64().unwrap_or_default().into(),
        Value::String(text) => text.clone().into(),
        Value::Array(elements) => elements.iter().map(decode).collect::<Array>().into(),
        Value::Object(object) => match object.iter().next() {
            Some((kind, value)) => tagged(kind, value),
            None => Dynamic::UNIT,
        },
    }
}

fn tagged(kind: &str, value: &Value) -> Dynamic {
    match (kind, value) {
        ("float", Value::Number(bits)) => {
            Dynamic::from_float(f64::from_bits(bits.as_u64().unwrap_or_default()))
        }
        ("char", Value::String(text)) => text.chars().next().unwrap_or_default().into(),
        ("blob", Value::Array(bytes)) => {
            let byte = |byte: &Value| u8::try_from(byte.as_u64().unwrap_or_default());
            Dynamic::from_blob(bytes.iter().filter_map(|value| byte(value).ok()).collect())
        }
        ("map", Value::Object(pairs)) => {
            let pairs = pairs.iter().map(|(key, value)| (key.as_str().into(), decode(value)));
            Dynamic::from_map(pairs.collect())
        }
        ("error", Value::Array(reports)) => {
            let reports: Vec<_> = reports.iter().map(report_from_json).collect();
            Dynamic::from(ScriptError { reports: reports.into() })
        }
        ("exit", Value::Array(parts)) => Dynamic::from(read_exit(parts)),
        ("namespaces", Value::Array(names)) => {
            let has = |kind: &Kind| names.iter().any(|name| name == kind.constant());
            let kinds = Kind::ALL.into_iter().filter(has);
            Dynamic::from(kinds.fold(Namespaces::NONE, |set, kind| set | kind.into()))
        }
        _ => Dynamic::UNIT,
    }
}

fn read_exit(parts: &[Value]) -> Exit {
    let code = |at: usize| parts.get(at)?.as_i64().and_then(|code| i32::try_from(code).ok());
    let time = |at: usize| {
        let micros = parts.get(2).and_then(|times| times.get(at)?.as_u64());
        Duration::from_micros(micros.unwrap_or_default())
    };
    let signal = code(1);
    let cause = match signal {
        _ if parts.get(4) == Some(&Value::Bool(true)) => Cause::Timeout,
        Some(_) => Cause::Signal,
        None => Cause::Exited,
    };
    let peak_memory = parts.get(3).and_then(Value::as_u64).unwrap_or_default();
    let usage = Usage { user: time(1), system: time(2), peak_memory };
    Exit { code: code(0).unwrap_or_default(), signal, cause, wall: time(0), usage }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rhai::{Array, Dynamic, Map};

    use super::{Answer, from_bytes, reports_to_bytes, value_to_bytes};
    use crate::diag::{Ended, Origin, Report};
    use crate::run::{Cause, Exit, Usage};

    fn there_and_back(value: &Dynamic) -> Dynamic {
        match from_bytes(&value_to_bytes(value).unwrap()) {
            Some(Answer::Value(value)) => value,
            _ => panic!("{value:?}"),
        }
    }

    #[test]
    fn every_kind_of_value_comes_back_as_what_it_was() {
        let mut map = Map::new();
        map.insert("map".into(), Dynamic::from_float(f64::NEG_INFINITY));
        map.insert("float".into(), 'ß'.into());
        let values: Array = vec![
            Dynamic::UNIT,
            true.into(),
            i64::MIN.into(),
            Dynamic::from_float(-0.0),
            'x'.into(),
            "text \u{0} ✓".into(),
            Dynamic::from_blob(vec![0, 255]),
            Dynamic::from_map(map),
            Dynamic::from_array(Vec::new()),
        ];
        let before = format!("{values:?}");
        assert_eq!(format!("{:?}", there_and_back(&values.into())), format!("{before}"));
    }

    #[test]
    fn how_a_program_ended_comes_back() {
        let time = Duration::from_millis(7);
        let usage = Usage { user: time, system: Duration::ZERO, peak_memory: 4096 };
        for cause in [Cause::Signal, Cause::Timeout] {
            let exit = Exit { code: 137, signal: Some(9), cause, wall: time, usage };
            assert_eq!(there_and_back(&Dynamic::from(exit)).try_cast::<Exit>(), Some(exit));
        }
    }

    #[test]
    fn what_cannot_leave_is_named() {
        let mut value = Dynamic::from(std::time::Duration::ZERO);
        assert!(value_to_bytes(&value).is_err());
        value = Dynamic::from_array(vec![1.into(), value]);
        let why = value_to_bytes(&value).unwrap_err();
        assert!(why.starts_with("the value[1] is "), "{why}");
        let mut deep = Dynamic::UNIT;
        for _ in 0..100 {
            deep = Dynamic::from_array(vec![deep]);
        }
        assert!(value_to_bytes(&deep).unwrap_err().contains("nested deeper"));
    }

    #[test]
    fn a_report_comes_back_whole() {
        let mut report = Report::error("cannot x")
            .at(Some(Origin::new("a.rhai", 3, 4).underlining(5)))
            .note("note")
            .advise("name", "hint");
        report.facts.errno = Some(2);
        let written = Some(["out".into(), "errors".into()]);
        report.facts.program = Some(Box::new(Ended { code: 143, signal: Some(15), written }));
        report.related.push((Origin::new("b.rhai", 1, 1), "here".into()));
        match from_bytes(&reports_to_bytes(&[report.clone()])) {
            Some(Answer::Failed(reports)) => assert_eq!(reports, [report]),
            _ => panic!(),
        }
    }
}
