//! Warnings about ids of the session in paths and maps of the host.
//!
//! `getuid()` begins the session. For an ordinary user, the session has a user namespace of its
//! own, in which the id is 0, whereas paths such as `/run/user/1000` and the maps of sandboxes have
//! the ids of the host.

use rhai::{AST, ASTNode, Expr, FnCallExpr, Position, Stmt};

use crate::diag::{Origin, Report, quoted};

/// The functions, and the properties with the ids of the caller.
const IDS: [(&str, &str); 2] = [("getuid", "host.uid"), ("getgid", "host.gid")];

/// The verbs of a sandbox that take ids of the host.
const MAPS: [&str; 2] = ["map_user", "map_group"];

/// Warnings for ids of the session in `ast`, given that the session is an ordinary user's.
pub fn session_ids(ast: &AST, source: &str) -> Vec<Report> {
    let is_own = |name: &str| ast.iter_fn_def().any(|function| function.name == name);
    if IDS.iter().any(|(name, _)| is_own(name)) {
        return Vec::new();
    }
    // Variables with an id as their first value.
    let mut held: Vec<(String, usize)> = Vec::new();
    let mut found: Vec<(Position, usize, &str)> = Vec::new();
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        let (parts, what): (Vec<&Expr>, _) = match path.last() {
            Some(ASTNode::Stmt(Stmt::Var(parts, ..))) => {
                held.extend(asked(&parts.1).map(|(id, _)| (parts.0.name.to_string(), id)));
                return true;
            }
            Some(ASTNode::Expr(Expr::InterpolatedString(parts, _)))
                if begins_path(parts.first()) =>
            {
                (parts.iter().collect(), "a path")
            }
            Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)))
                if call.name == "+" =>
            {
                let mut parts = Vec::new();
                operands(call, &mut parts);
                if !begins_path(parts.first().copied()) {
                    return true;
                }
                (parts, "a path")
            }
            Some(ASTNode::Expr(Expr::MethodCall(call, _)))
                if MAPS.contains(&call.name.as_str()) =>
            {
                (call.args.iter().collect(), "a map of the host's ids")
            }
            _ => return true,
        };
        for part in parts {
            let named = match inner(part) {
                Expr::Variable(variable, _, at) => {
                    let known = held.iter().rev().find(|(name, _)| *name == variable.1);
                    known.map(|(_, id)| (*id, *at))
                }
                other => asked(other),
            };
            let is_new = |at: Position| found.iter().all(|(known, ..)| *known != at);
            found.extend(named.filter(|(_, at)| is_new(*at)).map(|(id, at)| (at, id, what)));
        }
        true
    });
    found.into_iter().map(|(at, id, what)| report(at, IDS[id], what, source)).collect()
}

fn report(at: Position, (name, own): (&str, &str), what: &str, source: &str) -> Report {
    let [line, column] = [at.line(), at.position()].map(|number| number.unwrap_or(0));
    let [line, column] = [line, column].map(|number| u32::try_from(number).unwrap_or(0));
    let message = format!("{} is 0 in the session, and becomes part of {what}", quoted(name));
    let hint = format!("use {}, the id of the caller outside of the session", quoted(own));
    Report::warning(message).at(Some(Origin::new(source, line, column))).hint(hint)
}

/// The expression of a block that has nothing else, as in a string with values.
fn inner(expression: &Expr) -> &Expr {
    match expression {
        Expr::Stmt(block) => match block.statements() {
            [Stmt::Expr(only)] => inner(only),
            _ => expression,
        },
        other => other,
    }
}

/// The id that an expression asks for, as an index of [`IDS`], possibly as text.
fn asked(expression: &Expr) -> Option<(usize, Position)> {
    match expression {
        Expr::FnCall(call, at) if call.args.is_empty() && !call.is_qualified() => {
            Some((IDS.iter().position(|(name, _)| call.name == *name)?, *at))
        }
        Expr::Dot(parts, ..) => asked(&parts.lhs),
        Expr::Stmt(block) => match block.statements() {
            [Stmt::Expr(only)] => asked(only),
            [Stmt::FnCall(call, at)] if call.args.is_empty() => {
                Some((IDS.iter().position(|(name, _)| call.name == *name)?, *at))
            }
            _ => None,
        },
        _ => None,
    }
}

/// Whether a text begins as an absolute path does.
fn begins_path(first: Option<&Expr>) -> bool {
    matches!(first, Some(Expr::StringConstant(text, _)) if text.starts_with('/'))
}

/// The operands of a sum, in order.
fn operands<'e>(sum: &'e FnCallExpr, out: &mut Vec<&'e Expr>) {
    for operand in &sum.args {
        match operand {
            Expr::FnCall(inner, _) if inner.name == "+" => operands(inner, out),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::session_ids;

    /// The number of warnings for a text.
    fn warnings(code: &str) -> usize {
        let mut engine = rhai::Engine::new();
        engine.set_optimization_level(rhai::OptimizationLevel::None);
        session_ids(&engine.compile(code).unwrap(), "recipe").len()
    }

    #[test]
    fn ids_in_paths_and_maps_are_found() {
        assert_eq!(warnings("let p = \"/run/user/\" + getuid();"), 1);
        assert_eq!(warnings("let p = \"/run/user/\" + getuid() + \"/bus\";"), 1);
        assert_eq!(warnings("let p = `/run/user/${getuid()}/bus`;"), 1);
        assert_eq!(warnings("let id = getgid(); f(`/srv/${id}`);"), 1);
        assert_eq!(warnings("let p = \"/u/\" + getuid().to_string();"), 1);
        assert_eq!(warnings("let s = sandbox().map_user(0, getuid()).map_group(0, getgid());"), 2);
    }

    #[test]
    fn other_uses_are_not() {
        assert_eq!(warnings("if getuid() == 0 { print(\"a/b: \" + getuid()); }"), 0);
        assert_eq!(warnings("print(`uid ${getuid()}`); print(`/x` + host.uid);"), 0);
        assert_eq!(warnings("map_ids(child, #{ users: [[0, getuid(), 1]] });"), 0);
        assert_eq!(warnings("fn getuid() { 5 } print(\"/x/\" + getuid());"), 0);
    }
}
