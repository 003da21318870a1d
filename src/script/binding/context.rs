//! What every verb of one run works with.

use std::cell::{Cell, OnceCell, RefCell};
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

/// What was printed last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Printed {
    /// A heading.
    Heading = 1,
    /// Narration.
    Note,
    /// What the recipe, or a program or closure of it, has to show.
    Output,
}

/// Where warnings go.
pub type Warn = Box<dyn Fn(&Report)>;

/// What every verb of one run works with.
pub struct Context {
    /// Does what plans say.
    pub runner: Runner,
    /// The texts that were read.
    pub sources: Sources,
    /// What does what the verbs ask for.
    effects: RefCell<Rc<dyn Effects>>,
    /// What was started and is still held.
    started: RefCell<Vec<Weak<RefCell<Process>>>>,
    /// Whether the recipe prints headings, narration or tables at some time.
    pub narrates: bool,
    /// Whether the recipe makes raw calls at some time.
    pub calls_raw: bool,
    /// What was printed last, by this process or a child of it: see [`Printed`]. 0 for nothing.
    printed: OnceCell<&'static AtomicU8>,
    /// Which functions of the recipe lead where.
    pub stack: RefCell<Stack>,
    /// What the variables of its `catch` are called.
    pub caught: RefCell<CatchNames>,
    directory: PathBuf,
    /// Whether the recipe has gone to another directory.
    pub moved: Cell<bool>,
    name: RefCell<Arc<str>>,
    /// Whether modules that others can write to are run as root all the same.
    pub trust: bool,
    warn: Warn,
    warned: RefCell<Vec<Report>>,
}

impl Context {
    /// A context for a recipe.
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
            caught: RefCell::default(),
            directory: recipe.directory.clone(),
            moved: Cell::default(),
            name: RefCell::new(recipe.name.as_str().into()),
            trust: recipe.trust,
            warn,
            warned: RefCell::default(),
        }
    }

    /// Has `effects` do what the verbs ask for from here on, and gives what did it before.
    pub fn set_effects(&self, effects: Rc<dyn Effects>) -> Rc<dyn Effects> {
        self.effects.replace(effects)
    }

    /// What does what the verbs ask for.
    pub fn effects(&self) -> Rc<dyn Effects> {
        self.effects.borrow().clone()
    }

    /// The text that is read and run from here on is called `name`.
    pub fn read(&self, name: &str, text: &str) {
        self.sources.insert(name, text);
        self.rename(name);
    }

    /// What runs from here on is of the text of this name.
    pub fn rename(&self, name: &str) {
        *self.name.borrow_mut() = name.into();
    }

    /// Adds what is known of a text before it runs.
    pub fn add_text(&self, name: &str, ast: &rhai::AST) {
        self.stack.borrow_mut().add(name, ast);
        self.caught.borrow_mut().add(ast);
    }

    /// What was started and is still held.
    pub fn running(&self) -> Vec<Rc<RefCell<Process>>> {
        self.started.borrow().iter().filter_map(Weak::upgrade).collect()
    }

    /// A process that was started, as a value.
    pub fn started(&self, process: Process) -> ProcessHandle {
        let process = Rc::new(RefCell::new(process));
        let mut started = self.started.borrow_mut();
        started.retain(|known| known.strong_count() > 0);
        started.push(Rc::downgrade(&process));
        ProcessHandle { process: Some(process), planned: None, value: rhai::Dynamic::UNIT }
    }

    /// Goes on in a copy of the process, to which what was started does not belong.
    pub fn enter_copy(&self) {
        for process in self.started.take().iter().filter_map(Weak::upgrade) {
            if let Ok(mut process) = process.try_borrow_mut() {
                process.leave_pipes();
            }
        }
    }

    /// Begins the session before a sandbox is made, where a user's recipe will begin one: from a
    /// user namespace of its own, one that was made before could not be entered any more.
    ///
    /// # Errors
    /// As for [`Context::begin_session`].
    pub fn before_sandbox(&self, origin: Option<&Origin>) -> Result<(), RunError> {
        if self.calls_raw && !self.runner.host().is_root() {
            self.begin_session(origin)?;
        }
        Ok(())
    }

    /// Begins the session before a question about this process, whose answer would be another one
    /// after it. A machine that has none leaves the answer as it is; a raw call then says why.
    ///
    /// # Errors
    /// The session was entered by half: the process is not what it was before. Or what it depends
    /// on cannot be read.
    pub fn begin_session(&self, origin: Option<&Origin>) -> Result<(), RunError> {
        self.effects().begin_session(origin, self)
    }

    /// The directory of the recipe.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A path of the host, as the kernel takes it: a relative one begins at the recipe, until the
    /// recipe goes to another directory.
    pub fn place(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        // `join` with an absolute path gives that path.
        if self.moved.get() { path.to_path_buf() } else { self.directory.join(path) }
    }

    /// The name of a text as the engine says it; the engine has none for the recipe itself.
    pub fn source_name(&self, source: Option<&str>) -> Arc<str> {
        let own = || self.name.borrow().clone();
        source.filter(|name| !name.is_empty()).map_or_else(own, Into::into)
    }

    /// The place with the functions of the recipe that lead to it.
    pub fn with_callers(&self, mut origin: Origin) -> Origin {
        origin.callers = self.stack.borrow().callers(&origin).into();
        origin
    }

    /// Says a warning, once.
    pub fn warn(&self, report: &Report) {
        if !self.warned.borrow().contains(report) {
            self.warned.borrow_mut().push(report.clone());
            (self.warn)(report);
        }
    }

    /// Prints a text of the recipe.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn tell(&self, text: &str, kind: Printed) -> Result<(), Errno> {
        self.effects().print(text, kind, self)
    }

    /// An empty line before what is printed next, where it would not be told apart from what was
    /// printed before: before headings, and between narration and what is shown.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn part(&self, next: Printed) -> Result<(), Errno> {
        self.effects().part(next, self)
    }

    /// Whether that line is needed. From here on `next` is what was printed last.
    pub fn is_parted(&self, next: Printed) -> bool {
        let last = self.printed().swap(next as u8, Ordering::Relaxed);
        match next {
            Printed::Heading => last != 0,
            Printed::Note => last > Printed::Heading as u8,
            Printed::Output => last == Printed::Note as u8,
        }
    }

    /// What was printed last; child processes that are made later share it.
    pub fn printed(&self) -> &'static AtomicU8 {
        static UNTOLD: AtomicU8 = AtomicU8::new(0);
        self.printed.get_or_init(|| if self.narrates { run::shared_byte() } else { &UNTOLD })
    }
}
