//! Positions where statements begin, and the insertion of breakpoints before them.

use rhai::{AST, ASTNode, Position};

use super::bracket::end_before;
use super::token::{Kind, Token, tokens};

/// The name of the verb.
pub const NAME: &str = "breakpoint";

/// Lines and columns, counted from 1.
pub type Places = Vec<(u32, u32)>;

/// The line and column of an engine position; 0 for missing ones.
pub fn numbers(position: Position) -> (u32, u32) {
    let number = |number: Option<usize>| number.and_then(|it| u32::try_from(it).ok()).unwrap_or(0);
    (number(position.line()), number(position.position()))
}

/// The positions where statements begin, as far as the tokens show.
pub fn starts(ast: &AST, text: &str) -> Places {
    let mut bytes = Vec::new();
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        if let Some(ASTNode::Stmt(statement)) = path.last() {
            let place = numbers(statement.position());
            bytes.extend((place.0 > 0).then(|| byte(text, place)));
        }
        true
    });
    let words = significant(text);
    let mut starts: Places =
        bytes.into_iter().filter_map(|at| Some(place(text, beginning(&words, at)?))).collect();
    starts.sort_unstable();
    starts.dedup();
    starts
}

/// The byte at which the statement begins that the engine places at `at`.
pub fn start_of(text: &str, at: Position) -> Option<usize> {
    let place = numbers(at);
    (place.0 > 0).then_some(())?;
    beginning(&significant(text), byte(text, place))
}

/// The tokens of a text without space and comments.
fn significant(text: &str) -> Vec<Token<'_>> {
    let words = tokens(text).into_iter();
    words.filter(|token| !matches!(token.kind, Kind::Space | Kind::Comment)).collect()
}

/// The byte at which the statement begins that the engine places at `at`: for `a * b`, that is the
/// operator.
fn beginning(words: &[Token<'_>], at: usize) -> Option<usize> {
    let mut index = words.iter().rposition(|word| word.start <= at)?;
    let mut depth = 0;
    while let Some(before) = index.checked_sub(1) {
        match words[before].text {
            ";" | "{" | "}" if depth == 0 => break,
            "(" | "[" | "#{" if depth == 0 => return None,
            "(" | "[" | "{" | "#{" => depth -= 1,
            ")" | "]" | "}" => depth += 1,
            _ => {}
        }
        index = before;
    }
    Some(words[index].start)
}

/// The line and column of a byte.
fn place(text: &str, at: usize) -> (u32, u32) {
    let before = &text[..at];
    let number = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (number(before.matches('\n').count() + 1), number(column))
}

/// The byte at a line and column.
fn byte(text: &str, (line, column): (u32, u32)) -> usize {
    let begin = text.split_inclusive('\n').take(line as usize - 1).map(str::len).sum::<usize>();
    let rest = text[begin..].char_indices().nth(column as usize - 1);
    rest.map_or(text.len(), |(at, _)| begin + at)
}

/// Adds a breakpoint before the first statement that begins at or after each of these lines. It is
/// inserted after the preceding text, so that no position changes. `is_fine` checks that a text is
/// still valid.
///
/// # Errors
/// The line after which no statement begins.
pub fn with_breaks(
    text: &str,
    starts: &[(u32, u32)],
    lines: &[u32],
    is_fine: &dyn Fn(&str) -> bool,
) -> Result<String, u32> {
    let mut ends = Vec::new();
    for line in lines {
        let after = starts.iter().filter(|(at, _)| at >= line);
        let mut ways = after.map(|(line, column)| end_before(text, *line, *column));
        let end = ways.find(|end| is_fine(&with_break(text, end.unwrap_or((1, 1)))));
        ends.push(end.ok_or(*line)?.unwrap_or((1, 1)));
    }
    ends.sort_unstable();
    ends.dedup();
    Ok(ends.iter().rev().fold(text.to_owned(), |text, end| with_break(&text, *end)))
}

fn with_break(text: &str, end: (u32, u32)) -> String {
    let (before, after) = text.split_at(byte(text, end));
    format!("{before} {NAME}(); {after}")
}

/// The positions of the breakpoints of a text, in order; for an inserted one, that of its
/// statement.
pub fn stops(original: &str, text: &str, starts: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let words = tokens(text).into_iter().filter(|it| it.kind == Kind::Word && it.text == NAME);
    let of = |start: usize| {
        let place = place(text, start);
        let is_own = original[byte(original, place)..].starts_with(NAME);
        // An inserted one has a space before it.
        let begin = (place.0, place.1.saturating_sub(1));
        let next = starts.iter().find(|it| **it >= begin).filter(|_| !is_own);
        next.copied().unwrap_or(place)
    };
    words.map(|token| of(token.start)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breakpoint_moves_nothing() {
        let text = "// first\nlet a = 1;\nif a > 0 {\n    f();\n}\n";
        let starts = [(2, 1), (3, 1), (4, 5)];
        let with = with_breaks(text, &starts, &[4, 1], &|_| true).unwrap();
        assert_eq!(
            with,
            " breakpoint(); // first\nlet a = 1;\nif a > 0 { breakpoint(); \n    f();\n}\n"
        );
        assert_eq!(stops(text, &with, &starts), [(2, 1), (4, 5)]);
        assert_eq!(with_breaks(text, &starts, &[5], &|_| true), Err(5));
        assert_eq!(stops("\n breakpoint();", "\n breakpoint();", &[(2, 2)]), [(2, 2)]);
    }

    #[test]
    fn statements_begin_where_something_can_stand_before_them() {
        let mut engine = rhai::Engine::new();
        engine.set_optimization_level(rhai::OptimizationLevel::None);
        let text = "let f = |x|\n    x + 1;\nif f.call(1) > 1 {\n    g();\n} else\nif true {\n}\n\
                    fn g() {\n    h()\n}\nfor x in [1] {\n    x;\n}";
        let found = starts(&engine.compile(text).unwrap(), text);
        assert_eq!(found, [(1, 1), (3, 1), (4, 5), (5, 3), (9, 5), (11, 1), (12, 5)]);
    }
}
