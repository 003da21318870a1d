//! Calls: finds the function that is meant, or reports that there is none for these values.

use rhai::{EvalAltResult, FnCallExpr, Position};

use super::Checker;
use super::kind::Kind;
use super::unit::Function;
use crate::script::binding::catalog;
use crate::script::binding::verb::{self, Verb};
use crate::script::engine::BEFORE_THE_LANGUAGE;

/// Functions that are keywords of the engine, with the kinds of their values. The engine does not
/// list them.
const WORDS: [(&str, Kind); 8] = [
    ("Fn", Kind::CLOSURE),
    ("call", Kind::Any),
    ("curry", Kind::CLOSURE),
    ("debug", Kind::UNIT),
    ("is_def_fn", Kind::BOOL),
    ("is_def_var", Kind::BOOL),
    ("is_shared", Kind::BOOL),
    ("type_of", Kind::TEXT),
];

impl Checker<'_> {
    /// A call of a function, by its name or that of its module.
    pub fn call(&mut self, call: &FnCallExpr, at: Position) -> Kind {
        let given: Vec<Kind> = call.args.iter().map(|argument| self.expression(argument)).collect();
        if given.contains(&Kind::Never) {
            return Kind::Never;
        }
        if call.is_operator_call() {
            return self.operation(call, &given, at);
        }
        if call.is_qualified() {
            return self.call_of_module(call, &given, at);
        }
        if matches!(call.name.as_str(), "print" | "debug") && given.len() < 2 {
            return Kind::UNIT;
        }
        self.resolved(call, &given, false, at)
    }

    fn operation(&mut self, call: &FnCallExpr, given: &[Kind], at: Position) -> Kind {
        match (call.name.as_str(), given) {
            ("..", _) => Kind::Is("range"),
            ("..=", _) => Kind::Is("range="),
            ("in" | "!in", _) => Kind::BOOL,
            (operator, _) => self.operated(operator, given, at),
        }
    }

    fn call_of_module(&mut self, call: &FnCallExpr, given: &[Kind], at: Position) -> Kind {
        let [root] = call.namespace.path.as_slice() else { return Kind::Any };
        let Some(module) = self.scope.module(&root.name).cloned() else {
            self.unknown_module(&root.name, root.pos);
            return Kind::Any;
        };
        let Some(unit) = module.unit else { return Kind::Any };
        let is_meant =
            |function: &&Function| !function.is_private && function.parameters.len() == given.len();
        if let Some(function) = unit.named(&call.name).find(is_meant) {
            return function.gives.get();
        }
        // The module's own imports can export others.
        self.not_found(call, given, at);
        Kind::Any
    }

    /// The function with this name for these values, the receiver first.
    pub fn resolved(
        &mut self,
        call: &FnCallExpr,
        given: &[Kind],
        is_method: bool,
        at: Position,
    ) -> Kind {
        let name = call.name.as_str();
        let unit = self.unit.clone();
        // The receiver is not a parameter of a function of the text.
        if let Some(function) =
            unit.named(name).find(|function| function.parameters.len() == call.args.len())
        {
            return function.gives.get();
        }
        if let Some((_, kind)) = WORDS.iter().find(|(word, _)| *word == name) {
            return *kind;
        }
        if unit.unread.contains(name) {
            return Kind::Any;
        }
        let verbs: Vec<&'static Verb> =
            catalog::named(name).into_iter().filter(|verb| could_be(verb, given)).collect();
        let standard = self.world.standard;
        let takes = standard.takes(name, given) && !BEFORE_THE_LANGUAGE.contains(&name);
        // A closure in a map is called like a method.
        let is_map = is_method && matches!(given[0], Kind::Any | Kind::MAP);
        let is_in_map = is_map && self.world.keys.contains(name);
        if verbs.is_empty() && !takes {
            if !is_in_map {
                self.not_found(call, given, at);
            }
            return Kind::Any;
        }
        // A function for the exact type has priority over one for any value.
        let of_type: Vec<_> =
            verbs.iter().copied().filter(|verb| !verb.receiver().is_empty()).collect();
        let is_sure = given.first().is_none_or(|first| first.name().is_some());
        let chosen = match (of_type.as_slice(), verbs.as_slice()) {
            ([one], _) if is_sure || !takes && verbs.len() == 1 => Some(*one),
            ([], [one]) if !takes => Some(*one),
            _ => None,
        };
        if let Some(verb) = chosen.filter(|_| !is_in_map) {
            self.arguments(verb, call, given, at);
            return gives(verb);
        }
        if verbs.is_empty() && given.iter().all(|kind| kind.name().is_some()) && !is_in_map {
            return standard.gives(name, given);
        }
        Kind::Any
    }

    /// Reports that there is no such function for these values.
    fn not_found(&self, call: &FnCallExpr, given: &[Kind], at: Position) {
        if self.unit.unread.contains(call.name.as_str()) {
            return;
        }
        let types: Vec<_> = given.iter().map(|kind| kind.name().unwrap_or("value")).collect();
        let signature = format!("{} ({})", call.name, types.join(", "));
        self.error(EvalAltResult::ErrorFunctionNotFound(signature, at));
    }
}

/// The kind of a verb's value, if it is certain.
fn gives(verb: &Verb) -> Kind {
    if verb.optional { Kind::Any } else { Kind::of_words(verb.returns) }
}

/// Whether a verb accepts this number of values, and the first of them.
fn could_be(verb: &Verb, given: &[Kind]) -> bool {
    let number = (verb.least()..=verb.parameters.len()).contains(&given.len());
    let first = verb.receiver().is_empty()
        || given.first().is_none_or(|first| {
            matches!(first, Kind::Any | Kind::Never) || first.own() == Some(verb.receiver())
        });
    number && first && verb.kind == verb::Kind::Function
}
