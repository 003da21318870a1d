//! The words and commands of a shell script.

use super::{Found, MOST_DEPTH, Part, Word, command, is_number, plain, within};
use crate::host::script::{add, add_all, program_of};

/// A reader of a text.
pub(super) struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    depth: usize,
    /// The ends of the texts that begin in the next line.
    documents: Vec<(String, bool)>,
}

impl<'t> Reader<'t> {
    pub(super) fn of(text: &'t str, depth: usize) -> Self {
        Self { text: text.as_bytes(), at: 0, depth, documents: Vec::new() }
    }

    pub(super) fn read(&mut self, found: &mut Found) {
        while self.at < self.text.len() {
            self.commands(None, found);
            // A closing bracket that nothing has opened.
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn peek_at(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn begins(&self, with: &str) -> bool {
        self.text[self.at.min(self.text.len())..].starts_with(with.as_bytes())
    }

    /// Goes beyond the next `what`, or to the end.
    fn skip_to(&mut self, what: &str) {
        while self.at < self.text.len() && !self.begins(what) {
            self.at += 1;
        }
        self.at = (self.at + what.len()).min(self.text.len());
    }

    fn skip_blanks(&mut self) {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r') => self.at += 1,
                Some(b'\\') if self.peek_at(1) == Some(b'\n') => self.at += 2,
                _ => return,
            }
        }
    }

    /// Reads commands up to the bracket that closes them, which is consumed.
    fn commands(&mut self, until: Option<u8>, found: &mut Found) {
        if self.depth == MOST_DEPTH {
            self.at = self.text.len();
            return;
        }
        self.depth += 1;
        self.list(until, found);
        self.depth -= 1;
    }

    fn list(&mut self, until: Option<u8>, found: &mut Found) {
        let mut words: Vec<Word> = Vec::new();
        // The number of `case` around, and whether a pattern comes next.
        let (mut cases, mut pattern) = (0_usize, false);
        loop {
            self.skip_blanks();
            if pattern {
                self.blank_lines();
                if self.begins("esac") {
                    (cases, pattern) = (cases.saturating_sub(1), false);
                    self.at += 4;
                    continue;
                }
                self.pattern(found);
                pattern = false;
                continue;
            }
            let Some(next) = self.peek() else { break };
            match next {
                b'#' => self.comment(),
                b'\n' => {
                    command(&mut words, found, self.depth);
                    self.at += 1;
                    self.skip_documents();
                }
                b';' => {
                    command(&mut words, found, self.depth);
                    self.at += 1;
                    if matches!(self.peek(), Some(b';' | b'&')) && cases > 0 {
                        self.at += 1;
                        pattern = true;
                    }
                }
                b'&' if self.peek_at(1) == Some(b'>') => self.redirection(found),
                b'&' | b'|' => {
                    command(&mut words, found, self.depth);
                    self.at += 1;
                }
                b'<' | b'>' => self.redirection(found),
                b'(' if words.is_empty() && self.begins("((") => self.arithmetic(),
                b'(' if words.is_empty() => {
                    self.at += 1;
                    self.commands(Some(b')'), found);
                }
                b'(' => {
                    self.at += 1;
                    self.skip_blanks();
                    match (plain(&words[0]), self.peek()) {
                        // `name()`: a function, whose body follows.
                        (Some(name), Some(b')')) => {
                            add(&mut found.functions, &name);
                            self.at += 1;
                            words.clear();
                        }
                        // An array, or a pattern of the shell.
                        _ => self.array(found),
                    }
                }
                b')' => {
                    if until == Some(b')') {
                        self.at += 1;
                    }
                    break;
                }
                _ => {
                    let start = self.at;
                    let word = self.word(found);
                    if self.at == start {
                        self.at += 1;
                        continue;
                    }
                    if matches!(self.peek(), Some(b'<' | b'>')) && is_number(&word) {
                        continue;
                    }
                    let keyword = if words.is_empty() { plain(&word) } else { None };
                    match keyword.as_deref() {
                        Some(
                            "if" | "then" | "elif" | "else" | "while" | "until" | "do" | "!" | "{"
                            | "}" | "fi" | "done" | "coproc",
                        ) => {}
                        Some("esac") => cases = cases.saturating_sub(1),
                        Some("case") => {
                            self.case(found);
                            (cases, pattern) = (cases + 1, true);
                        }
                        Some("for" | "select") => self.header(found),
                        Some("function") => {
                            self.skip_blanks();
                            let name = self.word(found);
                            add_all(&mut found.functions, plain(&name).as_deref());
                            self.skip_blanks();
                            if self.begins("()") {
                                self.at += 2;
                            }
                        }
                        Some("[[") => self.skip_to("]]"),
                        _ => words.push(word),
                    }
                }
            }
        }
        command(&mut words, found, self.depth);
    }

    fn comment(&mut self) {
        while self.peek().is_some_and(|c| c != b'\n') {
            self.at += 1;
        }
    }

    fn blank_lines(&mut self) {
        while let Some(c) = self.peek() {
            match c {
                b'\n' | b' ' | b'\t' | b'\r' => self.at += 1,
                b'#' => self.comment(),
                _ => return,
            }
        }
    }

    /// The word of a `case`, up to and with `in`.
    fn case(&mut self, found: &mut Found) {
        self.skip_blanks();
        self.word(found);
        self.blank_lines();
        if self.begins("in") {
            self.at += 2;
        }
    }

    /// A pattern of a `case`, with the bracket that ends it.
    fn pattern(&mut self, found: &mut Found) {
        if self.peek() == Some(b'(') {
            self.at += 1;
        }
        while let Some(c) = self.peek() {
            match c {
                b')' => {
                    self.at += 1;
                    return;
                }
                b' ' | b'\t' | b'\n' | b'|' | b';' | b'&' | b'<' | b'>' | b'(' => self.at += 1,
                _ => {
                    let start = self.at;
                    self.word(found);
                    if self.at == start {
                        self.at += 1;
                    }
                }
            }
        }
    }

    /// The header of a `for`, up to the end of its words.
    fn header(&mut self, found: &mut Found) {
        self.skip_blanks();
        if self.begins("((") {
            return self.arithmetic();
        }
        while let Some(c) = self.peek() {
            if matches!(c, b'\n' | b';' | b')') {
                return;
            }
            let start = self.at;
            let word = self.word(found);
            // `for name do` without words.
            if plain(&word).as_deref() == Some("do") {
                return;
            }
            if self.at == start {
                self.at += 1;
            }
            self.skip_blanks();
        }
    }

    /// The words of an array, and the bracket that closes it.
    fn array(&mut self, found: &mut Found) {
        while let Some(c) = self.peek() {
            let start = self.at;
            match c {
                b')' => {
                    self.at += 1;
                    return;
                }
                b'#' => self.comment(),
                _ => drop(self.word(found)),
            }
            if self.at == start {
                self.at += 1;
            }
        }
    }

    /// `((…))`.
    fn arithmetic(&mut self) {
        self.skip_to("))");
    }

    fn redirection(&mut self, found: &mut Found) {
        if matches!(self.peek_at(1), Some(b'(')) {
            self.at += 2;
            return self.commands(Some(b')'), found);
        }
        if self.begins("<<<") {
            self.at += 3;
        } else if self.begins("<<") {
            self.at += 2;
            let tabs = self.peek() == Some(b'-');
            self.at += usize::from(tabs);
            self.skip_blanks();
            let end = self.word(found);
            let text = |part: &Part| match part {
                Part::Text(text) => text.clone(),
                Part::Variable(name, _) => format!("${name}"),
                Part::Special(_) | Part::Unknown => String::new(),
            };
            let end = end.iter().map(text).collect();
            self.documents.push((end, tabs));
            return;
        } else {
            while matches!(self.peek(), Some(b'<' | b'>' | b'&' | b'|')) {
                self.at += 1;
            }
        }
        self.skip_blanks();
        self.word(found);
    }

    /// Passes over the texts that begin in this line.
    fn skip_documents(&mut self) {
        for (end, tabs) in std::mem::take(&mut self.documents) {
            while self.at < self.text.len() {
                let start = self.at;
                self.comment();
                let mut line = &self.text[start..self.at];
                self.at += 1;
                while let (true, [b'\t', rest @ ..]) = (tabs, line) {
                    line = rest;
                }
                if line == end.as_bytes() {
                    break;
                }
            }
        }
        self.at = self.at.min(self.text.len());
    }

    /// A word, and the commands in it.
    fn word(&mut self, found: &mut Found) -> Word {
        let mut word = Word::new();
        while let Some(c) = self.peek() {
            match c {
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')' => {
                    break;
                }
                b'\'' => {
                    let start = self.at + 1;
                    self.at = start;
                    self.skip_to("'");
                    let end = self.at.saturating_sub(1).max(start).min(self.text.len());
                    push(&mut word, &self.text[start.min(end)..end]);
                }
                b'"' => {
                    self.at += 1;
                    self.quoted(&mut word, found);
                }
                b'\\' => {
                    if let Some(c) = self.peek_at(1).filter(|c| *c != b'\n') {
                        push(&mut word, &[c]);
                    }
                    self.at = (self.at + 2).min(self.text.len());
                }
                b'$' => self.dollar(&mut word, found),
                b'`' => {
                    self.backquotes(found);
                    word.push(Part::Unknown);
                }
                b'*' | b'?' | b'~' => {
                    self.at += 1;
                    word.push(Part::Unknown);
                }
                _ => {
                    push(&mut word, &[c]);
                    self.at += 1;
                }
            }
        }
        word
    }

    /// The rest of a text in double quotes.
    fn quoted(&mut self, word: &mut Word, found: &mut Found) {
        word.push(Part::Text(String::new()));
        while let Some(c) = self.peek() {
            match c {
                b'"' => {
                    self.at += 1;
                    return;
                }
                b'\\' => {
                    match self.peek_at(1) {
                        Some(c @ (b'$' | b'`' | b'"' | b'\\')) => push(word, &[c]),
                        Some(b'\n') | None => {}
                        Some(c) => push(word, &[b'\\', c]),
                    }
                    self.at = (self.at + 2).min(self.text.len());
                }
                b'$' => self.dollar(word, found),
                b'`' => {
                    self.backquotes(found);
                    word.push(Part::Unknown);
                }
                _ => {
                    push(word, &[c]);
                    self.at += 1;
                }
            }
        }
    }

    fn dollar(&mut self, word: &mut Word, found: &mut Found) {
        let is_name = |c: &u8| c.is_ascii_alphanumeric() || *c == b'_';
        if self.begins("$((") {
            self.arithmetic();
            word.push(Part::Unknown);
        } else if self.begins("$(") {
            self.at += 2;
            self.commands(Some(b')'), found);
            word.push(Part::Unknown);
        } else if self.begins("${") {
            self.at += 2;
            word.push(self.braced(found));
        } else if self.peek_at(1).is_some_and(|c| c.is_ascii_alphabetic() || c == b'_') {
            let start = self.at + 1;
            let length = self.text[start..].iter().take_while(|c| is_name(c)).count();
            self.at = start + length;
            let name = String::from_utf8_lossy(&self.text[start..self.at]).into_owned();
            word.push(Part::Variable(name, None));
        } else if matches!(self.peek_at(1), Some(b'\'' | b'"')) {
            self.at += 1;
        } else {
            let special = self.peek_at(1).filter(|c| c.is_ascii_digit() || b"@*#?-$!".contains(c));
            self.at += 1 + usize::from(special.is_some());
            word.push(special.map_or_else(|| Part::Text("$".into()), Part::Special));
        }
    }

    /// The rest of a `${…}`.
    fn braced(&mut self, found: &mut Found) -> Part {
        let start = self.at;
        let mut inside = Word::new();
        while let Some(c) = self.peek() {
            match c {
                b'}' => break,
                b'\\' => self.at += 2,
                b'\'' => {
                    self.at += 1;
                    self.skip_to("'");
                }
                b'"' => {
                    self.at += 1;
                    self.quoted(&mut inside, found);
                }
                b'$' if self.depth < MOST_DEPTH => {
                    self.depth += 1;
                    self.dollar(&mut inside, found);
                    self.depth -= 1;
                }
                b'`' => self.backquotes(found),
                _ => self.at += 1,
            }
        }
        self.at = self.at.min(self.text.len());
        let text = String::from_utf8_lossy(&self.text[start..self.at]).into_owned();
        self.at = (self.at + 1).min(self.text.len());
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let default = rest.strip_prefix(':').unwrap_or(rest).strip_prefix(['-', '=']);
        if name.is_empty() || !(rest.is_empty() || default.is_some()) {
            return Part::Unknown;
        }
        let default = default.map(|default| default.trim_matches(['"', '\'']));
        let default = default.and_then(program_of).map(str::to_owned);
        Part::Variable(name.to_owned(), default)
    }

    fn backquotes(&mut self, found: &mut Found) {
        let mut inside = Vec::new();
        self.at += 1;
        while let Some(c) = self.peek().filter(|c| *c != b'`') {
            let escaped = c == b'\\' && matches!(self.peek_at(1), Some(b'`' | b'\\' | b'$'));
            self.at += usize::from(escaped);
            inside.extend(self.peek());
            self.at += 1;
        }
        self.at = (self.at + 1).min(self.text.len());
        within(&String::from_utf8_lossy(&inside), found, self.depth);
    }
}

fn push(word: &mut Word, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match word.last_mut() {
        Some(Part::Text(before)) => before.push_str(&text),
        _ => word.push(Part::Text(text.into_owned())),
    }
}
