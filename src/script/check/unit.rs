//! One text that is checked: its statements, its functions, and its exports.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use rhai::{AST, ASTFlags, ASTNode, Expr, FnAccess, Stmt};

use super::kind::Kind;

/// A function of a text, or a closure.
#[derive(Debug)]
pub struct Function {
    /// Its name; for a closure, the engine's.
    pub name: String,
    /// The names of its parameters; for a closure, after the captured variables.
    pub parameters: Vec<String>,
    /// Whether it is private.
    pub is_private: bool,
    /// Its statements.
    pub body: Vec<Stmt>,
    /// The kind of its value.
    pub gives: Cell<Kind>,
}

impl Function {
    pub fn is_closure(&self) -> bool {
        self.name.starts_with("anon$")
    }
}

/// A text that is checked.
#[derive(Debug)]
pub struct Unit {
    /// Its name in messages.
    pub source: Arc<str>,
    /// The statements outside of functions.
    pub statements: Vec<Stmt>,
    /// The functions and closures.
    pub functions: Vec<Function>,
    /// The exported names.
    pub exports: Vec<String>,
    /// The constants that functions see as `global::NAME`.
    pub constants: Vec<String>,
    /// The names of all its variables, in any scope.
    pub declared: HashSet<String>,
    /// The possible keys of maps: keys, properties and strings.
    pub keys: HashSet<String>,
    /// The imported modules, by the paths in the text; `None` for an unreadable one.
    pub imports: RefCell<HashMap<String, Option<Rc<Unit>>>>,
    /// The variables that get values of different kinds.
    pub changing: RefCell<HashSet<String>>,
    /// Names that may or may not be declared: those in an unreadable part, or tested with
    /// `is_def_fn`.
    pub unread: HashSet<String>,
    /// Whether it reads its arguments.
    pub reads_arguments: bool,
}

impl Unit {
    pub fn new(source: &str, ast: &AST, unread: HashSet<String>) -> Self {
        let mut unit = Self {
            source: source.into(),
            statements: ast.statements().to_vec(),
            functions: functions(ast),
            exports: Vec::new(),
            constants: Vec::new(),
            declared: HashSet::new(),
            keys: HashSet::new(),
            imports: RefCell::default(),
            changing: RefCell::default(),
            unread,
            reads_arguments: false,
        };
        for statement in ast.statements() {
            match statement {
                Stmt::Var(parts, flags, _) => {
                    if flags.contains(ASTFlags::CONSTANT) {
                        unit.constants.push(parts.0.name.to_string());
                    }
                    if flags.contains(ASTFlags::EXPORTED) {
                        unit.exports.push(parts.0.name.to_string());
                    }
                }
                Stmt::Export(names, _) => {
                    let name = if names.1.name.is_empty() { &names.0 } else { &names.1 };
                    unit.exports.push(name.name.to_string());
                }
                _ => {}
            }
        }
        ast.walk(&mut |path: &[ASTNode<'_>]| {
            unit.note(path);
            true
        });
        unit
    }

    /// Records the names in a node.
    fn note(&mut self, path: &[ASTNode<'_>]) {
        match path.last() {
            Some(ASTNode::Stmt(Stmt::Var(parts, ..))) => {
                self.declared.insert(parts.0.name.to_string());
            }
            Some(ASTNode::Stmt(Stmt::For(parts, _))) => {
                self.declared.insert(parts.0.name.to_string());
            }
            Some(ASTNode::Expr(Expr::Property(parts, _))) => {
                self.keys.insert(parts.2.to_string());
            }
            Some(ASTNode::Expr(Expr::Variable(parts, ..))) => {
                self.reads_arguments |= parts.1 == "args";
            }
            Some(ASTNode::Expr(Expr::FnCall(call, _))) if call.name.starts_with("is_def_") => {
                let name = call.args.first().and_then(|name| name.get_literal_value(None));
                self.unread.extend(name.map(|name| name.to_string()));
            }
            Some(ASTNode::Expr(Expr::StringConstant(text, _))) => {
                self.keys.insert(text.to_string());
            }
            Some(ASTNode::Expr(Expr::Map(parts, _))) => {
                self.keys.extend(parts.0.iter().map(|(key, _)| key.name.to_string()));
            }
            _ => {}
        }
    }

    /// The functions with this name.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &Function> {
        self.functions.iter().filter(move |function| function.name == name)
    }

    /// The closure of this name.
    pub fn closure(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.name == name)
    }
}

/// The functions and closures of a text. The engine exposes their bodies only in a walk.
fn functions(ast: &AST) -> Vec<Function> {
    let one = |name: &str, parameters: usize| {
        let mut only = ast.clone_functions_only();
        only.retain_functions(|_, _, other, number| other == name && number == parameters);
        let mut body = Vec::new();
        only.walk(&mut |path: &[ASTNode<'_>]| {
            if let [ASTNode::Stmt(statement)] = path {
                body.push((*statement).clone());
            }
            true
        });
        body
    };
    let function = |found: &rhai::ScriptFuncDef| Function {
        name: found.name.to_string(),
        parameters: found.params.iter().map(ToString::to_string).collect(),
        is_private: found.access == FnAccess::Private,
        body: one(&found.name, found.params.len()),
        gives: Cell::new(Kind::Any),
    };
    let mut functions: Vec<_> = ast.iter_fn_def().map(|found| function(found)).collect();
    // The engine does not keep them in order.
    functions.sort_by_key(|function| function.body.first().map(Stmt::position));
    functions
}
