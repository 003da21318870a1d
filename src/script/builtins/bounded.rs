//! Replacements for functions of the language that do not end for some arguments, or allocate any
//! amount of memory at once.

use rhai::{Array, Blob, Dynamic, Engine, EvalAltResult, INT, ImmutableString, Map, Position};

use serde_json::Value;

use crate::script::binding::memory::{exceeded, has_room};
use crate::script::language::named::Named;

/// The size of an array element.
const ELEMENT: usize = size_of::<Dynamic>();
/// The size of a short string as an element: a separate block with a reference count.
const TEXT: usize = ELEMENT + 48;

type Done<T = ()> = Result<T, Box<EvalAltResult>>;

/// The termination of a recipe that exceeds the memory limit.
#[derive(Clone, Debug)]
pub struct MemoryExceeded;

/// Registers the functions that a recipe can use.
pub fn register(engine: &mut Engine, named: &Named<'_>) {
    if named.has("pad") {
        engine.register_fn("pad", |text: &mut ImmutableString, length: INT, by: char| {
            pad(text, length, by.encode_utf8(&mut [0; 4]))
        });
        engine.register_fn("pad", pad);
        engine.register_fn("pad", pad_array);
        engine.register_fn("pad", pad_blob);
    }
    if named.has("blob") {
        engine.register_fn("blob", |length: INT| blob(length, 0));
        engine.register_fn("blob", blob);
    }
    if named.has("to_array") {
        engine.register_fn("to_array", |blob: Blob| {
            let elements = || blob.iter().map(|byte| INT::from(*byte).into()).collect();
            room(blob.len().saturating_mul(ELEMENT)).map(|()| -> Array { elements() })
        });
    }
    if named.has("to_chars") {
        engine.register_fn("to_chars", |text: &str| {
            let elements = || text.chars().map(Dynamic::from).collect();
            room(text.len().saturating_mul(ELEMENT)).map(|()| -> Array { elements() })
        });
    }
    if named.has("parse_json") {
        engine.register_fn("parse_json", parse_json);
    }
    if named.has("replace") {
        engine.register_fn("replace", replace);
        engine.register_fn("replace", |text: &mut ImmutableString, find: char, by: &str| {
            replace(text, find.encode_utf8(&mut [0; 4]), by)
        });
        engine.register_fn("replace", |text: &mut ImmutableString, find: &str, by: char| {
            replace(text, find, by.encode_utf8(&mut [0; 4]))
        });
        engine.register_fn("replace", |text: &mut ImmutableString, find: char, by: char| {
            replace(text, find.encode_utf8(&mut [0; 4]), by.encode_utf8(&mut [0; 4]))
        });
    }
    if named.has("split") {
        engine.register_fn("split", |text: &str| parts(text, text.split_whitespace()));
        for_separators(engine, "split", |text, at, most| match most {
            None => parts(text, text.split(at)),
            Some(most) => parts(text, text.splitn(most, at)),
        });
    }
    if named.has("split_rev") {
        for_separators(engine, "split_rev", |text, at, most| match most {
            None => parts(text, text.rsplit(at)),
            Some(most) => parts(text, text.rsplitn(most, at)),
        });
    }
}

/// Registers a function that splits a string at a string or character, into all parts or at most a
/// given number of parts.
fn for_separators(
    engine: &mut Engine,
    name: &str,
    split: fn(&str, &str, Option<usize>) -> Done<Array>,
) {
    let most = |most: INT| Some(usize::try_from(most).unwrap_or(0).max(1));
    engine.register_fn(name, move |text: &str, at: &str| split(text, at, None));
    engine.register_fn(name, move |text: &str, at: &str, parts: INT| split(text, at, most(parts)));
    engine.register_fn(name, move |text: &str, at: char| {
        split(text, at.encode_utf8(&mut [0; 4]), None)
    });
    engine.register_fn(name, move |text: &str, at: char, parts: INT| {
        split(text, at.encode_utf8(&mut [0; 4]), most(parts))
    });
}

/// Checks that so many more bytes may be allocated.
fn room(bytes: usize) -> Done {
    if has_room(bytes) { Ok(()) } else { Err(failed(exceeded()).into()) }
}

