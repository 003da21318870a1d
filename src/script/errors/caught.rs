//! The language's own errors as a `catch` receives them: in the same form as those of verbs.
//!
//! The engine turns such an error into a map, with its own message. The variable of a `catch`
//! receives a [`ScriptError`] instead of that map.

use rhai::{Dynamic, EvalAltResult, Map, Position};

use super::reword;
use crate::diag::Report;
use crate::script::binding::context::Context;
use crate::script::binding::error::ScriptError;
use crate::script::binding::value::shown;

/// The error behind a map that the engine has made; `None` for other maps.
pub fn error(value: &Dynamic, context: &Context) -> Option<ScriptError> {
    let map = value.read_lock::<Map>()?;
    let text = |key: &str| Some(map.get(key)?.as_immutable_string_ref().ok()?.to_string());
    let number = |key: &str| u16::try_from(map.get(key)?.as_int().ok()?).ok();
    let (kind, message) = (text("error")?, text("message")?);
    if !kind.starts_with("Error") {
        return None;
    }
    let position = match number("line") {
        Some(line) if line > 0 => Position::new(line, number("position").unwrap_or_default()),
        _ => Position::NONE,
    };
    // For an error within calls, the source is that of the innermost call.
    let source = if kind == "ErrorInFunctionCall" { None } else { text("source") };
    let reports = reword::reports_in(read(&message, position), source.as_deref(), context);
    Some(ScriptError { reports: reports.into() })
}

/// The error that the engine has written as `message`: a line for what is wrong, and one for each
/// function that has led there, of which only the outermost has its position in the map.
fn read(message: &str, position: Position) -> EvalAltResult {
    let mut lines = message.lines();
    let (first, own) = place(lines.next().unwrap_or_default());
    let frames: Vec<_> = lines.map(|line| (frame(place(line).0), place(line).1)).collect();
    let has_frames = frames.iter().any(|(frame, _)| frame.is_some());
    let mut error = inner(first, if has_frames { own } else { position });
    for (index, (frame, own)) in frames.iter().enumerate() {
        let Some((name, source)) = frame.clone() else { continue };
        let position = if index + 1 == frames.len() { position } else { *own };
        error = EvalAltResult::ErrorInFunctionCall(name, source, Box::new(error), position);
    }
    error
}

/// A line without the position at its end: `… @ 'source' (line 3, position 7)`.
fn place(line: &str) -> (&str, Position) {
    let placed = line.strip_suffix(')').and_then(|rest| {
        let (text, place) = rest.rsplit_once(" (line ")?;
        let (line, column) = place.split_once(", position ")?;
        Some((text, Position::new(line.parse().ok()?, column.parse().ok()?)))
    });
    let (text, position) = placed.unwrap_or((line, Position::NONE));
    let text = text.strip_suffix('\'').and_then(|rest| rest.rsplit_once(" @ '"));
    (text.map_or_else(|| placed.map_or(line, |(text, _)| text), |(text, _)| text), position)
}

/// The function of a line, and its source: `in call to function 'f' (from 'source')`.
fn frame(line: &str) -> Option<(String, String)> {
    let (call, source) = match line.split_once(" (from '") {
        Some((call, source)) => (call, source.trim_end_matches("')")),
        None => (line, ""),
    };
    let name = match call.strip_prefix("in call to function '") {
        Some(name) => name.trim_end_matches('\''),
        None if call == "in closure call" => "anon$",
        None => return None,
    };
    Some((name.to_owned(), source.to_owned()))
}

