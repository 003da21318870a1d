//! Line editing: colours, completion, and whether an expression is finished.

use std::borrow::Cow;
use std::path::Path;
use std::rc::Rc;

use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::{FileHistory, History};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Helper};

use super::command;
use crate::script::{KEYWORDS, Kind, Prompt, catalog, manual, tokens};

/// The maximum number of lines in the history.
const HISTORY: usize = 2000;

/// Reads lines.
pub(super) struct Editor {
    lines: rustyline::Editor<Words, FileHistory>,
}

impl Editor {
    pub fn new(prompt: Rc<Prompt>, colour: bool) -> Self {
        let bounded = Config::builder().max_history_size(HISTORY);
        let bounded = bounded.and_then(|config| config.history_ignore_dups(true));
        let config = bounded
            .unwrap_or_default()
            .completion_type(CompletionType::List)
            .auto_add_history(false)
            .build();
        let history = FileHistory::with_config(&config);
        let mut lines = rustyline::Editor::with_history(config, history)
            .unwrap_or_else(|error| panic!("a line editor without files: {error}"));
        lines.set_helper(Some(Words { prompt, colour }));
        Self { lines }
    }

    /// Reads the next input, which can have several lines.
    pub fn read(&mut self, prompt: &str) -> Result<String, ReadlineError> {
        self.lines.readline(prompt)
    }

    pub fn remember(&mut self, line: &str) {
        // Only a history file can fail.
        let _ = self.lines.add_history_entry(line);
    }

    /// Loads the history, if the file exists.
    pub fn load(&mut self, file: &Path) {
        // Reading anything but a regular file could wait.
        if file.is_file() {
            let _ = self.lines.load_history(file);
        }
    }

    /// Appends to the history file. Errors are ignored.
    pub fn save(&mut self, file: &Path) {
        if self.lines.history().is_empty() {
            return;
        }
        let _ = self.lines.append_history(file);
    }
}

/// Colours and completions for a line.
struct Words {
    prompt: Rc<Prompt>,
    colour: bool,
}

impl Helper for Words {}

impl Completer for Words {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let text = &line[..position];
        let (offset, code) = match text.split_once(char::is_whitespace) {
            _ if !text.starts_with(':') => (0, text),
            None => {
                let names = command::names().filter(|name| name.starts_with(text));
                let pair = |name: String| Pair { display: name.clone(), replacement: name + " " };
                return Ok((0, names.map(pair).collect()));
            }
            Some((":help", topic)) => return Ok(topics(text.len() - topic.len(), topic)),
            Some((":explain", word)) => {
                let words = ["on", "off"].into_iter().filter(|it| it.starts_with(word));
                let pair = |it: &str| Pair { display: it.into(), replacement: it.into() };
                return Ok((text.len() - word.len(), words.map(pair).collect()));
            }
            Some((":where" | ":undo" | ":leave" | ":quit" | ":sandboxes", _)) => {
                return Ok((text.len(), Vec::new()));
            }
            Some((":save" | ":load", file)) => {
                let start = text.len() - file.len();
                let quoted = format!("\"{file}");
                let found = self.prompt.complete(&quoted).candidates;
                return Ok((start, found.into_iter().map(pair).collect()));
            }
            Some((_, code)) => (text.len() - code.len(), code),
        };
        let found = self.prompt.complete(code);
        Ok((offset + found.start, found.candidates.into_iter().map(pair).collect()))
    }
}

fn pair(candidate: crate::script::Candidate) -> Pair {
    Pair { display: candidate.shown, replacement: candidate.text }
}

/// The topics of help.
fn topics(start: usize, word: &str) -> (usize, Vec<Pair>) {
    let names = manual::topics().into_iter().map(|topic| topic.name);
    let fits = names.filter(|name| name.starts_with(word));
    let pair = |name: String| Pair { display: name.clone(), replacement: name };
    (start, fits.map(pair).collect())
}

impl Hinter for Words {
    type Hint = String;

    fn hint(&self, line: &str, position: usize, _: &Context<'_>) -> Option<String> {
        if position < line.len() {
            return None;
        }
        self.prompt.hint(line)
    }
}

impl Validator for Words {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        let finished = text.starts_with(':') || self.prompt.is_finished(text);
        Ok(if finished { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Highlighter for Words {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if !self.colour {
            return Cow::Borrowed(line);
        }
        let painted = tokens(line).into_iter().map(|token| {
            let code = match token.kind {
                Kind::Word if KEYWORDS.contains(&token.text) => "35",
                Kind::Word if !catalog::named(token.text).is_empty() => "36",
                Kind::Number => "33",
                Kind::Text => "32",
                Kind::Comment => "2",
                _ => return token.text.to_owned(),
            };
            format!("\x1b[{code}m{}\x1b[0m", token.text)
        });
        Cow::Owned(painted.collect())
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        if self.colour { Cow::Owned(format!("\x1b[2m{hint}\x1b[0m")) } else { Cow::Borrowed(hint) }
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        if self.colour {
            Cow::Owned(format!("\x1b[1m{prompt}\x1b[0m"))
        } else {
            Cow::Borrowed(prompt)
        }
    }

    fn highlight_char(&self, _: &str, _: usize, _: CmdKind) -> bool {
        self.colour
    }
}
