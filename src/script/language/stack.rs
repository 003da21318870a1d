//! The functions of a recipe that lead to a position, for "asked for by".
//!
//! The engine has no stack that a verb could read. Callers are found in the text instead, and
//! reported only if a function is called at exactly one position.

use std::sync::Arc;

use rhai::{AST, ASTNode, Expr, Position, Stmt};

use crate::diag::{Caller, Origin};

/// A function of a recipe, with the position of its body.
#[derive(Clone, Debug)]
struct Function {
    source: Arc<str>,
    name: Arc<str>,
    parameters: Vec<String>,
    first: u32,
    last: u32,
}

/// A call of a function by its name.
#[derive(Clone, Debug)]
struct Site {
    source: Arc<str>,
    name: Arc<str>,
    line: u32,
    column: u32,
}

/// The functions of all texts, and their calls.
#[derive(Clone, Debug, Default)]
pub struct Stack {
    functions: Vec<Function>,
    sites: Vec<Site>,
    variables: Vec<String>,
    /// Those of them that a statement declares.
    declared: Vec<String>,
}

/// The maximum number of callers in a report.
const MOST: usize = 8;

impl Stack {
    /// Adds the functions and calls of a text.
    pub fn add(&mut self, source: &str, ast: &AST) {
        let source: Arc<str> = source.into();
        let parameters = ast.iter_fn_def().flat_map(|function| function.params.iter());
        self.variables.extend(parameters.map(ToString::to_string));
        let declared = declared(ast);
        self.variables.extend(declared.iter().cloned());
        self.declared.extend(declared);
        for function in ast.iter_fn_def() {
            let (first, last) = (function.body.start_position(), function.body.end_position());
            let (Some(first), Some(last)) = (line(first), line(last)) else { continue };
            let name = Arc::from(function.name.as_str());
            let parameters = function.params.iter().map(ToString::to_string).collect();
            self.functions.push(Function { source: source.clone(), name, parameters, first, last });
        }
        ast.walk(&mut |path: &[ASTNode]| {
            let call = match path.last() {
                Some(
                    ASTNode::Expr(Expr::FnCall(call, position) | Expr::MethodCall(call, position))
                    | ASTNode::Stmt(Stmt::FnCall(call, position)),
                ) => Some((call, *position)),
                _ => None,
            };
            if let Some((call, position)) = call
                && let (Some(line), Some(column)) = (line(position), position.position())
            {
                let name = Arc::from(call.name.as_str());
                let column = u32::try_from(column).unwrap_or(0);
                self.sites.push(Site { source: source.clone(), name, line, column });
            }
            true
        });
    }

    /// Whether a statement of a text declares this variable, in any scope. A closure has every
    /// unknown variable as a parameter.
    pub fn declares(&self, name: &str) -> bool {
        self.declared.iter().any(|known| known == name)
    }

    /// The names of the variables, in any scope.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(String::as_str)
    }

    /// The signature of a function of the recipe, and its number of parameters.
    pub fn signature(&self, name: &str) -> Option<(String, usize)> {
        let function = self.functions.iter().find(|function| &*function.name == name)?;
        let parameters = function.parameters.join(", ");
        Some((format!("{name}({parameters})"), function.parameters.len()))
    }

    /// The names of the functions.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.functions.iter().map(|function| &*function.name)
    }

    /// The calls that lead to `origin`, innermost first, as long as each function has only one.
    pub fn callers(&self, origin: &Origin) -> Vec<Caller> {
        let mut callers: Vec<Caller> = Vec::new();
        let (mut source, mut line) = (origin.source.clone(), origin.line);
        while callers.len() < MOST {
            let inside = |function: &&Function| {
                function.source == source && (function.first..=function.last).contains(&line)
            };
            let Some(function) = self.functions.iter().find(inside) else { break };
            let mut sites = self.sites.iter().filter(|site| site.name == function.name);
            let (Some(site), None) = (sites.next(), sites.next()) else { break };
            let caller = Caller {
                function: function.name.clone(),
                source: site.source.clone(),
                line: site.line,
                column: site.column,
            };
            if callers.contains(&caller) {
                break;
            }
            (source, line) = (site.source.clone(), site.line);
            callers.push(caller);
        }
        callers
    }
}

/// The names of all variables and imports that a text declares.
fn declared(ast: &AST) -> Vec<String> {
    let mut names = Vec::new();
    ast.walk(&mut |path: &[ASTNode]| {
        match path.last() {
            Some(ASTNode::Stmt(Stmt::Var(parts, ..))) => names.push(parts.0.name.to_string()),
            Some(ASTNode::Stmt(Stmt::For(parts, _))) => names.push(parts.0.name.to_string()),
            Some(ASTNode::Stmt(Stmt::Import(parts, _))) => names.push(parts.1.name.to_string()),
            _ => {}
        }
        true
    });
    names
}

fn line(position: Position) -> Option<u32> {
    position.line().and_then(|line| u32::try_from(line).ok())
}
