//! The engine's errors in the words of nsscript: none of its own messages reaches the user.

use rhai::{EvalAltResult, ParseErrorType, Position};

use super::argument::a_type;
use super::catalog;
use super::context::Context;
use super::error::{Ending, ScriptError};
use super::verb::{Kind, Verb};
use crate::diag::{Caller, Origin, Report, closest, count, list, quoted};

/// The end that `error` stands for, where it is none of the recipe's mistakes.
pub fn ending(error: &EvalAltResult) -> Option<Ending> {
    match error {
        EvalAltResult::ErrorTerminated(token, _) => token.clone().try_cast::<Ending>(),
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _)
        | EvalAltResult::ErrorInModule(_, inner, _) => ending(inner),
        EvalAltResult::Exit(value, _) => {
            let code = value.as_int().ok().and_then(|code| i32::try_from(code).ok());
            Some(Ending::Exit(code.unwrap_or(0)))
        }
        _ => None,
    }
}

/// What is said of `error`: each report with its place and the functions that led there.
pub fn reports(error: EvalAltResult, context: &Context) -> Vec<Report> {
    let mut callers = Vec::new();
    let mut source = context.source_name(None);
    let mut error = error;
    loop {
        match error {
            EvalAltResult::ErrorInFunctionCall(name, in_source, inner, position) => {
                let (line, column) = numbers(position);
                let function = if name.starts_with("anon$") { "a closure" } else { &name };
                let function = function.into();
                callers.insert(0, Caller { function, source: source.clone(), line, column });
                if !in_source.is_empty() {
                    source = in_source.into();
                }
                error = *inner;
            }
            EvalAltResult::ErrorInModule(id, inner, _) => {
                if !id.is_empty() {
                    source = id.into();
                }
                error = *inner;
            }
            other => {
                error = other;
                break;
            }
        }
    }
    if let EvalAltResult::ErrorRuntime(value, _) = &error {
        if let Some(thrown) = value.clone().try_cast::<ScriptError>() {
            let placed = |mut report: Report| {
                if let Some(origin) = &mut report.origin {
                    // What the engine saw beats what the text lets one guess.
                    if !callers.is_empty() {
                        origin.callers = callers.clone().into();
                    }
                }
                report
            };
            return thrown.reports.iter().cloned().map(placed).collect();
        }
    }
    let (line, column) = numbers(error.position());
    let mut origin = Origin::new(source, line, column);
    origin.callers = callers.into();
    let length = token_length(context, &origin);
    let report = reworded(&error, context);
    vec![report.at(Some(origin.underlining(length)))]
}

fn numbers(position: Position) -> (u32, u32) {
    let number = |number: Option<usize>| number.and_then(|it| u32::try_from(it).ok()).unwrap_or(0);
    (number(position.line()), number(position.position()))
}

/// How long the word at a place is.
fn token_length(context: &Context, origin: &Origin) -> usize {
    let Some(line) = context.sources.line(&origin.source, origin.line) else { return 1 };
    let start = (origin.column as usize).saturating_sub(1);
    let word = |letter: &char| letter.is_alphanumeric() || *letter == '_';
    line.chars().skip(start).take_while(word).count().max(1)
}

