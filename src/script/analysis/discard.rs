//! Errors for sandboxes, roots and processes that a recipe does not use.
//!
//! A describing verb returns a new value and leaves the old one unchanged, so a statement that
//! consists only of such a verb has no effect, which is always a mistake.

use rhai::{AST, ASTNode, Expr, Position, Stmt, StmtBlock};

use crate::diag::{Origin, Report, quoted};
use crate::script::binding::catalog;

/// Errors for every statement of `ast` that creates a sandbox, root or process and does not use it.
/// With `shown`, the value of the last statement is used.
pub fn discarded(ast: &AST, source: &str, shown: bool) -> Vec<Report> {
    let mut finder = Finder::new(source);
    finder.own.extend(ast.iter_fn_def().map(|function| function.name.to_string()));
    finder.describing = describing(ast, source);
    finder.outlives = outlives(ast);
    finder.statements(ast.statements(), shown);
    finder.functions(ast);
    // The engine does not keep functions in order.
    let place = |report: &Report| report.origin.as_ref().map(|origin| (origin.line, origin.column));
    finder.reports.sort_by_key(place);
    finder.reports
}

/// Whether a recipe has sandboxes whose programs go on. Which ones these are shows in a run only.
fn outlives(ast: &AST) -> bool {
    let mut found = false;
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        if let Some(ASTNode::Expr(Expr::MethodCall(call, _))) = path.last() {
            found |= call.name == "outlive_parent";
        }
        !found
    });
    found
}

/// The functions whose last statement creates their value, a sandbox or root.
fn describing(ast: &AST, source: &str) -> Vec<String> {
    let mut names = Vec::new();
    for function in ast.iter_fn_def() {
        let (start, end) = (function.body.start_position(), function.body.end_position());
        let mut last: Option<(Position, bool)> = None;
        ast.walk(&mut |path: &[ASTNode<'_>]| {
            if let [ASTNode::Stmt(statement)] = path {
                let at = statement.position();
                if start <= at && at <= end && last.is_none_or(|(before, _)| before < at) {
                    // Checked as if it were not used, which shows whether it describes.
                    let mut finder = Finder::new(source);
                    finder.statement(statement, false);
                    last = Some((at, !finder.reports.is_empty()));
                }
            }
            true
        });
        if last.is_some_and(|(_, describes)| describes) {
            names.push(function.name.to_string());
        }
    }
    names
}

struct Finder<'a> {
    source: &'a str,
    /// The names of the recipe's own functions, which may equal those of verbs.
    own: Vec<String>,
    /// Those that only describe: their last statement has a sandbox or root as its value.
    describing: Vec<String>,
    /// Whether a program that nobody keeps may go on.
    outlives: bool,
    reports: Vec<Report>,
}

impl<'a> Finder<'a> {
    fn new(source: &'a str) -> Self {
        let (own, describing, reports) = (Vec::new(), Vec::new(), Vec::new());
        Self { source, own, describing, outlives: false, reports }
    }

    /// Visits the bodies of functions, whose last statement is the value of the function. The
    /// engine exposes them only in a walk, after the statements outside of functions.
    fn functions(&mut self, ast: &AST) {
        let bodies: Vec<_> = ast
            .iter_fn_def()
            .map(|function| (function.body.start_position(), function.body.end_position()))
            .collect();
        // A closure is a function within a function. A position belongs to the one that begins
        // last before it.
        let body_of = |at: Position| {
            let holds =
                |(_, (start, end)): &(usize, &(Position, Position))| *start <= at && at <= *end;
            let all = bodies.iter().enumerate().filter(holds);
            all.max_by_key(|(_, (start, _))| *start).map(|(index, _)| index)
        };
        let mut last = vec![Position::NONE; bodies.len()];
        let outer = |path: &[ASTNode<'_>]| match path {
            [ASTNode::Stmt(statement)] => Some(statement.position()),
            _ => None,
        };
        ast.walk(&mut |path: &[ASTNode<'_>]| {
            if let Some((at, body)) = outer(path).and_then(|at| Some((at, body_of(at)?))) {
                last[body] = last[body].max(at);
            }
            true
        });
        ast.walk(&mut |path: &[ASTNode<'_>]| {
            if let (Some(at), [ASTNode::Stmt(statement)]) = (outer(path), path)
                && let Some(body) = body_of(at)
            {
                self.statement(statement, last[body] == at);
            }
            true
        });
    }