/// The error behind the engine's message.
fn inner(text: &str, position: Position) -> EvalAltResult {
    type Make = fn(String, Position) -> EvalAltResult;
    use EvalAltResult as E;
    let made: [(&str, Make); 9] = [
        ("Function not found: ", E::ErrorFunctionNotFound),
        ("Variable not found: ", E::ErrorVariableNotFound),
        ("Property not found: ", E::ErrorPropertyNotFound),
        ("Module not found: ", E::ErrorModuleNotFound),
        ("Indexer unavailable: ", E::ErrorIndexingType),
        ("Data race detected on ", E::ErrorDataRace),
        ("Cannot modify constant ", E::ErrorAssignmentToConstant),
        ("Variable already defined: ", E::ErrorVariableExists),
        ("Forbidden variable name: ", E::ErrorForbiddenVariable),
    ];
    for (before, make) in made {
        if let Some(rest) = text.strip_prefix(before) {
            return make(rest.to_owned(), position);
        }
    }
    let types = |rest: &str| {
        let (actual, wanted) = rest.trim_end_matches(')').split_once(" (expecting ")?;
        Some((wanted.to_owned(), actual.to_owned()))
    };
    for before in ["Data type incorrect: ", "Output type incorrect: "] {
        if let Some((wanted, actual)) = text.strip_prefix(before).and_then(types) {
            return E::ErrorMismatchDataType(wanted, actual, position);
        }
    }
    let bounds = |before: &str| {
        let (index, length) = text.strip_prefix(before)?.split_once(" out of bounds: ")?;
        let length = length.split(' ').find_map(|word| word.parse().ok()).unwrap_or(0);
        Some((length, index.parse().ok()?))
    };
    if let Some((length, index)) = bounds("Array index ") {
        return E::ErrorArrayBounds(length, index, position);
    }
    if let Some((length, index)) = bounds("String index ") {
        return E::ErrorStringBounds(length, index, position);
    }
    if let Some((length, index)) = bounds("Bit-field index ") {
        return E::ErrorBitFieldBounds(length, index, position);
    }
    match text {
        "'this' not bound" => E::ErrorUnboundThis(position),
        "For loop expects iterable type" => E::ErrorFor(position),
        _ if text.starts_with("Invalid index: ") => {
            let index = Dynamic::from(text["Invalid index: ".len()..].to_owned());
            E::ErrorIndexNotFound(index, position)
        }
        // `Non-pure method 'push' cannot be called on constant`, and similar messages.
        _ if text.contains(" constant") && text.contains("on-pure ") => {
            let name = text.split('\'').nth(1).unwrap_or_default().to_owned();
            E::ErrorNonPureMethodCallOnConstant(name, position)
        }
        _ if text.contains(" property '") => E::ErrorDotExpr(text.to_owned(), position),
        _ => E::ErrorArithmetic(text.to_owned(), position),
    }
}

/// The report for a value that a recipe threw.
pub fn thrown(value: &Dynamic) -> Report {
    let message = value.read_lock::<Map>().and_then(|map| {
        map.get("message").filter(|message| message.is_string()).map(ToString::to_string)
    });
    let text = if value.is_string() { value.to_string() } else { shown(value) };
    let text = message.unwrap_or(text);
    let text = if value.is_unit() { "the recipe threw an error".into() } else { text };
    Report::error(crate::diag::escape(&text))
}

#[cfg(test)]
mod tests {
    use std::mem::discriminant;

    use rhai::EvalAltResult as E;
    use rhai::{Dynamic, Position};

    use super::inner;

    #[test]
    fn the_messages_of_the_engine_are_read_back() {
        let (here, name) = (Position::NONE, || "name".to_owned());
        let errors = [
            E::ErrorFunctionNotFound(name(), here),
            E::ErrorVariableNotFound(name(), here),
            E::ErrorPropertyNotFound(name(), here),
            E::ErrorModuleNotFound(name(), here),
            E::ErrorIndexingType(name(), here),
            E::ErrorDataRace(name(), here),
            E::ErrorAssignmentToConstant(name(), here),
            E::ErrorVariableExists(name(), here),
            E::ErrorForbiddenVariable(name(), here),
            E::ErrorMismatchDataType("i64".into(), "string".into(), here),
            E::ErrorArrayBounds(3, 7, here),
            E::ErrorStringBounds(3, 7, here),
            E::ErrorBitFieldBounds(64, 70, here),
            E::ErrorUnboundThis(here),
            E::ErrorFor(here),
            E::ErrorIndexNotFound(Dynamic::from("key"), here),
        ];
        for error in errors {
            let text = error.to_string();
            assert_eq!(discriminant(&inner(&text, here)), discriminant(&error), "{text}");
        }
    }
}
