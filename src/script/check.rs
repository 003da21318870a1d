//! `nsscript check`: mistakes in a recipe, found in its text and in a dry run.
//!
//! A check reports what a run would report, with the same messages, but all at once. It reports
//! nothing that is uncertain: a value whose kind the text does not determine could be anything.

mod arguments;
mod call;
mod chain;
mod dry_run;
mod expression;
mod imports;
mod infer;
mod kind;
mod recover;
mod scope;
mod standard;
mod statement;
mod unit;

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use rhai::{Engine, EvalAltResult, Position};

use crate::diag::{Report, Severity, Sources};
use crate::script::binding::context::Context;
use crate::script::engine::{Mode, Script};
use crate::script::errors::reword;
use crate::script::language::recipe::Recipe;
use imports::Reader;
use kind::Kind;
use scope::Scope;
use standard::Standard;
use unit::Unit;

/// The result of a check.
pub struct Checked {
    /// Errors and warnings: those of modules first, each text from top to bottom.
    pub reports: Vec<Report>,
    /// The texts of the reports.
    pub sources: Sources,
    /// The signal that ended the check, if any.
    pub signal: Option<i32>,
}

/// Finds mistakes in `recipe` without running it.
#[must_use]
pub fn check(recipe: &Recipe) -> Checked {
    let script = Script::new(recipe.clone(), Mode::DryRun, Box::new(|_| {}));
    let (engine, context, _) = script.parts();
    let sources = script.sources();
    let read = recover::read(recipe, engine, context);
    let mut reader = Reader::new(engine, context);
    reader.reports = read.reports;
    let main = reader.unit(&recipe.name, &read.ast, read.unread);
    let (units, mut reports) = (reader.units, reader.reports);
    let standard = Standard::new();
    let keys = units.iter().flat_map(|unit| unit.keys.iter().cloned()).collect();
    let world = World { engine, context, standard: &standard, keys };
    for unit in &units {
        reports.extend(world.reports(unit));
    }
    sort(&mut reports, &units);
    let is_error = |report: &Report| report.severity == Severity::Error;
    if reports.iter().any(is_error) {
        return Checked { reports, sources, signal: None };
    }
    let (found, signal) = dry_run::dry_run(recipe, &sources, main.reads_arguments);
    for report in found {
        if !reports.contains(&report) {
            reports.push(report);
        }
    }
    Checked { reports, sources, signal }
}

/// Sorts reports by text and position, and removes duplicates.
fn sort(reports: &mut Vec<Report>, units: &[Rc<Unit>]) {
    let place = |report: &Report| {
        let origin = report.origin.as_ref()?;
        let text = units.iter().position(|unit| unit.source == origin.source);
        Some((text, origin.line, origin.column))
    };
    reports.sort_by_key(place);
    let mut kept: Vec<Report> = Vec::new();
    for report in reports.drain(..) {
        let is_same =
            |known: &Report| known.message == report.message && known.origin == report.origin;
        if !kept.iter().any(is_same) {
            kept.push(report);
        }
    }
    *reports = kept;
}

/// What a check works with.
pub(in crate::script) struct World<'w> {
    engine: &'w Engine,
    context: &'w Rc<Context>,
    standard: &'w Standard,
    /// The possible keys of maps in all texts.
    keys: HashSet<String>,
}

impl World<'_> {
    /// The mistakes in a text.
    fn reports(&self, unit: &Rc<Unit>) -> Vec<Report> {
        // Variables are assumed to keep their kind. Those that do not, and the kinds of functions'
        // values, are found first.
        loop {
            let before = unit.changing.borrow().len();
            unit.functions.iter().for_each(|function| function.gives.set(Kind::Any));
            for step in [Step::Functions, Step::Functions, Step::Variables] {
                let _ = Checker::new(self, unit, step).unit();
            }
            if unit.changing.borrow().len() == before {
                return Checker::new(self, unit, Step::Say).unit();
            }
        }
    }
}

/// The purpose of a walk through a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Finds the kinds of functions' values.
    Functions,
    /// Finds variables whose kind changes.
    Variables,
    /// Reports mistakes.
    Say,
}

/// Walks through a text.
struct Checker<'w> {
    world: &'w World<'w>,
    unit: Rc<Unit>,
    scope: Scope,
    step: Step,
    /// The number of enclosing `try` blocks.
    tries: usize,
    /// Whether the walk is in a function, which does not see the variables around it.
    in_function: bool,
    /// The kind of `return` values of the current function.
    given: Kind,
    /// The current closures, outermost first.
    closures: Vec<String>,
    reports: RefCell<Vec<Report>>,
}

impl<'w> Checker<'w> {
    fn new(world: &'w World<'w>, unit: &Rc<Unit>, step: Step) -> Self {
        Self {
            world,
            unit: unit.clone(),
            scope: Scope::default(),
            step,
            tries: 0,
            in_function: false,
            given: Kind::Never,
            closures: Vec::new(),
            reports: RefCell::default(),
        }
    }

    /// Walks through all statements, and then all functions.
    fn unit(mut self) -> Vec<Report> {
        let unit = self.unit.clone();
        self.statements(&unit.statements);
        let around = self.scope.modules_only();
        for function in unit.functions.iter().filter(|function| !function.is_closure()) {
            self.scope = around.clone();
            self.in_function = true;
            self.given = Kind::Never;
            for parameter in &function.parameters {
                self.scope.add(parameter, Kind::Any);
            }
            let last = self.statements(&function.body);
            function.gives.set(last.or(self.given));
        }
        self.reports.into_inner()
    }

    /// Reports `error` as a run would.
    fn error(&self, error: EvalAltResult) {
        if self.step != Step::Say {
            return;
        }
        let error = match &*self.unit.source {
            name if *name == *self.world.context.source_name(None) => error,
            module => EvalAltResult::ErrorInModule(module.into(), error.into(), Position::NONE),
        };
        for report in reword::reports(error, self.world.context) {
            self.say(report);
        }
    }

    /// Adds a report that has its position, except in a `try`, where failure may be intended.
    fn say(&self, mut report: Report) {
        if self.step != Step::Say {
            return;
        }
        if self.tries > 0 {
            report.severity = Severity::Warning;
        }
        self.reports.borrow_mut().push(report);
    }

    /// Adds a report about the word at a position.
    fn say_at(&self, report: Report, position: Position) {
        let origin = reword::word_at(position, &self.unit.source, self.world.context);
        self.say(report.at(Some(origin)));
    }
}
