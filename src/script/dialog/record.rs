//! What was done in a conversation, and it as a recipe.

use rhai::{AST, Array, Dynamic, Stmt};

use super::{Dialog, IT, Marks};
use crate::run::Exit;
use crate::script::token::tokens;
use crate::script::value::{ProcessHandle, SharedNetwork};
use crate::spec::Rootfs;

/// A text that was done.
#[derive(Clone, Debug)]
pub(super) struct Input {
    /// The text.
    text: String,
    /// What stands before and behind it where a recipe shows its value.
    shown: Option<(&'static str, &'static str)>,
    /// Whether its value is the one that was shown last from then on.
    gives: bool,
    /// Whether its value ends when nobody holds it.
    is_live: bool,
    /// What there was before it.
    before: Marks,
}

impl Input {
    pub fn new(text: &str, ast: &AST, before: Marks, value: &Dynamic) -> Self {
        let is_value = matches!(ast.statements(), [Stmt::Expr(_) | Stmt::FnCall(..)]);
        let gives = is_value && !text.ends_with(';') && !value.is_unit();
        let shown = gives.then(|| how_shown(value)).flatten();
        let is_live = gives && (value.is::<ProcessHandle>() || value.is::<SharedNetwork>());
        Self { text: text.to_owned(), shown, gives, is_live, before }
    }

    /// Lines that were done elsewhere: `head` and `tail` stand around them.
    pub fn around(head: &str, inner: &str, tail: &str, before: Marks) -> Self {
        let inner: Vec<_> = inner.lines().map(|line| format!("    {line}")).collect();
        let text = format!("{head}\n{}\n{tail};", inner.join("\n"));
        Self { text, shown: None, gives: false, is_live: false, before }
    }

    fn names_it(&self) -> bool {
        tokens(&self.text).iter().any(|token| token.text == IT)
    }

    /// It as a recipe has it; where it is `used`, a later one names its value.
    fn statement(&self, used: bool) -> String {
        let text = self.text.trim_end_matches(';').trim_end();
        let show = |text: &str| self.shown.map(|(before, after)| format!("{before}{text}{after};"));
        if used || self.is_live {
            let shown = show(IT).map(|shown| format!("\n{shown}")).unwrap_or_default();
            return format!("let {IT} = {text};{shown}");
        }
        let ends = if text.ends_with('}') && !self.gives { "" } else { ";" };
        show(text).unwrap_or_else(|| format!("{text}{ends}"))
    }
}

/// How a recipe shows a value as it was shown here.
fn how_shown(value: &Dynamic) -> Option<(&'static str, &'static str)> {
    if value.is::<Exit>() || value.is::<ProcessHandle>() {
        return None;
    }
    if value.is::<Rootfs>() {
        return Some(("print((", ").tree())"));
    }
    let is_table = value.read_lock::<Array>().is_some_and(|rows| is_table(&rows));
    Some((if is_table { "table(" } else { "print(" }, ")"))
}

/// Whether an array is one of maps, which are the rows of a table.
pub(super) fn is_table(rows: &Array) -> bool {
    !rows.is_empty() && rows.iter().all(Dynamic::is_map)
}

impl Dialog {
    /// All that was done, as a recipe.
    #[must_use]
    pub fn recipe(&self) -> String {
        format!("#!/usr/bin/env nsscript\n\n{}", self.statements())
    }

    /// The same without its first line.
    #[must_use]
    pub fn statements(&self) -> String {
        self.statements_from(0)
    }

    /// The same from one of them on.
    pub(super) fn statements_from(&self, first: usize) -> String {
        let state = self.state.borrow();
        let mut out = String::new();
        for (index, input) in state.inputs.iter().enumerate().skip(first) {
            let later = &state.inputs[index + 1..];
            // Whoever gives the next value is the last one that can name this.
            let until = later.iter().position(|next| next.gives).map_or(later.len(), |it| it + 1);
            let used = input.gives && later[..until].iter().any(Input::names_it);
            out.push_str(&input.statement(used));
            out.push('\n');
        }
        out
    }

    /// Drops the last text that was done, and what it has made. Gives the text.
    pub fn undo(&self) -> Option<String> {
        let mut state = self.state.borrow_mut();
        let last = state.inputs.pop()?;
        state.go_back(last.before);
        state.scope.set_value(IT, Dynamic::UNIT);
        Some(last.text)
    }
}