fn reworded(error: &EvalAltResult, context: &Context) -> Report {
    use EvalAltResult as E;
    match error {
        E::ErrorParsing(kind, _) => parsing(kind),
        E::ErrorFunctionNotFound(signature, _) => function_not_found(signature, context),
        E::ErrorVariableNotFound(name, _) => {
            let report = Report::error(format!("no variable {}", quoted(name)));
            let constants = catalog::constants();
            let names = constants.iter().map(|(name, ..)| *name).chain(["args"]);
            match closest(name, names) {
                Some(near) => report.hint(format!("did you mean {}?", quoted(near))),
                None if !catalog::named(name).is_empty() => {
                    report.hint(format!("{} is a verb: it is called, `{name}(…)`", quoted(name)))
                }
                None => report.hint(
                    "a function sees its parameters and constants of modules, not the variables \
                     around it",
                ),
            }
        }
        E::ErrorPropertyNotFound(name, _) => {
            Report::error(format!("the map has no key {}", quoted(name)))
        }
        E::ErrorDotExpr(message, _) => property(message),
        E::ErrorIndexNotFound(index, _) => Report::error(format!("nothing is at index `{index}`")),
        E::ErrorModuleNotFound(name, _) => Report::error(format!("no module {}", quoted(name)))
            .hint("a module is brought in by `import \"path\" as name;`"),
        E::ErrorUnboundThis(_) => Report::error("`this` is only known in a function called on a value"),
        E::ErrorMismatchDataType(wanted, given, _) | E::ErrorMismatchOutputType(wanted, given, _) => {
            Report::error(format!("{} is needed here, not {}", a_type(wanted), a_type(given)))
        }
        E::ErrorIndexingType(name, _) => Report::error(format!("{} cannot be indexed", a_type(name))),
        E::ErrorArrayBounds(length, index, _) => {
            let elements = count(*length, "element");
            Report::error(format!("no element {index} in an array of {elements}"))
        }
        E::ErrorStringBounds(length, index, _) => {
            let letters = count(*length, "character");
            Report::error(format!("no character {index} in a string of {letters}"))
        }
        E::ErrorBitFieldBounds(length, index, _) => {
            Report::error(format!("no bit {index} in a number of {}", count(*length, "bit")))
        }
        E::ErrorFor(_) => Report::error("`for` goes through an array, a range, a string or a map's keys"),
        E::ErrorDataRace(name, _) => {
            Report::error(format!("{name} is used in a closure that is called on it"))
                .hint("take the value as a parameter of the closure instead of capturing it")
        }
        E::ErrorNonPureMethodCallOnConstant(name, _) => {
            Report::error(format!("{} would change a constant", quoted(name)))
        }
        E::ErrorAssignmentToConstant(name, _) => {
            Report::error(format!("{} is a constant", quoted(name)))
        }
        E::ErrorVariableExists(name, _) => {
            Report::error(format!("a variable {} exists already", quoted(name)))
        }
        E::ErrorForbiddenVariable(name, _) => {
            Report::error(format!("{} cannot be the name of a variable", quoted(name)))
        }
        E::ErrorArithmetic(message, _) => Report::error(lower(message)),
        E::ErrorTooManyOperations(_) => Report::error("the recipe takes too many steps"),
        E::ErrorTooManyVariables(_) => Report::error("the recipe has too many variables"),
        E::ErrorTooManyModules(_) => Report::error("the recipe imports too many modules"),
        E::ErrorStackOverflow(_) => Report::error("functions call each other too deep")
            .hint("a function that calls itself needs an end; 256 calls deep is the most"),
        E::ErrorDataTooLarge(what, _) => Report::error(format!("{} is too large", lower(what))),
        E::ErrorRuntime(value, _) => {
            let text = if value.is_string() { value.to_string() } else { format!("{value:?}") };
            let text = if value.is_unit() { "the recipe has thrown an error".into() } else { text };
            Report::error(crate::diag::escape(&text))
        }
        E::ErrorCustomSyntax(message, ..) => Report::error(lower(message)),
        E::ErrorSystem(message, inner) => {
            let message = if message.is_empty() { inner.to_string() } else { message.clone() };
            Report::error(lower(&message))
        }
        _ => Report::error("the recipe ended in an unknown way"),
    }
}

fn lower(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_lowercase).collect();
    first + letters.as_str().trim_end_matches('.')
}

/// `"Unknown property 'x' - a getter is not registered for type 'Sandbox'"`.
fn property(message: &str) -> Report {
    let mut parts = message.split('\'');
    let (name, owner) = (parts.nth(1), parts.nth(1));
    let (Some(name), Some(owner)) = (name, owner) else { return Report::error(lower(message)) };
    let owner = short(owner);
    let report = Report::error(format!("{} has no property {}", a_type(owner), quoted(name)));
    let of_owner = |verb: &Verb| verb.receiver() == owner;
    if catalog::named(name).into_iter().any(of_owner) {
        return report.hint(format!("it is a verb: `.{name}(…)`"));
    }
    match catalog::near(name, of_owner, []) {
        Some(near) => report.hint(format!("did you mean {}?", quoted(near))),
        None => report,
    }
}

/// The name of a type without its path.
fn short(name: &str) -> &str {
    name.rsplit("::").next().unwrap_or(name).trim()
}

/// `"bind (Sandbox, i64)"`: the name and the types of what was given.
fn function_not_found(signature: &str, context: &Context) -> Report {
    let (name, types) = signature.split_once('(').unwrap_or((signature, ")"));
    let name = name.trim().rsplit("::").next().unwrap_or(name).trim();
    let types = types.trim_end_matches(')');
    let types: Vec<&str> = if types.is_empty() { Vec::new() } else { types.split(',').collect() };
    let types: Vec<&str> = types
        .iter()
        .map(|one| short(one.split('|').next_back().unwrap_or(one)))
        .collect();
    if let Some(operator) = operator(name, &types) {
        return operator;
    }
    if let Some(property_name) = name.strip_prefix("get$").or_else(|| name.strip_prefix("set$")) {
        let owner = types.first().copied().unwrap_or_default();
        return property(&format!("'{property_name}''{owner}'"));
    }
    let receiver = types.first().copied().unwrap_or_default();
    let is_ours = super::value::TYPES.contains(&receiver);
    let verbs = catalog::named(name);
    let mine = verbs.iter().find(|verb| verb.receiver() == receiver);
    let plain = verbs.iter().find(|verb| verb.receiver().is_empty());
    if let Some(verb) = mine.or(plain) {
        return arity(verb, types.len());
    }
    if let (Some(verb), false) = (verbs.first(), types.is_empty()) {
        let (name, owner) = (quoted(name), verb.receiver());
        let owners: Vec<_> = verbs.iter().map(|verb| a_type(verb.receiver())).collect();
        let report = Report::error(format!(
            "{name} is a verb of {}, and this is {}",
            list(&owners, "and"),
            a_type(receiver)
        ));
        return report.hint(format!("`nsscript help {}` shows what it takes; it is called on {}",
            verb.name, a_type(owner)));
    }
    let what = if is_ours { format!("{} has no verb", a_type(receiver)) } else { "no function".into() };
    let report = Report::error(format!("{what} {}", quoted(name)));
    let stack = context.stack.borrow();
    let others: Vec<&str> = stack.functions().collect();
    let accept = |verb: &Verb| {
        verb.kind == Kind::Function
            && (if is_ours { verb.receiver() == receiver } else { verb.receiver().is_empty() })
    };
    let near = catalog::near(name, accept, others.iter().copied().chain(LANGUAGE));
    match near.or_else(|| catalog::near(name, |_| true, [])) {
        Some(near) => report.hint(format!("did you mean {}?", quoted(near))),
        None if others.contains(&name) => {
            report.hint(format!("the recipe's {} takes another number of arguments", quoted(name)))
        }
        None => report.hint("`nsscript help` lists the verbs"),
    }
}

