//! The prompt at a terminal: reads lines, and runs the commands that begin with a colon.

mod command;
mod editor;
mod step;

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use rustyline::error::ReadlineError;

use crate::diag::{Report, Sources, quoted};
use crate::run::{self, Tell};
use crate::script::{Block, End, Outcome, Prompt, blocks};
use crate::spec::Streams;
use command::Command;
use editor::Editor;
pub use step::stepper;

/// Prints a report.
pub type Say = Box<dyn Fn(&Report, &Sources)>;

/// Creates a writer for the trace.
pub type MakeTrace = Box<dyn Fn() -> Tell>;

/// The reporting functions of the command line.
pub struct Reporter {
    /// Prints a report.
    pub say: Say,
    /// Creates a writer for the trace of actions.
    pub trace_writer: MakeTrace,
    /// Whether there are colours.
    pub colour: bool,
}

/// A prompt at a terminal.
pub struct Repl<'d> {
    prompt: &'d Prompt,
    reporter: &'d Reporter,
    editor: Editor,
    /// The history file and its directory; `None` in a sandbox.
    history: Option<(run::Held, PathBuf)>,
    /// The lines typed since the current place was entered.
    typed: Vec<String>,
    /// The names of the entered places, outermost first.
    places: Vec<String>,
    /// Whether a recipe waits for the prompt.
    at_breakpoint: bool,
    /// The directory for relative paths.
    directory: PathBuf,
}

/// The signal of Ctrl-C.
const SIGINT: i32 = 2;

/// What follows a line.
enum Next {
    /// The next line.
    Line,
    /// The end of the current place.
    Leave,
    /// The end of the prompt.
    End(End),
}

impl<'d> Repl<'d> {
    /// Creates a prompt at the terminal for `prompt`.
    #[must_use]
    pub fn new(prompt: &'d Rc<Prompt>, reporter: &'d Reporter) -> Self {
        let history = history_file();
        let mut editor = Editor::new(prompt.clone(), reporter.colour);
        if let Some((_, file)) = &history {
            editor.load(file);
        }
        let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let (typed, places) = (Vec::new(), Vec::new());
        let at_breakpoint = false;
        Self { prompt, reporter, editor, history, typed, places, at_breakpoint, directory }
    }

    /// Reads lines until the user exits.
    pub fn run(&mut self, greeting: bool) -> End {
        if greeting {
            show(concat!(
                "nsscript ",
                env!("CARGO_PKG_VERSION"),
                ": type an expression, or `:help` for help; Tab completes, Ctrl-D exits"
            ));
        }
        let end = self.read_lines().unwrap_or(End::Status(0));
        self.remember();
        end
    }

    /// Reads lines at a breakpoint of a recipe, which continues when the user leaves.
    pub fn at_breakpoint(&mut self, place: &str) -> Option<End> {
        self.places.push(place.to_owned());
        self.at_breakpoint = true;
        let end = self.read_lines();
        self.remember();
        end
    }

    /// Saves the history.
    fn remember(&mut self) {
        if let Some((_, file)) = &self.history {
            self.editor.save(file);
        }
    }

    /// Reads lines until the user leaves the current place; returns the end if the prompt is over.
    fn read_lines(&mut self) -> Option<End> {
        loop {
            // Every other signal asks nsscript to exit.
            match run::interrupted() {
                Some(signal) if signal != SIGINT => return Some(End::Signal(signal)),
                _ => run::forget_interruptions(),
            }
            let line = match self.read() {
                Ok(line) => line,
                Err(end) => return end,
            };
            if line.trim().is_empty() {
                continue;
            }
            self.editor.remember(line.trim());
            self.typed.push(line.trim().to_owned());
            match self.line(line.trim()) {
                Next::Line => {}
                Next::Leave => return None,
                Next::End(end) => return Some(end),
            }
        }
    }

