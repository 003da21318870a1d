//! The state that all verbs of one run share.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::effects::Effects;
use super::value::ProcessHandle;
use crate::diag::{Origin, Report, Sources};
use crate::run::{self, Errno, Process, RunError, Runner};
use crate::script::language::catch_names::CatchNames;
use crate::script::language::recipe::Recipe;
use crate::script::language::stack::Stack;

/// The kind of text that was printed last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Printed {
    /// A heading.
    Heading = 1,
    /// Narration.
    Note,
    /// Output of the recipe, or of its programs and closures.
    Output,
}

/// Where warnings go.
pub type Warn = Box<dyn Fn(&Report)>;

/// The state that all verbs of one run share.
pub struct Context {
    /// Performs plans.
    pub runner: Runner,
    /// The texts that were read.
    pub sources: Sources,
    /// The implementation of the verbs' effects.
    effects: RefCell<Rc<dyn Effects>>,
    /// The started processes that values still hold.
    started: RefCell<Vec<Weak<RefCell<Process>>>>,
    /// Whether the recipe can print headings, narration or tables.
    pub narrates: bool,
    /// Whether the recipe can make raw calls.
    pub calls_raw: bool,
    /// The kind of text that this process or a child printed last: see [`Printed`]. 0 for none.
    printed: OnceCell<&'static AtomicU8>,
    /// The functions of the recipe and their calls.
    pub stack: RefCell<Stack>,
    /// The places of variables of the text that is read that are copied: see `engine/own_value.rs`.
    pub copied: RefCell<HashSet<(u32, u32)>>,
    /// The places of negative integers in the text that is read: see `engine/reading.rs`.
    pub negative: RefCell<Vec<(u32, u32)>>,
    /// The names of its `catch` variables.
    pub caught: RefCell<CatchNames>,
    directory: PathBuf,
    /// Whether the recipe has changed the working directory.
    pub moved: Cell<bool>,
    name: RefCell<Arc<str>>,
    /// Whether root imports modules even if others can write to them.
    pub trust: bool,
    warn: Warn,
    warned: RefCell<Vec<Report>>,
}

impl Context {
    /// Creates the context for a recipe.
    pub fn new(effects: Rc<dyn Effects>, recipe: &Recipe, warn: Warn) -> Self {
        Self {
            runner: Runner::new(),
            sources: Sources::default(),
            effects: RefCell::new(effects),
            started: RefCell::default(),
            narrates: false,
            calls_raw: false,
            printed: OnceCell::new(),
            stack: RefCell::default(),
            copied: RefCell::default(),
            negative: RefCell::default(),
            caught: RefCell::default(),
            directory: recipe.directory.clone(),
            moved: Cell::default(),
            name: RefCell::new(recipe.name.as_str().into()),
            trust: recipe.trust,
            warn,
            warned: RefCell::default(),
        }
    }

    /// Replaces the implementation of effects, and returns the previous one.
    pub fn set_effects(&self, effects: Rc<dyn Effects>) -> Rc<dyn Effects> {
        self.effects.replace(effects)
    }

    /// The implementation of the verbs' effects.
    pub fn effects(&self) -> Rc<dyn Effects> {
        self.effects.borrow().clone()
    }

    /// Adds a text with this name, which runs from now on.
    pub fn read(&self, name: &str, text: &str) {
        self.sources.insert(name, text);
        self.rename(name);
    }

    /// Sets the name of the text that runs from now on.
    pub fn rename(&self, name: &str) {
        *self.name.borrow_mut() = name.into();
    }

    /// Adds the functions and calls of a text before it runs.
    pub fn add_text(&self, name: &str, ast: &rhai::AST) {
        self.stack.borrow_mut().add(name, ast);
        self.caught.borrow_mut().add(ast);
    }

    /// The started processes that values still hold.
    pub fn running(&self) -> Vec<Rc<RefCell<Process>>> {
        self.started.borrow().iter().filter_map(Weak::upgrade).collect()
    }

