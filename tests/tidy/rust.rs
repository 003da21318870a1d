//! Just enough of Rust to tell code from comments and strings, and to follow a path to where it
//! leads.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Comment,
    /// A string, a character, or a lifetime.
    Literal,
    /// A name, a keyword or a number.
    Word,
    /// Punctuation. `::`, `->` and `=>` are one sign each.
    Sign,
}

/// A token, and the line that it begins on.
#[derive(Clone, Copy, Debug)]
pub struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
    pub line: usize,
}

impl Token<'_> {
    pub fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Word | Kind::Sign) && self.text == text
    }
}

/// The tokens of a source text, comments among them.
pub fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (source, 1);
    while let Some(first) = rest.chars().next() {
        let (kind, length) = if first.is_whitespace() {
            (None, first.len_utf8())
        } else {
            let (kind, length) = first_token(rest);
            (Some(kind), length)
        };
        let (text, after) = rest.split_at(length);
        tokens.extend(kind.map(|kind| Token { kind, text, line }));
        line += text.matches('\n').count();
        rest = after;
    }
    tokens
}

/// The kind and the length of the token that `rest` begins with.
fn first_token(rest: &str) -> (Kind, usize) {
    if rest.starts_with("//") {
        return (Kind::Comment, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Kind::Comment, block_comment(rest));
    }
    if let Some(length) = literal(rest) {
        return (Kind::Literal, length);
    }
    let word = |text: &str| text.find(|c: char| !c.is_alphanumeric() && c != '_');
    let raw = if rest.starts_with("r#") { 2 } else { 0 };
    match word(&rest[raw..]).unwrap_or(rest.len() - raw) {
        0 if ["::", "->", "=>"].iter().any(|sign| rest.starts_with(sign)) => (Kind::Sign, 2),
        0 => (Kind::Sign, rest.chars().next().map_or(0, char::len_utf8)),
        length => (Kind::Word, raw + length),
    }
}

