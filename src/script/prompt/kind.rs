//! Kinds of the values in a text that is being typed. Nothing is evaluated.

use super::{IT, Prompt};
use crate::script::language::token::{Kind, Token};

impl Prompt {
    /// The name of the type of the chain at the end of these words, inferred from the values of the
    /// visible variables.
    pub(super) fn type_of(&self, value: &[&Token<'_>]) -> Option<String> {
        // A line that begins with a dot continues from that value.
        if value.is_empty() {
            return self.kind_of_text(IT);
        }
        let chain = &value[beginning(value)?..];
        let it = if chain[0].text == "." { IT } else { "" };
        let text: String = chain.iter().map(|token| token.text).collect();
        self.kind_of_text(&format!("{it}{text}")).or_else(|| self.element(chain))
    }

    fn kind_of_text(&self, text: &str) -> Option<String> {
        let state = self.state.borrow();
        let engine = &self.script.engine;
        let named = |name, value: &rhai::Dynamic| (name, engine.map_type_name(value.type_name()));
        let values: Vec<_> = state.scope.iter().collect();
        let variables: Vec<_> = values.iter().map(|(name, _, it)| named(*name, it)).collect();
        self.script.kind_of(text, &variables).map(str::to_owned)
    }

    /// The type of an array's element, which only its value shows.
    fn element(&self, chain: &[&Token<'_>]) -> Option<String> {
        let [name, bracket, .., end] = chain else { return None };
        let array = self.state.borrow().scope.get_value::<rhai::Array>(name.text)?;
        let is_element = (bracket.text, end.text) == ("[", "]") && opening(chain)? == 1;
        let first = array.first().filter(|_| is_element)?;
        Some(self.script.engine.map_type_name(first.type_name()).to_owned())
    }
}

/// The start of the chain at the end of these words: `a` in `f(x, a.b[0].c(y))` before the last
/// `)`.
fn beginning(words: &[&Token<'_>]) -> Option<usize> {
    let mut begin = words.len();
    loop {
        let last = begin.checked_sub(1)?;
        begin = match words[last].text {
            ")" | "]" | "}" => opening(&words[..begin])?,
            _ if matches!(words[last].kind, Kind::Word | Kind::Text | Kind::Number) => last,
            _ => return None,
        };
        let Some(before) = begin.checked_sub(1).map(|at| words[at]) else { return Some(begin) };
        match before.text {
            "." if begin == 1 => return Some(0),
            "." | "::" => begin -= 1,
            // A word before a bracket is called or indexed.
            _ if matches!(words[begin].text, "(" | "[")
                && (before.kind == Kind::Word || matches!(before.text, ")" | "]")) => {}
            _ => return Some(begin),
        }
    }
}

/// The bracket that matches the last one.
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
