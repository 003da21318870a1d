//! Closures and chains in the engine's syntax tree.
//!
//! The engine turns a closure into a function `anon$…` whose first parameters are the captured
//! variables, and replaces it by an expression that passes them. A chain is nested to the right:
//! `a.(b.(c()))`.

use std::collections::HashMap;

use rhai::{AST, ASTFlags, ASTNode, Expr, FnCallExpr, FnPtr, Position, Stmt};

use crate::script::binding::argument::Argument;
use crate::script::binding::catalog;
use crate::script::binding::verb::Verb;

/// The methods of the language that change their receiver, with the minimum and maximum number of
/// arguments.
const CHANGING: [(&str, usize, usize); 24] = [
    ("append", 1, 1),
    ("chop", 1, 1),
    ("clear", 0, 0),
    ("crop", 1, 2),
    ("dedup", 0, 1),
    ("drain", 1, 2),
    ("fill_with", 1, 1),
    ("insert", 2, 2),
    ("make_lower", 0, 0),
    ("make_upper", 0, 0),
    ("mixin", 1, 1),
    ("pad", 2, 2),
    ("pop", 0, 1),
    ("push", 1, 1),
    ("remove", 1, 1),
    ("replace", 2, 2),
    ("retain", 1, 2),
    ("reverse", 0, 0),
    ("set", 2, 2),
    ("shift", 0, 0),
    ("sort", 0, 1),
    ("sort_by", 1, 1),
    ("splice", 2, 3),
    ("truncate", 1, 1),
];

/// The methods of the language that call a closure and do not change their receiver.
const READING: [&str; 9] =
    ["map", "filter", "reduce", "reduce_rev", "some", "all", "find", "find_map", "index_of"];

/// A closure that captures something.
pub struct Closure {
    /// The name of its function.
    pub name: String,
    /// The captured variables, in the order of its parameters.
    pub captures: Vec<String>,
}

/// The statements of closures, by the names of their functions.
pub type Bodies = HashMap<String, Vec<Stmt>>;

/// The closure of an expression, if it captures something.
pub fn closure(expression: &Expr) -> Option<Closure> {
    let Expr::Stmt(block) = expression else { return None };
    let [Stmt::Share(_), Stmt::Expr(made)] = block.statements() else { return None };
    let Expr::FnCall(curry, _) = &**made else { return None };
    let (Expr::DynamicConstant(function, _), captures) = curry.args.split_first()? else {
        return None;
    };
    let name = function.read_lock::<FnPtr>()?.fn_name().to_owned();
    let variable = |expression: &Expr| Some(variable(expression)?.0.to_owned());
    Some(Closure { name, captures: captures.iter().filter_map(variable).collect() })
}

/// The bodies of all closures. The engine exposes them only in a walk, where positions identify
/// them: a statement belongs to the function that begins last before it.
pub fn bodies(ast: &AST) -> Bodies {
    let functions: Vec<_> = ast
        .iter_fn_def()
        .map(|it| (it.name.as_str(), it.body.start_position(), it.body.end_position()))
        .collect();
    let mut bodies = Bodies::new();
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        if let [ASTNode::Stmt(statement)] = path {
            let at = statement.position();
            // A closure without braces has one statement, and no end position.
            let holds = |(_, start, end): &&(&str, Position, Position)| {
                if end.is_none() { *start == at } else { *start <= at && at <= *end }
            };
            let holder = functions.iter().filter(holds).max_by_key(|(_, start, _)| *start);
            if let Some((name, ..)) = holder.filter(|(name, ..)| name.starts_with("anon$")) {
                bodies.entry((*name).to_owned()).or_default().push((*statement).clone());
            }
        }
        true
    });
    bodies
}

/// A variable that is not of a module: its name and position.
pub fn variable(expression: &Expr) -> Option<(&str, Position)> {
    match expression {
        Expr::Variable(parts, _, at) if parts.2.is_empty() => Some((parts.1.as_str(), *at)),
        _ => None,
    }
}

/// The start of a chain: `list` in `list[0].names.push(name)`.
pub fn beginning(chain: &Expr) -> &Expr {
    match chain {
        Expr::Dot(sides, ..) | Expr::Index(sides, ..) => &sides.lhs,
        other => other,
    }
}

/// The links of a chain, in order: properties, method calls and indices.
pub fn links(chain: &Expr) -> Vec<&Expr> {
    let mut links = Vec::new();
    let mut rest = chain;
    loop {
        let next = match rest {
            Expr::Index(sides, flags, _) if flags.contains(ASTFlags::BREAK) => {
                links.push(&sides.rhs);
                return links;
            }
            Expr::Dot(sides, ..) | Expr::Index(sides, ..) => &sides.rhs,
            _ => return links,
        };
        links.push(beginning(next));
        rest = next;
    }
}

