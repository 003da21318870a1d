//! Translates the engine's errors: none of its own messages reaches the user.

use rhai::{EvalAltResult, Position};

use super::syntax;
use super::variable::{no_variable, not_visible, outside};
use crate::diag::{Caller, Origin, Report, count, list, quoted};
use crate::script::binding::argument::a_type;
use crate::script::binding::catalog;
use crate::script::binding::context::Context;
use crate::script::binding::error::{DryRunTooLong, End, IN_CHILD, ScriptError};
use crate::script::binding::method::{
    arity, arity_of_language, called_property, foreign_verb, no_verb_of,
};
use crate::script::binding::verb::{Kind, Verb};
use crate::script::language::foreign::{self, Place};
use crate::script::language::statement_starts::numbers;

/// The end behind `error`, if it is not a mistake of the recipe.
pub fn ending(error: &EvalAltResult) -> Option<End> {
    match error {
        EvalAltResult::ErrorTerminated(token, _) => token.clone().try_cast::<End>(),
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _)
        | EvalAltResult::ErrorInModule(_, inner, _) => ending(inner),
        EvalAltResult::Exit(value, _) => {
            let code = value.as_int().ok().and_then(|code| i32::try_from(code).ok());
            Some(End::Status(code.unwrap_or(0)))
        }
        _ => None,
    }
}

/// The reports for `error`, with positions and callers.
pub fn reports(error: EvalAltResult, context: &Context) -> Vec<Report> {
    reports_in(error, None, context)
}

