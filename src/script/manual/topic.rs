//! Help for a word: a verb, a type, a constant, a module, an option.

use super::{FUNCTIONS, GUIDE, Library, libraries};
use crate::diag::closest;
use crate::script::binding::catalog::{self, VALUES, constants, page, summary};
use crate::script::binding::value::TYPES;
use crate::script::binding::verb::Verb;
use crate::script::language::described::described;

/// A topic of help.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Topic {
    /// The word: `bind`, `Sandbox`, `std/net`.
    pub name: String,
    /// A one-line description.
    pub summary: String,
}

impl Topic {
    fn new(name: impl Into<String>, summary: impl Into<String>) -> Self {
        Self { name: name.into(), summary: summary.into() }
    }
}

/// All topics of [`topic`] except options and verbs with their receivers.
#[must_use]
pub fn topics() -> Vec<Topic> {
    let mut topics = vec![Topic::new("language", "A short guide to the language.")];
    let mut verbs: Vec<_> = catalog::all().collect();
    verbs.sort_by_key(|verb| verb.name);
    for same in verbs.chunk_by(|one, other| one.name == other.name) {
        let mut receivers: Vec<_> =
            same.iter().map(|verb| verb.receiver()).filter(|name| !name.is_empty()).collect();
        let are_all = receivers.len() == same.len();
        receivers.dedup();
        let what = match (same, receivers.as_slice()) {
            ([only], _) => summary(only).to_owned(),
            (_, receivers) if are_all => {
                format!("A verb of {}.", receivers.join(", "))
            }
            (_, receivers) => format!("A function, and a verb of {}.", receivers.join(", ")),
        };
        topics.push(Topic::new(same[0].name, what));
    }
    let own = FUNCTIONS.iter().filter(|function| catalog::named(function.name).is_empty());
    topics.extend(own.map(|function| Topic::new(function.name, function.doc)));
    topics.extend(types().map(|name| Topic::new(name, format!("The type {name} and its verbs."))));
    let constants = constants().into_iter().map(|constant| (constant.name, constant.doc()));
    let values = VALUES.map(|(name, doc)| (name, doc.to_owned()));
    topics.extend(constants.chain(values).map(|(name, doc)| Topic::new(name, doc)));
    for library in libraries() {
        topics.push(Topic::new(library.name, library.summary()));
        for function in &library.functions {
            let name = format!("{}::{}", library.alias(), function.name);
            topics.push(Topic::new(name, function.summary()));
        }
    }
    topics
}

/// The types that have verbs.
fn types() -> impl Iterator<Item = &'static str> {
    let has_verbs = |name: &&str| catalog::all().any(|verb| verb.receiver() == *name);
    TYPES.iter().copied().filter(has_verbs)
}

/// The help for `word`, in Markdown; `None` if it is unknown.
///
/// A word is a verb, alone or with its receiver (`sandbox.bind`), a type, a constant, a module
/// (`std/net`, `net`) or a function of one (`net::pair`), an option, or `language`.
#[must_use]
pub fn topic(word: &str) -> Option<String> {
    let word = word.trim().trim_end_matches("()").trim_start_matches('.');
    if word == "language" {
        return Some(GUIDE.to_owned());
    }
    let mut parts = Vec::new();
    parts.extend(verbs(word));
    let constant = constant(word);
    let is_constant = constant.is_some();
    parts.extend(constant);
    parts.extend(of_language(word));
    parts.extend(libraries().iter().filter_map(|library| module(library, word)));
    let any_case = parts.is_empty() || is_constant;
    let is_meant = |name: &&str| *name == word || (any_case && name.eq_ignore_ascii_case(word));
    parts.extend(types().filter(is_meant).map(type_page));
    parts.extend(option(word));
    (!parts.is_empty()).then(|| parts.join("\n"))
}

/// The topic most similar to an unknown word.
#[must_use]
pub fn near_topic(word: &str) -> Option<String> {
    let mut names: Vec<String> = topics().into_iter().map(|topic| topic.name).collect();
    if word.contains('.') {
        names.extend(catalog::all().filter(|verb| !verb.receiver().is_empty()).map(qualified));
    }
    closest(word, names.iter().map(String::as_str)).map(str::to_owned)
}

