//! What a plan cannot know: conditions and arguments that depend on what a program would do, on the
//! standard input, or on chance.
//!
//! A dry run goes on with stand-ins for these. The tree of a recipe shows where such a value, or a
//! variable that is made of one, decides something. Variables are told apart by name alone, so a mark
//! can be one too many, but none is missing for a variable.

use std::collections::HashMap;

use rhai::{AST, ASTNode, Expr, FnCallExpr, Position, Stmt};

use super::closure::{beginning, changes, closure};
use crate::diag::{Origin, quoted};
use crate::script::binding::catalog;
use crate::script::binding::effects::Dependence;
use crate::script::binding::verb::Kind;
use crate::spec::shell_word;

/// The places of `ast` that depend on a run, in order.
pub fn depends(ast: &AST, source: &str) -> Vec<Dependence> {
    let mut finder = Finder { source, variables: HashMap::new(), commands: HashMap::new() };
    // A value can go through several variables, and through loops backwards.
    loop {
        let known = finder.variables.len() + finder.commands.len();
        finder.learn(ast);
        if finder.variables.len() + finder.commands.len() == known {
            break;
        }
    }
    if finder.variables.is_empty() && finder.commands.is_empty() && !any_source(ast) {
        return Vec::new();
    }
    let mut found = finder.places(ast);
    found.sort_by_key(|it| (it.origin.line, it.origin.column));
    found.dedup();
    found
}

/// Whether the text uses what a run gives at all.
fn any_source(ast: &AST) -> bool {
    let mut any = false;
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        any = any || path.last().is_some_and(|node| source_of(node).is_some());
        !any
    });
    any
}

/// The name of a verb whose value only a run gives.
fn source_of<'n>(node: &ASTNode<'n>) -> Option<&'n str> {
    match node {
        ASTNode::Expr(Expr::Property(parts, _)) => {
            Some(parts.2.as_str()).filter(|name| catalog::only_in_run(name, Kind::Property))
        }
        ASTNode::Expr(Expr::MethodCall(call, _)) => {
            Some(call.name.as_str()).filter(|name| catalog::only_in_run(name, Kind::Function))
        }
        ASTNode::Expr(Expr::FnCall(call, _)) => {
            Some(call.name.as_str()).filter(|name| catalog::of_a_run(name))
        }
        _ => None,
    }
}

struct Finder<'a> {
    source: &'a str,
    /// Variables with a value that depends on a run, and on what.
    variables: HashMap<String, String>,
    /// Variables that hold how a command ended, what it printed, or its process.
    commands: HashMap<String, String>,
}

