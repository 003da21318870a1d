//! What every verb of one run works with.

use std::cell::{Cell, OnceCell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

use super::breakpoint::Breakpoints;
use super::caught::Caught;
use super::engine::Recipe;
use super::stack::Stack;
use super::value::ProcessHandle;
use super::verb::Verb;
use crate::diag::{Origin, Report, Sources};
use crate::plan::{Action, Plan, Planned, RawAction, Side};
use crate::run::{self, Errno, Problem, Process, Runner};

/// Whether a recipe is done or only told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// What the recipe says is done.
    Run,
    /// Nothing is done: plans are collected instead, and what a program would give is empty.
    Rehearse,
}

/// Something that a rehearsal has found.
#[derive(Clone, Debug)]
pub enum Rehearsed {
    /// A sandbox is made.
    Plan(Rc<Plan>),
    /// Something is done to nsscript's own process.
    Raw {
        /// What, and which line asks for it.
        planned: Planned,
        /// How many closures deep.
        depth: usize,
    },
}

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

/// How often a recipe sleeps at the most in a rehearsal, in which that takes no time.
const MOST_SLEEPS: u32 = 20_000;

/// Where warnings go.
pub type Warn = Box<dyn Fn(&Report)>;

/// What every verb of one run works with.
pub struct Context {
    /// Does what plans say.
    pub runner: Runner,
    /// The texts that were read.
    pub sources: Sources,
    /// Whether anything is done.
    mode: Cell<Mode>,
    /// What a rehearsal has found that would be done, in order.
    pub rehearsed: RefCell<Vec<Rehearsed>>,
    /// The archives that a rehearsal would have packed.
    packed: RefCell<Vec<PathBuf>>,
    /// What was started and is still held.
    started: RefCell<Vec<Weak<RefCell<Process>>>>,
    /// Whether the recipe prints headings, narration or tables at some time.
    pub narrates: bool,
    /// Whether the recipe makes raw calls at some time.
    pub calls_raw: bool,
    /// How many closures deep a rehearsal is.
    depth: Cell<usize>,
    /// What was printed last, by this process or a child of it: see [`Printed`]. 0 for nothing.
    printed: OnceCell<&'static AtomicU8>,
    /// Where the recipe stops.
    pub breakpoints: Breakpoints,
    /// Which functions of the recipe lead where.
    pub stack: RefCell<Stack>,
    /// What the variables of its `catch` are called.
    pub caught: RefCell<Caught>,
    directory: PathBuf,
    /// Whether the recipe has gone to another directory.
    pub moved: Cell<bool>,
    name: RefCell<Rc<str>>,
    /// Whether modules that others can write to are run as root all the same.
    pub trust: bool,
    warn: Warn,
    warned: RefCell<Vec<Report>>,
    /// When a rehearsal is given up, if at all.
    pub deadline: Cell<Option<Instant>>,
    /// Whether a rehearsal has given the recipe a value that a run would not have given.
    pub made_up: Cell<bool>,
    /// What the plans of a rehearsal contradict.
    pub contradictions: RefCell<Vec<Report>>,
    /// How often a rehearsal did not sleep.
    slept: Cell<u32>,
}

impl Context {
    /// A context for a recipe.
    pub fn new(mode: Mode, recipe: &Recipe, warn: Warn) -> Self {
        Self {
            runner: Runner::new(),
            sources: Sources::default(),
            mode: Cell::new(mode),
            rehearsed: RefCell::default(),
            packed: RefCell::default(),
            started: RefCell::default(),
            narrates: false,
            calls_raw: false,
            depth: Cell::new(0),
            printed: OnceCell::new(),
            breakpoints: Breakpoints::default(),
            stack: RefCell::default(),
            caught: RefCell::default(),
            directory: recipe.directory.clone(),
            moved: Cell::default(),
            name: RefCell::new(recipe.name.as_str().into()),
            trust: recipe.trust,
            warn,
            warned: RefCell::default(),
            deadline: Cell::default(),
            made_up: Cell::default(),
            contradictions: RefCell::default(),
            slept: Cell::default(),
        }
    }

    /// Notes, in a rehearsal, that a verb has given something to the recipe: what a program did
    /// that was not run, or what is so only where nothing was done before, a run would say
    /// otherwise.
    pub fn answered(&self, verb: &Verb) {
        let of_program =
            matches!(verb.receiver(), "Process" | "Exit" | "Output" | "Namespace" | "Network");
        let is_plain = verb.returns != "nothing" && !super::value::TYPES.contains(&verb.returns);
        let is_done = |one: &Rehearsed| matches!(one, Rehearsed::Raw { .. });
        if is_plain
            && (of_program || self.depth.get() > 0 || self.rehearsed.borrow().iter().any(is_done))
        {
            self.made_up.set(true);
        }
    }

    /// Notes, in a rehearsal, that a run would sleep here.
    ///
    /// # Errors
    /// It would do so again and again: it waits for something that no rehearsal does.
    pub fn note_sleep(&self) -> Result<(), Report> {
        self.slept.set(self.slept.get() + 1);
        if self.slept.get() <= MOST_SLEEPS {
            return Ok(());
        }
        let message = "the recipe waits for something that a rehearsal does not do";
        Err(Report::error(message)
            .hint("`wait_until(|| …)` waits in a run, and a rehearsal passes it over"))
    }

