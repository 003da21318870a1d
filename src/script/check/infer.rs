//! The kind of an expression by itself, for completion.

use std::collections::HashSet;
use std::rc::Rc;

use rhai::{AST, Stmt};

use super::kind::Kind;
use super::standard::Standard;
use super::unit::Unit;
use super::{Checker, Step, World};
use crate::script::engine::Script;

impl Script {
    /// The name of the type that the expression `code` gives, as the language has it (`i64`,
    /// `string`, `Sandbox`), where the text tells that. `variables` are those in reach, with the
    /// names of their types; a type that is not known is empty.
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