/// The first method that a chain calls: `push` in `list[0].names.push(name).len()`.
pub fn first_method(chain: &Expr) -> Option<&FnCallExpr> {
    links(chain).into_iter().find_map(|link| match link {
        Expr::MethodCall(call, _) => Some(&**call),
        _ => None,
    })
}

/// Whether a method changes its receiver.
pub fn changes(call: &FnCallExpr) -> bool {
    let takes = |(name, least, most): &(&str, usize, usize)| {
        *name == call.name && (*least..=*most).contains(&call.args.len())
    };
    // A verb of that name has one of nsscript's values as receiver, and does not change it.
    let is_verb = || catalog::named(&call.name).iter().any(|verb| !verb.receiver().is_empty());
    CHANGING.iter().any(takes) && !is_verb()
}

/// Whether a method calls closures and does not change its receiver: it may be called on a copy.
pub fn reads(call: &FnCallExpr) -> bool {
    let takes_closure = |verb: &&Verb| {
        !verb.receiver().is_empty() && verb.parameters.iter().any(|it| it.kind == FnPtr::KIND)
    };
    READING.contains(&call.name.as_str()) || catalog::named(&call.name).iter().any(takes_closure)
}

/// Whether an argument is a closure that has captured the variable.
pub fn captures(argument: &Expr, name: &str) -> bool {
    closure(argument).is_some_and(|made| made.captures.iter().any(|captured| captured == name))
}

/// The places of variables that a closure reads which is an argument of a method of theirs, if the
/// method reads them as well.
pub fn read_by_closures(ast: &AST) -> Vec<Position> {
    let mut places = Vec::new();
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        let Some(ASTNode::Expr(chain @ (Expr::Dot(..) | Expr::Index(..)))) = path.last() else {
            return true;
        };
        if let Some((name, at)) = variable(beginning(chain)) {
            let methods = links(chain).into_iter().filter_map(|link| match link {
                Expr::MethodCall(call, _) => Some(&**call),
                _ => None,
            });
            let is_read = |call: &FnCallExpr| {
                reads(call) && call.args.iter().any(|argument| captures(argument, name))
            };
            if methods.take_while(|call| !changes(call)).any(is_read) {
                places.push(at);
            }
        }
        true
    });
    places
}

/// The variables that determine the value of a closure.
pub fn given(closure: &str, bodies: &Bodies) -> Vec<String> {
    let mut names = Vec::new();
    let Some(body) = bodies.get(closure) else { return names };
    last(body, &mut names);
    for statement in body {
        statement.walk(&mut Vec::new(), &mut |path: &[ASTNode<'_>]| {
            if let Some(ASTNode::Stmt(Stmt::Return(Some(value), ..))) = path.last() {
                mentioned(value, &mut names);
            }
            true
        });
    }
    names
}

/// The variables that determine the value of the last statement.
fn last(statements: &[Stmt], names: &mut Vec<String>) {
    match statements.last() {
        Some(Stmt::Expr(value)) => mentioned(value, names),
        Some(Stmt::FnCall(call, _)) if !gives_nothing(call) => {
            call.args.iter().for_each(|argument| mentioned(argument, names));
        }
        Some(Stmt::If(flow, _)) => {
            last(flow.body.statements(), names);
            last(flow.branch.statements(), names);
        }
        Some(Stmt::Block(block)) => last(block.statements(), names),
        Some(Stmt::Switch(parts, _)) => {
            parts.1.expressions.iter().for_each(|arm| mentioned(&arm.rhs, names));
        }
        _ => {}
    }
}

/// Whether a function never has a value.
fn gives_nothing(call: &FnCallExpr) -> bool {
    let verbs = catalog::named(&call.name);
    let verbs = !verbs.is_empty() && verbs.iter().all(|verb| verb.returns == "nothing");
    verbs || matches!(call.name.as_str(), "print" | "debug")
}

fn mentioned(value: &Expr, names: &mut Vec<String>) {
    match value {
        Expr::Stmt(block) => return last(block.statements(), names),
        Expr::FnCall(call, _) if gives_nothing(call) => return,
        chain if first_method(chain).is_some_and(changes) => return,
        _ => {}
    }
    value.walk(&mut Vec::new(), &mut |path: &[ASTNode<'_>]| {
        if let Some(ASTNode::Expr(expression)) = path.last() {
            names.extend(variable(expression).map(|(name, _)| name.to_owned()));
        }
        true
    });
}
