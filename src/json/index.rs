//! The language for editors: `nsscript.json` and the snippets that `nsscript definitions` writes.

use serde::Serialize;

use super::Version;

/// Everything that a recipe can use: `nsscript.json` of `nsscript definitions`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Index {
    /// The version of this document.
    pub version: Version<1>,
    /// Who has written the file.
    pub about: String,
    /// The version of nsscript that it describes.
    pub nsscript: String,
    /// The verbs.
    pub verbs: Vec<Verb>,
    /// The constants, and the values that every recipe has.
    pub constants: Vec<Constant>,
    /// The modules of the standard library.
    pub modules: Vec<Module>,
}

/// A function, method or property that nsscript adds to the language.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Verb {
    /// Its name.
    pub name: String,
    /// The type that it is a method of; `null` for a function.
    pub receiver: Option<String>,
    /// Whether it is read and not called.
    pub property: bool,
    /// How a recipe calls it: `sandbox.bind(source[, target][, #{ … }])`.
    pub signature: String,
    /// The first line of its documentation.
    pub summary: String,
    /// What it returns, in words.
    pub returns: String,
    /// Its arguments.
    pub parameters: Vec<Parameter>,
    /// The keys of its option map.
    pub options: Vec<OptionKey>,
    /// Its documentation, in Markdown.
    pub doc: String,
    /// The examples of its documentation.
    pub examples: Vec<String>,
}

/// An argument of a verb.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// What it takes, in words.
    pub takes: String,
    /// Its types in the language, with ` | ` between them; `?` for any.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Whether it must be given.
    pub required: bool,
}

/// A key of an option map.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OptionKey {
    /// The key.
    pub name: String,
    /// What it takes, in words.
    pub takes: String,
    /// Its types in the language, with ` | ` between them; `?` for any.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The default, as a recipe would write it, or in words.
    pub default: Option<String>,
    /// Its documentation, in Markdown.
    pub doc: String,
}

/// A constant.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Constant {
    /// Its name.
    pub name: String,
    /// Its type in the language.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its documentation, in Markdown.
    pub doc: String,
}

/// A module of the standard library.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Module {
    /// The name by which it is imported: `std/net`.
    pub name: String,
    /// The name that it has in examples.
    pub alias: String,
    /// Its documentation, in Markdown.
    pub doc: String,
    /// Its functions.
    pub functions: Vec<Function>,
}

/// A function of a module.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Function {
    /// Its name.
    pub name: String,
    /// How a recipe calls it.
    pub signature: String,
    /// The names of its arguments.
    pub parameters: Vec<String>,
    /// Its documentation, in Markdown.
    pub doc: String,
}

/// A snippet of VS Code.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Snippet {
    /// The language that it is for.
    pub scope: String,
    /// What is typed for it.
    pub prefix: String,
    /// What it inserts.
    pub body: String,
    /// What it is, for people.
    pub description: String,
}
