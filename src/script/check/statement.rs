//! Statements.

use rhai::{ASTFlags, BinaryExpr, EvalAltResult, Expr, OpAssignment, Position, Stmt};

use super::kind::Kind;
use super::scope::Variable;
use super::standard::Outcome;
use super::{Checker, Step};
use crate::script::analysis::closure::{beginning, closure, variable};
use crate::script::binding::catalog;

impl Checker<'_> {
    /// Checks statements, which see earlier declarations, and returns the kind of the last one's
    /// value.
    pub fn statements(&mut self, statements: &[Stmt]) -> Kind {
        let mut last = Kind::UNIT;
        let mut goes_on = true;
        for statement in statements {
            last = self.statement(statement);
            goes_on &= last != Kind::Never;
        }
        if goes_on { last } else { Kind::Never }
    }

    /// Checks a block, whose declarations are not visible outside.
    pub fn block(&mut self, statements: &[Stmt]) -> Kind {
        let mark = self.scope.mark();
        let kind = self.statements(statements);
        self.scope.reset(mark);
        kind
    }

    fn statement(&mut self, statement: &Stmt) -> Kind {
        match statement {
            Stmt::Expr(expression) => return self.expression(expression),
            Stmt::FnCall(call, at) => return self.call(call, *at),
            Stmt::Block(block) => return self.block(block.statements()),
            Stmt::If(flow, _) => {
                self.condition(&flow.expr);
                let one = self.block(flow.body.statements());
                return one.or(self.block(flow.branch.statements()));
            }
            Stmt::Switch(parts, _) => {
                self.expression(&parts.0);
                for arm in &parts.1.expressions {
                    self.expression(&arm.lhs);
                    self.expression(&arm.rhs);
                }
                return Kind::Any;
            }
            Stmt::While(flow, _) => {
                // `loop` has no condition.
                if !matches!(flow.expr, Expr::Unit(_)) {
                    self.condition(&flow.expr);
                }
                self.block(flow.body.statements());
                return Kind::Any;
            }
            Stmt::Do(flow, ..) => {
                self.block(flow.body.statements());
                self.condition(&flow.expr);
                return Kind::Any;
            }
            Stmt::For(parts, _) => {
                self.repeated(
                    &parts.2.expr,
                    parts.1.as_ref().map(|it| it.name.as_str()),
                    &parts.0.name,
                    parts.2.body.statements(),
                );
                return Kind::Any;
            }
            Stmt::TryCatch(flow, _) => {
                self.tries += 1;
                self.block(flow.body.statements());
                self.tries -= 1;
                let mark = self.scope.mark();
                if let Some((name, _)) = variable(&flow.expr) {
                    self.scope.add(name, Kind::Any);
                }
                self.statements(flow.branch.statements());
                self.scope.reset(mark);
            }
            Stmt::Var(parts, flags, _) => self.declared(&parts.0.name, &parts.1, *flags),
            Stmt::Assignment(parts) => self.assigned(&parts.0, &parts.1),
            Stmt::Return(value, flags, _) => {
                let kind = value.as_ref().map_or(Kind::UNIT, |value| self.expression(value));
                // The engine represents `throw` as a `return`, too.
                if !flags.contains(ASTFlags::BREAK) {
                    self.given = self.given.or(kind);
                }
                return Kind::Never;
            }
            Stmt::BreakLoop(value, ..) => {
                if let Some(value) = value {
                    self.expression(value);
                }
                return Kind::Never;
            }
            Stmt::Import(parts, _) => {
                self.expression(&parts.0);
                let unit = match &parts.0 {
                    Expr::StringConstant(path, _) => {
                        self.unit.imports.borrow().get(path.as_str()).cloned().flatten()
                    }
                    _ => None,
                };
                if !parts.1.name.is_empty() {
                    self.scope.import(&parts.1.name, unit);
                }
            }
            Stmt::Export(names, _) if self.scope.variable(&names.0.name).is_none() => {
                self.unknown_variable(&names.0.name, names.0.pos);
            }
            _ => {}
        }
        Kind::UNIT
    }

    fn declared(&mut self, name: &str, value: &Expr, flags: ASTFlags) {
        let kind = self.expression(value);
        let changes = self.unit.changing.borrow().contains(name);
        self.scope.push(Variable {
            name: name.to_owned(),
            kind: if changes { Kind::Any } else { kind },
            is_constant: flags.contains(ASTFlags::CONSTANT),
            captures: closure(value).map(|closure| closure.captures).unwrap_or_default(),
        });
    }

    fn repeated(&mut self, list: &Expr, counter: Option<&str>, name: &str, body: &[Stmt]) {
        let kind = self.expression(list);
        let goes_through = match kind {
            Kind::Is(_) if kind.own().is_some() => Outcome::Refused,
            Kind::Is(_) => self.world.standard.outcome("for v in v0 { break; }", &[kind]),
            _ => Outcome::Gives(Kind::Any),
        };
        if goes_through == Outcome::Refused {
            self.error(EvalAltResult::ErrorFor(list.start_position()));
        }
        let mark = self.scope.mark();
        if let Some(counter) = counter {
            self.scope.add(counter, Kind::INTEGER);
        }
        let element = match kind {
            Kind::Is("range" | "range=" | "blob") => Kind::INTEGER,
            Kind::Is("string") => Kind::Is("char"),
            _ => Kind::Any,
        };
        let changes = self.unit.changing.borrow().contains(name);
        self.scope.add(name, if changes { Kind::Any } else { element });
        self.statements(body);
        self.scope.reset(mark);
    }

    fn assigned(&mut self, operation: &OpAssignment, sides: &BinaryExpr) {
        let value = self.expression(&sides.rhs);
        let Some((name, at)) = variable(&sides.lhs) else {
            if let Some((name, at)) = variable(beginning(&sides.lhs)) {
                self.changed_constant(name, at, &sides.lhs);
            }
            self.chain(&sides.lhs, true);
            return;
        };
        let Some(known) = self.scope.variable(name).cloned() else {
            if is_constant_of_the_language(name) {
                self.error(EvalAltResult::ErrorAssignmentToConstant(name.into(), at));
            } else {
                self.unknown_variable(name, at);
            }
            return;
        };
        if known.is_constant {
            self.error(EvalAltResult::ErrorAssignmentToConstant(name.into(), at));
            return;
        }
        let value = match operation.get_op_assignment_info() {
            // The value is changed in place.
            Some((.., "+"))
                if matches!(known.kind, Kind::Is("string" | "array" | "map" | "blob")) =>
            {
                known.kind
            }
            Some((.., operator)) => {
                self.operated(operator, &[known.kind, value], operation.position())
            }
            None => value,
        };
        let changes = value != known.kind && value != Kind::Never && known.kind != Kind::Any;
        if changes && self.step == Step::Variables {
            self.unit.changing.borrow_mut().insert(name.to_owned());
        }
    }

    /// Reports an assignment to an element of a constant.
    fn changed_constant(&mut self, name: &str, at: Position, target: &Expr) {
        let Expr::Index(..) = target else { return };
        let is_array = |it: &Variable| it.is_constant && it.kind == Kind::ARRAY;
        if self.scope.variable(name).is_some_and(is_array) {
            self.error(EvalAltResult::ErrorAssignmentToConstant(name.into(), at));
        }
    }

    /// Checks a condition.
    pub fn condition(&mut self, condition: &Expr) {
        let kind = self.expression(condition);
        if let Some(name) = kind.name().filter(|_| kind != Kind::BOOL) {
            let at = condition.start_position();
            self.error(EvalAltResult::ErrorMismatchDataType("bool".into(), name.into(), at));
        }
    }
}

/// Whether this constant is predefined.
pub fn is_constant_of_the_language(name: &str) -> bool {
    catalog::VALUES.iter().any(|(known, _)| *known == name)
        || catalog::constants().iter().any(|constant| constant.name == name)
}