/// The length of a block comment; they nest.
fn block_comment(rest: &str) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            (at, depth) = (at + 2, depth + 1);
        } else if rest[at..].starts_with("*/") {
            (at, depth) = (at + 2, depth - 1);
            if depth == 0 {
                break;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// The length of a string, character or lifetime, if `rest` begins with one.
fn literal(rest: &str) -> Option<usize> {
    let body = rest.strip_prefix(['b', 'c']).unwrap_or(rest);
    let before = rest.len() - body.len();
    if let Some(raw) = body.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if let Some(inside) = raw[hashes..].strip_prefix('"') {
            let end = format!("\"{}", &raw[..hashes]);
            let length = inside.find(&end).map_or(inside.len(), |at| at + end.len());
            return Some(before + 1 + hashes + 1 + length);
        }
    }
    if body.starts_with('"') {
        return Some(before + quoted_length(body, '"'));
    }
    let inside = body.strip_prefix('\'')?;
    let mut characters = inside.chars();
    if inside.starts_with('\\') || (characters.next().is_some() && characters.next() == Some('\''))
    {
        return Some(before + quoted_length(body, '\''));
    }
    // A lifetime or a label.
    let name = inside.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(inside.len());
    Some(before + 1 + name)
}

/// The length of what stands between two quotes, with both, where a backslash hides a quote.
fn quoted_length(body: &str, quote: char) -> usize {
    let mut hidden = false;
    for (at, character) in body.char_indices().skip(1) {
        match character {
            _ if hidden => hidden = false,
            '\\' => hidden = true,
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    body.len()
}

/// The tokens without the paths of `pub(in …)`, which say who may name something and name nothing.
pub fn without_visibility(tokens: Vec<Token<'_>>) -> Vec<Token<'_>> {
    let mut kept: Vec<Token<'_>> = Vec::new();
    let mut is_within = false;
    for token in tokens {
        is_within = is_within && !token.is(")");
        if !is_within {
            let before = kept.len().checked_sub(2).map(|at| (kept[at], kept[at + 1]));
            let opens = before.is_some_and(|(word, sign)| word.is("pub") && sign.is("("));
            is_within = opens && token.is("in");
            kept.push(token);
        }
    }
    kept
}

/// A path that the code names.
#[derive(Debug)]
pub struct Named {
    pub words: Vec<String>,
    pub line: usize,
    /// The modules within the file that it is named in, outermost first.
    pub within: Vec<String>,
}

/// All paths of `use` lines, and those in the code that begin with a word.
pub fn named_paths(tokens: &[Token<'_>]) -> Vec<Named> {
    let code: Vec<Token<'_>> =
        tokens.iter().copied().filter(|token| token.kind != Kind::Comment).collect();
    let is = |at: usize, text: &str| code.get(at).is_some_and(|token| token.is(text));
    let is_word = |at: usize| code.get(at).is_some_and(|token| token.kind == Kind::Word);
    let mut named = Vec::new();
    let mut within: Vec<(String, usize)> = Vec::new();
    let (mut at, mut depth) = (0, 0_usize);
    while at < code.len() {
        let Token { text, line, .. } = code[at];
        let modules = || within.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        let mut name = |words| named.push(Named { words, line, within: modules() });
        // `use<'a>` of a bound names no path.
        if is(at, "use") && !is(at + 1, "<") {
            at += 1;
            for words in use_tree(&code, &mut at, &[]) {
                name(words);
            }
        } else if is(at, "extern") && is(at + 1, "crate") && is_word(at + 2) {
            name(vec![code[at + 2].text.to_owned()]);
            at += 3;
        } else if is(at, "mod") && is_word(at + 1) && is(at + 2, "{") {
            depth += 1;
            within.push((code[at + 1].text.to_owned(), depth));
            at += 3;
        } else if is_word(at) && is(at + 1, "::") && begins_path(&code, at) {
            let mut words = vec![text.to_owned()];
            at += 1;
            while is(at, "::") && is_word(at + 1) {
                words.push(code[at + 1].text.to_owned());
                at += 2;
            }
            name(words);
        } else {
            if is(at, "{") {
                depth += 1;
            } else if is(at, "}") {
                within.pop_if(|(_, inside)| *inside == depth);
                depth = depth.saturating_sub(1);
            }
            at += 1;
        }
    }
    named
}

/// Whether the word does not go on a path; `::libc::c_int` begins one.
fn begins_path(code: &[Token<'_>], at: usize) -> bool {
    let before = |count: usize| at.checked_sub(count).map(|at| code[at]);
    match (before(2), before(1)) {
        (Some(token), Some(colons)) if colons.is("::") => {
            token.kind == Kind::Sign && !token.is(">")
        }
        _ => true,
    }
}

/// The paths of a `use` tree, from `at` to where the tree ends.
fn use_tree(code: &[Token<'_>], at: &mut usize, prefix: &[String]) -> Vec<Vec<String>> {
    let mut words = prefix.to_vec();
    while let Some(token) = code.get(*at) {
        match token.text {
            // The last two end the pattern of a macro that takes a `use`.
            "," | "}" | ";" | ")" | "=>" => break,
            "{" => {
                let mut paths = Vec::new();
                // The brace, then a comma at each round, then the other brace.
                *at += 1;
                while code.get(*at).is_some_and(|token| !token.is("}")) {
                    paths.extend(use_tree(code, at, &words));
                    *at += usize::from(code.get(*at).is_some_and(|token| !token.is("}")));
                }
                *at += 1;
                return paths;
            }
            "as" => *at += 1,
            text if token.kind == Kind::Word || text == "*" => words.push(text.to_owned()),
            _ => {}
        }
        *at += 1;
    }
    if words.len() > 1 {
        words.pop_if(|word| word == "self");
    }
    if words.is_empty() { Vec::new() } else { vec![words] }
}

/// The module that a file of `src` is, from the crate's root: none for the root itself.
pub fn module_of(path: &str) -> Vec<String> {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    let mut words: Vec<String> = path.split('/').map(str::to_owned).collect();
    words.pop_if(|last| matches!(last.as_str(), "mod" | "lib" | "main"));
    words
}

/// Where in this crate a path leads, from the root; `None` if it names another crate or a
/// neighbour.
pub fn resolve(module: &[String], named: &Named) -> Option<Vec<String>> {
    let mut words = named.words.iter().map(String::as_str).peekable();
    let mut place = match *words.peek()? {
        "crate" | "nsscript" => Vec::new(),
        "self" | "super" => module.iter().chain(&named.within).cloned().collect(),
        _ => return None,
    };
    words.next_if(|word| matches!(*word, "crate" | "nsscript" | "self"));
    while words.next_if_eq(&"super").is_some() {
        place.pop();
    }
    place.extend(words.map(str::to_owned));
    Some(place)
}
