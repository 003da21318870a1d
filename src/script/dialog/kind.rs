//! What values are that a text speaks of which is being typed: it may be unfinished, so its words alone
//! are looked at, and nothing is evaluated.

use rhai::Dynamic;

use super::{Dialog, IT};
use crate::script::catalog;
use crate::script::token::{Kind, Token};
use crate::script::verb;

impl Dialog {
    /// The type of the value that these words make, as far as that can be told without evaluating
    /// anything.
    pub(super) fn type_of(&self, value: &[&Token<'_>]) -> Option<String> {
        // A line that begins with a dot goes on from there.
        let Some((last, rest)) = value.split_last() else { return self.kind_of_variable(IT) };
        match (last.kind, last.text) {
            (Kind::Text, _) => Some("string".into()),
            (Kind::Number, _) => Some("integer".into()),
            (_, "]") => {
                let begin = opening(value)?;
                let is_index = begin > 0
                    && (value[begin - 1].kind == Kind::Word
                        || matches!(value[begin - 1].text, ")" | "]"));
                if is_index { self.element(value, begin) } else { Some("array".into()) }
            }
            (_, "}") => (value[opening(value)?].text == "#{").then(|| "map".into()),
            (_, ")") => {
                let begin = opening(value)?;
                match value[..begin].split_last() {
                    Some((name, before)) if name.kind == Kind::Word => {
                        self.given(name.text, before, verb::Kind::Function)
                    }
                    _ => self.type_of(&value[begin + 1..value.len() - 1]),
                }
            }
            (Kind::Word, name) => match rest.last().map(|token| token.text) {
                Some("." | "::") => self.given(name, rest, verb::Kind::Property),
                _ => self.kind_of_variable(name),
            },
            _ => None,
        }
    }

    /// What an element of a variable is.
    fn element(&self, value: &[&Token<'_>], begin: usize) -> Option<String> {
        let name = value[begin - 1].text;
        let array = self.state.borrow().scope.get_value::<rhai::Array>(name)?;
        array.first().map(kind_of)
    }

    fn kind_of_variable(&self, name: &str) -> Option<String> {
        let found = self.state.borrow().scope.get(name).map(kind_of);
        found.or_else(|| match name {
            "host" => Some("Host".into()),
            "args" => Some("array".into()),
            _ => catalog::constants()
                .iter()
                .any(|(known, ..)| *known == name)
                .then(|| "Namespaces".into()),
        })
    }

    /// What a verb gives that stands behind `before`.
    fn given(&self, name: &str, before: &[&Token<'_>], kind: verb::Kind) -> Option<String> {
        let receiver = match before.split_last() {
            Some((dot, value)) if dot.text == "." => self.type_of(value)?,
            Some((colons, _)) if colons.text == "::" => return None,
            _ => String::new(),
        };
        let verbs = catalog::named(name);
        let verb = verbs.iter().find(|verb| verb.receiver() == receiver && verb.kind == kind)?;
        Some(of_words(verb.returns))
    }
}

/// Where the bracket is that the last one closes.
fn opening(value: &[&Token<'_>]) -> Option<usize> {
    let mut depth = 0;
    value.iter().rposition(|token| {
        match token.text {
            ")" | "]" | "}" => depth += 1,
            "(" | "[" | "{" | "#{" => depth -= 1,
            _ => {}
        }
        depth == 0
    })
}

/// The name of the type of a value.
fn kind_of(value: &Dynamic) -> String {
    let words = crate::script::argument::a_kind(value);
    of_words(&words)
}

/// The name of a type that is told in words: `an array of strings`.
fn of_words(words: &str) -> String {
    let rest = ["a ", "an ", "the "].iter().find_map(|article| words.strip_prefix(article));
    let word = rest.unwrap_or(words).split(' ').next().unwrap_or_default();
    if word == "namespaces" { "Namespaces".into() } else { word.to_owned() }
}
