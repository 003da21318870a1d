//! Positions of unclosed brackets and missing semicolons, which the engine notices only later.

use super::token::{Kind, tokens};

/// The line and column, both from 1, and the bracket, of the innermost unclosed bracket.
#[must_use]
pub fn unclosed(text: &str) -> Option<(u32, u32, char)> {
    let mut open: Vec<(u32, u32, char)> = Vec::new();
    for (line, column, letter) in code(text) {
        match letter {
            '(' | '[' | '{' => open.push((line, column, letter)),
            ')' | ']' | '}' => {
                open.pop();
            }
            _ => {}
        }
    }
    open.pop()
}

/// The line and column of an unclosed `/*`: for the language, the rest is a comment.
#[must_use]
pub fn open_comment(text: &str) -> Option<(u32, u32)> {
    scan(text).1
}

/// The position after the last token before `line` and `column`, where a `;` belongs.
#[must_use]
pub fn end_before(text: &str, line: u32, column: u32) -> Option<(u32, u32)> {
    let before = |(at, place, letter): &(u32, u32, char)| {
        (*at, *place) < (line, column) && !letter.is_whitespace()
    };
    code(text).into_iter().rfind(before).map(|(line, column, _)| (line, column + 1))
}

/// The positions at which statements outside of brackets end: of each `;`, and of each `}` that
/// ends a statement.
#[must_use]
pub fn statement_ends(text: &str) -> Vec<(u32, u32)> {
    let code = code(text);
    let mut ends = Vec::new();
    let mut open: Vec<char> = Vec::new();
    for (index, (line, column, letter)) in code.iter().enumerate() {
        match letter {
            '(' | '[' | '{' => open.push(*letter),
            ')' | ']' => {
                open.pop();
            }
            // A bracket that is open before a `;` or `}` should have been closed.
            ';' | '}' => {
                let block = open.iter().rposition(|bracket| *bracket == '{');
                open.truncate(block.map_or(0, |at| at + usize::from(*letter == ';')));
            }
            _ => {}
        }
        let is_end = match letter {
            ';' => true,
            '}' => {
                let rest = code[index + 1..].iter().map(|(.., letter)| *letter);
                let rest: String =
                    rest.skip_while(|letter| letter.is_whitespace()).take(8).collect();
                let goes_on = ["else", "catch", "while", "until"];
                let begins = |letter: char| letter.is_alphabetic() || "_\"`'/#".contains(letter);
                rest.chars().next().is_none_or(begins)
                    && !goes_on.iter().any(|word| rest.starts_with(word))
            }
            _ => false,
        };
        if is_end && open.is_empty() {
            ends.push((*line, *column));
        }
    }
    ends
}

/// The words of a text outside of comments and strings.
pub fn words(text: &str) -> impl Iterator<Item = String> {
    let mut words: Vec<(String, (u32, u32))> = Vec::new();
    for (line, column, letter) in code(text) {
        if !letter.is_alphanumeric() && letter != '_' {
            continue;
        }
        match words.last_mut() {
            Some((word, end)) if *end == (line, column) => {
                word.push(letter);
                end.1 += 1;
            }
            _ => words.push((letter.to_string(), (line, column + 1))),
        }
    }
    words.into_iter().map(|(word, _)| word)
}

/// The characters of a text outside of comments and strings, with their positions. The quotes are
/// included.
fn code(text: &str) -> Vec<Placed> {
    scan(text).0
}

/// A character of a text: line, column, character.
type Placed = (u32, u32, char);

/// The same, and the position of an unclosed comment.
fn scan(text: &str) -> (Vec<Placed>, Option<(u32, u32)>) {
    let (mut code, mut opened) = (Vec::new(), None);
    let (mut line, mut column) = (1, 0);
    for token in tokens(text) {
        if token.kind == Kind::Comment && token.open {
            opened = Some((line, column + 1));
        }
        let end = token.text.len();
        for (at, letter) in token.text.char_indices() {
            if letter == '\n' {
                (line, column) = (line + 1, 0);
                continue;
            }
            column += 1;
            let is_quote = at == 0 || (at + letter.len_utf8() == end && !token.open);
            let is_code = match token.kind {
                Kind::Comment => false,
                Kind::Text => is_quote,
                _ => true,
            };
            code.extend(is_code.then_some((line, column, letter)));
        }
    }
    (code, opened)
}

#[cfg(test)]
mod tests {
    use super::{end_before, statement_ends, unclosed, words};

    #[test]
    fn the_bracket_that_is_never_closed_is_found() {
        assert_eq!(unclosed("fn f() {\n  print(1);\n"), Some((1, 8, '{')));
        assert_eq!(unclosed("a(\"(\"); // {\n/* [ */ b[1"), Some((2, 10, '[')));
        assert_eq!(unclosed("a(`{`) { '(' }"), None);
    }

    #[test]
    fn a_semicolon_belongs_behind_what_stands_before() {
        assert_eq!(end_before("let a = 1\n// so\nlet b = 2;", 3, 1), Some((1, 10)));
    }

    #[test]
    fn words_are_those_of_the_code() {
        let text = "let a_1 = \"text\"; // a comment\nb";
        assert_eq!(words(text).collect::<Vec<_>>(), ["let", "a_1", "b"]);
    }

    #[test]
    fn statements_end_outside_of_all_brackets() {
        let text = "a(b;\nfn f() { 1; } if c { } else { d; }\n#{ x: 1 }.len();";
        assert_eq!(statement_ends(text), [(1, 4), (2, 13), (2, 34), (3, 16)]);
    }
}
