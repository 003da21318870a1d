//! Completion of a text that is being typed.

use std::path::{Path, PathBuf};

use super::Prompt;
use crate::script::binding::catalog;
use crate::script::binding::verb::{self, Verb};
use crate::script::language::functions;
use crate::script::language::library::STDLIB;
use crate::script::language::token::{KEYWORDS, Kind, Token, tokens};
use crate::{run, spec};

/// A candidate for completion.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// The text that is inserted.
    pub text: String,
    /// The text in a list of candidates.
    pub shown: String,
}

/// Candidates, and the byte of the text that they replace from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// The byte.
    pub start: usize,
    /// The candidates, in alphabetical order.
    pub candidates: Vec<Candidate>,
}

/// Verbs whose first argument is a signal, and verbs whose first argument is a capability.
const SIGNALLED: [&str; 1] = ["kill"];
const CAPABLE: [&str; 2] = ["keep_capabilities", "set_capabilities"];

/// A call that is being typed: its name, and the type that it is called on.
struct Open<'t> {
    name: &'t str,
    /// Empty for a function; `None` if it is unknown.
    receiver: Option<String>,
    /// Whether an option map of it is being typed.
    in_map: bool,
}

impl Prompt {
    /// Completes the end of `text`.
    #[must_use]
    pub fn complete(&self, text: &str) -> Completion {
        let tokens = tokens(text);
        let Some(last) = tokens.last() else { return self.names("", 0) };
        if last.kind == Kind::Text && last.open && last.text.starts_with(['"', '`']) {
            return self.in_quotes(&tokens[..tokens.len() - 1], last);
        }
        if last.kind == Kind::Comment || (last.kind == Kind::Number) {
            return Completion::default();
        }
        let (word, before) = match last.kind {
            Kind::Word => (last.text, &tokens[..tokens.len() - 1]),
            _ => ("", &tokens[..]),
        };
        let start = text.len() - word.len();
        let before = significant(before);
        match before.last().map(|token| token.text) {
            Some(".") => self.members(word, start, &before[..before.len() - 1]),
            Some("::") => self.of_module(word, start, &before[..before.len() - 1]),
            Some("#{" | ",") => match self.open_call(&before).filter(|open| open.in_map) {
                Some(open) => keys(&open, word, start),
                None => self.names(word, start),
            },
            _ => self.names(word, start),
        }
    }

    /// The rest of the signature of the call that is being typed.
    #[must_use]
    pub fn hint(&self, text: &str) -> Option<String> {
        let tokens = tokens(text);
        let before = significant(&tokens);
        if before.last()?.text != "(" || tokens.last()?.kind == Kind::Space {
            return None;
        }
        let open = self.open_call(&before)?;
        if let Some(verb) = open.verbs().first() {
            let signature = verb.signature();
            return Some(signature.split_once('(')?.1.to_owned());
        }
        let stack = self.script.context.stack.borrow();
        Some(stack.signature(open.name)?.0.split_once('(')?.1.to_owned())
    }

    /// Completes a name that does not follow a value.
    fn names(&self, word: &str, start: usize) -> Completion {
        let functions = catalog::all().filter(|verb| verb.receiver().is_empty()).map(called);
        let constants = catalog::constants().into_iter().map(|constant| named(constant.name));
        let values = catalog::VALUES.iter().map(|(name, _)| named(name));
        let state = self.state.borrow();
        let variables = state.scope.iter().map(|(name, ..)| named(name)).collect::<Vec<_>>();
        let modules = state
            .global
            .iter_imports()
            .map(|(name, _)| Candidate { text: format!("{name}::"), shown: format!("{name}::") });
        let stack = self.script.context.stack.borrow();
        let own = stack.functions().filter(|name| !name.starts_with("anon$"));
        let own = own.map(|name| Candidate { text: format!("{name}("), shown: format!("{name}(") });
        let all = functions.chain(constants).chain(values).chain(variables).chain(modules);
        let all = all.chain(own).chain(KEYWORDS.iter().map(|word| named(word)));
        those(all, word, start)
    }

