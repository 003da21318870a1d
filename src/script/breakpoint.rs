//! Stopping in the middle of a recipe, with its variables at hand.
//!
//! A function sees its arguments and nothing else; what stands in its place is syntax of our own,
//! which sees the variables.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};

use rhai::{
    AST, ASTNode, Dynamic, Engine, EvalAltResult, EvalContext, ImmutableString, Position, Scope,
};

use super::bracket::end_before;
use super::context::Context;
use super::dialog::Dialog;
use super::engine::{End, Script};
use super::error::Ending;
use super::token::{Kind, Token, tokens};
use crate::diag::{Origin, Report};

/// The name of the verb.
pub const NAME: &str = "breakpoint";

/// What happens where a recipe stops: it is given the variables and the place, and gives the end of
/// the recipe, where that does not go on.
pub type OnBreak = Rc<dyn Fn(Rc<Dialog>, Option<&Origin>) -> Option<End>>;

/// Lines and columns, counted from 1.
type Places = Vec<(u32, u32)>;

/// The breakpoints of a run.
#[derive(Default)]
pub struct Breakpoints {
    /// The text that is being read, and how many were met in it.
    reading: RefCell<(Rc<str>, usize)>,
    /// The text of each, and which one of it that is.
    met: RefCell<Vec<(Rc<str>, usize)>>,
    /// Where those of each text are.
    places: RefCell<HashMap<Rc<str>, Places>>,
    hook: OnceCell<(OnBreak, Weak<Script>)>,
}

impl Breakpoints {
    /// Those that are met from here on are of the text `name`, at these places.
    pub fn begin(&self, name: &str, places: Vec<(u32, u32)>) {
        *self.reading.borrow_mut() = (name.into(), 0);
        self.places.borrow_mut().insert(name.into(), places);
    }

    /// Has `talk` be what happens at each.
    pub fn stop_with(&self, talk: OnBreak, script: &Rc<Script>) {
        let _ = self.hook.set((talk, Rc::downgrade(script)));
    }

    fn hook(&self) -> Option<(OnBreak, Rc<Script>)> {
        let (talk, script) = self.hook.get()?;
        Some((talk.clone(), script.upgrade()?))
    }

    /// One more: its number.
    fn met(&self) -> i64 {
        let mut reading = self.reading.borrow_mut();
        let mut met = self.met.borrow_mut();
        met.push((reading.0.clone(), reading.1));
        reading.1 += 1;
        i64::try_from(met.len() - 1).unwrap_or(i64::MAX)
    }

    /// The place of the one with this number.
    fn place(&self, number: usize) -> Option<Origin> {
        let met = self.met.borrow();
        let (source, index) = met.get(number)?;
        let places = self.places.borrow();
        let (line, column) = places.get(source)?.get(*index)?;
        Some(Origin::new(source.clone(), *line, *column))
    }
}

/// Has `breakpoint()` stop the texts of this engine.
pub fn register(engine: &mut Engine, context: &Rc<Context>) {
    let known = context.clone();
    let parse = move |symbols: &[ImmutableString], _: &str, state: &mut Dynamic| {
        // To the engine the brackets are one word.
        if symbols.len() == 1 {
            return Ok(Some("()".into()));
        }
        *state = Dynamic::from(known.breakpoints.met());
        Ok(None)
    };
    let context = context.clone();
    engine.register_custom_syntax_with_state_raw(NAME, parse, false, move |eval, _, state| {
        let number = state.as_int().ok().and_then(|it| usize::try_from(it).ok()).unwrap_or(0);
        stop(&context, eval, number)?;
        Ok(Dynamic::UNIT)
    });
}

fn stop(
    context: &Rc<Context>,
    eval: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
    number: usize,
) -> Result<(), Box<EvalAltResult>> {
    if !context.effects().has_breakpoints() {
        return Ok(());
    }
    let origin = context.breakpoints.place(number);
    let Some((talk, script)) = context.breakpoints.hook() else {
        let report = Report::warning("a breakpoint was passed over: there is no terminal");
        context.warn(&report.at(origin));
        return Ok(());
    };
    let mut variables: Vec<_> = eval.scope().iter_raw().collect();
    // The newest comes first.
    variables.reverse();
    let mut scope = Scope::new();
    let mut names = Vec::new();
    for (name, is_constant, value) in variables {
        let add = if is_constant { Scope::push_constant_dynamic } else { Scope::push_dynamic };
        add(&mut scope, name.to_owned(), value.clone());
        names.extend((!is_constant).then(|| name.to_owned()));
    }
    let dialog = Rc::new(Dialog::about(script, scope, eval.global_runtime_state_mut().clone()));
    let name = context.source_name(None);
    let end = talk(dialog.clone(), origin.as_ref());
    context.rename(&name);
    give_back(&names, &dialog, eval.scope_mut());
    let ending = match end {
        None => return Ok(()),
        Some(End::Signal(signal)) => Ending::Signal(signal),
        Some(End::Status(code)) => Ending::Exit(code),
        Some(_) => Ending::Exit(1),
    };
    Err(Box::new(EvalAltResult::ErrorTerminated(Dynamic::from(ending), Position::NONE)))
}

/// Gives the variables the values that they were given at the prompt.
fn give_back(names: &[String], dialog: &Dialog, scope: &mut Scope<'_>) {
    for name in names {
        let (Some(value), Some(variable)) = (dialog.variable(name), scope.get_mut(name)) else {
            continue;
        };
        // What is shared with a closure has been changed where it is.
        if !variable.is_shared() {
            *variable = value;
        }
    }
}