    fn block(&mut self, block: &StmtBlock, used: bool) {
        self.statements(block.statements(), used);
    }

    /// Visits the statements of a block; `used` is whether the value of the last one is used.
    fn statements(&mut self, statements: &[Stmt], used: bool) {
        for (index, statement) in statements.iter().enumerate() {
            let last = index + 1 == statements.len();
            self.statement(statement, used && last);
        }
    }

    fn statement(&mut self, statement: &Stmt, used: bool) {
        match statement {
            Stmt::Expr(expression) => self.expression(expression, used),
            Stmt::FnCall(call, position) if !used => self.function(&call.name, *position),
            Stmt::If(flow, _) => {
                self.block(&flow.body, used);
                self.block(&flow.branch, used);
            }
            Stmt::While(flow, _) | Stmt::Do(flow, ..) => self.block(&flow.body, false),
            Stmt::For(parts, _) => self.block(&parts.2.body, false),
            Stmt::TryCatch(flow, _) => {
                self.block(&flow.body, false);
                self.block(&flow.branch, false);
            }
            Stmt::Block(block) => self.block(block, used),
            Stmt::Switch(parts, _) => {
                for arm in &parts.1.expressions {
                    self.expression(&arm.rhs, used);
                }
            }
            _ => {}
        }
    }

    fn expression(&mut self, expression: &Expr, used: bool) {
        match expression {
            Expr::Dot(..) if !used => self.method(expression),
            Expr::Index(sides, ..) if !used => self.tail(&sides.rhs),
            Expr::And(sides, _) | Expr::Or(sides, _) | Expr::Coalesce(sides, _) => {
                if let Some(last) = sides.last() {
                    self.expression(last, used);
                }
            }
            Expr::FnCall(call, position) if !used => self.function(&call.name, *position),
            Expr::Stmt(block) => self.block(block, used),
            _ => {}
        }
    }

    /// Visits a chain. Its last verb determines its value.
    fn method(&mut self, expression: &Expr) {
        let Expr::Dot(sides, ..) = expression else { return };
        self.tail(&sides.rhs);
    }

    /// Visits the end of a chain. The engine nests to the right: `a.(b().(c()))`.
    fn tail(&mut self, tail: &Expr) {
        match tail {
            Expr::Dot(sides, ..) | Expr::Index(sides, ..) => self.tail(&sides.rhs),
            Expr::MethodCall(call, position) => {
                let own = self.own.iter().any(|own| *own == call.name);
                if catalog::describes(&call.name) && !own {
                    self.report(&call.name, *position);
                } else if catalog::starts(&call.name) && !own {
                    self.ended_at_once(&call.name, *position);
                }
            }
            _ => {}
        }
    }

    fn function(&mut self, name: &str, position: Position) {
        let own = self.own.iter().any(|own| own == name);
        let describes = self.describing.iter().any(|own| own == name);
        if describes || (catalog::makes(name) && !own) {
            self.report(name, position);
        } else if catalog::starts(name) && !own {
            self.ended_at_once(name, position);
        }
    }

    fn report(&mut self, name: &str, position: Position) {
        let message = format!("the value of {} is not used", quoted(name));
        let hint = format!(
            "assign the new value with `let`, or continue the chain (`….{name}(…).run(…)`): \
             verbs do not modify values"
        );
        self.add(name, position, message, hint);
    }

    fn ended_at_once(&mut self, name: &str, position: Position) {
        if self.outlives && name == "start" {
            return;
        }
        let message = format!(
            "the process that {} starts is not used, so it is killed at once",
            quoted(name)
        );
        let hint = format!("wait for it (`{name}(…).wait()`), or assign it with `let`");
        self.add(name, position, message, hint);
    }

    fn add(&mut self, name: &str, position: Position, message: String, hint: String) {
        let number =
            |number: Option<usize>| number.and_then(|it| u32::try_from(it).ok()).unwrap_or(0);
        let origin = Origin::new(self.source, number(position.line()), number(position.position()));
        let origin = origin.underlining(name.chars().count());
        self.reports.push(Report::error(message).at(Some(origin)).hint(hint));
    }
}
