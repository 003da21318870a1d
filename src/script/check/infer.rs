//! The kind of a single expression, for completion.

use std::collections::HashSet;
use std::rc::Rc;

use rhai::{AST, Stmt};

use super::kind::Kind;
use super::standard::Standard;
use super::unit::Unit;
use super::{Checker, Step, World};
use crate::script::engine::Script;

impl Script {
    /// The type of the expression `code`, by the language's name (`i64`, `string`, `Sandbox`), if
    /// the text determines it. `variables` are the visible ones with the names of their types; an
    /// unknown type is empty.
    #[must_use]
    pub fn kind_of(&self, code: &str, variables: &[(&str, &str)]) -> Option<&'static str> {
        let (engine, context, _) = self.parts();
        let ast = engine.compile_expression(code).ok()?;
        match ast.statements() {
            [Stmt::Expr(expression)] => {
                let standard = &Standard::new();
                let world = World { engine, context, standard, keys: HashSet::new() };
                let unit = Rc::new(Unit::new("", &AST::empty(), HashSet::new()));
                let mut checker = Checker::new(&world, &unit, Step::Functions);
                for (name, kind) in variables {
                    checker.scope.add(name, Kind::named(kind));
                }
                checker.expression(expression).name()
            }
            _ => None,
        }
    }
}