impl Finder<'_> {
    /// Notes variables that depend on a run.
    fn learn(&mut self, ast: &AST) {
        ast.walk(&mut |path: &[ASTNode<'_>]| {
            match path.last() {
                Some(ASTNode::Stmt(Stmt::Var(parts, ..))) => {
                    self.assigned(parts.0.name.as_str(), &parts.1);
                }
                Some(ASTNode::Stmt(Stmt::Assignment(parts))) => {
                    let sides = &parts.1;
                    if let Expr::Variable(variable, ..) = beginning(&sides.lhs) {
                        self.assigned(variable.1.as_str(), &sides.rhs);
                    }
                }
                Some(ASTNode::Stmt(Stmt::For(parts, _))) => {
                    self.assigned(parts.0.name.as_str(), &parts.2.expr);
                }
                Some(ASTNode::Expr(Expr::Dot(sides, ..))) => {
                    // `list.push(x)`, `map.set(…)`: what is put into a variable.
                    if let (Expr::Variable(variable, ..), Expr::MethodCall(call, _)) =
                        (&sides.lhs, &sides.rhs)
                        && changes(call)
                        && let Some(on) = self.of_arguments(call)
                    {
                        self.variables.entry(variable.1.to_string()).or_insert(on);
                    }
                }
                Some(
                    ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)),
                ) => self.passed(ast, call),
                _ => {}
            }
            true
        });
    }

    fn assigned(&mut self, name: &str, value: &Expr) {
        if let Some(on) = self.depends_on(value) {
            self.variables.entry(name.to_owned()).or_insert(on);
        }
        if let Some(command) = command_of(value) {
            self.commands.entry(name.to_owned()).or_insert(command);
        }
    }

    /// Notes the parameters of a function of the recipe.
    fn passed(&mut self, ast: &AST, call: &FnCallExpr) {
        let functions = ast.iter_fn_def();
        let of_name = functions.filter(|function| {
            function.name == call.name && function.params.len() == call.args.len()
        });
        for function in of_name {
            for (parameter, argument) in function.params.iter().zip(&call.args) {
                if let Some(on) = self.depends_on(argument) {
                    self.variables.entry(parameter.to_string()).or_insert(on);
                }
                if let Expr::Variable(variable, ..) = argument
                    && let Some(command) = self.commands.get(variable.1.as_str()).cloned()
                {
                    self.commands.entry(parameter.to_string()).or_insert(command);
                }
            }
        }
    }

    fn of_arguments(&self, call: &FnCallExpr) -> Option<String> {
        call.args.iter().find_map(|argument| self.depends_on(argument))
    }

    /// What an expression depends on. Bodies of closures are looked at where they stand in the tree.
    fn depends_on(&self, expression: &Expr) -> Option<String> {
        if closure(expression).is_some() {
            return None;
        }
        let mut found = None;
        let mut path = Vec::new();
        expression.walk(&mut path, &mut |path: &[ASTNode<'_>]| {
            let Some(node) = path.last() else { return true };
            if let Some(verb) = source_of(node) {
                found.get_or_insert_with(|| self.describe(verb, expression));
            }
            if let ASTNode::Expr(Expr::Variable(variable, ..)) = node
                && let Some(on) = self.variables.get(variable.1.as_str())
            {
                found.get_or_insert_with(|| on.clone());
            }
            found.is_none()
        });
        found
    }

    /// What a verb gives, with the command that it is about, if the text has it.
    fn describe(&self, verb: &str, expression: &Expr) -> String {
        let of_variable = || {
            let mut named = None;
            expression.walk(&mut Vec::new(), &mut |path: &[ASTNode<'_>]| {
                if let Some(ASTNode::Expr(Expr::Variable(variable, ..))) = path.last() {
                    named =
                        named.take().or_else(|| self.commands.get(variable.1.as_str()).cloned());
                }
                true
            });
            named
        };
        let command = command_of(expression).or_else(of_variable);
        match (verb, command) {
            ("stdout" | "stderr" | "read_line", Some(command)) => {
                format!("what {} prints", quoted(&command))
            }
            ("code" | "signal" | "success" | "cause" | "exit" | "wait", Some(command)) => {
                format!("how {} ends", quoted(&command))
            }
            ("stdin", _) => "the standard input".to_owned(),
            (verb, _) => format!("what {} gives", quoted(verb)),
        }
    }

    /// The conditions and arguments.
    fn places(&self, ast: &AST) -> Vec<Dependence> {
        let mut found = Vec::new();
        ast.walk(&mut |path: &[ASTNode<'_>]| {
            match path.last() {
                Some(ASTNode::Stmt(statement)) => {
                    let (word, condition) = match statement {
                        Stmt::If(flow, _) => ("if", &flow.expr),
                        Stmt::While(flow, _) => ("while", &flow.expr),
                        Stmt::Do(flow, ..) => ("do", &flow.expr),
                        Stmt::For(parts, _) => ("for", &parts.2.expr),
                        Stmt::Switch(parts, _) => ("switch", &parts.0),
                        Stmt::FnCall(call, at) => {
                            self.argument(call, *at, true, &mut found);
                            return true;
                        }
                        _ => return true,
                    };
                    if let Some(on) = self.depends_on(condition) {
                        let what = match word {
                            "if" | "switch" => format!("which branch `{word}` takes"),
                            _ => format!("how often `{word}` goes round"),
                        };
                        found.push(self.at(statement.position(), word, what, on));
                    }
                }
                Some(ASTNode::Expr(Expr::MethodCall(call, at))) => {
                    self.argument(call, *at, false, &mut found);
                }
                Some(ASTNode::Expr(Expr::FnCall(call, at))) => {
                    self.argument(call, *at, true, &mut found);
                }
                _ => {}
            }
            true
        });
        found
    }

    fn argument(
        &self,
        call: &FnCallExpr,
        at: Position,
        is_function: bool,
        found: &mut Vec<Dependence>,
    ) {
        let name = call.name.as_str();
        if catalog::is_planned(name, is_function)
            && let Some(on) = self.of_arguments(call)
        {
            found.push(self.at(at, name, format!("what {} gets", quoted(name)), on));
        }
    }

    fn at(&self, at: Position, word: &str, what: String, on: String) -> Dependence {
        let number =
            |number: Option<usize>| number.and_then(|it| u32::try_from(it).ok()).unwrap_or(0);
        let origin = Origin::new(self.source, number(at.line()), number(at.position()));
        Dependence { origin: origin.underlining(word.chars().count()), what, on }
    }
}