/// The name of a verb with its receiver: `sandbox.bind`.
fn qualified(verb: &Verb) -> String {
    format!("{}.{}", verb.receiver().to_lowercase(), verb.name)
}

fn line(name: &str, width: usize, summary: &str) -> String {
    format!("  {name:<width$}  {summary}\n")
}

fn verbs(word: &str) -> Option<String> {
    let found: Vec<&Verb> = match word.split_once('.') {
        Some((receiver, name)) => catalog::named(name)
            .into_iter()
            .filter(|verb| verb.receiver().eq_ignore_ascii_case(receiver))
            .collect(),
        None => catalog::named(word),
    };
    let pages: Vec<_> = found.iter().map(|verb| page(verb)).collect();
    match found.as_slice() {
        [] => None,
        [_] => Some(pages.concat()),
        several => {
            let mut out = format!("`{word}` is the name of {} verbs:\n\n", several.len());
            let width = several.iter().map(|verb| verb.signature().chars().count()).max();
            for verb in several {
                out.push_str(&line(&verb.signature(), width.unwrap_or(0), summary(verb)));
            }
            Some(format!("{out}\n{}", pages.join("\n")))
        }
    }
}

/// A function of the language itself.
fn of_language(word: &str) -> Option<String> {
    let function = described(word)?;
    Some(format!("`{}`\n\nA function of the language. {}\n", function.form, function.doc))
}

fn constant(word: &str) -> Option<String> {
    let constants = constants().into_iter();
    let constant = constants.filter(|constant| constant.name == word).map(|constant| {
        let (name, doc, kind) = (constant.name, constant.doc(), constant.type_name());
        let combined = match kind {
            "Parts" => "`|` combines constants: `UTS | FILES`.",
            _ => "`|` combines constants and `-` removes some: `USER | PID`, `ALL - NET`.",
        };
        format!("`{name}` → {kind}\n\nA constant: {doc}. {combined}\n")
    });
    let values = VALUES.iter().filter(|(name, _)| *name == word);
    let value = values.map(|(name, doc)| format!("`{name}`\n\nA constant: {doc}.\n"));
    constant.chain(value).next()
}

fn module(library: &Library, word: &str) -> Option<String> {
    let word = word.strip_prefix("std::").map_or(word.into(), |rest| format!("std/{rest}"));
    let import = format!("import \"{}\" as {};", library.name, library.alias());
    if word == library.name || word == library.alias() {
        let mut out = format!("`{import}`\n\n{}\n\n", library.about);
        for function in &library.functions {
            let signature = format!("{}::{}", library.alias(), function.signature());
            out.push_str(&format!("- `{signature}`: {}\n", function.doc));
        }
        return Some(out);
    }
    let name = match word.rsplit_once("::") {
        Some((module, name)) if [library.name, library.alias()].contains(&module) => name,
        Some(_) => return None,
        None => &word,
    };
    let function = library.functions.iter().find(|function| function.name == name)?;
    let signature = format!("{}::{}", library.alias(), function.signature());
    Some(format!("`{signature}`\n\n{}\n\n**Module.** `{import}`\n", function.doc))
}

fn type_page(name: &str) -> String {
    let mut out = String::new();
    let gives_it = |verb: &&Verb| verb.returns == name && verb.receiver() != name;
    let makers: Vec<_> =
        catalog::all().filter(gives_it).map(|verb| format!("`{}`", verb.signature())).collect();
    out.push_str(&format!("`{name}`\n\n"));
    if !makers.is_empty() {
        out.push_str(&format!("A type. These verbs return it: {}.\n\n", makers.join(", ")));
    }
    let mut verbs: Vec<_> = catalog::all().filter(|verb| verb.receiver() == name).collect();
    verbs.sort_by_key(|verb| verb.name);
    for verb in verbs {
        out.push_str(&line(verb.name, 15, summary(verb)));
    }
    out
}

fn option(word: &str) -> Option<String> {
    let mut out = String::new();
    for verb in catalog::all() {
        for option in verb.parameters.iter().flat_map(|parameter| parameter.options) {
            if option.name == word {
                let (verb, doc) = (verb.signature(), option.doc.trim());
                out.push_str(&format!("- `{verb}` ({}): {doc}\n", option.kind));
            }
        }
    }
    (!out.is_empty()).then(|| format!("`{word}` is an option of these verbs:\n\n{out}"))
}
