//! Tokens of a text that is being typed: for colours, for completion, and to decide whether it is
//! finished. A text with mistakes has tokens, too.

/// The keywords of the language.
pub const KEYWORDS: [&str; 23] = [
    "as", "break", "catch", "const", "continue", "do", "else", "export", "false", "fn", "for",
    "if", "import", "in", "let", "loop", "return", "switch", "throw", "true", "try", "until",
    "while",
];

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name, or a keyword.
    Word,
    /// A number.
    Number,
    /// A string in any quotes.
    Text,
    /// A comment.
    Comment,
    /// Brackets, operators.
    Symbol,
    /// White space.
    Space,
}

/// A token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'t> {
    /// What it is.
    pub kind: Kind,
    /// Its text.
    pub text: &'t str,
    /// The byte at which it begins.
    pub start: usize,
    /// Whether the text ends within it, as in an unterminated string.
    pub open: bool,
}

/// The tokens of a text, including space and comments.
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
        // A string in quotes continues on the next line only after a backslash.
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

/// The kind and length of the first token of a text that is not empty, and whether it is open.
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

/// A string between quotes of one kind, with backslash escapes.
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

/// A string between backticks, with code in `${ … }`.
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

/// The length of code, including the closing brace.
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
