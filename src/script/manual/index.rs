//! The catalog for other programs: as JSON, and as snippets for VS Code.

use serde_json::{Map, Value, json};

use super::definitions::{type_of, type_taken};
use super::libraries;
use crate::script::binding::catalog::{self, VALUES, constants, examples, page, summary};
use crate::script::binding::verb::{Kind, Parameter, Verb};

/// Everything that a recipe can use. `about` names the writer; its key sorts first.
#[must_use]
pub fn index(about: &str) -> Value {
    let constants = constants().into_iter().map(|(name, _, doc)| (name, "Namespaces", doc));
    let values = VALUES.map(|(name, doc)| {
        let type_name = if name == "args" { "Array" } else { "Host" };
        (name, type_name, doc.to_owned())
    });
    let constants = constants.chain(values);
    let constants = constants
        .map(|(name, type_name, doc)| json!({ "name": name, "type": type_name, "doc": doc }));
    let modules = libraries().into_iter().map(|library| {
        let functions = library.functions.iter().map(|function| {
            json!({
                "name": function.name,
                "signature": function.signature(),
                "parameters": function.parameters,
                "doc": function.doc,
            })
        });
        json!({
            "name": library.name,
            "alias": library.alias(),
            "doc": library.about,
            "functions": functions.collect::<Vec<_>>(),
        })
    });
    json!({
        "about": about,
        "version": env!("CARGO_PKG_VERSION"),
        "verbs": catalog::all().map(verb).collect::<Vec<_>>(),
        "constants": constants.collect::<Vec<_>>(),
        "modules": modules.collect::<Vec<_>>(),
    })
}

fn verb(verb: &Verb) -> Value {
    let receiver = Some(verb.receiver()).filter(|name| !name.is_empty());
    let options = verb.given().iter().flat_map(|parameter| parameter.options);
    let options = options.map(|option| {
        json!({
            "name": option.name,
            "takes": option.kind,
            "type": type_of(option.kind),
            "default": Some(option.default).filter(|text| !text.is_empty()),
            "doc": option.doc.trim(),
        })
    });
    json!({
        "name": verb.name,
        "receiver": receiver,
        "property": verb.kind == Kind::Property,
        "signature": verb.signature(),
        "summary": summary(verb),
        "returns": verb.returns,
        "parameters": verb.given().iter().map(parameter).collect::<Vec<_>>(),
        "options": options.collect::<Vec<_>>(),
        "doc": page(verb),
        "examples": examples(verb),
    })
}

fn parameter(parameter: &Parameter) -> Value {
    json!({
        "name": parameter.name,
        "takes": parameter.kind,
        "type": type_taken(parameter),
        "required": parameter.required,
    })
}

/// Snippets for VS Code: the name of a verb expands to a call with placeholders for required
/// arguments.
#[must_use]
pub fn snippets() -> Value {
    let mut snippets = Map::new();
    for verb in catalog::all() {
        if verb.kind == Kind::Property {
            continue;
        }
        let required = verb.given().iter().filter(|parameter| parameter.required);
        let places: Vec<_> =
            (1..).zip(required).map(|(at, parameter)| place(at, parameter)).collect();
        let body = format!("{}({})$0", verb.name, places.join(", "));
        let snippet = json!({
            "scope": "rhai",
            "prefix": verb.name,
            "body": body,
            "description": format!("{}: {}", verb.signature(), summary(verb)),
        });
        snippets.insert(verb.signature(), snippet);
    }
    Value::Object(snippets)
}

/// A placeholder: `"${1:path}"`.
fn place(at: usize, parameter: &Parameter) -> String {
    let name = parameter.name;
    match type_taken(parameter).as_str() {
        "String" => format!("\"${{{at}:{name}}}\""),
        "FnPtr" => format!("|| ${{{at}:{name}}}"),
        _ => format!("${{{at}:{name}}}"),
    }
}
