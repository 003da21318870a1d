//! Mistakes of syntax in the words of nsscript, and where they were made.

use rhai::{EvalAltResult, LexError, ParseErrorType};

use super::reword::lower;
use crate::diag::{Report, quoted};
use crate::script::binding::argument::a_type;
use crate::script::binding::context::Context;
use crate::script::language::bracket;
use crate::script::language::statement_starts::numbers;

/// Where a mistake of syntax was made, where the engine only notices it later.
pub(in crate::script) fn better_place(
    error: &EvalAltResult,
    context: &Context,
) -> Option<(u32, u32)> {
    let EvalAltResult::ErrorParsing(kind, position) = error else { return None };
    if let ParseErrorType::BadInput(LexError::MalformedEscapeSequence(_)) = kind {
        // The engine points behind the backslash.
        let (line, column) = numbers(*position);
        return Some((line, column.saturating_sub(1)));
    }
    let text = context.sources.text(&context.source_name(None))?;
    match kind {
        ParseErrorType::MissingToken(token, _) if token == ";" => {
            let (line, column) = numbers(*position);
            bracket::end_before(&text, line, column)
        }
        ParseErrorType::UnexpectedEOF | ParseErrorType::MissingToken(..) => {
            bracket::unclosed(&text).map(|(line, column, _)| (line, column))
        }
        _ => None,
    }
}

/// The bracket that is never closed, where that is what is wrong.
pub(in crate::script) fn unclosed(kind: &ParseErrorType, context: &Context) -> Option<char> {
    let missing = match kind {
        ParseErrorType::MissingToken(token, _) => token != ";",
        ParseErrorType::UnexpectedEOF => true,
        _ => false,
    };
    let text = context.sources.text(&context.source_name(None)).filter(|_| missing)?;
    bracket::unclosed(&text).map(|(_, _, bracket)| bracket)
}

pub(in crate::script) fn parsing(kind: &ParseErrorType) -> Report {
    use ParseErrorType as P;
    match kind {
        P::UnexpectedEOF => Report::error("the recipe ends too early")
            .hint("a `{`, `(`, `[` or a text is not closed"),
        P::BadInput(error) if error.to_string().contains("'eval'") => {
            Report::error("`eval` is not part of the recipe language")
        }
        P::BadInput(error) => lexical(error),
        P::UnknownOperator(operator) => {
            Report::error(format!("{} is no operator", quoted(operator)))
        }
        P::MissingToken(token, why) => {
            let report = Report::error(format!("{} is missing", quoted(token)));
            let report = if why.is_empty() { report } else { report.note(quotes(&lower(why))) };
            if token == ";" {
                report.hint("every statement but the last of a block ends with `;`")
            } else {
                report
            }
        }
        P::MissingSymbol(why) | P::MalformedIndexExpr(why) | P::MalformedCapture(why) => {
            Report::error(lower(why))
        }
        P::DuplicatedProperty(name) => {
            Report::error(format!("the map has the key {} twice", quoted(name)))
        }
        P::DuplicatedVariable(name) => {
            Report::error(format!("the name {} is used twice", quoted(name)))
        }
        P::Reserved(word) => Report::error(format!("{} is reserved by the language", quoted(word)))
            .hint("choose another name"),
        P::MismatchedType(wanted, given) => {
            Report::error(format!("{} is needed here, not {}", a_type(wanted), a_type(given)))
        }
        P::ExprExpected(why) => {
            Report::error(format!("an expression is missing for {}", lower(why)))
        }
        P::FnMissingName => Report::error("the function has no name"),
        P::FnMissingParams(name) => {
            Report::error(format!("the function {} has no parameter list", quoted(name)))
        }
        P::FnMissingBody(name) => {
            Report::error(format!("the function {} has no body", quoted(name)))
        }
        P::FnDuplicatedDefinition(name, _) => {
            Report::error(format!("the function {} is defined twice", quoted(name)))
        }
        P::FnDuplicatedParam(name, parameter) => Report::error(format!(
            "the function {} has the parameter {} twice",
            quoted(name),
            quoted(parameter)
        )),
        P::WrongFnDefinition => {
            Report::error("a function is defined at the top of a recipe, not in a block")
        }
        P::PropertyExpected => Report::error("the name of a property or verb is missing after `.`"),
        P::VariableExpected => Report::error("the name of a variable is missing"),
        P::AssignmentToConstant(name) => Report::error(format!("{} is a constant", quoted(name))),
        P::AssignmentToInvalidLHS(_) => Report::error("nothing can be assigned to this"),
        P::ModuleUndefined(name) => Report::error(format!("no module {}", quoted(name))),
        P::ExprTooDeep => Report::error("the expression is nested too deep"),
        P::LoopBreak => Report::error("`break` and `continue` stand in a loop"),
        other => Report::error(quotes(&lower(&other.to_string()))),
    }
}

/// A mistake in a single word of the text.
fn lexical(error: &LexError) -> Report {
    match error {
        LexError::UnterminatedString => Report::error("the text is not closed")
            .hint("a text over several lines is written in backticks"),
        LexError::MalformedChar(text) => Report::error(format!(
            "{} is no character",
            quoted(format!("'{text}'"))
        ))
        .hint(format!("text is written in double quotes: {}", quoted(format!("\"{text}\"")))),
        LexError::MalformedEscapeSequence(text) => {
            Report::error(format!("{} is no escape", quoted(text)))
                .hint(r#"escapes are `\n`, `\t`, `\r`, `\"`, `\\`, `\xHH` and `\uHHHH`"#)
        }
        LexError::MalformedNumber(_) => Report::error("this is no number"),
        LexError::ImproperSymbol(symbol, _) if symbol == "=" => {
            Report::error("`=` gives a value to a variable; it does not compare")
                .hint("did you mean `==`?")
        }
        LexError::ImproperSymbol(symbol, _) => {
            let report = Report::error(format!("{} is no operator", quoted(symbol)));
            match symbol.as_str() {
                "===" => report.hint("did you mean `==`?"),
                "!==" => report.hint("did you mean `!=`?"),
                _ => report,
            }
        }
        other => Report::error(quotes(&lower(&other.to_string()))),
    }
}

/// Literals in backticks, where the engine has other quotes around them.
fn quotes(text: &str) -> String {
    text.replace('\'', "`")
}

/// The report with what was likely meant, where the text at the place tells that.
pub(in crate::script) fn hinted(
    mut report: Report,
    error: &EvalAltResult,
    context: &Context,
) -> Report {
    let (line, column) = numbers(error.position());
    let text = context.sources.line(&context.source_name(None), line).unwrap_or_default();
    let rest: String = text.chars().skip((column as usize).saturating_sub(1)).collect();
    let word: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
    let meant = match word.as_str() {
        "and" => "did you mean `&&`?",
        "or" => "did you mean `||`?",
        "not" => "did you mean `!`?",
        "elif" | "elseif" => "did you mean `else if`?",
        _ if rest.starts_with(':') && !rest.starts_with("::") => "a map is written `#{ … }`",
        _ => return report,
    };
    report.hints = vec![meant.to_owned()];
    report
}