/// A failure with this message at the position of the call, which a recipe can catch.
pub(in crate::script) fn failed(why: impl Into<String>) -> EvalAltResult {
    EvalAltResult::ErrorArithmetic(why.into(), Position::NONE)
}

fn parts<'t>(text: &str, parts: impl Iterator<Item = &'t str> + Clone) -> Done<Array> {
    // For most strings, the parts need not be counted: there is room for one per byte.
    let most = text.len().saturating_add(2);
    if room(most.saturating_mul(TEXT)).is_err() {
        let count = parts.clone().count();
        room(count.saturating_mul(TEXT).saturating_add(text.len()))?;
    }
    Ok(parts.map(|part| ImmutableString::from(part).into()).collect())
}

/// Pads `text` to `length` characters with repetitions of `by`.
fn pad(text: &mut ImmutableString, length: INT, by: &str) -> Done {
    let missing = usize::try_from(length).unwrap_or(0).saturating_sub(text.chars().count());
    if missing == 0 {
        return Ok(());
    }
    if by.is_empty() {
        return Err(failed("the padding string is empty").into());
    }
    let letters = by.chars().count();
    let bytes = (missing / letters + 1).saturating_mul(by.len());
    // The string grows by a copy.
    room(bytes.saturating_mul(2).saturating_add(text.len()))?;
    let mut added = by.repeat(missing / letters);
    added.extend(by.chars().take(missing % letters));
    text.make_mut().push_str(&added);
    Ok(())
}

fn pad_array(array: &mut Array, length: INT, item: Dynamic) -> Done {
    let length = usize::try_from(length).unwrap_or(0);
    let missing = length.saturating_sub(array.len());
    if missing == 0 {
        return Ok(());
    }
    room(missing.saturating_mul(taken_by(&item)))?;
    array.resize(length, item);
    Ok(())
}

fn pad_blob(blob: &mut Blob, length: INT, byte: INT) -> Done {
    let length = usize::try_from(length).unwrap_or(0);
    room(length.saturating_sub(blob.len()))?;
    if length > blob.len() {
        blob.resize(length, low_byte(byte));
    }
    Ok(())
}

fn blob(length: INT, byte: INT) -> Done<Blob> {
    let length = usize::try_from(length).unwrap_or(0);
    room(length)?;
    Ok(vec![low_byte(byte); length])
}

fn low_byte(byte: INT) -> u8 {
    byte.to_le_bytes()[0]
}

fn replace(text: &mut ImmutableString, find: &str, by: &str) -> Done {
    if text.is_empty() {
        return Ok(());
    }
    let added = by.len().saturating_sub(find.len());
    if added > 0 && room(added.saturating_mul(text.len() + 1)).is_err() {
        room(text.matches(find).count().saturating_mul(added).saturating_add(text.len()))?;
    }
    *text = text.replace(find, by).into();
    Ok(())
}

/// Parses JSON. The engine's own function compiles the text as a recipe, so its errors cannot be
/// caught and concern the recipe.
fn parse_json(text: &str) -> Done<Dynamic> {
    room(text.len().saturating_mul(size_of::<Value>() + ELEMENT) / 2)?;
    let value: Value = serde_json::from_str(text).map_err(|error| {
        failed(if error.is_eof() {
            "unexpected end of the JSON text".into()
        } else {
            format!("invalid JSON at line {}, column {}", error.line(), error.column())
        })
    })?;
    Ok(of_json(value))
}

fn of_json(value: Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(truth) => truth.into(),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Value::String(text) => text.into(),
        Value::Array(elements) => elements.into_iter().map(of_json).collect::<Array>().into(),
        Value::Object(pairs) => {
            let pairs = pairs.into_iter().map(|(key, value)| (key.into(), of_json(value)));
            Dynamic::from_map(pairs.collect())
        }
    }
}

/// The size of a copy of a value. Strings and nsscript's own values are shared.
fn taken_by(value: &Dynamic) -> usize {
    let inside = if let Some(array) = value.read_lock::<Array>() {
        array.iter().map(taken_by).sum()
    } else if let Some(map) = value.read_lock::<Map>() {
        map.values().map(|value| taken_by(value) + TEXT).sum()
    } else {
        value.read_lock::<Blob>().map_or(0, |blob| blob.len())
    };
    ELEMENT.saturating_add(inside)
}
