//! Definition files of Rhai, which language servers read.
//!
//! The engine can write such files itself, but only if every verb is registered with its metadata,
//! which takes as long as a launch. The catalog has the same data without an engine.

use super::libraries;
use crate::script::binding::catalog::{self, VALUES, constants, page};
use crate::script::binding::verb::{Kind, Parameter, Verb};

/// A definition file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its path below the directory of definitions: `nsscript.d.rhai`, `std/net.d.rhai`.
    pub path: String,
    /// Its content.
    pub text: String,
}

/// The definition files: one for verbs and constants, and one for each module.
#[must_use]
pub fn definitions() -> Vec<Definition> {
    let mut text = String::from("module static;\n");
    for constant in constants() {
        let (name, doc, type_name) = (constant.name, constant.doc(), constant.type_name());
        text.push_str(&format!("\n/// A constant: {doc}.\nconst {name}: {type_name};\n"));
    }
    for (name, doc) in VALUES {
        let type_name = if name == "args" { "Array" } else { "Host" };
        text.push_str(&format!("\n/// A constant: {doc}.\nconst {name}: {type_name};\n"));
    }
    catalog::all().for_each(|verb| define(verb, &mut text));
    let mut files = vec![Definition { path: "nsscript.d.rhai".into(), text }];
    for library in libraries() {
        let mut text = commented(&library.about);
        text.push_str(&format!("module \"{}\";\n", library.name));
        for function in &library.functions {
            let parameters: Vec<_> =
                function.parameters.iter().map(|name| format!("{name}: ?")).collect();
            let (doc, parameters) = (commented(&function.doc), parameters.join(", "));
            text.push_str(&format!("\n{doc}fn {}({parameters}) -> ?;\n", function.name));
        }
        files.push(Definition { path: format!("{}.d.rhai", library.name), text });
    }
    files
}

/// Defines a verb once for each number of arguments, because definitions have no optional ones.
fn define(verb: &Verb, out: &mut String) {
    let doc = commented(&page(verb));
    let returns = match verb.returns {
        "nothing" => String::new(),
        returns => format!(" -> {}", type_of(returns)),
    };
    let get = if verb.kind == Kind::Property { "get " } else { "" };
    for number in verb.least()..=verb.parameters.len() {
        let parameters: Vec<_> = verb.parameters[..number].iter().map(declared).collect();
        let parameters = parameters.join(", ");
        out.push_str(&format!("\n{doc}fn {get}{}({parameters}){returns};\n", verb.name));
    }
}

fn commented(text: &str) -> String {
    text.lines().map(|line| format!("/// {line}").trim_end().to_owned() + "\n").collect()
}

fn declared(parameter: &Parameter) -> String {
    format!("{}: {}", parameter.name, type_taken(parameter))
}

/// The type of a parameter.
pub(super) fn type_taken(parameter: &Parameter) -> String {
    if parameter.receiver.is_empty() { type_of(parameter.kind) } else { parameter.receiver.into() }
}

/// The type for a description in words; `?`, any type, if the words do not determine it.
pub(super) fn type_of(kind: &str) -> String {
    const KINDS: [(&str, &str); 28] = [
        ("a string or an array", "String | Array"),
        ("a string or a blob", "String | Blob"),
        ("a string", "String"),
        ("a boolean", "bool"),
        ("an id or a name", "int | String"),
        ("a name or a number", "String | int"),
        ("an id", "int"),
        ("an integer", "int"),
        ("a mode such as", "int"),
        ("a umask such as", "int"),
        ("a mode: ", "String"),
        ("a size", "int | String"),
        ("a duration", "int | String"),
        ("a port", "int"),
        ("a path", "String"),
        ("an address", "String"),
        ("a hardware address", "String"),
        ("a destination", "String"),
        ("a network such as", "String"),
        ("a protocol", "String"),
        ("the name of", "String"),
        ("an array", "Array"),
        ("a map", "Map"),
        ("a closure", "FnPtr"),
        ("a float", "float"),
        ("namespaces such as", "Namespaces"),
        ("parts such as", "Parts"),
        ("one kind of namespace", "Namespaces"),
    ];
    if let Some((_, name)) = KINDS.iter().find(|(words, _)| kind.starts_with(words)) {
        return (*name).into();
    }
    // One of nsscript's types: `Network`, `a Network`.
    let name = kind.rsplit(' ').next().unwrap_or(kind);
    if name.starts_with(char::is_uppercase) { name.into() } else { "?".into() }
}
