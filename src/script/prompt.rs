//! A prompt: texts that are evaluated one after the other, with the variables and functions of the
//! earlier ones.

mod complete;
mod enter;
mod kind;
mod look;
mod record;

use std::cell::RefCell;
use std::rc::Rc;

use rhai::{AST, Array, Dynamic, EvalAltResult, GlobalRuntimeState, Scope};

use crate::diag::{Origin, Report, Sources, escape};
use crate::ops::Sandbox;
use crate::run::{self, Exit};
use crate::script::analysis::capture::captured;
use crate::script::analysis::discard::discarded;
use crate::script::binding::error::End;
use crate::script::binding::value::{self, SharedOutput};
use crate::script::effects::dry_run::Effect;
use crate::script::engine::Script;
use crate::script::engine::own_value::with_copies;
use crate::script::engine::reading;
use crate::script::errors::reword;
use crate::script::language::recipe::code;
use crate::script::language::token;
use crate::spec::Rootfs;
pub use complete::{Candidate, Completion};
pub use enter::Left;
use record::Input;

/// The name of the value that was shown last.
pub const IT: &str = "it";

/// The outcome of a text.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It succeeded, with this value as shown to the user.
    Done(Option<String>),
    /// It failed, possibly after a part of it was done.
    Failed(Vec<Report>),
    /// Ctrl-C ended it.
    Interrupted,
    /// The prompt is over.
    End(End),
}

/// The function that is called when a recipe stops.
pub type OnBreakpoint = Box<dyn Fn(&Rc<Prompt>, Option<&Origin>) -> Option<End>>;

/// A prompt, without the terminal.
pub struct Prompt {
    script: Rc<Script>,
    state: RefCell<State>,
}

struct State {
    scope: Scope<'static>,
    global: GlobalRuntimeState,
    /// The evaluated texts, in order.
    inputs: Vec<Input>,
    /// The number of texts so far.
    number: usize,
    /// The number of texts that belong to an outer place.
    floor: usize,
}

impl Prompt {
    /// Creates a prompt with the verbs of `script`, which must have all of them.
    #[must_use]
    pub fn new(script: Rc<Script>) -> Self {
        let mut scope = Scope::new();
        scope.push(IT, Dynamic::UNIT);
        let global = script.engine.new_global_runtime_state();
        let state = State { scope, global, inputs: Vec::new(), number: 0, floor: 0 };
        Self { script, state: RefCell::new(state) }
    }

    /// Creates a prompt in the middle of a recipe, with its variables.
    fn about(script: Rc<Script>, scope: Scope<'static>, global: GlobalRuntimeState) -> Self {
        let mut scope = scope;
        if !scope.contains(IT) {
            scope.push(IT, Dynamic::UNIT);
        }
        let state = State { scope, global, inputs: Vec::new(), number: 0, floor: 0 };
        Self { script, state: RefCell::new(state) }
    }

    /// Calls `on_stop` when a recipe stops, with a prompt on its variables. It returns the end of
    /// the recipe, or `None` to continue.
    pub fn at_breakpoints(script: &Rc<Script>, on_stop: OnBreakpoint) {
        script.on_break(Rc::new(move |script, stopped| {
            let scope = std::mem::take(&mut stopped.scope);
            let prompt = Rc::new(Self::about(script, scope, stopped.global.clone()));
            let end = on_stop(&prompt, stopped.origin.as_ref());
            stopped.scope = std::mem::take(&mut prompt.state.borrow_mut().scope);
            end
        }));
    }

    /// The texts that were read, for reports.
    #[must_use]
    pub fn sources(&self) -> Sources {
        self.script.sources()
    }

    /// The script whose engine and runner this uses.
    #[must_use]
    pub fn script(&self) -> &Script {
        &self.script
    }

    /// Whether a text is complete and can be evaluated.
    #[must_use]
    pub fn is_finished(&self, text: &str) -> bool {
        use rhai::ParseErrorType as E;
        if !token::is_closed(text) {
            return false;
        }
        match self.script.engine.compile(whole(text)) {
            Err(error) => !matches!(*error.0, E::UnexpectedEOF),
            Ok(_) => true,
        }
    }

    /// Whether there is a variable of this name.
    #[must_use]
    pub fn has_variable(&self, name: &str) -> bool {
        self.state.borrow().scope.contains(name)
    }

