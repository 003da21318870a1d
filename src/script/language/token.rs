//! The words of a text that is being typed: known enough to colour it, to tell whether it is
//! finished, and to say what could come next. A text that is wrong has words, too.

/// The keywords of the language.
pub const KEYWORDS: [&str; 23] = [
    "as", "break", "catch", "const", "continue", "do", "else", "export", "false", "fn", "for",
    "if", "import", "in", "let", "loop", "return", "switch", "throw", "true", "try", "until",
    "while",
];

/// What a piece of a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name, or a keyword.
    Word,
    /// A number.
    Number,
    /// Text in quotes of some kind.
    Text,
    /// A comment.
    Comment,
    /// Brackets, operators.
    Symbol,
    /// White space.
    Space,
}

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'t> {
    /// What it is.
    pub kind: Kind,
    /// The piece.
    pub text: &'t str,
    /// The byte that it begins at.
    pub start: usize,
    /// Whether it ends with the text before it is over: quotes that are not closed.
    pub open: bool,
}

/// The pieces of a text; together they are the text.
#[must_use]
pub fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let (kind, length, open) = first(&text[start..]);
        let end = start + length;
        tokens.push(Token { kind, text: &text[start..end], start, open });
        start = end;
    }
    tokens
}

/// Whether a text is finished: every bracket and quote is closed.
#[must_use]
pub fn is_closed(text: &str) -> bool {
    let mut depth = 0_i32;
    for token in tokens(text) {
        // A text in quotes goes on in the next line only behind a backslash: else it is wrong.
        if token.open && (!token.text.starts_with(['"', '\'']) || text.ends_with('\\')) {
            return false;
        }
        match token.text {
            "(" | "[" | "{" | "#{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
    }
    depth <= 0
}

/// The kind and the length of the first piece of a text that is not empty, and whether it is open.
fn first(text: &str) -> (Kind, usize, bool) {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let while_it =
        |accept: &dyn Fn(char) -> bool| text.find(|it| !accept(it)).unwrap_or(text.len());
    let letter = text.chars().next().unwrap_or(' ');
    match letter {
        _ if letter.is_whitespace() => (Kind::Space, while_it(&char::is_whitespace), false),
        _ if text.starts_with("//") => {
            (Kind::Comment, text.find('\n').unwrap_or(text.len()), false)
        }
        _ if text.starts_with("/*") => match text[2..].find("*/") {
            Some(at) => (Kind::Comment, at + 4, false),
            None => (Kind::Comment, text.len(), true),
        },
        '"' => quoted(text, '"'),
        '\'' => quoted(text, '\''),
        '`' => interpolated(text),
        '0'..='9' => (Kind::Number, while_it(&is_word), false),
        _ if is_word(letter) => (Kind::Word, while_it(&is_word), false),
        '#' if text.starts_with("#{") => (Kind::Symbol, 2, false),
        ':' if text.starts_with("::") => (Kind::Symbol, 2, false),
        _ => (Kind::Symbol, letter.len_utf8(), false),
    }
}

/// Text between quotes of one kind, in which a backslash takes away what the next letter means.
fn quoted(text: &str, quote: char) -> (Kind, usize, bool) {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if letter == quote => return (Kind::Text, at + 1, false),
            _ => {}
        }
    }
    (Kind::Text, text.len(), true)
}

/// Text between backticks, which `${ … }` in it is code of.
fn interpolated(text: &str) -> (Kind, usize, bool) {
    let mut at = 1;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with('`') {
            return (Kind::Text, at + 1, false);
        }
        at += match rest.strip_prefix("${") {
            Some(inner) => 2 + code(inner),
            None => rest.chars().next().map_or(1, char::len_utf8),
        };
    }
    (Kind::Text, text.len(), true)
}

/// The length of code up to and with the brace that ends it.
fn code(text: &str) -> usize {
    let (mut depth, mut at) = (1, 0);
    while at < text.len() && depth > 0 {
        let (_, length, _) = first(&text[at..]);
        match &text[at..at + length] {
            "{" | "#{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        at += length;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_together_are_the_text() {
        let texts = [
            "let a = sandbox(\"/\").bind(`x${ f(\"}\") }`, 'c') // so\n /* and */ #{ a: 0x1f }",
            "\"a\\\"b\" \"open",
            "`open ${ a",
            "/* open",
            "größe::f();",
        ];
        for text in texts {
            let all: String = tokens(text).iter().map(|token| token.text).collect();
            assert_eq!(all, text);
        }
        let kinds: Vec<_> = tokens(texts[0]).iter().map(|token| token.kind).collect();
        assert_eq!(kinds.iter().filter(|kind| **kind == Kind::Text).count(), 3);
        assert_eq!(kinds.iter().filter(|kind| **kind == Kind::Comment).count(), 2);
        assert_eq!(kinds.iter().filter(|kind| **kind == Kind::Number).count(), 1);
    }

    #[test]
    fn what_is_open_is_not_finished() {
        for text in ["f(", "#{ a: 1", "`a ${b", "/* a", "fn f() {\n", "f(\")\"", "[1, 2", "\"a\\"] {
            assert!(!is_closed(text), "{text}");
        }
        for text in ["f()", "", "// (", "`${ f(\"`\") }`", "'('", "f())", "#{}", "\"\\\"(\"", "\"a"]
        {
            assert!(is_closed(text), "{text}");
        }
    }
}
