//! The modules that a text imports, directly and indirectly.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use rhai::{AST, ASTNode, Engine, EvalAltResult, Expr, Position, Stmt};

use super::unit::Unit;
use crate::diag::{Origin, Report};
use crate::script::analysis::capture::captured;
use crate::script::analysis::discard::discarded;
use crate::script::analysis::session_ids::session_ids;
use crate::script::binding::context::Context;
use crate::script::engine::module::{Resolver, circle};
use crate::script::engine::reading;
use crate::script::errors::reword;
use crate::script::language::recipe::code;
use crate::script::language::statement_starts::numbers;

/// An import with a string as its path.
struct Import {
    path: String,
    at: Position,
    /// Whether it is in a `try`.
    is_tried: bool,
    /// Whether it runs with the text, not when a function is called.
    is_at_once: bool,
}

/// Reads modules.
pub struct Reader<'c> {
    engine: &'c Engine,
    context: &'c Rc<Context>,
    resolver: Resolver,
    known: HashMap<String, Option<Rc<Unit>>>,
    /// The modules that are being read, outermost first.
    reading: Vec<String>,
    /// The texts that were read, imported ones first.
    pub units: Vec<Rc<Unit>>,
    /// Errors of imports, and of whole modules.
    pub reports: Vec<Report>,
}

impl<'c> Reader<'c> {
    pub fn new(engine: &'c Engine, context: &'c Rc<Context>) -> Self {
        Self {
            engine,
            context,
            resolver: Resolver::new(context.clone(), Rc::default()),
            known: HashMap::new(),
            reading: Vec::new(),
            units: Vec::new(),
            reports: Vec::new(),
        }
    }

    /// Adds a text, and reads its imports. `unread` are names that an unreadable part may declare.
    pub fn unit(&mut self, source: &str, ast: &AST, unread: HashSet<String>) -> Rc<Unit> {
        self.context.stack.borrow_mut().add(source, ast);
        self.reports.extend(discarded(ast, source, false));
        self.reports.extend(captured(ast, source));
        if self.context.has_other_ids() {
            self.reports.extend(session_ids(ast, source));
        }
        let unit = Rc::new(Unit::new(source, ast, unread));
        for import in imports(ast) {
            let module = self.import(source, &import);
            unit.imports.borrow_mut().insert(import.path, module);
        }
        self.units.push(unit.clone());
        unit
    }

    fn import(&mut self, source: &str, import: &Import) -> Option<Rc<Unit>> {
        // If the recipe is not read from a file, its name is not a path.
        let id = self.resolver.id(Some(source), &import.path);
        if self.reading.contains(&id) {
            if import.is_at_once {
                let report = circle(&self.reading, &id);
                self.say(report, source, import);
            }
            return None;
        }
        if let Some(known) = self.known.get(&id) {
            return known.clone();
        }
        let unit = self.read(&id, source, import);
        self.known.insert(id, unit.clone());
        unit
    }

    fn read(&mut self, id: &str, source: &str, import: &Import) -> Option<Rc<Unit>> {
        let text = match self.resolver.text(id, &import.path) {
            Ok(text) => text,
            Err(report) => {
                self.say(report, source, import);
                return None;
            }
        };
        self.context.sources.insert(id, &text);
        let mut ast = match reading::read(self.engine, self.context, &code(&text)) {
            Ok(ast) => ast,
            Err(error) => {
                let error = EvalAltResult::ErrorInModule(id.into(), error.into(), Position::NONE);
                self.reports.extend(reword::reports(error, self.context));
                return None;
            }
        };
        ast.set_source(id);
        self.reading.push(id.to_owned());
        let unit = self.unit(id, &ast, HashSet::new());
        self.reading.pop();
        Some(unit)
    }

    fn say(&mut self, report: Report, source: &str, import: &Import) {
        if import.is_tried {
            return;
        }
        let (line, column) = numbers(import.at);
        let origin = Origin::new(source, line, column);
        let origin = origin.underlining(import.path.chars().count() + 2);
        self.reports.push(report.at(Some(origin)));
    }
}

/// The imports of a text.
fn imports(ast: &AST) -> Vec<Import> {
    let mut found: Vec<Import> = Vec::new();
    let mut note = |path: &[ASTNode<'_>], is_at_once: bool| {
        if let Some(ASTNode::Stmt(Stmt::Import(parts, _))) = path.last()
            && let Expr::StringConstant(text, at) = &parts.0
        {
            let is_try = |node: &ASTNode<'_>| matches!(node, ASTNode::Stmt(Stmt::TryCatch(..)));
            let is_tried = path.iter().any(is_try);
            let known = found.iter_mut().find(|import| import.at == *at);
            match known {
                Some(known) => known.is_at_once |= is_at_once,
                None => {
                    found.push(Import { path: text.to_string(), at: *at, is_tried, is_at_once });
                }
            }
        }
        true
    };
    ast.walk(&mut |path: &[ASTNode<'_>]| note(path, false));
    for statement in ast.statements() {
        statement.walk(&mut Vec::new(), &mut |path: &[ASTNode<'_>]| note(path, true));
    }
    found
}