    /// Whether anything is done, from here on.
    pub fn set_mode(&self, mode: Mode) {
        self.mode.set(mode);
    }

    /// Whether anything is done.
    pub fn mode(&self) -> Mode {
        self.mode.get()
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

    /// Notes, in a rehearsal, what would be done to nsscript's own process.
    pub fn rehearse(&self, action: Action, origin: Option<Origin>) {
        let planned = Planned { action, side: Side::Parent, origin };
        self.rehearsed.borrow_mut().push(Rehearsed::Raw { planned, depth: self.depth.get() });
    }

    /// What a rehearsal calls a network, and whether it is a new one.
    pub fn network_label(&self, name: Option<&str>) -> (String, bool) {
        use crate::plan::NetworkAction;
        let rehearsed = self.rehearsed.borrow();
        let made: Vec<(&str, bool)> = rehearsed
            .iter()
            .filter_map(|rehearsed| {
                let Rehearsed::Raw { planned, .. } = rehearsed else { return None };
                let Action::Raw(RawAction::Network { network, action }) = &planned.action else {
                    return None;
                };
                let NetworkAction::Make(name) = &**action else { return None };
                Some((network.as_str(), name.is_some()))
            })
            .collect();
        if let Some(name) = name {
            return (name.to_owned(), !made.contains(&(name, true)));
        }
        let anonymous = made.iter().filter(|(_, named)| !named).count();
        (format!("net{}", anonymous + 1), true)
    }

    /// What is not at `path` as nothing is done in a rehearsal: whether it would be a directory.
    pub fn would_be(&self, path: &Path) -> Option<bool> {
        if self.mode() != Mode::Rehearse {
            return None;
        }
        self.rehearsed.borrow().iter().rev().find_map(|rehearsed| match rehearsed {
            Rehearsed::Raw { planned: Planned { action: Action::Raw(raw), .. }, .. } => match raw {
                RawAction::Mkdir(made, _) => (made == path).then_some(true),
                RawAction::WriteFile { path: made, .. }
                | RawAction::Mknod { path: made, .. }
                | RawAction::DiskImage { path: made, .. } => (made == path).then_some(false),
                _ => None,
            },
            _ => None,
        })
    }

    /// Notes, in a rehearsal, an archive that would be packed.
    pub fn note_pack(&self, path: PathBuf) {
        self.packed.borrow_mut().push(path);
    }

    /// Whether a rehearsal would have packed this archive.
    pub fn would_pack(&self, path: &Path) -> bool {
        self.packed.borrow().iter().any(|packed| packed == path)
    }

    /// Notes, in a rehearsal, the plan of a sandbox.
    pub fn rehearse_plan(&self, plan: Plan) -> Rc<Plan> {
        let plan = Rc::new(plan);
        self.rehearsed.borrow_mut().push(Rehearsed::Plan(plan.clone()));
        plan
    }

    /// Goes into a closure of a rehearsal, or out of it.
    pub fn deeper(&self, levels: isize) {
        self.depth.set(self.depth.get().saturating_add_signed(levels));
    }

    /// A process that was started, as a value.
    pub fn started(&self, process: Process) -> ProcessHandle {
        let process = Rc::new(RefCell::new(process));
        let mut started = self.started.borrow_mut();
        started.retain(|known| known.strong_count() > 0);
        started.push(Rc::downgrade(&process));
        ProcessHandle { process: Some(process), rehearsed: None, value: rhai::Dynamic::UNIT }
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
    pub fn before_sandbox(&self, origin: Option<&Origin>) -> Result<(), Problem> {
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
    pub fn begin_session(&self, origin: Option<&Origin>) -> Result<(), Problem> {
        if self.mode() != Mode::Run {
            return Ok(());
        }
        let begun = self.runner.begin_session(origin);
        let is_refused = |problem: &Problem| match problem {
            Problem::Reports(reports) => reports.iter().all(|it| it.facts.operation.is_some()),
            Problem::Interrupted(_) => false,
        };
        match begun {
            Err(problem) if is_refused(&problem) && !self.runner.has_broken_session() => Ok(()),
            begun => begun,
        }
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
    pub fn source_name(&self, source: Option<&str>) -> Rc<str> {
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

    /// Prints a text of the recipe. In a rehearsal nothing is printed.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn tell(&self, text: &str, kind: Printed) -> Result<(), Errno> {
        if self.mode() == Mode::Rehearse {
            return Ok(());
        }
        self.part(kind)?;
        write(&format!("{text}\n"))
    }

    /// An empty line before what is printed next, where it would not be told apart from what was
    /// printed before: before headings, and between narration and what is shown.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn part(&self, next: Printed) -> Result<(), Errno> {
        let last = self.printed().swap(next as u8, Ordering::Relaxed);
        let is_parted = match next {
            Printed::Heading => last != 0,
            Printed::Note => last > Printed::Heading as u8,
            Printed::Output => last == Printed::Note as u8,
        };
        if is_parted && self.mode() == Mode::Run { write("\n") } else { Ok(()) }
    }

    /// What was printed last; child processes that are made later share it.
    pub fn printed(&self) -> &'static AtomicU8 {
        static UNTOLD: AtomicU8 = AtomicU8::new(0);
        self.printed.get_or_init(|| if self.narrates { run::shared_byte() } else { &UNTOLD })
    }
}

fn write(text: &str) -> Result<(), Errno> {
    crate::diag::print(text).map_err(|error| Errno::from(&error))
}
