//! Breakpoints: a recipe stops, and its variables can be read and changed.
//!
//! A function sees only its arguments. A breakpoint is therefore custom syntax, which sees the
//! variables.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use rhai::{
    Dynamic, Engine, EvalAltResult, EvalContext, GlobalRuntimeState, ImmutableString, Scope,
};

use super::{End, Script};
use crate::diag::{Origin, Report};
use crate::script::binding::context::Context;
use crate::script::language::statement_starts::{NAME, Places};

/// A recipe at a breakpoint.
pub struct Stopped {
    /// Its variables, which can be changed.
    pub scope: Scope<'static>,
    /// Its functions and modules.
    pub global: GlobalRuntimeState,
    /// Prints the path of the store.
    pub origin: Option<Origin>,
}

/// The function that is called when a recipe stops. It returns the end of the recipe, or `None` to
/// continue.
pub type OnBreak = Rc<dyn Fn(Rc<Script>, &mut Stopped) -> Option<End>>;

/// The breakpoints of a run.
#[derive(Default)]
pub struct Breakpoints {
    /// The text that is being read, and the number of breakpoints in it so far.
    reading: RefCell<(Arc<str>, usize)>,
    /// The text of each breakpoint, and its index in the text.
    met: RefCell<Vec<(Arc<str>, usize)>>,
    /// The positions of the breakpoints of each text.
    places: RefCell<HashMap<Arc<str>, Places>>,
    hook: OnceCell<(OnBreak, Weak<Script>)>,
}

impl Breakpoints {
    /// Begins the text `name`, whose breakpoints are at these positions.
    pub fn begin(&self, name: &str, places: Vec<(u32, u32)>) {
        *self.reading.borrow_mut() = (name.into(), 0);
        self.places.borrow_mut().insert(name.into(), places);
    }

    /// Begins the text that was read once more.
    pub fn read_again(&self) {
        self.reading.borrow_mut().1 = 0;
    }

    /// Calls `hook` at each breakpoint.
    pub fn stop_with(&self, hook: OnBreak, script: &Rc<Script>) {
        let _ = self.hook.set((hook, Rc::downgrade(script)));
    }

    fn hook(&self) -> Option<(OnBreak, Rc<Script>)> {
        let (hook, script) = self.hook.get()?;
        Some((hook.clone(), script.upgrade()?))
    }

    /// Adds a breakpoint and returns its number.
    fn met(&self) -> i64 {
        let mut reading = self.reading.borrow_mut();
        let mut met = self.met.borrow_mut();
        met.push((reading.0.clone(), reading.1));
        reading.1 += 1;
        i64::try_from(met.len() - 1).unwrap_or(i64::MAX)
    }

    /// The position of the breakpoint with this number.
    fn place(&self, number: usize) -> Option<Origin> {
        let met = self.met.borrow();
        let (source, index) = met.get(number)?;
        let places = self.places.borrow();
        let (line, column) = places.get(source)?.get(*index)?;
        Some(Origin::new(source.clone(), *line, *column))
    }
}

/// Registers `breakpoint()` as syntax.
pub fn register(engine: &mut Engine, context: &Rc<Context>, breakpoints: &Rc<Breakpoints>) {
    let known = breakpoints.clone();
    let parse = move |symbols: &[ImmutableString], _: &str, state: &mut Dynamic| {
        // For the engine, the brackets are one token.
        if symbols.len() == 1 {
            return Ok(Some("()".into()));
        }
        *state = Dynamic::from(known.met());
        Ok(None)
    };
    let (context, breakpoints) = (context.clone(), breakpoints.clone());
    engine.register_custom_syntax_with_state_raw(NAME, parse, false, move |eval, _, state| {
        let number = state.as_int().ok().and_then(|it| usize::try_from(it).ok()).unwrap_or(0);
        stop(&context, &breakpoints, eval, number)?;
        Ok(Dynamic::UNIT)
    });
}

fn stop(
    context: &Rc<Context>,
    breakpoints: &Breakpoints,
    eval: &mut EvalContext<'_, '_, '_, '_, '_, '_>,
    number: usize,
) -> Result<(), Box<EvalAltResult>> {
    if !context.effects().has_breakpoints() {
        return Ok(());
    }
    let origin = breakpoints.place(number);
    let Some((hook, script)) = breakpoints.hook() else {
        let report = Report::warning("skipped a breakpoint: standard input is not a terminal");
        context.warn(&report.at(origin));
        return Ok(());
    };
    let mut variables: Vec<_> = eval.scope().iter_raw().collect();
    // Newest first.
    variables.reverse();
    let mut scope = Scope::new();
    let mut names = Vec::new();
    for (name, is_constant, value) in variables {
        let add = if is_constant { Scope::push_constant_dynamic } else { Scope::push_dynamic };
        add(&mut scope, name.to_owned(), value.clone());
        names.extend((!is_constant).then(|| name.to_owned()));
    }
    let global = eval.global_runtime_state_mut().clone();
    let mut stopped = Stopped { scope, global, origin };
    let name = context.source_name(None);
    let end = hook(script, &mut stopped);
    context.rename(&name);
    give_back(&names, &stopped.scope, eval.scope_mut());
    match end {
        None => Ok(()),
        Some(end @ (End::Signal(_) | End::Status(_))) => Err(end.into()),
        Some(End::Failed(_) | End::NotRun(_)) => Err(End::Status(1).into()),
    }
}

/// Assigns the values from the prompt to the variables.
fn give_back(names: &[String], given: &Scope<'_>, scope: &mut Scope<'_>) {
    for name in names {
        let (Some(value), Some(variable)) = (given.get(name).cloned(), scope.get_mut(name)) else {
            continue;
        };
        // A value shared with a closure was changed in place.
        if !variable.is_shared() {
            *variable = value;
        }
    }
}
