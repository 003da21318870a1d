//! Chains: `a.b[c].d(e)`.

use rhai::{ASTFlags, EvalAltResult, Expr, FnCallExpr, Position, Stmt};

use super::Checker;
use super::kind::Kind;
use super::standard::Outcome;
use crate::script::analysis::closure::{captures, changes, closure, reads};
use crate::script::binding::catalog;
use crate::script::binding::verb;

/// One link of a chain.
#[derive(Clone, Copy)]
struct Link<'e> {
    kind: Kind,
    /// The variable that the chain begins with.
    root: Option<&'e str>,
    /// Whether only that variable precedes.
    is_root: bool,
}

impl Checker<'_> {
    /// Checks a chain, which may be the target of an assignment.
    pub fn chain(&mut self, chain: &Expr, is_assigned: bool) -> Kind {
        match chain {
            Expr::Dot(sides, ..) | Expr::Index(sides, ..) => {
                let kind = self.expression(&sides.lhs);
                let root = Self::named(&sides.lhs);
                self.follow(Link { kind, root, is_root: root.is_some() }, chain, is_assigned)
            }
            other => self.expression(other),
        }
    }

    fn follow(&mut self, from: Link<'_>, node: &Expr, is_assigned: bool) -> Kind {
        let (sides, flags, at, is_dot) = match node {
            Expr::Dot(sides, flags, at) => (sides, flags, *at, true),
            Expr::Index(sides, flags, at) => (sides, flags, *at, false),
            _ => return Kind::Any,
        };
        let (link, rest) = match &sides.rhs {
            rest @ (Expr::Dot(inner, ..) | Expr::Index(inner, ..))
                if is_dot || !flags.contains(ASTFlags::BREAK) =>
            {
                (&inner.lhs, Some(rest))
            }
            last => (last, None),
        };
        let mut from = from;
        // `?.` skips `()`.
        let passes = flags.contains(ASTFlags::NEGATED);
        if passes && from.kind == Kind::UNIT {
            from.kind = Kind::Any;
        }
        let is_assigned_here = is_assigned && rest.is_none();
        let kind = match link {
            _ if !is_dot => self.indexed(from.kind, link, at),
            Expr::Property(parts, at) => self.property(from.kind, &parts.2, *at, is_assigned_here),
            Expr::MethodCall(call, at) => self.method(from, call, *at),
            other => self.expression(other),
        };
        let kind = if passes { Kind::Any } else { kind };
        match rest {
            Some(rest) => {
                self.follow(Link { kind, root: from.root, is_root: false }, rest, is_assigned)
            }
            None => kind,
        }
    }

    fn property(&self, owner: Kind, name: &str, at: Position, is_assigned: bool) -> Kind {
        let Some(type_name) = owner.name().filter(|_| owner != Kind::MAP) else { return Kind::Any };
        let unknown = || {
            let what = format!("Unknown property '{name}' - not registered for type '{type_name}'");
            self.error(EvalAltResult::ErrorDotExpr(what, at));
            Kind::Any
        };
        if let Some(own) = owner.own() {
            let mine = |it: &&verb::Verb| it.receiver() == own && it.kind == verb::Kind::Property;
            let known = catalog::named(name).into_iter().find(mine);
            return match known.filter(|_| !is_assigned) {
                Some(verb) if !verb.optional => Kind::of_words(verb.returns),
                Some(_) => Kind::Any,
                None => unknown(),
            };
        }
        let accessor = if is_assigned { "set" } else { "get" };
        let functions = self.world.standard.named(&format!("{accessor}${name}"));
        let mine = functions.iter().any(|types| types.first().copied() == owner.type_id());
        match self.world.standard.outcome(&format!("v0.{name}"), &[owner]) {
            _ if !mine => unknown(),
            Outcome::Gives(kind) if !is_assigned => kind,
            _ => Kind::Any,
        }
    }

    fn indexed(&mut self, owner: Kind, index: &Expr, at: Position) -> Kind {
        let by = self.expression(index);
        let Some(name) = owner.name() else { return Kind::Any };
        let cannot = match owner.own() {
            Some(_) => true,
            None => {
                matches!(by, Kind::Is(_))
                    && by.own().is_none()
                    && self.world.standard.outcome("v0[v1]", &[owner, by]) == Outcome::Refused
            }
        };
        if cannot {
            self.error(EvalAltResult::ErrorIndexingType(format!("{name} []"), at));
        }
        Kind::Any
    }

    fn method(&mut self, from: Link<'_>, call: &FnCallExpr, at: Position) -> Kind {
        if let Some(root) = from.root.filter(|root| self.scope.variable(root).is_some())
            && call.args.iter().any(|argument| {
                // A closure may read the value of a method that reads it as well.
                let may_read = reads(call) && captures(argument, root);
                !may_read && self.captures(argument, root)
            })
        {
            let what = format!("argument #1 of function '{}'", call.name);
            self.error(EvalAltResult::ErrorDataRace(what, at));
        }
        if from.is_root
            && let Some(known) = from.root.and_then(|root| self.scope.variable(root))
            && known.is_constant
            && matches!(known.kind, Kind::ARRAY | Kind::TEXT | Kind::MAP)
            && changes(call)
            && self.unit.named(&call.name).next().is_none()
        {
            let name = call.name.to_string();
            self.error(EvalAltResult::ErrorNonPureMethodCallOnConstant(name, at));
        }
        let mut given = vec![from.kind];
        given.extend(call.args.iter().map(|argument| self.expression(argument)));
        if from.kind == Kind::Never {
            return Kind::Never;
        }
        self.resolved(call, &given, true, at)
    }

    /// Whether a value holds a closure that has captured the variable.
    fn captures(&self, value: &Expr, name: &str) -> bool {
        if let Some(closure) = closure(value) {
            return closure.captures.iter().any(|captured| captured == name);
        }
        match value {
            Expr::Array(all, _) => all.iter().any(|one| self.captures(one, name)),
            Expr::Map(parts, _) => parts.0.iter().any(|(_, one)| self.captures(one, name)),
            Expr::Variable(..) => {
                let known = Self::named(value).and_then(|it| self.scope.variable(it));
                known.is_some_and(|it| it.captures.iter().any(|captured| captured == name))
            }
            // Braces around a closure.
            Expr::Stmt(block) => match block.statements() {
                [Stmt::Expr(inner)] => self.captures(inner, name),
                _ => false,
            },
            _ => false,
        }
    }
}
