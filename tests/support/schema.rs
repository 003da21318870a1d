//! Whether JSON fits a schema of `docs/schema`.
//!
//! It knows the keywords that those schemas have, and no others: an unknown one fails. It is
//! stricter than the schemas in one point: an object has no field that its schema does not name.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

/// Reads the schema of a document.
pub fn schema(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/schema/{name}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_str(&text).unwrap()
}

/// Fails unless the text is a document that fits the schema of that name. Gives the document.
#[track_caller]
pub fn fitting(name: &str, text: &str) -> Value {
    let value: Value =
        serde_json::from_str(text).unwrap_or_else(|error| panic!("no JSON: {error}: {text}"));
    let root = schema(name);
    let mut faults = Vec::new();
    check(&root, &root, &value, name, &mut faults);
    assert!(faults.is_empty(), "{}\n{value:#}", faults.join("\n"));
    value
}

/// Adds to `faults` what is wrong with `value`, which is at `place`.
pub fn check(root: &Value, schema: &Value, value: &Value, place: &str, faults: &mut Vec<String>) {
    let Some(schema) = schema.as_object() else {
        // `true` allows everything.
        if *schema != Value::Bool(true) {
            faults.push(format!("{place}: a schema that is not an object: {schema}"));
        }
        return;
    };
    for (keyword, wanted) in schema {
        let fits = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "format" => true,
            "$ref" => {
                let pointer = wanted.as_str().and_then(|text| text.strip_prefix('#'));
                match pointer.and_then(|pointer| root.pointer(pointer)) {
                    Some(target) => check(root, target, value, place, faults),
                    None => faults.push(format!("{place}: {wanted} leads nowhere")),
                }
                true
            }
            "type" => match wanted {
                Value::Array(types) => types.iter().any(|one| is_of_type(one, value)),
                one => is_of_type(one, value),
            },
            "const" => wanted == value,
            "enum" => wanted.as_array().is_some_and(|all| all.contains(value)),
            "minimum" => value.as_f64().is_none_or(|it| Some(it) >= wanted.as_f64()),
            "maximum" => value.as_f64().is_none_or(|it| Some(it) <= wanted.as_f64()),
            "minItems" => value.as_array().is_none_or(|it| Some(it.len()) >= length(wanted)),
            "maxItems" => value.as_array().is_none_or(|it| Some(it.len()) <= length(wanted)),
            "anyOf" => fitting_ones(root, wanted, value, place) >= 1,
            "oneOf" => fitting_ones(root, wanted, value, place) == 1,
            "required" => value.as_object().is_none_or(|object| {
                let mut names = wanted.as_array().into_iter().flatten();
                names.all(|name| name.as_str().is_some_and(|name| object.contains_key(name)))
            }),
            "items" | "prefixItems" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    let place = format!("{place}[{index}]");
                    let of_item = if keyword == "items" { Some(wanted) } else { wanted.get(index) };
                    check(root, of_item.unwrap_or(&Value::Bool(true)), item, &place, faults);
                }
                true
            }
            "properties" | "additionalProperties" => {
                if let Value::Object(object) = value {
                    properties(root, schema, object, place, faults);
                }
                true
            }
            _ => {
                faults.push(format!("{place}: an unknown keyword of a schema: {keyword}"));
                true
            }
        };
        if !fits {
            faults.push(format!("{place}: {value} does not fit {keyword} {wanted}"));
        }
    }
}

fn properties(
    root: &Value,
    schema: &Map<String, Value>,
    object: &Map<String, Value>,
    place: &str,
    faults: &mut Vec<String>,
) {
    for (name, value) in object {
        let named = schema.get("properties").and_then(|properties| properties.get(name));
        match named.or(schema.get("additionalProperties")) {
            Some(found) => check(root, found, value, &format!("{place}.{name}"), faults),
            None => faults.push(format!("{place}: no field `{name}` in the schema")),
        }
    }
}

fn fitting_ones(root: &Value, schemas: &Value, value: &Value, place: &str) -> usize {
    let fits = |schema: &&Value| {
        let mut faults = Vec::new();
        check(root, schema, value, place, &mut faults);
        faults.is_empty()
    };
    schemas.as_array().into_iter().flatten().filter(fits).count()
}

fn length(wanted: &Value) -> Option<usize> {
    wanted.as_u64().and_then(|length| usize::try_from(length).ok())
}

fn is_of_type(name: &Value, value: &Value) -> bool {
    match name.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("string") => value.is_string(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => false,
    }
}

#[test]
fn what_does_not_fit_is_found() {
    let schema: Value = serde_json::json!({
        "type": "object",
        "properties": {
            "version": { "const": 1 },
            "word": { "oneOf": [{ "const": "a" }, { "type": "string", "enum": ["b", "c"] }] },
            "place": { "anyOf": [{ "$ref": "#/$defs/Place" }, { "type": "null" }] },
            "ids": { "type": "array", "items": {
                "type": "array", "minItems": 2, "maxItems": 2,
                "prefixItems": [
                    { "type": "integer", "minimum": 0 },
                    { "type": ["integer", "null"] },
                ],
            } },
            "by_name": { "type": "object", "additionalProperties": { "type": "boolean" } },
        },
        "required": ["version", "word"],
        "$defs": { "Place": {
            "type": "object", "properties": { "line": { "type": "integer" } }, "required": ["line"],
        } },
    });
    let faults = |text: &str| {
        let mut faults = Vec::new();
        check(&schema, &schema, &serde_json::from_str(text).unwrap(), "it", &mut faults);
        faults
    };
    for fine in [
        r#"{"version":1,"word":"a"}"#,
        r#"{"version":1,"word":"c","place":{"line":3},"ids":[[0,null],[1,2]]}"#,
        r#"{"version":1,"word":"b","place":null,"by_name":{"x":true}}"#,
    ] {
        assert_eq!(faults(fine), Vec::<String>::new(), "{fine}");
    }
    for wrong in [
        "[]",
        r#"{"version":2,"word":"a"}"#,
        r#"{"version":1}"#,
        r#"{"version":1,"word":"d"}"#,
        r#"{"version":1,"word":"a","more":0}"#,
        r#"{"version":1,"word":"a","place":{}}"#,
        r#"{"version":1,"word":"a","place":{"line":"3"}}"#,
        r#"{"version":1,"word":"a","place":{"line":3,"more":0}}"#,
        r#"{"version":1,"word":"a","ids":[[-1,2]]}"#,
        r#"{"version":1,"word":"a","ids":[[1]]}"#,
        r#"{"version":1,"word":"a","ids":[[1,2,3]]}"#,
        r#"{"version":1,"word":"a","ids":[[1,true]]}"#,
        r#"{"version":1,"word":"a","by_name":{"x":1}}"#,
    ] {
        assert_ne!(faults(wrong), Vec::<String>::new(), "{wrong}");
    }
    let mut unknown = Vec::new();
    let odd = serde_json::json!({ "pattern": "x" });
    check(&odd, &odd, &Value::Null, "it", &mut unknown);
    assert_eq!(unknown, ["it: an unknown keyword of a schema: pattern"]);
}
