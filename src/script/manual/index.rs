//! The catalog for other programs: as JSON, and as snippets for VS Code.

use std::collections::BTreeMap;

use super::definitions::{type_of, type_taken};
use super::libraries;
use crate::json;
use crate::script::binding::catalog::{self, VALUES, constants, examples, page, summary};
use crate::script::binding::verb::{Kind, OptionKey, Parameter, Verb};

/// Everything that a recipe can use. `about` names the writer; its key sorts first.
#[must_use]
pub fn index(about: &str) -> json::Index {
    let constant = |name: &str, type_name: &str, doc: &str| json::Constant {
        name: name.to_owned(),
        type_name: type_name.to_owned(),
        doc: doc.to_owned(),
    };
    let namespaces = constants();
    let namespaces = namespaces.iter().map(|it| constant(it.name, it.type_name(), &it.doc()));
    let values = VALUES.iter().map(|(name, doc)| {
        let type_name = if *name == "args" { "Array" } else { "Host" };
        constant(name, type_name, doc)
    });
    let modules = libraries().into_iter().map(|library| json::Module {
        name: library.name.to_owned(),
        alias: library.alias().to_owned(),
        doc: library.about.clone(),
        functions: library
            .functions
            .iter()
            .map(|function| json::Function {
                name: function.name.to_owned(),
                signature: function.signature(),
                parameters: function.parameters.iter().map(ToString::to_string).collect(),
                doc: function.doc.clone(),
            })
            .collect(),
    });
    json::Index {
        version: json::Version,
        about: about.to_owned(),
        nsscript: env!("CARGO_PKG_VERSION").to_owned(),
        verbs: catalog::all().map(verb).collect(),
        constants: namespaces.chain(values).collect(),
        modules: modules.collect(),
    }
}

fn verb(verb: &Verb) -> json::Verb {
    let options = verb.given().iter().flat_map(|parameter| parameter.options);
    json::Verb {
        name: verb.name.to_owned(),
        receiver: Some(verb.receiver()).filter(|name| !name.is_empty()).map(str::to_owned),
        property: verb.kind == Kind::Property,
        signature: verb.signature(),
        summary: summary(verb).to_owned(),
        returns: verb.returns.to_owned(),
        parameters: verb.given().iter().map(parameter).collect(),
        options: options.map(option).collect(),
        doc: page(verb),
        examples: examples(verb),
    }
}

fn parameter(parameter: &Parameter) -> json::Parameter {
    json::Parameter {
        name: parameter.name.to_owned(),
        takes: parameter.kind.to_owned(),
        type_name: type_taken(parameter),
        required: parameter.required,
    }
}

fn option(option: &OptionKey) -> json::OptionKey {
    json::OptionKey {
        name: option.name.to_owned(),
        takes: option.kind.to_owned(),
        type_name: type_of(option.kind),
        default: Some(option.default).filter(|text| !text.is_empty()).map(str::to_owned),
        doc: option.doc.trim().to_owned(),
    }
}

/// Snippets for VS Code: the name of a verb expands to a call with placeholders for required
/// arguments.
#[must_use]
pub fn snippets() -> BTreeMap<String, json::Snippet> {
    let mut snippets = BTreeMap::new();
    for verb in catalog::all() {
        if verb.kind == Kind::Property {
            continue;
        }
        let required = verb.given().iter().filter(|parameter| parameter.required);
        let places: Vec<_> =
            (1..).zip(required).map(|(at, parameter)| place(at, parameter)).collect();
        let snippet = json::Snippet {
            scope: "rhai".to_owned(),
            prefix: verb.name.to_owned(),
            body: format!("{}({})$0", verb.name, places.join(", ")),
            description: format!("{}: {}", verb.signature(), summary(verb)),
        };
        snippets.insert(verb.signature(), snippet);
    }
    snippets
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