    /// Evaluates a text. A text that begins with a dot continues from the value that was shown
    /// last.
    pub fn evaluate(&self, text: &str) -> Outcome {
        let text = whole(text);
        match self.compile(&text) {
            Ok((name, ast)) => self.run(&text, &name, &ast),
            Err(reports) => Outcome::Failed(reports),
        }
    }

    /// Evaluates a recipe as if it were typed.
    pub fn load(&self, name: &str, text: &str) -> Outcome {
        let text = whole(text);
        let done = match self.compile_as(name, &text) {
            Ok(ast) => self.run(&text, name, &ast),
            Err(reports) => Outcome::Failed(reports),
        };
        match done {
            // The recipe ends, but the prompt does not.
            Outcome::End(End::Status(code)) => {
                Outcome::Done(Some(format!("the recipe exited with {code}")))
            }
            done => done,
        }
    }

    fn compile(&self, text: &str) -> Result<(String, AST), Vec<Report>> {
        let number = {
            let mut state = self.state.borrow_mut();
            state.number += 1;
            state.number
        };
        let name = format!("<{} {number}>", self.script.recipe.name);
        let ast = self.compile_as(&name, text)?;
        Ok((name, ast))
    }

    fn compile_as(&self, name: &str, text: &str) -> Result<AST, Vec<Report>> {
        let context = &self.script.context;
        context.read(name, text);
        let ast = reading::read(&self.script.engine, context, text).map_err(|error| {
            let error: Box<EvalAltResult> = error.into();
            reword::reports(*error, context)
        });
        let mut ast = ast?;
        ast.set_source(name);
        let reports = discarded(&ast, name, true);
        if !reports.is_empty() {
            return Err(reports);
        }
        context.add_text(name, &ast);
        for warning in captured(&ast, name) {
            context.warn(&warning);
        }
        Ok(with_copies(ast, text, &self.script.engine, context))
    }

    #[expect(deprecated, reason = "the engine marks so what may change between its versions")]
    fn perform(&self, name: &str, ast: &AST) -> Result<Dynamic, Box<EvalAltResult>> {
        // An evaluation can lead here again, in the process of a closure or at a breakpoint.
        let (mut scope, mut global) = {
            let mut state = self.state.borrow_mut();
            let empty = self.script.engine.new_global_runtime_state();
            let global = std::mem::replace(&mut state.global, empty);
            (std::mem::take(&mut state.scope), global)
        };
        global.source = Some(name.into());
        // If functions have the same name, the engine calls the last one.
        global.lib.push(ast.shared_lib().clone());
        let caches = &mut rhai::Caches::new();
        let statements = ast.statements();
        let engine = &self.script.engine;
        let done = engine.eval_statements_raw(&mut global, caches, &mut scope, statements);
        let mut state = self.state.borrow_mut();
        (state.scope, state.global) = (scope, global);
        done
    }

    fn run(&self, text: &str, name: &str, ast: &AST) -> Outcome {
        let before = self.state.borrow().marks();
        let values = self.plain_values();
        match self.perform(name, ast) {
            Ok(value) => {
                let kept = Input::new(text, ast, (before, values), &value);
                self.state.borrow_mut().inputs.push(kept);
                // A text that ends with a semicolon shows no value.
                if value.is_unit() || record::trimmed(text).1 {
                    return Outcome::Done(None);
                }
                let shown = self.show(&value);
                self.state.borrow_mut().set_it(&value);
                Outcome::Done(shown)
            }
            Err(error) => {
                let mut state = self.state.borrow_mut();
                state.go_back(before);
                state.put_back(&values);
                drop(state);
                self.end(*error)
            }
        }
    }

    fn end(&self, error: EvalAltResult) -> Outcome {
        match reword::ending(&error) {
            Some(End::Status(code)) => Outcome::End(End::Status(code)),
            Some(End::Signal(signal)) => interrupted(signal),
            Some(End::NotRun(reason)) => Outcome::Failed(vec![Report::not_run(reason)]),
            Some(End::Failed(reports)) => Outcome::Failed(reports),
            None if let Some(signal) = run::interrupted() => interrupted(signal),
            None => Outcome::Failed(reword::reports(error, &self.script.context)),
        }
    }

