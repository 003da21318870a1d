//! Warnings about captured variables that a closure changes in a child process, where the change is
//! lost.
//!
//! Closures passed to `clone`, `within` and `parallel` run in a child, which has a copy of every
//! variable.

use rhai::{AST, ASTNode, Expr, Stmt, StmtBlock};

use super::closure::{
    Bodies, Closure, beginning, bodies, changes, closure, first_method, given, links, variable,
};
use crate::diag::{Origin, Report, quoted};

/// Warnings for every change of a captured variable in `ast` that happens only in a child process.
pub fn captured(ast: &AST, source: &str) -> Vec<Report> {
    let calls = calls(ast);
    if calls.is_empty() {
        return Vec::new();
    }
    let own = ast.iter_fn_def().map(|function| function.name.to_string()).collect();
    let bodies = bodies(ast);
    let mut finder = Finder { source, own, bodies: &bodies, known: Vec::new(), found: Vec::new() };
    for call in &calls {
        let given = if call.gives { given(&call.closure.name, &bodies) } else { Vec::new() };
        let lost = call.closure.captures.iter().filter(|name| !given.contains(name));
        finder.known = lost.map(|name| (name.clone(), true)).collect();
        finder.body(&call.closure.name, call);
    }
    let mut reports = finder.found;
    let place = |report: &Report| report.origin.as_ref().map(|origin| (origin.line, origin.column));
    reports.sort_by_key(place);
    // A change in a child of a child is found in both.
    reports.dedup_by_key(|report| place(report));
    reports
}

/// A call whose closure runs in a child process.
struct Call {
    /// The verb: `clone`, `within` or `parallel`.
    verb: String,
    /// The form of a call that returns the value.
    form: &'static str,
    /// Whether it returns the value of the closure.
    gives: bool,
    closure: Closure,
}

fn calls(ast: &AST) -> Vec<Call> {
    let mut calls = Vec::new();
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        let (call, is_method) = match path.last() {
            Some(ASTNode::Expr(Expr::MethodCall(call, _))) => (call, true),
            Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) => {
                (call, false)
            }
            _ => return true,
        };
        let verb = call.name.as_str();
        // A function of the recipe or of a module can have the name of a verb.
        let own = || ast.iter_fn_def().any(|function| function.name == call.name);
        if matches!(verb, "clone" | "within" | "parallel")
            && !call.is_qualified()
            && let Some(closure) = call.args.iter().find_map(closure)
            && !own()
        {
            let gives = verb != "clone";
            let form = match verb {
                "parallel" => "parallel(…, |item| …)",
                _ if gives && is_method => "….within(|| …)",
                _ => "within(…, || …)",
            };
            calls.push(Call { verb: verb.to_owned(), form, gives, closure });
        }
        true
    });
    calls
}

struct Finder<'a> {
    source: &'a str,
    /// The names of the recipe's own functions, which may equal those of methods.
    own: Vec<String>,
    bodies: &'a Bodies,
    /// The visible variables, and whether each is captured from outside the child. A later one
    /// hides an earlier one of the same name.
    known: Vec<(String, bool)>,
    found: Vec<Report>,
}