/// Functions of the language itself that are most often meant.
const LANGUAGE: [&str; 24] = [
    "print", "debug", "len", "push", "pop", "trim", "split", "contains", "replace", "sub_string",
    "to_upper", "to_lower", "starts_with", "ends_with", "parse_int", "to_string", "keys", "values",
    "map", "filter", "reduce", "sort", "reverse", "type_of",
];

fn operator(name: &str, types: &[&str]) -> Option<Report> {
    let symbolic = name.chars().all(|letter| !letter.is_alphanumeric() && letter != '_');
    let [left, right] = types else { return None };
    symbolic.then(|| {
        Report::error(format!("{} cannot join {} and {}", quoted(name), a_type(left), a_type(right)))
    })
}

fn arity(verb: &Verb, given: usize) -> Report {
    let hidden = verb.parameters.len() - verb.given().len();
    let (least, most) = (verb.least() - hidden, verb.parameters.len() - hidden);
    let takes = if least == most {
        count(most, "argument")
    } else {
        format!("{least} to {most} arguments")
    };
    let given = given.saturating_sub(hidden);
    let report = Report::error(format!("{} takes {takes}, not {given}", quoted(verb.name)));
    report.hint(format!("it is called as `{}`", verb.signature()))
}

fn parsing(kind: &ParseErrorType) -> Report {
    use ParseErrorType as P;
    match kind {
        P::UnexpectedEOF => Report::error("the recipe ends too early")
            .hint("a `{`, `(`, `[` or a text is not closed"),
        P::BadInput(error) => Report::error(lower(&error.to_string())),
        P::UnknownOperator(operator) => {
            Report::error(format!("{} is no operator", quoted(operator)))
        }
        P::MissingToken(token, why) => {
            let report = Report::error(format!("{} is missing", quoted(token)));
            let report = if why.is_empty() { report } else { report.note(lower(why)) };
            if token == ";" { report.hint("every statement but the last of a block ends with `;`") } else { report }
        }
        P::MissingSymbol(why) => Report::error(lower(why)),
        P::MalformedIndexExpr(why) | P::MalformedCapture(why) => Report::error(lower(why)),
        P::DuplicatedProperty(name) => Report::error(format!("the map has the key {} twice", quoted(name))),
        P::DuplicatedVariable(name) => Report::error(format!("the name {} is used twice", quoted(name))),
        P::Reserved(word) => Report::error(format!("{} is reserved by the language", quoted(word)))
            .hint("choose another name"),
        P::MismatchedType(wanted, given) => {
            Report::error(format!("{} is needed here, not {}", a_type(wanted), a_type(given)))
        }
        P::ExprExpected(why) => Report::error(format!("an expression is missing for {}", lower(why))),
        P::FnMissingName => Report::error("the function has no name"),
        P::FnMissingParams(name) => Report::error(format!("the function {} has no parameter list", quoted(name))),
        P::FnMissingBody(name) => Report::error(format!("the function {} has no body", quoted(name))),
        P::FnDuplicatedDefinition(name, _) => Report::error(format!("the function {} is defined twice", quoted(name))),
        P::FnDuplicatedParam(name, parameter) => Report::error(format!(
            "the function {} has the parameter {} twice", quoted(name), quoted(parameter)
        )),
        P::WrongFnDefinition => Report::error("a function is defined at the top of a recipe, not in a block"),
        P::PropertyExpected => Report::error("the name of a property or verb is missing after `.`"),
        P::VariableExpected => Report::error("the name of a variable is missing"),
        P::AssignmentToConstant(name) => Report::error(format!("{} is a constant", quoted(name))),
        P::AssignmentToInvalidLHS(_) => Report::error("nothing can be assigned to this"),
        P::ModuleUndefined(name) => Report::error(format!("no module {}", quoted(name))),
        P::ExprTooDeep => Report::error("the expression is nested too deep"),
        P::LoopBreak => Report::error("`break` and `continue` stand in a loop"),
        other => Report::error(lower(&other.to_string())),
    }
}
