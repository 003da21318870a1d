//! Syntax errors, and their positions.

use rhai::{EvalAltResult, LexError, ParseErrorType};

use super::reword::lower;
use crate::diag::{Report, quoted};
use crate::script::binding::argument::a_type;
use crate::script::binding::context::Context;
use crate::script::language::bracket;
use crate::script::language::foreign::{self, Mistake};
use crate::script::language::statement_starts::numbers;

/// The position of a syntax error that the engine notices only later.
pub(in crate::script) fn better_place(
    error: &EvalAltResult,
    context: &Context,
) -> Option<(u32, u32)> {
    let EvalAltResult::ErrorParsing(kind, position) = error else { return None };
    if let ParseErrorType::BadInput(LexError::MalformedEscapeSequence(_)) = kind {
        // The engine's position is after the backslash.
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

/// The unclosed bracket, if that is the error.
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
        P::UnexpectedEOF => Report::error("unexpected end of the recipe")
            .hint("close every `{`, `(`, `[` and string"),
        P::BadInput(error) if error.to_string().contains("'eval'") => {
            Report::error("`eval` is not part of the recipe language")
        }
        P::BadInput(error) => lexical(error),
        P::UnknownOperator(operator) => {
            Report::error(format!("unknown operator {}", quoted(operator)))
        }
        P::MissingToken(token, why) => {
            let report = Report::error(format!("missing {}", quoted(token)));
            let report = if why.is_empty() { report } else { report.note(quotes(&lower(why))) };
            if token == ";" {
                report.hint("end every statement except the last of a block with `;`")
            } else {
                report
            }
        }
        P::MissingSymbol(why) | P::MalformedIndexExpr(why) | P::MalformedCapture(why) => {
            Report::error(lower(why))
        }
        P::DuplicatedProperty(name) => {
            Report::error(format!("duplicate key {} in the map", quoted(name)))
        }
        P::DuplicatedVariable(name) => Report::error(format!("duplicate name {}", quoted(name))),
        P::Reserved(word) => Report::error(format!("{} is reserved by the language", quoted(word)))
            .hint("choose another name"),
        P::MismatchedType(wanted, given) => {
            Report::error(format!("expected {}, not {}", a_type(wanted), a_type(given)))
        }
        P::ExprExpected(why) => Report::error(format!("missing expression for {}", lower(why))),
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
            "duplicate parameter {1} of the function {0}",
            quoted(name),
            quoted(parameter)
        )),
        P::WrongFnDefinition => {
            Report::error("functions must be defined at the top level of a recipe, not in a block")
        }
        P::PropertyExpected => Report::error("missing name of a property or verb after `.`"),
        P::VariableExpected => Report::error("missing variable name"),
        P::AssignmentToConstant(name) => {
            Report::error(format!("cannot assign to the constant {}", quoted(name)))
        }
        P::AssignmentToInvalidLHS(_) => Report::error("cannot assign to this expression"),
        P::ModuleUndefined(name) => Report::error(format!("unknown module {}", quoted(name))),
        P::ExprTooDeep => Report::error("the expression is nested too deeply"),
        P::LoopBreak => Report::error("`break` and `continue` are valid only in a loop"),
        other => Report::error(quotes(&lower(&other.to_string()))),
    }
}

/// The report for an error in a single token.
fn lexical(error: &LexError) -> Report {
    match error {
        LexError::UnterminatedString => Report::error("unterminated string")
            .hint("write a string of several lines in backticks"),
        LexError::MalformedChar(text) => {
            Report::error(format!("invalid character {}", quoted(format!("'{text}'"))))
                .hint(format!("write strings in double quotes: {}", quoted(format!("\"{text}\""))))
        }
        LexError::MalformedEscapeSequence(text) => {
            Report::error(format!("invalid escape {}", quoted(text)))
                .hint(r#"valid escapes are `\n`, `\t`, `\r`, `\"`, `\\`, `\xHH` and `\uHHHH`"#)
        }
        LexError::MalformedNumber(digits) if is_integer(digits) => {
            let report = Report::error("the integer is too large");
            report.hint(format!(
                "the largest is {}; write larger numbers as floats: `1e20`",
                i64::MAX
            ))
        }
        LexError::MalformedNumber(digits) if is_negative(digits) => {
            let report = Report::error("invalid number");
            report.hint(format!("write the sign apart: `-(0{digits})`"))
        }
        LexError::MalformedNumber(_) => Report::error("invalid number"),
        LexError::ImproperSymbol(symbol, _) if symbol == "=" => {
            Report::error("`=` assigns a value; it does not compare").hint("did you mean `==`?")
        }
        LexError::ImproperSymbol(symbol, _) => {
            let report = Report::error(format!("unknown operator {}", quoted(symbol)));
            match symbol.as_str() {
                "===" => report.hint("did you mean `==`?"),
                "!==" => report.hint("did you mean `!=`?"),
                _ => report,
            }
        }
        other => Report::error(quotes(&lower(&other.to_string()))),
    }
}

/// Whether these are the digits of an integer, in any base.
fn is_integer(digits: &str) -> bool {
    let digits = digits.strip_prefix('-').unwrap_or(digits);
    !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// Whether these are the digits of a number in another base with a sign before it, which the engine
/// does not read.
fn is_negative(digits: &str) -> bool {
    digits.strip_prefix(['x', 'X', 'o', 'O', 'b', 'B']).is_some_and(is_integer)
}

/// Replaces the engine's quotes by backticks.
fn quotes(text: &str) -> String {
    text.replace('\'', "`")
}

/// The report for a word or sign of another language, with its line and column, and its length.
pub(in crate::script) fn foreign(
    error: &EvalAltResult,
    context: &Context,
) -> Option<(Report, (u32, u32), usize)> {
    use ParseErrorType as P;
    let EvalAltResult::ErrorParsing(kind, position) = error else { return None };
    // The engine can read the text of other mistakes.
    let is_unreadable = matches!(
        kind,
        P::BadInput(_)
            | P::UnknownOperator(_)
            | P::MissingToken(..)
            | P::MissingSymbol(_)
            | P::Reserved(_)
            | P::VariableExpected
            | P::PropertyExpected
            | P::ExprExpected(_)
    );
    let (line, column) = numbers(*position);
    let text = context.sources.line(&context.source_name(None), line)?;
    let text = Some(text).filter(|_| is_unreadable)?;
    let at = text.char_indices().nth((column as usize).saturating_sub(1));
    let (before, rest) = text.split_at(at.map_or(text.len(), |(at, _)| at));
    let reserved = matches!(kind, ParseErrorType::Reserved(_));
    let Mistake { offset, length, is_foreign, hint } = foreign::syntax(before, rest, reserved)?;
    let mut report = if is_foreign {
        let word = quoted(&text[offset..offset + length]);
        Report::error(format!("{word} is not part of the recipe language"))
    } else {
        let report = parsing(kind);
        Report { notes: Vec::new(), ..report }
    };
    report.hints = vec![hint.to_owned()];
    let column = u32::try_from(text[..offset].chars().count() + 1).ok()?;
    Some((report, (line, column), length))
}