impl Finder<'_> {
    fn body(&mut self, closure: &str, call: &Call) {
        let bodies = self.bodies;
        if let Some(statements) = bodies.get(closure) {
            self.statements(statements, call);
        }
    }

    /// Visits a nested closure, which captures what the outer one sees.
    fn nested(&mut self, closure: Closure, call: &Call) {
        let captures = closure.captures.into_iter();
        let captures = captures.map(|name| (self.is_outside(&name), name));
        let captures = captures.map(|(outside, name)| (name, outside)).collect();
        let around = std::mem::replace(&mut self.known, captures);
        self.body(&closure.name, call);
        self.known = around;
    }

    fn is_outside(&self, name: &str) -> bool {
        let known = self.known.iter().rev().find(|(known, _)| known == name);
        known.is_some_and(|(_, outside)| *outside)
    }

    fn block(&mut self, block: &StmtBlock, call: &Call) {
        self.with(&[], block, call);
    }

    /// Visits a block with additional variables of its own.
    fn with(&mut self, names: &[&str], block: &StmtBlock, call: &Call) {
        let depth = self.known.len();
        self.known.extend(names.iter().map(|name| ((*name).to_owned(), false)));
        self.statements(block.statements(), call);
        self.known.truncate(depth);
    }

    fn statements(&mut self, statements: &[Stmt], call: &Call) {
        for statement in statements {
            self.statement(statement, call);
        }
    }

    fn statement(&mut self, statement: &Stmt, call: &Call) {
        match statement {
            Stmt::Assignment(parts) => {
                let sides = &parts.1;
                self.expression(&sides.rhs, call);
                self.expression(&sides.lhs, call);
                if first_method(&sides.lhs).is_none() {
                    self.changed(&sides.lhs, call);
                }
            }
            Stmt::Var(parts, ..) => {
                self.expression(&parts.1, call);
                self.known.push((parts.0.name.to_string(), false));
            }
            Stmt::If(flow, _) | Stmt::While(flow, _) | Stmt::Do(flow, ..) => {
                self.expression(&flow.expr, call);
                self.block(&flow.body, call);
                self.block(&flow.branch, call);
            }
            Stmt::For(parts, _) => {
                self.expression(&parts.2.expr, call);
                let counter = parts.1.as_ref().map(|counter| counter.name.as_str());
                let names: Vec<_> = counter.into_iter().chain([parts.0.name.as_str()]).collect();
                self.with(&names, &parts.2.body, call);
            }
            Stmt::TryCatch(flow, _) => {
                self.block(&flow.body, call);
                let caught: Vec<_> =
                    variable(&flow.expr).map(|(name, _)| name).into_iter().collect();
                self.with(&caught, &flow.branch, call);
            }
            Stmt::Switch(parts, _) => {
                self.expression(&parts.0, call);
                for arm in &parts.1.expressions {
                    self.expression(&arm.lhs, call);
                    self.expression(&arm.rhs, call);
                }
            }
            Stmt::Block(block) => self.block(block, call),
            Stmt::Expr(value) => self.expression(value, call),
            Stmt::FnCall(function, _) => self.expressions(&function.args, call),
            Stmt::Return(Some(value), ..) | Stmt::BreakLoop(Some(value), ..) => {
                self.expression(value, call);
            }
            _ => {}
        }
    }

    fn expressions<'e>(&mut self, all: impl IntoIterator<Item = &'e Expr>, call: &Call) {
        for expression in all {
            self.expression(expression, call);
        }
    }

    fn expression(&mut self, expression: &Expr, call: &Call) {
        if let Some(closure) = closure(expression) {
            return self.nested(closure, call);
        }
        match expression {
            Expr::Stmt(block) => self.block(block, call),
            Expr::FnCall(function, _) | Expr::MethodCall(function, _) => {
                self.expressions(&function.args, call);
            }
            Expr::Dot(sides, ..) | Expr::Index(sides, ..) => {
                let method = first_method(expression).filter(|method| changes(method));
                if method.is_some_and(|method| !self.own.iter().any(|own| *own == method.name)) {
                    self.changed(expression, call);
                }
                self.expression(&sides.lhs, call);
                self.expressions(links(expression), call);
            }
            Expr::Array(all, _) | Expr::InterpolatedString(all, _) => self.expressions(all, call),
            Expr::Map(parts, _) => self.expressions(parts.0.iter().map(|(_, value)| value), call),
            Expr::And(all, _) | Expr::Or(all, _) | Expr::Coalesce(all, _) => {
                self.expressions(all.iter(), call);
            }
            _ => {}
        }
    }

    /// Reports a change of the variable at the start of `target`.
    fn changed(&mut self, target: &Expr, call: &Call) {
        let Some((name, at)) = variable(beginning(target)) else { return };
        if !self.is_outside(name) {
            return;
        }
        let number =
            |number: Option<usize>| number.and_then(|it| u32::try_from(it).ok()).unwrap_or(0);
        let origin = Origin::new(self.source, number(at.line()), number(at.position()));
        let origin = origin.underlining(name.chars().count());
        let (shown, verb) = (quoted(name), quoted(&call.verb));
        let message =
            format!("the change of {shown} is lost: the closure of {verb} runs in a child process");
        let value = format!("`let {name} = {}`", call.form);
        let hint = if call.gives {
            format!("return the value from the closure: {value}")
        } else {
            format!("use `within`, which returns the value of its closure: {value}")
        };
        self.found.push(Report::warning(message).at(Some(origin)).hint(hint));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reports of a one-line recipe.
    fn reports(code: &str) -> Vec<Report> {
        let mut engine = rhai::Engine::new();
        engine.set_optimization_level(rhai::OptimizationLevel::None);
        captured(&engine.compile(code).unwrap(), "recipe")
    }

    /// Asserts that exactly the changes of variables after a `^` in `code` are reported.
    #[track_caller]
    fn said(code: &str) {
        let mut wanted = Vec::new();
        for (index, part) in code.split('^').enumerate().skip(1) {
            let name: String = part.chars().take_while(char::is_ascii_alphanumeric).collect();
            let before: usize = code.split('^').take(index).map(str::len).sum();
            wanted.push((before + 1, format!("the change of `{name}` is lost: the closure of ")));
        }
        let found = reports(&code.replace('^', ""));
        let place = |report: &Report| report.origin.as_ref().unwrap().column as usize;
        let fits = |(report, (column, message)): (&Report, &(usize, String))| {
            place(report) == *column && report.message.starts_with(message)
        };
        let same = found.len() == wanted.len() && found.iter().zip(&wanted).all(fits);
        assert!(same, "{code}\n{wanted:?}\n{found:#?}");
    }

    #[test]
    fn changes_in_parallel_calls_are_lost() {
        said("let n = 0; parallel([1], |x| { ^n += x; }, #{ at_once: 2 });");
        said("let n = 0; print(parallel([1], |x| { x += n; x }));");
    }

    #[test]
    fn assignments_to_captured_variables_are_said() {
        said("let n = 0; within(UTS, || { ^n = 1; ^n += 2; });");
        said("let n = 0; let c = clone(UTS | PID, || ^n = 1);");
        said("let n = 0; if true { x.y.within(|| { while n < 3 { ^n += 1; } }); }");
        said(
            "let l = [1]; let m = #{}; within(UTS, || { ^l[0] = 1; ^m.a.b = 2; ^m[\"k\"] = l; });",
        );
        said("let n = 0; within(UTS, |a, b| { try { ^n = a; } catch (e) { ^n.x = b; } });");
        said("fn f(n) { within(UTS, || { ^n += 1; }); } f(1);");
        said("let n = 0; let v = within(UTS, || { let x = { ^n = 2; 5 }; x });");
        said("let n = 0; within(UTS, || { switch 1 { 1 => { ^n = 2; } _ => () } });");
    }

    #[test]
    fn methods_that_change_are_said_where_that_is_sure() {
        said("let l = []; let s = \"\"; within(UTS, || { ^l.push(1); ^l[0].a.clear(); 0 });");
        said("let l = []; let i = 0; within(UTS, || { ^l[i].push(i); ^l[i] = i; print(1); });");
        said("let l = []; within(UTS, || { let x = ^l.pop().len(); x });");
        said(
            "let p = \"\"; \
             within(UTS, || { p.remove(); p.trim(); p.len().push(1); f().push(p); });",
        );
        said("fn push(x) { x } let l = []; within(UTS, || { l.push(1); 0 });");
    }

    #[test]
    fn what_is_the_closures_own_is_not_said() {
        said("let n = 0; within(UTS, || { print(n); let n = 1; n += 1; });");
        said("let n = 0; within(UTS, || { { let n = n; n += 1; } ^n += 1; });");
        said("let n = 0; within(UTS, |n| { n += 1; });");
        said("let n = 0; within(UTS, || { for (n, i) in [n] { n = 1; i = 2; } ^n = 3; });");
        said("let n = 0; within(UTS, || { try { f(n); } catch (n) { n = 1; } });");
        said("let n = 0; [1].map(|x| { n += 1; }); n += 1; within(UTS, || print(n));");
        said("fn within(a, b) { b.call(); } let n = 0; within(UTS, || { n = 1; });");
        said("import \"m\" as m; let n = 0; m::within(UTS, || { n = 1; });");
    }

    #[test]
    fn what_the_closure_gives_back_is_not_said() {
        said("let n = 0; n = within(UTS, || { n += 1; n });");
        said("let n = 0; let r = within(UTS, || { n += 1; if n > 1 { #{ n: n } } else { 0 } });");
        said("let n = 0; let r = within(UTS, || { n += 1; if n > 1 { return [n]; } 0 });");
        said("let n = 0; clone(UTS, || { ^n += 1; n });");
        said("let n = 0; within(UTS, || { ^n += 1; print(n) });");
        said("let l = []; within(UTS, || { ^l.push(1) });");
    }

    #[test]
    fn closures_within_closures_are_looked_into() {
        said("let n = 0; within(UTS, || { let f = || { ^n = 1; }; f.call(); 0 });");
        said("let n = 0; within(UTS, || { let n = 0; [1].for_each(|| { n = 1; }); 0 });");
        said("let n = 0; within(UTS, || { let m = 0; clone(PID, || { ^n = 1; ^m = 2; }); 0 });");
        said("let n = 0; [1].for_each(|| { within(UTS, || ^n = 1); });");
    }

    #[test]
    fn the_hint_says_how_it_is_called() {
        let hint = |code: &str| reports(code)[0].hints[0].clone();
        assert!(hint("let n = 0; x.within(|| n = 1);").ends_with("`let n = ….within(|| …)`"));
        assert!(hint("let n = 0; within(PID, || n = 1);").ends_with("`let n = within(…, || …)`"));
        assert!(hint("let n = 0; clone(PID, || n = 1);").starts_with("use `within`"));
    }
}
