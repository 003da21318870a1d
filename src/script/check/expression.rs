//! Expressions.

use rhai::{EvalAltResult, Expr, FnPtr, Position};

use super::Checker;
use super::kind::Kind;
use super::scope::Scope;
use super::standard::Outcome;
use super::statement::is_constant_of_the_language;
use crate::diag::{Report, quoted};
use crate::script::analysis::closure::{Closure, closure, variable};
use crate::script::errors::variable::{no_variable, not_visible, outside};

impl Checker<'_> {
    /// Checks an expression, and returns the kind of its value.
    pub fn expression(&mut self, expression: &Expr) -> Kind {
        if let Some(closure) = closure(expression) {
            self.closure(&closure);
            return Kind::CLOSURE;
        }
        match expression {
            Expr::Unit(_) => Kind::UNIT,
            Expr::BoolConstant(..) => Kind::BOOL,
            Expr::IntegerConstant(..) => Kind::INTEGER,
            Expr::FloatConstant(..) => Kind::Is("f64"),
            Expr::CharConstant(..) => Kind::Is("char"),
            Expr::StringConstant(..) => Kind::TEXT,
            Expr::DynamicConstant(value, _) => {
                if let Some(function) = value.read_lock::<FnPtr>() {
                    let name = function.fn_name().to_owned();
                    self.closure(&Closure { name, captures: Vec::new() });
                }
                Kind::of(value)
            }
            Expr::InterpolatedString(parts, _) => {
                self.expressions(parts);
                Kind::TEXT
            }
            Expr::Array(all, _) => {
                self.expressions(all);
                Kind::ARRAY
            }
            Expr::Map(parts, _) => {
                self.expressions(parts.0.iter().map(|(_, value)| value));
                Kind::MAP
            }
            Expr::Variable(parts, _, at) if parts.2.is_empty() => self.variable(&parts.1, *at),
            Expr::Variable(parts, _, at) => {
                let path: Vec<_> =
                    parts.2.path.iter().map(|part| (part.name.to_string(), part.pos)).collect();
                self.variable_of_module(&path, &parts.1, *at)
            }
            Expr::Stmt(block) => self.block(block.statements()),
            Expr::FnCall(call, at) => self.call(call, *at),
            Expr::Dot(..) | Expr::Index(..) => self.chain(expression, false),
            Expr::And(all, _) | Expr::Or(all, _) => {
                all.iter().for_each(|one| self.condition(one));
                Kind::BOOL
            }
            Expr::Coalesce(all, _) => {
                let kinds: Vec<_> = all.iter().map(|one| self.expression(one)).collect();
                kinds.into_iter().fold(Kind::Never, Kind::or)
            }
            _ => Kind::Any,
        }
    }

    fn expressions<'e>(&mut self, all: impl IntoIterator<Item = &'e Expr>) {
        for one in all {
            self.expression(one);
        }
    }

    /// Checks the body of a closure, with the captured variables.
    pub fn closure(&mut self, closure: &Closure) {
        let unit = self.unit.clone();
        let Some(function) = unit.closure(&closure.name) else { return };
        if self.closures.contains(&closure.name) {
            return;
        }
        let mut scope: Scope = self.scope.modules_only();
        for name in &closure.captures {
            // A missing one is reported where it is used.
            if let Some(known) = self.scope.variable(name) {
                scope.push(known.clone());
            }
        }
        for parameter in function.parameters.iter().skip(closure.captures.len()) {
            scope.add(parameter, Kind::Any);
        }
        let around = std::mem::replace(&mut self.scope, scope);
        let given = std::mem::replace(&mut self.given, Kind::Never);
        self.closures.push(closure.name.clone());
        let last = self.statements(&function.body);
        function.gives.set(last.or(self.given));
        self.closures.pop();
        (self.scope, self.given) = (around, given);
    }

    fn variable(&self, name: &str, at: Position) -> Kind {
        if let Some(known) = self.scope.variable(name) {
            return known.kind;
        }
        match name {
            "host" => Kind::Is("Host"),
            "args" => Kind::ARRAY,
            _ if is_constant_of_the_language(name) => Kind::Is("Namespaces"),
            _ => {
                self.unknown_variable(name, at);
                Kind::Any
            }
        }
    }

    /// Reports an unknown variable.
    pub fn unknown_variable(&self, name: &str, at: Position) {
        if self.unit.unread.contains(name) {
            return;
        }
        let is_declared = self.unit.declared.contains(name);
        let report = match self.unit.functions.iter().find(|function| function.name == name) {
            _ if is_declared && self.in_function => outside(name),
            _ if is_declared => not_visible(name),
            Some(_) => Report::error(format!("unknown variable {}", quoted(name)))
                .hint(format!("{} is a function: call it, `{name}(…)`", quoted(name))),
            None => no_variable(name, self.scope.names()),
        };
        self.say_at(report, at);
    }

    fn variable_of_module(&self, path: &[(String, Position)], name: &str, at: Position) -> Kind {
        let [(root, place)] = path else { return Kind::Any };
        if root == "global" {
            if !self.unit.constants.iter().any(|known| known == name)
                && !self.unit.unread.contains(name)
            {
                let name = format!("global::{name}");
                self.error(EvalAltResult::ErrorVariableNotFound(name, at));
            }
            return Kind::Any;
        }
        match self.scope.module(root) {
            None => self.unknown_module(root, *place),
            Some(module) => {
                if let Some(unit) = &module.unit
                    && !unit.exports.iter().any(|known| known == name)
                {
                    let name = format!("{root}::{name}");
                    self.error(EvalAltResult::ErrorVariableNotFound(name, at));
                }
            }
        }
        Kind::Any
    }

    /// Reports an unknown module.
    pub fn unknown_module(&self, name: &str, at: Position) {
        if !self.unit.unread.contains(name) {
            self.error(EvalAltResult::ErrorModuleNotFound(name.into(), at));
        }
    }

    /// The kind of an operator's result, or a report that it does not apply to these values.
    pub fn operated(&self, operator: &str, given: &[Kind], at: Position) -> Kind {
        let standard = self.world.standard;
        if given.contains(&Kind::Never) {
            return Kind::Never;
        }
        if is_comparison(operator) && given.contains(&Kind::Any) {
            return Kind::BOOL;
        }
        if operator == "+" && given.first() == Some(&Kind::TEXT) {
            return Kind::TEXT;
        }
        if given.contains(&Kind::Any) {
            return Kind::Any;
        }
        let owns: Vec<_> = given.iter().filter_map(|kind| kind.own()).collect();
        // Values of different types are not equal and have no order.
        if let [one, other] = owns.as_slice()
            && one != other
            && is_comparison(operator)
        {
            return Kind::BOOL;
        }
        if !owns.is_empty() && standard.knows(operator, given) {
            return match operator {
                "|" | "-" => Kind::Is("Namespaces"),
                _ => Kind::BOOL,
            };
        }
        // A sample cannot stand for a range.
        if given.iter().any(|kind| matches!(kind, Kind::Is("range" | "range=" | "Fn"))) {
            return Kind::Any;
        }
        let code = match given {
            [_] => format!("{operator}v0"),
            _ => format!("v0 {operator} v1"),
        };
        match standard.outcome(&code, given) {
            Outcome::Gives(kind) => kind,
            Outcome::Refused => {
                let types: Vec<_> = given.iter().filter_map(|kind| kind.name()).collect();
                let signature = format!("{operator} ({})", types.join(", "));
                self.error(EvalAltResult::ErrorFunctionNotFound(signature, at));
                Kind::Never
            }
        }
    }

    /// The name of a variable that an expression is.
    pub fn named(expression: &Expr) -> Option<&str> {
        variable(expression).map(|(name, _)| name)
    }
}

fn is_comparison(operator: &str) -> bool {
    matches!(operator, "==" | "!=" | "<" | ">" | "<=" | ">=")
}