/// The command of a chain that runs one, if the text has it: `echo vm` of `….output("echo vm")`.
fn command_of(expression: &Expr) -> Option<String> {
    let mut command = None;
    expression.walk(&mut Vec::new(), &mut |path: &[ASTNode<'_>]| {
        if let Some(ASTNode::Expr(Expr::MethodCall(call, _))) = path.last()
            && matches!(call.name.as_str(), "run" | "output" | "start" | "sh")
            && command.is_none()
        {
            command = call.args.first().and_then(words);
        }
        command.is_none()
    });
    command
}

/// The words of a command, if they are written out.
fn words(argument: &Expr) -> Option<String> {
    match argument {
        Expr::StringConstant(text, _) => Some(text.to_string()),
        Expr::Array(all, _) => {
            let text = |word: &Expr| match word {
                Expr::StringConstant(text, _) => Some(text.to_string()),
                _ => None,
            };
            all.iter().map(text).collect::<Option<Vec<_>>>().map(|words| {
                words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ")
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asserts that exactly the words after a `^` in `code` are marked, in order, with these causes.
    #[track_caller]
    fn marked(code: &str, causes: &[&str]) {
        let mut engine = rhai::Engine::new();
        engine.set_optimization_level(rhai::OptimizationLevel::None);
        let marks: Vec<_> = code.match_indices('^').enumerate().collect();
        let places: Vec<_> = marks.iter().map(|(before, (at, _))| at - before + 1).collect();
        let ast = engine.compile(code.replace('^', "")).unwrap();
        let found = depends(&ast, "recipe");
        let columns: Vec<_> = found.iter().map(|it| it.origin.column as usize).collect();
        let on: Vec<_> = found.iter().map(|it| it.on.as_str()).collect();
        assert_eq!((columns, on), (places, causes.to_vec()), "{code}");
    }

    #[test]
    fn conditions_are_marked() {
        let prints = "what `uname -m` prints";
        marked(r#"^if s.output("uname -m").stdout == "x" { }"#, &[prints]);
        marked(r#"let o = s.output(["uname", "-m"]); ^switch o.stdout { _ => () }"#, &[prints]);
        marked(r#"let o = s.output("a"); ^while o.code == 0 { break; }"#, &["how `a` ends"]);
        marked(r#"^for x in s.output(c).stdout.split("\n") { }"#, &["what `stdout` gives"]);
        marked(r#"let p = s.start("a"); ^if p.read_line() == "x" { }"#, &["what `a` prints"]);
        marked("^if net.ping(a) { }", &["what `ping` gives"]);
        marked("let l = lines(stdin()); ^for x in l { }", &["the standard input"]);
        marked("^if random(6) == 0 { }", &["what `random` gives"]);
    }

    #[test]
    fn arguments_are_marked() {
        marked(
            r#"let o = s.output("a").stdout; t.^hostname(o).^run([o]); ^sethostname(`${o}x`);"#,
            &["what `a` prints"; 3],
        );
    }

    #[test]
    fn values_are_followed_through_variables_and_functions() {
        let prints = ["what `a` prints"];
        marked(r#"let o = s.output("a").stdout; let p = o.trim() + "x"; ^if p == "" { }"#, &prints);
        marked(r#"let l = []; l.push(s.output("a").stdout); ^if l[0] == "" { }"#, &prints);
        marked(r#"let x = ""; x = s.output("a").stdout; let f = || { ^if x == "" { } };"#, &prints);
        marked(r#"fn f(x) { ^if x == "" { } } f(s.output("a").stdout);"#, &prints);
        marked(r#"fn f(o) { ^if o.success { } } let o = s.run("a"); f(o);"#, &["how `a` ends"]);
    }

    #[test]
    fn what_the_recipe_decides_is_not_marked() {
        marked(r#"let o = s.output("a"); if x == 1 { t.hostname("b"); }"#, &[]);
        marked(r#"let o = s.output("a").stdout; print(o); assert(o == ""); note(o);"#, &[]);
        marked(r#"s.run("a"); if args.len() > 0 { exit(s.run("b").code); }"#, &[]);
        marked(r#"let o = s.output("a").stdout; s.run("b"); if s == t { }"#, &[]);
    }
}