    /// Makes a started process a value.
    pub fn started(&self, process: Process) -> ProcessHandle {
        let pid = Some(process.pid());
        let process = Rc::new(RefCell::new(process));
        let mut started = self.started.borrow_mut();
        started.retain(|known| known.strong_count() > 0);
        started.push(Rc::downgrade(&process));
        ProcessHandle { process: Some(process), pid, planned: None, value: rhai::Dynamic::UNIT }
    }

    /// Prepares the context in a copy of the process, which does not own the started processes.
    pub fn enter_copy(&self) {
        for process in self.started.take().iter().filter_map(Weak::upgrade) {
            if let Ok(mut process) = process.try_borrow_mut() {
                process.leave_pipes();
            }
        }
    }

    /// Begins the session before a sandbox is created, if a user's recipe makes raw calls later:
    /// from the session's user namespace, an earlier sandbox could not be entered any more.
    ///
    /// # Errors
    /// As for [`Context::begin_session`].
    pub fn before_sandbox(&self, origin: Option<&Origin>) -> Result<(), RunError> {
        if self.calls_raw && !self.runner.host().is_root() {
            self.begin_session(origin)?;
        }
        Ok(())
    }

    /// Begins the session before a question whose answer the session changes. If the machine does
    /// not allow a session, the answer stays as it is, and a raw call reports the reason.
    ///
    /// # Errors
    /// The session was entered only in part, or something it depends on cannot be read.
    pub fn begin_session(&self, origin: Option<&Origin>) -> Result<(), RunError> {
        self.effects().begin_session(origin, self)
    }

    /// The directory of the recipe.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A host path for the kernel. A relative path begins at the recipe's directory until the
    /// recipe changes the working directory.
    pub fn place(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        // `join` with an absolute path gives that path.
        if self.moved.get() { path.to_path_buf() } else { self.directory.join(path) }
    }

    /// The name of a text, given the engine's name for it; the recipe itself has none there.
    pub fn source_name(&self, source: Option<&str>) -> Arc<str> {
        let own = || self.name.borrow().clone();
        source.filter(|name| !name.is_empty()).map_or_else(own, Into::into)
    }

    /// Adds the functions of the recipe that lead to a position.
    pub fn with_callers(&self, mut origin: Origin) -> Origin {
        origin.callers = self.stack.borrow().callers(&origin).into();
        origin
    }

    /// Whether the ids in a session differ from those of the caller: an ordinary user is 0 in it.
    pub fn has_other_ids(&self) -> bool {
        !self.runner.host().is_root() && !self.runner.on_host()
    }

    /// Prints a warning, unless it was printed before.
    pub fn warn(&self, report: &Report) {
        if !self.warned.borrow().contains(report) {
            self.warned.borrow_mut().push(report.clone());
            (self.warn)(report);
        }
    }

    /// Prints a string for the recipe.
    ///
    /// # Errors
    /// The write fails.
    pub fn print(&self, text: &str, kind: Printed) -> Result<(), Errno> {
        self.effects().print(text, kind, self)
    }

    /// Prints an empty line if one is needed before the next text: before headings, and between
    /// narration and output.
    ///
    /// # Errors
    /// The write fails.
    pub fn part(&self, next: Printed) -> Result<(), Errno> {
        self.effects().part(next, self)
    }

    /// Whether that line is needed. Records `next` as the kind that was printed last.
    pub fn is_parted(&self, next: Printed) -> bool {
        let last = self.printed().swap(next as u8, Ordering::Relaxed);
        match next {
            Printed::Heading => last != 0,
            Printed::Note => last > Printed::Heading as u8,
            Printed::Output => last == Printed::Note as u8,
        }
    }

    /// The kind that was printed last, shared with child processes.
    pub fn printed(&self) -> &'static AtomicU8 {
        static UNTOLD: AtomicU8 = AtomicU8::new(0);
        self.printed.get_or_init(|| if self.narrates { run::shared_byte() } else { &UNTOLD })
    }
}