/// The reports for an error in the text `source`, or in the recipe itself.
pub fn reports_in(error: EvalAltResult, source: Option<&str>, context: &Context) -> Vec<Report> {
    let mut callers = Vec::new();
    let mut source = context.source_name(source);
    let mut error = error;
    loop {
        match error {
            EvalAltResult::ErrorInFunctionCall(name, in_source, inner, position) => {
                let (line, column) = numbers(position);
                let function = if name.starts_with("anon$") { "" } else { name.as_str() };
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
    if let EvalAltResult::ErrorRuntime(value, _) = &error
        && let Some(thrown) = value.clone().try_cast::<ScriptError>()
    {
        let placed = |mut report: Report| {
            let is_of_child = report.notes.iter().any(|note| note.starts_with(IN_CHILD));
            if let Some(origin) = &mut report.origin {
                // The engine's callers have priority over those guessed from the text. In a child
                // process, the engine there saw them.
                if is_of_child {
                    let all = origin.callers.iter().chain(&callers);
                    origin.callers = all.cloned().collect();
                } else if !callers.is_empty() {
                    origin.callers = callers.clone().into();
                }
            }
            report
        };
        return thrown.reports.iter().cloned().map(placed).collect();
    }
    if let Some((report, (line, column), length)) = syntax::foreign(&error, context) {
        let mut origin = Origin::new(source, line, column).underlining(length);
        origin.callers = callers.into();
        return vec![report.at(Some(origin))];
    }
    let (line, column) = syntax::better_place(&error, context).unwrap_or(numbers(error.position()));
    let mut origin = Origin::new(source, line, column);
    origin.callers = callers.into();
    let length = token_length(context, &origin);
    let report = reworded(&error, &origin, context);
    vec![report.at(Some(origin.underlining(length)))]
}

/// The position of a word in the text `source`.
pub(in crate::script) fn word_at(position: Position, source: &str, context: &Context) -> Origin {
    let (line, column) = numbers(position);
    let origin = Origin::new(source, line, column);
    let length = token_length(context, &origin);
    origin.underlining(length)
}

/// The length of the word at a position.
fn token_length(context: &Context, origin: &Origin) -> usize {
    let Some(line) = context.sources.line(&origin.source, origin.line) else { return 1 };
    let start = (origin.column as usize).saturating_sub(1);
    let word = |letter: &char| letter.is_alphanumeric() || *letter == '_';
    line.chars().skip(start).take_while(word).count().max(1)
}

fn reworded(error: &EvalAltResult, origin: &Origin, context: &Context) -> Report {
    use EvalAltResult as E;
    match error {
        E::ErrorParsing(kind, _) => match syntax::unclosed(kind, context) {
            Some(bracket) => Report::error(format!("unclosed `{bracket}`")),
            None => syntax::parsing(kind),
        },
        E::ErrorFunctionNotFound(signature, position) => {
            no_function(signature, numbers(*position), origin, context)
        }
        E::ErrorVariableNotFound(name, _) => {
            let in_function = origin.callers.first().is_some_and(|it| !it.function.is_empty());
            unknown(name, in_function, context)
        }
        E::ErrorPropertyNotFound(name, _) => {
            Report::error(format!("the map has no key {}", quoted(name)))
        }
        E::ErrorDotExpr(message, _) => property(message),
        E::ErrorIndexNotFound(index, _) => Report::error(format!("no element at index `{index}`")),
        E::ErrorModuleNotFound(name, _) => {
            Report::error(format!("unknown module {}", quoted(name)))
                .hint("import it first: `import \"path\" as name;`")
        }
        E::ErrorUnboundThis(_) => {
            Report::error("`this` is valid only in a function called on a value")
        }
        E::ErrorMismatchDataType(wanted, given, _)
        | E::ErrorMismatchOutputType(wanted, given, _) => {
            Report::error(format!("expected {}, not {}", a_type(wanted), a_type(given)))
        }
        E::ErrorIndexingType(name, _) => {
            let name = name.split('[').next().unwrap_or(name).trim();
            Report::error(format!("{} cannot be indexed", a_type(name)))
        }
        E::ErrorArrayBounds(length, index, _) => out_of_range(*index, "array", *length, "element"),
        E::ErrorStringBounds(length, index, _) => {
            out_of_range(*index, "string", *length, "character")
        }
        E::ErrorBitFieldBounds(length, index, _) => Report::error(format!(
            "bit {index} is out of range: the number has {}",
            count(*length, "bit")
        )),
        E::ErrorFor(_) => Report::error("`for` needs an array, a range or a string")
            .hint("loop over the keys of a map with `for key in map.keys()`"),
        E::ErrorDataRace(name, _) if name.contains("of function '") => {
            let verb = name.split('\'').nth(1).unwrap_or_default();
            let message = format!("the closure uses the value that {} is called on", quoted(verb));
            let copy = "copy the value before the call, `let copy = value;`, and use the copy in \
                        the closure";
            // A process is in use while the closure runs in its namespaces.
            let also = if verb == "within" { "; to run a program there, call `exec`" } else { "" };
            Report::error(message).hint(format!("{copy}{also}"))
        }
        E::ErrorDataRace(name, _) => {
            Report::error(format!("{name} is used in a closure that is called on it"))
                .hint("pass the value to the closure as a parameter")
        }
        E::ErrorNonPureMethodCallOnConstant(name, _) => {
            Report::error(format!("{} would modify a constant", quoted(name)))
        }
        E::ErrorAssignmentToConstant(name, _) => {
            Report::error(format!("cannot assign to the constant {}", quoted(name)))
        }
        E::ErrorVariableExists(name, _) => {
            Report::error(format!("the variable {} already exists", quoted(name)))
        }
        E::ErrorForbiddenVariable(name, _) => {
            Report::error(format!("invalid variable name {}", quoted(name)))
        }
        E::ErrorArithmetic(message, _) if message.starts_with("Error parsing ") => {
            let what = if message.contains("integer") { "integer" } else { "number" };
            let text = message.split('\'').nth(1).unwrap_or_default();
            Report::error(format!("invalid {what} {}", quoted(text)))
        }
        E::ErrorArithmetic(message, _) | E::ErrorCustomSyntax(message, ..) => {
            Report::error(lower(message))
        }
        E::ErrorTooManyOperations(_) => Report::error("the recipe takes too many steps"),
        E::ErrorTooManyVariables(_) => Report::error("the recipe has too many variables"),
        E::ErrorTooManyModules(_) => Report::error("the recipe imports too many modules"),
        E::ErrorStackOverflow(_) => Report::error("function calls are nested too deeply")
            .hint("end the recursion earlier: at most 256 calls can be nested"),
        E::ErrorTerminated(token, _) if token.is::<DryRunTooLong>() => {
            Report::error("the recipe does not end in a dry run").hint(
                "if it waits for something that a dry run does not do, wait with \
                     `wait_until(|| …)`",
            )
        }
        // Other terminations were handled before: see `ending`.
        E::ErrorTerminated(..) => Report::error(crate::script::binding::memory::exceeded()),
        E::ErrorDataTooLarge(what, _) => Report::error(format!("{} is too large", lower(what))),
        E::ErrorRuntime(value, _) => super::caught::thrown(value),
        E::ErrorSystem(message, inner) => {
            let message = if message.is_empty() { inner.to_string() } else { message.clone() };
            Report::error(lower(&message))
        }
        _ => Report::error("the recipe failed for an unknown reason"),
    }
}

/// The report for a call that nothing takes, by the line before and after the name.
fn no_function(
    signature: &str,
    (line, column): (u32, u32),
    origin: &Origin,
    context: &Context,
) -> Report {
    let line = context.sources.line(&origin.source, line).unwrap_or_default();
    let (before, after): (Vec<_>, Vec<_>) =
        line.chars().enumerate().partition(|(at, _)| at + 1 < column as usize);
    let is_word = |(_, letter): &(usize, char)| letter.is_alphanumeric() || *letter == '_';
    let word: String = after.into_iter().take_while(is_word).map(|(_, it)| it).collect();
    if signature.starts_with("anon$") {
        return parameters_of_closure(&word);
    }
    let is_method = before.last().is_some_and(|(_, letter)| *letter == '.');
    function_not_found(signature, is_method, context)
}

/// The report for an unknown variable, in a function or elsewhere.
fn unknown(name: &str, in_function: bool, context: &Context) -> Report {
    let stack = context.stack.borrow();
    match (stack.declares(name), in_function) {
        (true, true) => outside(name),
        (true, false) => not_visible(name),
        (false, _) => no_variable(name, stack.variables().filter(|known| *known != name)),
    }
}

fn out_of_range(index: i64, what: &str, length: usize, part: &str) -> Report {
    let parts = count(length, part);
    Report::error(format!("index {index} is out of range: the {what} has {parts}"))
}

pub(in crate::script) fn lower(text: &str) -> String {
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
    let of_owner = |verb: &Verb| verb.receiver() == owner;
    let known = catalog::named(name).into_iter().find(|verb| of_owner(verb));
    // Reading it would not have been an error.
    if known.is_some_and(|verb| verb.kind == Kind::Property) {
        return Report::error(format!("{} of {} is read-only", quoted(name), a_type(owner)));
    }
    let report = Report::error(format!("{} has no property {}", a_type(owner), quoted(name)));
    if known.is_some() {
        return report.hint(format!("call the verb: `.{name}(…)`"));
    }
    match (foreign::hint(name, &[Place::Name]), catalog::near(name, of_owner, [])) {
        (Some(hint), _) => report.hint(hint),
        (None, Some(near)) => report.hint(format!("did you mean {}?", quoted(near))),
        (None, None) => report,
    }
}

/// The name of a type without its path.
fn short(name: &str) -> &str {
    name.rsplit("::").next().unwrap_or(name).trim()
}

/// The report for a closure with another number of parameters than `word` calls it with.
fn parameters_of_closure(word: &str) -> Report {
    let report = Report::error("wrong number of arguments for the closure");
    // Every verb calls its closure without arguments.
    if catalog::named(word).is_empty() {
        return report.hint("list its parameters between bars: `|one, other| …`");
    }
    report.hint(format!("{} passes no arguments: write `|| …`", quoted(word)))
}

/// `"bind (Sandbox, i64)"`: the name and the types of what was given.
fn function_not_found(signature: &str, is_method: bool, context: &Context) -> Report {
    let (name, types) = signature.split_once('(').unwrap_or((signature, ")"));
    let name = name.trim().rsplit("::").next().unwrap_or(name).trim();
    // Only the last one belongs to the signature: `()` is a type.
    let types = types.strip_suffix(')').unwrap_or(types);
    let types: Vec<&str> = if types.is_empty() { Vec::new() } else { types.split(',').collect() };
    let types: Vec<&str> =
        types.iter().map(|one| short(one.split('|').next_back().unwrap_or(one))).collect();
    if let Some(operator) = operator(name, &types) {
        return operator;
    }
    if let Some(property_name) = name.strip_prefix("get$").or_else(|| name.strip_prefix("set$")) {
        let owner = types.first().copied().unwrap_or_default();
        return property(&format!("'{property_name}''{owner}'"));
    }
    let own = context.stack.borrow().signature(name);
    // The receiver of a function is `this`, and not one of its parameters.
    let given = types.len().saturating_sub(usize::from(is_method));
    if let Some((signature, takes)) = own.filter(|(_, takes)| *takes != given) {
        let takes = if takes == 0 { "no arguments".into() } else { count(takes, "argument") };
        let report = Report::error(format!("{} takes {takes}, not {given}", quoted(name)));
        return report.hint(format!("call it as {}", quoted(signature)));
    }
    if context.stack.borrow().signature(name).is_some() {
        let hint = format!("import its module: `import \"…\" as lib;`, then call `lib::{name}(…)`");
        return Report::error(format!("unknown function {}", quoted(name))).hint(hint);
    }
    let counts = crate::script::language::functions::counts(name);
    let is_of_language = LANGUAGE.contains(&name) || catalog::named(name).is_empty();
    if is_of_language && !counts.is_empty() && !counts.contains(&types.len()) {
        return arity_of_language(name, &counts, types.len(), is_method);
    }
    if is_of_language && !counts.is_empty() {
        let given: Vec<_> = types.iter().map(|one| a_type(one)).collect();
        let report = Report::error(format!(
            "{} cannot be called with {}",
            quoted(name),
            list(&given, "and")
        ));
        return match foreign::hint(name, &[Place::Function]) {
            Some(hint) => report.hint(hint),
            None => report.note("a value before the dot is the first of these"),
        };
    }
    let receiver = types.first().copied().unwrap_or_default();
    let is_ours = is_method && crate::script::binding::value::TYPES.contains(&receiver);
    let verbs = catalog::named(name);
    let mine = verbs.iter().find(|verb| verb.receiver() == receiver);
    let methods: Vec<_> = verbs.iter().filter(|verb| !verb.receiver().is_empty()).collect();
    let plain = verbs.iter().find(|verb| verb.receiver().is_empty());
    if is_ours && mine.is_none() && foreign_verb(receiver, name).is_some() {
        return no_verb_of(receiver, name, types.len() - 1);
    }
    // A name after a dot is meant for the value before it.
    if is_ours && mine.is_none() && plain.is_some() && methods.is_empty() {
        return no_verb_of(receiver, name, types.len() - 1);
    }
    let read = mine.filter(|_| is_method).or(verbs.first().filter(|_| receiver == "value"));
    if let Some(verb) = read.filter(|verb| verb.kind == Kind::Property) {
        return called_property(verb);
    }
    if receiver == "Namespaces" && types.get(1) == Some(&receiver) && mine.is_some() {
        return Report::error(format!("{} takes its namespaces as one value", quoted(name)))
            .hint("combine kinds of namespaces with `|`: `UTS | NET`");
    }
    if let Some(verb) = mine.or(plain.filter(|_| !is_method || methods.is_empty())) {
        return arity(verb, types.len());
    }
    if let (Some(verb), false) = (methods.first(), types.is_empty()) {
        let (name, owner) = (quoted(name), verb.receiver());
        let mut owners: Vec<_> = methods.iter().map(|verb| a_type(verb.receiver())).collect();
        owners.dedup();
        let report = Report::error(format!(
            "{name} is a verb of {}, not of {}",
            list(&owners, "and"),
            a_type(receiver)
        ));
        let kinds = methods.iter().any(|verb| verb.receiver() == "Namespaces");
        if kinds && !is_method {
            return report.hint(
                "write kinds of namespaces as constants, without quotes: `UTS`, `PID | MOUNT`",
            );
        }
        return report.hint(format!(
            "call it on {1}; `nsscript help {0}` describes it",
            verb.name,
            a_type(owner)
        ));
    }
    unknown_function(name, Some(receiver).filter(|_| is_ours), context)
}

/// The report for a function that nothing has, or that the type `receiver` does not have.
fn unknown_function(name: &str, receiver: Option<&str>, context: &Context) -> Report {
    let what = receiver.map(|receiver| format!("{} has no verb", a_type(receiver)));
    let what = what.unwrap_or_else(|| "unknown function".into());
    let report = Report::error(format!("{what} {}", quoted(name)));
    let stack = context.stack.borrow();
    let others: Vec<&str> = stack.functions().collect();
    let accept = |verb: &Verb| {
        verb.kind == Kind::Function && verb.receiver() == receiver.unwrap_or_default()
    };
    if stack.variables().any(|known| known == name) {
        let hint = format!("{} is a variable: call a closure with `{name}.call(…)`", quoted(name));
        return report.hint(hint);
    }
    let is_foreign = receiver.is_none() && !others.contains(&name);
    if let Some(hint) = foreign::hint(name, &[Place::Function]).filter(|_| is_foreign) {
        return report.hint(hint);
    }
    let near = catalog::near(name, accept, others.iter().copied().chain(LANGUAGE));
    match near.or_else(|| catalog::near(name, |_| true, [])) {
        Some(near) => report.hint(format!("did you mean {}?", quoted(near))),
        None if others.contains(&name) => report
            .hint(format!("the recipe defines {} with another number of parameters", quoted(name))),
        None => report.hint("list the verbs with `nsscript help`"),
    }
}

/// The most common functions of the language, for "did you mean".
const LANGUAGE: [&str; 24] = [
    "print",
    "debug",
    "len",
    "push",
    "pop",
    "trim",
    "split",
    "contains",
    "replace",
    "sub_string",
    "to_upper",
    "to_lower",
    "starts_with",
    "ends_with",
    "parse_int",
    "to_string",
    "keys",
    "values",
    "map",
    "filter",
    "reduce",
    "sort",
    "reverse",
    "type_of",
];

fn operator(name: &str, types: &[&str]) -> Option<Report> {
    let symbolic = name.chars().all(|letter| !letter.is_alphanumeric() && letter != '_');
    let report = match types {
        _ if !symbolic => return None,
        [one] => Report::error(format!("{} cannot be applied to {}", quoted(name), a_type(one))),
        [left, right] => {
            let (name, left, right) = (quoted(name), a_type(left), a_type(right));
            Report::error(format!("{name} cannot be applied to {left} and {right}"))
        }
        _ => return None,
    };
    if types.contains(&"Namespaces") {
        return Some(report.hint("combine namespaces with `|`, and remove some with `-`"));
    }
    Some(report)
}