    /// Reads the next line, or returns the end of the prompt.
    fn read(&mut self) -> Result<String, Option<End>> {
        loop {
            run::reading_line(true);
            let line = self.editor.read(&self.prompt_text());
            run::reading_line(false);
            match (line, run::interrupted()) {
                // Ctrl-C can arrive just after the line has ended.
                (_, Some(SIGINT)) => {
                    show("interrupted");
                    run::forget_interruptions();
                }
                (_, Some(signal)) => return Err(Some(End::Signal(signal))),
                (Ok(line), None) => return Ok(line),
                // Ctrl-C discards the line.
                (Err(ReadlineError::Interrupted | ReadlineError::Signal(_)), None) => {}
                // Ctrl-D on an empty line, or the terminal is gone.
                (Err(_), None) => return Err(None),
            }
        }
    }

    /// The prompt string, place and user: `session root> `.
    fn prompt_text(&self) -> String {
        let place = self.places.last().cloned();
        let place = place.unwrap_or_else(|| self.prompt.script().place().to_owned());
        format!("{place} {}> ", self.prompt.script().user())
    }

    fn line(&mut self, line: &str) -> Next {
        match Command::parse(line) {
            None => match command::without_colon(line).filter(|_| !self.is_variable(line)) {
                Some(answer) => {
                    show(answer);
                    Next::Line
                }
                None => self.evaluate(line),
            },
            Some(Ok(command)) => self.command(command),
            Some(Err(report)) => {
                self.say(&[report]);
                Next::Line
            }
        }
    }

    /// Whether a line begins with the name of a variable.
    fn is_variable(&self, line: &str) -> bool {
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        let word = line.split(|letter| !is_word(letter)).next().unwrap_or_default();
        self.prompt.has_variable(word)
    }

    fn say(&self, reports: &[Report]) {
        for report in reports {
            (self.reporter.say)(report, &self.prompt.sources());
        }
    }

    fn evaluate(&self, text: &str) -> Next {
        self.show_outcome(self.prompt.evaluate(text))
    }

    /// Prints the outcome of a text.
    fn show_outcome(&self, outcome: Outcome) -> Next {
        match outcome {
            Outcome::Done(shown) => {
                if let Some(shown) = shown {
                    show(shown);
                }
                Next::Line
            }
            Outcome::Failed(reports) => {
                self.say(&reports);
                Next::Line
            }
            Outcome::Interrupted => {
                show("interrupted");
                Next::Line
            }
            Outcome::End(end) => Next::End(end),
        }
    }

    fn command(&mut self, command: Command<'_>) -> Next {
        match command {
            Command::Help(topic) => show(command::help(topic, self.at_breakpoint)),
            Command::Plan(text) => match self.prompt.dry_run(text) {
                Ok(effects) if effects.is_empty() => show("it would do nothing"),
                Ok(effects) => {
                    let texts: Vec<_> = blocks(effects).iter().map(Block::text).collect();
                    show(texts.join("\n"));
                }
                Err(reports) => self.say(&reports),
            },
            Command::Explain(true) => self.prompt.script().explain((self.reporter.trace_writer)()),
            Command::Explain(false) => self.prompt.script().explain_nothing(),
            Command::Where => show(self.prompt.whereabouts()),
            Command::Sandboxes => show(self.prompt.sandboxes()),
            Command::Enter(text) => return self.enter(text),
            Command::Leave if self.places.is_empty() => {
                let report = Report::error(
                    "`:leave` needs a sandbox or process that was entered with `:enter`",
                );
                self.say(&[report.hint("exit nsscript with `:quit`")]);
            }
            Command::Leave => return Next::Leave,
            Command::Undo => match self.prompt.undo() {
                Some(text) => show(format!("undone: {}", text.lines().next().unwrap_or_default())),
                None => show("nothing to undo"),
            },
            Command::Save(file) => self.save(Path::new(file)),
            Command::Load(file) => return self.load(Path::new(file)),
            Command::Time(text) => {
                let begun = Instant::now();
                let next = self.evaluate(text);
                show(format!("{:.1} ms", begun.elapsed().as_secs_f64() * 1e3));
                return next;
            }
            Command::Quit => return Next::End(End::Status(0)),
        }
        Next::Line
    }

