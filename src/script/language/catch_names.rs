//! The names of `catch` variables, which distinguish errors of the language from maps.

use rhai::{AST, ASTNode, Expr, Stmt};

/// The names of the variables of all `catch`.
#[derive(Clone, Debug, Default)]
pub struct CatchNames(Vec<String>);

impl CatchNames {
    /// Adds the names in a text.
    pub fn add(&mut self, ast: &AST) {
        ast.walk(&mut |path: &[ASTNode]| {
            if let Some(ASTNode::Stmt(Stmt::TryCatch(flow, _))) = path.last()
                && let Expr::Variable(variable, ..) = &flow.expr
            {
                self.0.push(variable.1.to_string());
            }
            true
        });
    }

    /// Whether a variable with this name may be a `catch` variable.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|known| known == name)
    }
}