/// The places where statements begin, as far as the words tell.
pub fn starts(ast: &AST, text: &str) -> Places {
    let mut bytes = Vec::new();
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        if let Some(ASTNode::Stmt(statement)) = path.last() {
            let place = super::reword::numbers(statement.position());
            bytes.extend((place.0 > 0).then(|| byte(text, place)));
        }
        true
    });
    let words = significant(text);
    let mut starts: Places =
        bytes.into_iter().filter_map(|at| Some(place(text, beginning(&words, at)?))).collect();
    starts.sort_unstable();
    starts.dedup();
    starts
}

/// The byte that the statement begins at whose place the engine says is `at`.
pub fn start_of(text: &str, at: Position) -> Option<usize> {
    let place = super::reword::numbers(at);
    (place.0 > 0).then_some(())?;
    beginning(&significant(text), byte(text, place))
}

/// The words of a text without what stands between them.
fn significant(text: &str) -> Vec<Token<'_>> {
    let words = tokens(text).into_iter();
    words.filter(|token| !matches!(token.kind, Kind::Space | Kind::Comment)).collect()
}

/// The byte that the statement begins at whose place the engine says is `at`: of `a * b` that is
/// the operator.
fn beginning(words: &[Token<'_>], at: usize) -> Option<usize> {
    let mut index = words.iter().rposition(|word| word.start <= at)?;
    let mut depth = 0;
    while let Some(before) = index.checked_sub(1) {
        match words[before].text {
            ";" | "{" | "}" if depth == 0 => break,
            "(" | "[" | "#{" if depth == 0 => return None,
            "(" | "[" | "{" | "#{" => depth -= 1,
            ")" | "]" | "}" => depth += 1,
            _ => {}
        }
        index = before;
    }
    Some(words[index].start)
}

/// The line and column of a byte.
fn place(text: &str, at: usize) -> (u32, u32) {
    let before = &text[..at];
    let number = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (number(before.matches('\n').count() + 1), number(column))
}

/// The byte at a line and column.
fn byte(text: &str, (line, column): (u32, u32)) -> usize {
    let begin = text.split_inclusive('\n').take(line as usize - 1).map(str::len).sum::<usize>();
    let rest = text[begin..].char_indices().nth(column as usize - 1);
    rest.map_or(text.len(), |(at, _)| begin + at)
}

/// The text with a breakpoint before the first statement that begins at each of these lines or
/// after it. It stands behind what comes before, so that everything keeps its place. `is_fine` says
/// of a text whether it is still one.
///
/// # Errors
/// The line behind which no statement begins.
pub fn with_breaks(
    text: &str,
    starts: &[(u32, u32)],
    lines: &[u32],
    is_fine: &dyn Fn(&str) -> bool,
) -> Result<String, u32> {
    let mut ends = Vec::new();
    for line in lines {
        let after = starts.iter().filter(|(at, _)| at >= line);
        let mut ways = after.map(|(line, column)| end_before(text, *line, *column));
        let end = ways.find(|end| is_fine(&with_break(text, end.unwrap_or((1, 1)))));
        ends.push(end.ok_or(*line)?.unwrap_or((1, 1)));
    }
    ends.sort_unstable();
    ends.dedup();
    Ok(ends.iter().rev().fold(text.to_owned(), |text, end| with_break(&text, *end)))
}

fn with_break(text: &str, end: (u32, u32)) -> String {
    let (before, after) = text.split_at(byte(text, end));
    format!("{before} {NAME}(); {after}")
}

/// Where each breakpoint of a text is, in their order; of one that was put in, the statement that
/// it stands before.
pub fn stops(original: &str, text: &str, starts: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let words = tokens(text).into_iter().filter(|it| it.kind == Kind::Word && it.text == NAME);
    let of = |start: usize| {
        let place = place(text, start);
        let is_own = original[byte(original, place)..].starts_with(NAME);
        // One that was put in has a blank before it.
        let begin = (place.0, place.1.saturating_sub(1));
        let next = starts.iter().find(|it| **it >= begin).filter(|_| !is_own);
        next.copied().unwrap_or(place)
    };
    words.map(|token| of(token.start)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breakpoint_moves_nothing() {
        let text = "// first\nlet a = 1;\nif a > 0 {\n    f();\n}\n";
        let starts = [(2, 1), (3, 1), (4, 5)];
        let with = with_breaks(text, &starts, &[4, 1], &|_| true).unwrap();
        assert_eq!(
            with,
            " breakpoint(); // first\nlet a = 1;\nif a > 0 { breakpoint(); \n    f();\n}\n"
        );
        assert_eq!(stops(text, &with, &starts), [(2, 1), (4, 5)]);
        assert_eq!(with_breaks(text, &starts, &[5], &|_| true), Err(5));
        assert_eq!(stops("\n breakpoint();", "\n breakpoint();", &[(2, 2)]), [(2, 2)]);
    }

    #[test]
    fn statements_begin_where_something_can_stand_before_them() {
        let mut engine = rhai::Engine::new();
        engine.set_optimization_level(rhai::OptimizationLevel::None);
        let text = "let f = |x|\n    x + 1;\nif f.call(1) > 1 {\n    g();\n} else\nif true {\n}\n\
                    fn g() {\n    h()\n}\nfor x in [1] {\n    x;\n}";
        let found = starts(&engine.compile(text).unwrap(), text);
        assert_eq!(found, [(1, 1), (3, 1), (4, 5), (5, 3), (9, 5), (11, 1), (12, 5)]);
    }
}