    /// Enters a sandbox: the following lines are evaluated there.
    fn enter(&mut self, text: &str) -> Next {
        let prompt = self.prompt;
        let (typed, history) = (std::mem::take(&mut self.typed), self.history.take());
        self.places.push(text.to_owned());
        let entered = prompt.enter(text, Streams::Terminal, &mut || {
            let end = self.read_lines();
            (std::mem::take(&mut self.typed), end)
        });
        self.places.pop();
        (self.typed, self.history) = (typed, history);
        match entered {
            Ok(left) => {
                left.lines.iter().for_each(|line| self.editor.remember(line));
                self.typed.extend(left.lines);
                if !left.lost.is_empty() {
                    let names: Vec<_> = left.lost.iter().map(quoted).collect();
                    show(format!("values that could not be brought back: {}", names.join(", ")));
                }
                if let Some(exit) = left.ended {
                    show(format!("the process {exit}"));
                }
                match run::interrupted() {
                    Some(signal) if signal != SIGINT => Next::End(End::Signal(signal)),
                    _ => left.end.map_or(Next::Line, Next::End),
                }
            }
            Err(reports) => {
                self.say(&reports);
                Next::Line
            }
        }
    }

    fn save(&self, file: &Path) {
        use std::os::unix::fs::OpenOptionsExt;
        if !self.places.is_empty() {
            let report = Report::error("cannot save the lines from here");
            return self.say(&[report.hint("use `:leave` first; `:save` then writes all lines")]);
        }
        // Relative to the initial directory, even if the session has changed it.
        let (given, file) = (file, self.directory.join(file));
        let mut options = std::fs::OpenOptions::new();
        // Existing files are not overwritten.
        let opened = options.write(true).create_new(true).mode(0o755).open(&file);
        let (recipe, faults) = self.prompt.recipe();
        let bytes = recipe.as_bytes();
        let written = opened.and_then(|mut file| std::io::Write::write_all(&mut file, bytes));
        let shown = quoted(given.to_string_lossy());
        if let Err(error) = written {
            let why = crate::diag::os_error(&error);
            return self.say(&[Report::error(format!("cannot save the lines as {shown}: {why}"))]);
        }
        let place = if given.is_absolute() {
            String::new()
        } else {
            format!(" in {}", quoted(self.directory.to_string_lossy()))
        };
        show(format!("saved as {shown}{place}"));
        for fault in faults {
            let line = fault.origin.as_ref().map_or(0, |origin| origin.line);
            let message = format!("line {line} has an error: {}", fault.message);
            self.say(&[Report::warning(message)]);
        }
    }

    /// Evaluates a recipe as if it were typed.
    fn load(&mut self, file: &Path) -> Next {
        let text = run::open_to_read(file).map_err(Into::into).and_then(|opened| {
            run::refuse_writable(&opened.metadata()?).map_err(std::io::Error::other)?;
            let bytes = run::read_all(opened, run::LONGEST_TEXT)?;
            String::from_utf8(bytes).map_err(std::io::Error::other)
        });
        match text {
            Ok(text) => {
                let outcome = self.prompt.load(&file.to_string_lossy(), &text);
                self.show_outcome(outcome)
            }
            Err(error) => {
                let shown = quoted(file.to_string_lossy());
                let why = crate::diag::os_error(&error);
                self.say(&[Report::error(format!("cannot read the recipe {shown}: {why}"))]);
                Next::Line
            }
        }
    }
}

/// Prints a line. Errors are ignored: if the terminal is gone, no more lines come either.
fn show(line: impl std::fmt::Display) {
    let _ = crate::diag::print(&format!("{line}\n"));
}

/// The history file, in the state directory of the XDG Base Directory Specification. There is none
/// if others could replace the file, as in the home of another user.
fn history_file() -> Option<(run::Held, PathBuf)> {
    let absolute =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|it| it.is_absolute());
    let state = absolute("XDG_STATE_HOME").map(|state| (state, PathBuf::from("/")));
    let (state, existing) =
        state.or_else(|| absolute("HOME").map(|home| (home.join(".local/state"), home)))?;
    let directory = run::own_directory(&state.join("nsscript"), &existing)?;
    let file = directory.join("history");
    Some((directory, file))
}
