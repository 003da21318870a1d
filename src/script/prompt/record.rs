//! The record of a prompt, and the recipe made from it.

use rhai::{AST, Array, Dynamic, Stmt};

use super::{IT, Marks, Prompt};
use crate::diag::Report;
use crate::run::Exit;
use crate::script::binding::value::{ProcessHandle, SharedNetwork};
use crate::script::check::check;
use crate::script::effects::codec;
use crate::script::language::recipe::Recipe;
use crate::script::language::statement_starts::start_of;
use crate::script::language::token::{Kind, tokens};
use crate::spec::Rootfs;

/// An evaluated text.
#[derive(Clone, Debug)]
pub(super) struct Input {
    /// The text, without comments at its end.
    text: String,
    /// The byte at which its last statement begins, which has the value.
    last: usize,
    /// The text around that statement in a recipe that shows its value.
    shown: Option<(&'static str, &'static str)>,
    /// Whether its value became the value that was shown last.
    gives: bool,
    /// Its value, if dropping it would end a process.
    pub live: Option<Dynamic>,
    /// The functions that it defines, by name and number of parameters; empty if it does anything
    /// else.
    functions: Vec<(String, usize)>,
    /// The size of the state before it.
    before: Marks,
    /// The earlier values of variables, as far as they can be restored.
    values: Vec<(String, Dynamic)>,
}

/// The text up to its last word, and whether that is a semicolon.
pub(super) fn trimmed(text: &str) -> (&str, bool) {
    let words = tokens(text);
    let last = words.iter().rfind(|it| !matches!(it.kind, Kind::Space | Kind::Comment));
    last.map_or((text.trim(), false), |it| (&text[..it.start + it.text.len()], it.text == ";"))
}

impl Input {
    pub fn new(
        text: &str,
        ast: &AST,
        (before, values): (Marks, Vec<(String, Dynamic)>),
        value: &Dynamic,
    ) -> Self {
        let (text, is_silent) = trimmed(text);
        let last = ast.statements().last();
        let is_value = last.is_some_and(|last| !matches!(last, Stmt::Var(..) | Stmt::Import(..)));
        let gives = is_value && !is_silent && !value.is_unit();
        let start = last.and_then(|last| start_of(text, last.position())).unwrap_or(0);
        let is_live = gives && (value.is::<ProcessHandle>() || value.is::<SharedNetwork>());
        let functions = ast.iter_functions().filter(|it| !it.name.starts_with("anon$"));
        let functions = functions.map(|it| (it.name.to_owned(), it.params.len())).collect();
        Self {
            text: text.to_owned(),
            last: start,
            shown: gives.then(|| how_shown(value)).flatten(),
            gives,
            live: is_live.then(|| value.clone()),
            functions: if ast.statements().is_empty() { functions } else { Vec::new() },
            before,
            values,
        }
    }

    /// Creates an input for what was done elsewhere, as statements.
    pub fn elsewhere(text: String, before: Marks) -> Self {
        Self {
            text,
            last: 0,
            shown: None,
            gives: false,
            live: None,
            functions: Vec::new(),
            before,
            values: Vec::new(),
        }
    }

    fn names_it(&self) -> bool {
        let is_it = |text: &str| {
            text.split(|it: char| !it.is_alphanumeric() && it != '_').any(|word| word == IT)
        };
        tokens(&self.text).iter().any(|token| match token.kind {
            Kind::Word => token.text == IT,
            // Between backticks there is code, too.
            Kind::Text => token.text.contains("${") && is_it(token.text),
            _ => false,
        })
    }

    /// Its text in a recipe. `used` means that a later statement names its value.
    fn statement(&self, used: bool) -> String {
        let text = self.text.trim_end_matches(';').trim_end();
        let (first, last) = text.split_at(self.last.min(text.len()));
        let show = |text: &str| self.shown.map(|(before, after)| format!("{before}{text}{after};"));
        if used || self.live.is_some() {
            let shown = show(IT).map(|shown| format!("\n{shown}")).unwrap_or_default();
            return format!("{first}let {IT} = {last};{shown}");
        }
        let ends = if text.ends_with('}') && !self.gives { "" } else { ";" };
        let last = show(last).unwrap_or_else(|| format!("{last}{ends}"));
        format!("{first}{last}")
    }
}

/// The text with which a recipe shows a value as the prompt did.
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

/// Whether an array consists of maps, the rows of a table.
pub(super) fn is_table(rows: &Array) -> bool {
    !rows.is_empty() && rows.iter().all(Dynamic::is_map)
}

impl Prompt {
    /// All evaluated texts as a recipe, and its errors: not all texts that work one after the other
    /// work in one recipe.
    #[must_use]
    pub fn recipe(&self) -> (String, Vec<Report>) {
        let (functions, statements) = self.statements_from(0);
        let gap = if functions.is_empty() { "" } else { "\n" };
        let text = format!("#!/usr/bin/env nsscript\n\n{functions}{gap}{statements}");
        let recipe =
            Recipe { name: "recipe".into(), text: text.clone(), ..self.script.recipe.clone() };
        (text, check(&recipe).reports)
    }

    /// The texts from index `first` on: functions, which go to the top of a recipe, and statements.
    pub(super) fn statements_from(&self, first: usize) -> (String, String) {
        let state = self.state.borrow();
        let (mut functions, mut statements) = (String::new(), String::new());
        for (index, input) in state.inputs.iter().enumerate().skip(first) {
            let later = &state.inputs[index + 1..];
            if !input.functions.is_empty() {
                // Of several functions with one name, the last one counts.
                let again = |one| later.iter().any(|input| input.functions.contains(one));
                if !input.functions.iter().all(again) {
                    functions.push_str(&format!("{}\n", input.text));
                }
                continue;
            }
            // The text with the next value is the last that can refer to this one.
            let until = later.iter().position(|next| next.gives).map_or(later.len(), |it| it + 1);
            let used = input.gives && later[..until].iter().any(Input::names_it);
            statements.push_str(&input.statement(used));
            statements.push('\n');
        }
        (functions, statements)
    }

    /// The variables whose values can be restored later, with these values.
    pub(super) fn plain_values(&self) -> Vec<(String, Dynamic)> {
        let state = self.state.borrow();
        let named = state.scope.iter().filter(|(_, is_constant, _)| !is_constant);
        let values = named.map(|(name, _, value)| (name.to_owned(), value.flatten_clone()));
        values.filter(|(_, value)| codec::value_to_bytes(value).is_ok()).collect()
    }

    /// Undoes the last text and what it created. Returns the text; `None` if nothing is left in
    /// this place.
    pub fn undo(&self) -> Option<String> {
        let mut state = self.state.borrow_mut();
        if state.inputs.len() <= state.floor {
            return None;
        }
        let last = state.inputs.pop()?;
        state.go_back(last.before);
        state.put_back(&last.values);
        state.set_it(&Dynamic::UNIT);
        Some(last.text)
    }
}