    /// Completes a verb or key of the value of these words.
    fn members(&self, word: &str, start: usize, value: &[&Token<'_>]) -> Completion {
        let found = self.type_of(value);
        let fits = |verb: &&Verb| match &found {
            Some(name) => verb.receiver() == name,
            None => !verb.receiver().is_empty(),
        };
        let methods = catalog::all().filter(fits).map(called);
        let of_language = found.as_deref().map(functions::methods).unwrap_or_default();
        let keys = self.keys_of(value).into_iter().map(|key| named(&key));
        let own = of_language
            .into_iter()
            .map(|name| Candidate { text: format!("{name}("), shown: format!("{name}(") });
        those(methods.chain(own).chain(keys), word, start)
    }

    /// The keys of the map that a variable is.
    fn keys_of(&self, value: &[&Token<'_>]) -> Vec<String> {
        let Some(last) = value.last().filter(|token| token.kind == Kind::Word) else {
            return Vec::new();
        };
        if value.len() > 1 && matches!(value[value.len() - 2].text, "." | "::") {
            return Vec::new();
        }
        let state = self.state.borrow();
        let map = state.scope.get_value::<rhai::Map>(last.text);
        map.map(|map| map.keys().map(ToString::to_string).collect()).unwrap_or_default()
    }

    /// The functions of a module.
    fn of_module(&self, word: &str, start: usize, before: &[&Token<'_>]) -> Completion {
        let Some(name) = before.last().map(|token| token.text) else {
            return Completion::default();
        };
        let state = self.state.borrow();
        let module = state.global.iter_imports().find(|(known, _)| *known == name);
        let Some((_, module)) = module else { return Completion::default() };
        let functions = module.iter_script_fn_info().map(|(_, _, name, parameters, _)| {
            let close = if parameters == 0 { ")" } else { "" };
            Candidate { text: format!("{name}({close}"), shown: format!("{name}(") }
        });
        let functions = functions.filter(|found| !found.text.starts_with("anon$"));
        let variables = module.iter_var().map(|(name, _)| named(name));
        those(functions.chain(variables), word, start)
    }

    /// Completes an open string: names that the verb takes, or a path.
    fn in_quotes(&self, before: &[Token<'_>], last: &Token<'_>) -> Completion {
        let (word, start) = (&last.text[1..], last.start + 1);
        let before = significant(before);
        if before.last().is_some_and(|token| token.text == "import") {
            let modules = STDLIB.iter().map(|(name, _)| named(name));
            let files = paths(word).into_iter().filter(|file| {
                file.text.ends_with('/')
                    || Path::new(&file.text).extension().is_some_and(|it| it == "rhai")
            });
            return those(modules.chain(files), word, start);
        }
        if let Some(open) = self.open_call(&before) {
            if SIGNALLED.contains(&open.name) {
                return those(
                    run::signal_names().into_iter().map(named),
                    &word.to_uppercase(),
                    start,
                );
            }
            if CAPABLE.contains(&open.name) {
                let all = spec::Capability::all().map(|capability| named(capability.name()));
                return those(all, &word.to_uppercase(), start);
            }
        }
        let found = paths(word);
        those(found.into_iter(), word, start)
    }

    /// The call whose arguments are being typed.
    fn open_call<'t>(&self, before: &[&Token<'t>]) -> Option<Open<'t>> {
        let (mut depth, mut in_map) = (0, false);
        for (index, token) in before.iter().enumerate().rev() {
            match token.text {
                ")" | "]" | "}" => depth += 1,
                // An array is an argument, or a part of one.
                "[" if depth == 0 => {}
                "#{" if depth == 0 && !in_map => in_map = true,
                "{" | "#{" if depth == 0 => return None,
                "(" if depth == 0 => {
                    let name = before[..index].last().filter(|token| token.kind == Kind::Word)?;
                    let value = &before[..index - 1];
                    let receiver = match value.last().map(|token| token.text) {
                        Some(".") => self.type_of(&value[..value.len() - 1]),
                        Some("::") => return None,
                        _ => Some(String::new()),
                    };
                    return Some(Open { name: name.text, receiver, in_map });
                }
                "(" | "[" | "{" | "#{" => depth -= 1,
                _ => {}
            }
        }
        None
    }
}

impl Open<'_> {
    /// The verbs that may be meant.
    fn verbs(&self) -> Vec<&'static Verb> {
        let fits = |verb: &&Verb| match &self.receiver {
            Some(receiver) => verb.receiver() == receiver,
            None => !verb.receiver().is_empty(),
        };
        let named = catalog::named(self.name);
        let fitting: Vec<_> = named.iter().copied().filter(fits).collect();
        if fitting.is_empty() { named } else { fitting }
    }
}

/// The keys of the option map of a call.
fn keys(open: &Open<'_>, word: &str, start: usize) -> Completion {
    let all = open.verbs().into_iter().flat_map(|verb| verb.parameters);
    let keys = all.flat_map(|parameter| parameter.options);
    let keys = keys.map(|key| Candidate {
        text: format!("{}: ", key.name),
        shown: format!("{}: {}", key.name, key.kind),
    });
    those(keys, word, start)
}

/// The tokens without space and comments.
fn significant<'a, 't>(tokens: &'a [Token<'t>]) -> Vec<&'a Token<'t>> {
    tokens.iter().filter(|token| !matches!(token.kind, Kind::Space | Kind::Comment)).collect()
}

fn named(name: &str) -> Candidate {
    Candidate { text: name.to_owned(), shown: name.to_owned() }
}

/// A verb with an opening parenthesis, or with both if it takes no arguments.
fn called(verb: &Verb) -> Candidate {
    if verb.kind == verb::Kind::Property {
        return named(verb.name);
    }
    let close = if verb.given().is_empty() { ")" } else { "" };
    Candidate { text: format!("{}({close}", verb.name), shown: format!("{}(", verb.name) }
}

/// Files of the host with this prefix.
fn paths(word: &str) -> Vec<Candidate> {
    let (directory, name) =
        word.rsplit_once('/').map_or(("", word), |(before, name)| (before, name));
    let place = match (word.contains('/'), directory) {
        (false, _) => PathBuf::from("."),
        (true, "") => PathBuf::from("/"),
        (true, directory) => PathBuf::from(directory),
    };
    let above = &word[..word.len() - name.len()];
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let file = entry.file_name().into_string().ok()?;
            if file.starts_with('.') && !name.starts_with('.') {
                return None;
            }
            let slash = if entry.path().is_dir() { "/" } else { "" };
            Some(Candidate {
                text: format!("{above}{file}{slash}"),
                shown: format!("{file}{slash}"),
            })
        })
        .collect()
}

/// The candidates that begin with `word`.
fn those(all: impl Iterator<Item = Candidate>, word: &str, start: usize) -> Completion {
    let mut candidates: Vec<_> = all.filter(|one| one.text.starts_with(word)).collect();
    candidates.sort();
    candidates.dedup_by(|one, other| one.text == other.text);
    Completion { start, candidates }
}
