//! The functions and operators of the language itself, and the kinds of their results.
//!
//! The engine lists names and types. It is asked for results by calls with sample values.

use std::any::TypeId;
use std::cell::RefCell;
use std::collections::HashMap;

use rhai::{Dynamic, Engine, EvalAltResult, OptimizationLevel, Scope};

use super::kind::Kind;
use crate::script::binding::value;
use crate::script::builtins::{bounded, sorting};
use crate::script::language::named::Named;

/// The outcome of an operation on values of certain kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A value of this kind, possibly unknown.
    Gives(Kind),
    /// The language has no such operation for them.
    Refused,
}

/// Stands for a value of one of nsscript's own types.
#[derive(Clone, Debug)]
struct Own;

/// Functions whose kind of result depends on values, or that wait or exit.
const UNSURE: [&str; 9] =
    ["call", "exit", "max", "min", "parse_json", "reduce", "reduce_rev", "sleep", "timestamp"];

/// The functions and operators of the language.
pub struct Standard {
    engine: Engine,
    functions: HashMap<String, Vec<Vec<TypeId>>>,
    outcomes: RefCell<HashMap<(String, Vec<Kind>), Outcome>>,
}

impl Standard {
    pub fn new() -> Self {
        let mut engine = Engine::new();
        engine.set_optimization_level(OptimizationLevel::None);
        engine.set_fail_on_invalid_map_property(true);
        engine.set_max_operations(1000);
        engine.on_print(|_| {});
        engine.on_debug(|_, _, _| {});
        value::printing(&mut engine, &Named::All);
        bounded::register(&mut engine, &Named::All);
        sorting::register(&mut engine, &Named::All);
        let all = engine.collect_fn_metadata(
            None,
            |info| Some((info.metadata.name.to_string(), info.metadata.param_types.to_vec())),
            true,
        );
        let mut functions: HashMap<String, Vec<Vec<TypeId>>> = HashMap::new();
        for (name, types) in all {
            functions.entry(name).or_default().push(types);
        }
        Self { engine, functions, outcomes: RefCell::default() }
    }

    /// The functions with this name, by the types of their parameters.
    pub fn named(&self, name: &str) -> &[Vec<TypeId>] {
        self.functions.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether a function with this name accepts these values.
    pub fn takes(&self, name: &str, given: &[Kind]) -> bool {
        self.named(name).iter().any(|types| fits(types, given))
    }

    /// Whether one of nsscript's types defines a function with this name for itself, an operator.
    pub fn knows(&self, name: &str, given: &[Kind]) -> bool {
        let exact = |types: &Vec<TypeId>| {
            let one = |(id, kind): (&TypeId, &Kind)| kind.type_id() == Some(*id);
            types.len() == given.len() && types.iter().zip(given).all(one)
        };
        self.named(name).iter().any(exact)
    }

    /// The outcome of a function for values of these kinds.
    pub fn gives(&self, name: &str, given: &[Kind]) -> Kind {
        let names: Vec<_> = (0..given.len()).map(|index| format!("v{index}")).collect();
        let code = format!("{name}({})", names.join(", "));
        match self.outcome(&code, given) {
            _ if UNSURE.contains(&name) => Kind::Any,
            Outcome::Gives(kind) => kind,
            Outcome::Refused => Kind::Any,
        }
    }

    /// The outcome of `code`, in which the values are `v0`, `v1`, ….
    pub fn outcome(&self, code: &str, given: &[Kind]) -> Outcome {
        let key = (code.to_owned(), given.to_vec());
        if let Some(known) = self.outcomes.borrow().get(&key) {
            return *known;
        }
        let outcome = self.ask(code, given).unwrap_or(Outcome::Gives(Kind::Any));
        self.outcomes.borrow_mut().insert(key, outcome);
        outcome
    }

    fn ask(&self, code: &str, given: &[Kind]) -> Option<Outcome> {
        let mut scope = Scope::new();
        for (index, kind) in given.iter().enumerate() {
            let own = || kind.own().map(|_| Dynamic::from(Own));
            scope.push_dynamic(format!("v{index}"), kind.sample().or_else(own)?);
        }
        match self.engine.eval_with_scope::<Dynamic>(&mut scope, code) {
            // An element of an empty sample is `()`, unlike that of a real value; a character
            // stands for the content of a string.
            Ok(value) if value.is_unit() || value.is_char() => None,
            Ok(value) => Some(Outcome::Gives(Kind::of(&value))),
            Err(error) => match *error {
                EvalAltResult::ErrorFunctionNotFound(..)
                | EvalAltResult::ErrorDotExpr(..)
                | EvalAltResult::ErrorIndexingType(..)
                | EvalAltResult::ErrorFor(..) => Some(Outcome::Refused),
                _ => None,
            },
        }
    }
}

/// Whether the engine would select a function with these parameter types for values of these kinds.
fn fits(types: &[TypeId], given: &[Kind]) -> bool {
    let one = |(id, kind): (&TypeId, &Kind)| {
        *id == TypeId::of::<Dynamic>() || kind.type_id().is_none_or(|known| known == *id)
    };
    types.len() == given.len() && types.iter().zip(given).all(one)
}