    /// A value as shown to the user; `None` if there is nothing to show.
    fn show(&self, value: &Dynamic) -> Option<String> {
        if value.read_lock::<Exit>().is_some_and(|exit| exit.code == 0) {
            return None;
        }
        if let Some(output) = value.read_lock::<SharedOutput>() {
            return Some(visible(String::from_utf8_lossy(&output.0.stdout).trim_end()));
        }
        if value.is::<Rootfs>() {
            return Some(self.asked("value.tree()", value));
        }
        if let Some(rows) = value.read_lock::<Array>().filter(|rows| record::is_table(rows)) {
            // `table` prints.
            self.asked("table(value)", &Dynamic::from(rows.clone()));
            return None;
        }
        let text = value.read_lock::<rhai::ImmutableString>().map(|text| text.to_string());
        Some(match text {
            Some(text) if text.contains('\n') => visible(text.trim_end()),
            Some(_) => value::shown(value),
            None if value.is_map() || value.is_array() => visible(&value::laid_out(value)),
            None => visible(&self.asked("value.to_string()", value)),
        })
    }

    /// The value of code that is applied to a value.
    fn asked(&self, code: &str, value: &Dynamic) -> String {
        let mut scope = Scope::new();
        scope.push("value", value.clone());
        let shown = self.script.engine.eval_with_scope::<Dynamic>(&mut scope, code);
        shown.map_or_else(|_| value::shown(value), |shown| shown.to_string().trim_end().to_owned())
    }

    /// Ends started processes, and removes what was created for them.
    pub fn close(&self) {
        let mut state = self.state.borrow_mut();
        state.scope.clear();
        state.inputs.clear();
        drop(state);
        self.script.close();
    }

    /// The effects of a text, in order, without doing them. For a sandbox, those of running a shell
    /// in it.
    ///
    /// # Errors
    /// All errors of the text.
    pub fn dry_run(&self, text: &str) -> Result<Vec<Effect>, Vec<Report>> {
        let (name, ast) = self.compile(&whole(text))?;
        let context = &self.script.context;
        let before = self.state.borrow().marks();
        let values = self.plain_values();
        let run = context.set_effects(self.script.dry_run.clone());
        let mut done = self.perform(&name, &ast);
        if done.as_ref().is_ok_and(Dynamic::is::<Sandbox>) {
            let mut scope = Scope::new();
            scope.push("value", done.unwrap_or_default());
            done = self.script.engine.eval_with_scope(&mut scope, "value.shell()");
        }
        context.set_effects(run);
        let mut state = self.state.borrow_mut();
        state.go_back(before);
        state.put_back(&values);
        drop(state);
        let effects = self.script.dry_run.take();
        match done.map_err(|error| self.end(*error)) {
            Err(Outcome::Failed(reports)) => Err(reports),
            Err(Outcome::Interrupted) => Err(vec![Report::error("interrupted")]),
            _ => Ok(effects),
        }
    }
}

fn interrupted(signal: i32) -> Outcome {
    const SIGINT: i32 = 2;
    if signal == SIGINT { Outcome::Interrupted } else { Outcome::End(End::Signal(signal)) }
}

/// A text in the form that the engine takes: a leading dot continues from the value that was shown
/// last, and a `#!` line is a comment.
fn whole(text: &str) -> String {
    let text = text.trim();
    if text.starts_with('.') { format!("{IT}{text}") } else { code(text) }
}

/// A text without control characters except line breaks and tabs.
fn visible(text: &str) -> String {
    let part = |text: &str| text.split('\t').map(escape).collect::<Vec<_>>().join("\t");
    text.split('\n').map(part).collect::<Vec<_>>().join("\n")
}

/// The size of the state at some time.
#[derive(Clone, Copy, Debug)]
struct Marks {
    variables: usize,
    modules: usize,
    texts: usize,
}

impl State {
    fn marks(&self) -> Marks {
        let modules = self.global.num_imports();
        Marks { variables: self.scope.len(), modules, texts: self.global.lib.len() }
    }

    /// Sets the value that was shown last, as a variable even if the value is a constant.
    fn set_it(&mut self, value: &Dynamic) {
        if self.scope.is_constant(IT) != Some(true) {
            self.scope.set_value(IT, value.clone());
        }
    }

    /// Restores the values of variables.
    fn put_back(&mut self, values: &[(String, Dynamic)]) {
        for (name, value) in values {
            if let Some(variable) = self.scope.get_mut(name).filter(|it| !it.is_shared()) {
                *variable = value.clone();
            }
        }
    }

    /// Removes everything that was added since `marks`.
    fn go_back(&mut self, marks: Marks) {
        self.scope.rewind(marks.variables);
        self.global.truncate_imports(marks.modules);
        self.global.lib.truncate(marks.texts);
    }
}
