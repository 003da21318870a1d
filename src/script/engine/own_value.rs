//! Closures that read the value that they are called on: `list.map(|x| x * list.len())`.
//!
//! The engine locks a variable while a method is called on it, so a closure cannot read it. A
//! method that changes nothing can as well be called on a copy of the value. For that, the text is
//! read a second time, and the variable has another name there, whose value is such a copy.

use rhai::{AST, Dynamic, Engine, EvalAltResult, Position, Scope, Token};

use crate::script::analysis::closure::read_by_closures;
use crate::script::binding::context::Context;
use crate::script::language::statement_starts::numbers;

/// What the name of a copy begins with: no variable of a recipe has such a name.
const COPY: &str = "the value of ";

/// Gives a variable at one of the places of the context its other name.
pub(super) fn renamed(token: Token, position: Position, context: &Context) -> Token {
    match token {
        Token::Identifier(name) if context.copied.borrow().contains(&numbers(position)) => {
            Token::Identifier(Box::new(format!("{COPY}{name}").into()))
        }
        token => token,
    }
}

/// The same text as `ast`, in which methods are called on copies where closures need that.
pub(in crate::script) fn with_copies(
    ast: AST,
    text: &str,
    engine: &Engine,
    context: &Context,
) -> AST {
    let places = read_by_closures(&ast);
    if places.is_empty() {
        return ast;
    }
    *context.copied.borrow_mut() = places.into_iter().map(numbers).collect();
    let again = engine.compile(text);
    context.copied.borrow_mut().clear();
    let Ok(mut again) = again else { return ast };
    if let Some(source) = ast.source() {
        again.set_source(source);
    }
    again
}

/// The name of the variable of which `name` is the copy.
pub(super) fn copied(name: &str) -> Option<&str> {
    name.strip_prefix(COPY)
}

/// A copy of the variable `name`. A closure that declares it itself captures nothing, but the
/// engine asks before it is declared.
pub(super) fn copy(name: &str, scope: &Scope<'_>) -> Result<Option<Dynamic>, Box<EvalAltResult>> {
    match scope.get(name) {
        None => Ok(Some(Dynamic::UNIT)),
        Some(value) if value.is_locked() => {
            Err(EvalAltResult::ErrorDataRace(format!("`{name}`"), Position::NONE).into())
        }
        Some(value) => Ok(Some(value.flatten_clone())),
    }
}
