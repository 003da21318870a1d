//! The engine: verbs, limits, and running a recipe.

pub mod breakpoint;
pub mod module;
pub mod own_value;
pub mod reading;

use std::any::TypeId;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use rhai::{
    AST, Dynamic, Engine, EvalAltResult, ImmutableString, LexError, Map, NativeCallContext,
    OptimizationLevel, Token,
};

use crate::diag::{Origin, Report, Sources};
use crate::run;
use crate::script::analysis::capture::captured;
use crate::script::analysis::depends::depends;
use crate::script::analysis::discard::discarded;
use crate::script::analysis::session_ids::session_ids;
use crate::script::binding::call::{Call, is_unread};
use crate::script::binding::context::Context;
use crate::script::binding::effects::{Dependence, Effects};
use crate::script::binding::error::{End, VerbError};
use crate::script::binding::verb::{Kind, Verb};
use crate::script::binding::{catalog, memory, value};
use crate::script::builtins::bounded::{self, MemoryExceeded};
use crate::script::builtins::{printing, sorting};
use crate::script::effects::dry_run::{DryRun, Effect};
use crate::script::effects::kernel::Kernel;
use crate::script::errors::{caught, reword};
use crate::script::language::named::{Named, calls_raw};
use crate::script::language::recipe::Recipe;
use crate::script::language::statement_starts::{self, NAME};
use breakpoint::{Breakpoints, OnBreak};
use module::Resolver;

/// The maximum depth of calls, which fits the usual stack of 8 MiB.
const CALL_LEVELS: usize = 256;

/// The signal for writing to a closed pipe.
const SIGPIPE: i32 = 13;

/// Verbs that replace functions of the language. Its `sleep` takes only numbers and ignores
/// signals; its `trim` changes the string and has no value; its `to_json` takes only maps, and
/// writes what is not JSON.
pub(super) const BEFORE_THE_LANGUAGE: [&str; 3] = ["sleep", "to_json", "trim"];

/// Whether a recipe is run or only planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The recipe is run.
    Run,
    /// Nothing is done: effects are recorded, and the output of programs is empty.
    DryRun,
}

/// A recipe that is ready to run.
pub struct Script {
    pub(super) engine: Engine,
    pub(super) context: Rc<Context>,
    pub(super) recipe: Recipe,
    /// The record of a dry run.
    pub(super) dry_run: Rc<DryRun>,
    breakpoints: Rc<Breakpoints>,
}

impl Script {
    /// Creates an engine for `recipe`. Warnings go to `warn` at once.
    #[must_use]
    pub fn new(recipe: Recipe, mode: Mode, warn: Box<dyn Fn(&Report)>) -> Self {
        Self::with(recipe, mode, warn, false)
    }

    /// Creates an engine for texts that are not known yet, which get their names from `recipe`.
    #[must_use]
    pub fn for_prompt(recipe: Recipe, warn: Box<dyn Fn(&Report)>) -> Self {
        Self::with(recipe, Mode::Run, warn, true)
    }

    /// Creates an engine. With `all`, it has all verbs, whatever the recipe uses.
    fn with(recipe: Recipe, mode: Mode, warn: Box<dyn Fn(&Report)>, all: bool) -> Self {
        let dry_run: Rc<DryRun> = Rc::default();
        // The only place where run and dry run differ.
        let effects: Rc<dyn Effects> = match mode {
            Mode::Run => Rc::new(Kernel),
            Mode::DryRun => dry_run.clone(),
        };
        let mut context = Context::new(effects, &recipe, warn);
        let breakpoints: Rc<Breakpoints> = Rc::default();
        let all_of_it = all || !recipe.breaks.is_empty() || recipe.text.contains(NAME);
        let named = if all_of_it { Named::All } else { Named::in_text(&recipe.text) };
        context.calls_raw = all || calls_raw(&recipe.text);
        context.narrates = named.has_any(&["section", "note", "table"]);
        context.sources.insert(&recipe.name, &recipe.text);
        let context = Rc::new(context);
        let weak = Rc::downgrade(&context);
        context.runner.on_warning(Box::new(move |warning| {
            if let Some(context) = weak.upgrade() {
                context.warn(warning);
            }
        }));
        let mut engine = Engine::new();
        limit(&mut engine, &context);
        value::name_types(&mut engine);
        value::printing(&mut engine, &named);
        printing::register(&mut engine, &context, &named);
        bounded::register(&mut engine, &named);
        sorting::register(&mut engine, &named);
        for verb in catalog::all().filter(|verb| named.has(verb.name)) {
            register(&mut engine, &context, verb);
        }
        // A prompt has one already.
        if all_of_it && !all {
            breakpoint::register(&mut engine, &context, &breakpoints);
        }
        name_constants(&mut engine, &recipe, &context);
        engine.set_module_resolver(Resolver::new(context.clone(), breakpoints.clone()));
        Self { engine, context, recipe, dry_run, breakpoints }
    }

    /// The texts that were read, for reports.
    #[must_use]
    pub fn sources(&self) -> Sources {
        self.context.sources.clone()
    }

    /// The effects that a dry run has recorded, in order.
    #[must_use]
    pub fn effects(&self) -> Vec<Effect> {
        self.dry_run.effects()
    }

    /// What a dry run cannot know, in the order of the texts.
    #[must_use]
    pub fn depends(&self) -> Vec<Dependence> {
        self.dry_run.depends()
    }

    /// Makes raw calls act on the host itself.
    pub fn work_on_host(&self) {
        self.context.runner.work_on_host();
    }

    /// Reports the progress of long work to `watcher`.
    pub fn watch(&self, watcher: run::Watcher) {
        self.context.runner.watch(watcher);
    }

    /// Reports every action to `tell`.
    pub fn explain(&self, tell: run::Tell) {
        self.context.runner.tell(tell);
    }

    /// Asks before each action.
    pub fn step(&self, ask: run::Ask) {
        self.context.runner.step(ask);
    }

    /// Stops reporting actions.
    pub fn explain_nothing(&self) {
        self.context.runner.tell_nobody();
    }

    /// The place of this process: `host`, or `session` once that has begun.
    #[must_use]
    pub fn place(&self) -> &'static str {
        if self.context.runner.is_in_session() { "session" } else { "host" }
    }

    /// The user of this process in its user namespace, by name if there is one.
    #[must_use]
    pub fn user(&self) -> String {
        let uid = run::ids().uid;
        if uid == 0 {
            return "root".into();
        }
        crate::host::accounts::user_names(&crate::host::Tree::host())
            .remove(&uid)
            .unwrap_or_else(|| format!("user {uid}"))
    }

    /// Runs the recipe. Dropping the script ends started processes and removes what was created for
    /// it.
    #[must_use]
    pub fn run(&self) -> End {
        let ast = match self.compile() {
            Ok(ast) => ast,
            Err(reports) => return End::Failed(reports),
        };
        let done = self.engine.run_ast(&ast);
        match done {
            Ok(()) => run::interrupted().map_or(End::Status(0), End::Signal),
            Err(error) => self.end(*error),
        }
    }

    /// Removes what was created for the recipe, as dropping the script does.
    pub fn close(&self) {
        self.context.runner.close();
    }

    /// What a check works with.
    pub(super) fn parts(&self) -> (&Engine, &Rc<Context>, &Recipe) {
        (&self.engine, &self.context, &self.recipe)
    }

    fn compile(&self) -> Result<AST, Vec<Report>> {
        let text = self.recipe.code();
        if let Some((line, column)) = crate::script::language::bracket::open_comment(&text) {
            let origin = Origin::new(self.recipe.name.as_str(), line, column).underlining(2);
            return Err(vec![Report::error("unclosed comment `/*`").at(Some(origin))]);
        }
        let text = self.with_breaks(text)?;
        let ast = reading::read(&self.engine, &self.context, &text);
        let mut ast = ast.map_err(|error| {
            let error: Box<EvalAltResult> = error.into();
            reword::reports(*error, &self.context)
        })?;
        ast.set_source(self.recipe.name.as_str());
        self.context.add_text(&self.recipe.name, &ast);
        let reports = discarded(&ast, &self.recipe.name, false);
        if !reports.is_empty() {
            return Err(reports);
        }
        for warning in captured(&ast, &self.recipe.name) {
            self.context.warn(&warning);
        }
        self.context.effects().reads(&|| depends(&ast, &self.recipe.name));
        let asks = ["getuid", "getgid"].iter().any(|name| self.recipe.text.contains(name));
        if asks && self.context.has_other_ids() {
            for warning in session_ids(&ast, &self.recipe.name) {
                self.context.warn(&warning);
            }
        }
        self.breakpoints.read_again();
        Ok(own_value::with_copies(ast, &text, &self.engine, &self.context))
    }

    /// Adds the requested breakpoints to the text, and records their positions.
    fn with_breaks(&self, text: String) -> Result<String, Vec<Report>> {
        let lines = &self.recipe.breaks;
        if lines.is_empty() && !text.contains(NAME) {
            return Ok(text);
        }
        // Its mistakes are reported when the text is compiled.
        let Ok(ast) = self.engine.compile(&text) else { return Ok(text) };
        let starts = statement_starts::starts(&ast, &text);
        let is_fine = |text: &str| self.engine.compile(text).is_ok();
        let with =
            statement_starts::with_breaks(&text, &starts, lines, &is_fine).map_err(|line| {
                let message =
                    format!("cannot stop at line {line}: no statement begins there or later");
                vec![Report::error(message)]
            })?;
        let stops = statement_starts::stops(&text, &with, &starts);
        self.breakpoints.begin(&self.recipe.name, stops);
        Ok(with)
    }

    /// Whether the recipe may stop somewhere.
    #[must_use]
    pub fn may_stop(&self) -> bool {
        !self.recipe.breaks.is_empty() || self.recipe.text.contains(NAME)
    }

    /// Calls `hook` when the recipe stops.
    pub fn on_break(self: &Rc<Self>, hook: OnBreak) {
        self.breakpoints.stop_with(hook, self);
    }

    fn end(&self, error: EvalAltResult) -> End {
        match reword::ending(&error) {
            Some(end) => end,
            // Work that was given up because of a signal is not an error of its own.
            None if let Some(signal) = run::interrupted() => End::Signal(signal),
            None => {
                let reports = reword::reports(error, &self.context);
                // As for other programs, a closed pipe is not reported.
                if is_unread(&reports) { End::Signal(SIGPIPE) } else { End::Failed(reports) }
            }
        }
    }
}

/// Has every function, closure and module see the constants, where it has no variable of the name,
/// and errors in the place of the maps that the engine makes of its own.
///
/// A closure captures what it names from the variables around it, and those of a function do not
/// include what is only known to the whole engine: so the engine asks for every name.
#[expect(deprecated, reason = "the engine marks so what may change between its versions")]
fn name_constants(engine: &mut Engine, recipe: &Recipe, context: &Rc<Context>) {
    let (constants, own) = (catalog::constants(), context.clone());
    let arguments: rhai::Array = recipe.arguments.iter().cloned().map(Dynamic::from).collect();
    let arguments = Dynamic::from(arguments);
    let constant = move |name: &str| match name {
        "args" => Some(arguments.clone()),
        "host" => Some(Dynamic::from(value::HostFacts)),
        _ => constants.iter().find(|constant| constant.name == name).map(|it| it.value()),
    };
    engine.on_var(move |name, index, context| {
        if let Some(name) = own_value::copied(name)
            && (constant(name).is_none() || context.scope().contains(name))
        {
            return own_value::copy(name, context.scope());
        }
        let name = own_value::copied(name).unwrap_or(name);
        if own.caught.borrow().has(name)
            && let Some(value) = context.scope().get(name)
            && let Some(error) = caught::error(value, &own)
        {
            return Ok(Some(Dynamic::from(error)));
        }
        // A variable that the text declares has an index.
        if index > 0 {
            return Ok(None);
        }
        Ok(constant(name).filter(|_| !context.scope().contains(name)))
    });
}

/// Has the engine read some tokens in another way. It has one hook for that.
#[expect(deprecated, reason = "the engine marks so what may change between its versions")]
fn read_tokens(engine: &mut Engine, context: &Rc<Context>) {
    let context = context.clone();
    engine.on_parse_token(move |token, position, _| match token {
        // An integer that is too large is an error: the engine reads it as a float, which differs.
        Token::FloatConstant(float)
            if float.1.bytes().all(|it| matches!(it, b'0'..=b'9' | b'-')) =>
        {
            Token::LexError(Box::new(LexError::MalformedNumber(float.1.to_string())))
        }
        Token::IntegerConstant(number) if number < 0 => {
            context.negative.borrow_mut().push(statement_starts::numbers(position));
            token
        }
        token => own_value::renamed(token, position, &context),
    });
}

/// Sets the limits of a recipe, and lets signals end it.
fn limit(engine: &mut Engine, context: &Rc<Context>) {
    // The optimizer of this version can panic on constants, and moves positions.
    engine.set_optimization_level(OptimizationLevel::None);
    engine.set_max_call_levels(CALL_LEVELS);
    engine.set_max_expr_depths(256, 128);
    engine.set_fail_on_invalid_map_property(true);
    engine.set_strict_variables(false);
    engine.disable_symbol("eval");
    read_tokens(engine, context);
    let (watch, begun) = (context.clone(), Instant::now());
    // The engine's own count restarts with every closure that a function of the language calls.
    let count = Cell::new(0_u64);
    engine.on_progress(move |_| {
        // Every verb that can block watches for signals itself. This is for pure computation.
        if memory::is_exceeded() {
            return Some(Dynamic::from(MemoryExceeded));
        }
        let operations = count.get() + 1;
        count.set(operations);
        if !operations.is_multiple_of(1024) {
            return None;
        }
        let interrupted = || run::interrupted().map(|it| Dynamic::from(End::Signal(it)));
        watch.effects().gives_up(operations, begun).or_else(interrupted)
    });
}

/// Registers a verb for each number of arguments.
pub(in crate::script) fn register(engine: &mut Engine, context: &Rc<Context>, verb: &'static Verb) {
    // The engine selects by the receiver. The verb itself checks the other arguments.
    let mut types = vec![TypeId::of::<Dynamic>(); verb.parameters.len()];
    if let (Some(first), Some(parameter)) = (types.first_mut(), verb.parameters.first()) {
        *first = parameter.type_id.map_or(*first, |type_id| type_id());
    }
    let name = match verb.kind {
        Kind::Function => verb.name.to_owned(),
        Kind::Property => format!("get${}", verb.name),
    };
    for number in verb.least()..=verb.parameters.len() {
        let context = context.clone();
        let perform = move |native: NativeCallContext<'_>, arguments: &mut [&mut Dynamic]| {
            if let Some(signal) = run::interrupted() {
                return Err(VerbError::Interrupted(signal).into());
            }
            let arguments = arguments.iter().map(|argument| argument.flatten_clone()).collect();
            let mut call = Call::new(&context, &native, verb, arguments);
            let given = (verb.perform)(&mut call);
            context.effects().returned_from(verb);
            given.map_err(Into::into)
        };
        if BEFORE_THE_LANGUAGE.contains(&verb.name) {
            let (texts, maps) = (TypeId::of::<ImmutableString>(), TypeId::of::<Map>());
            for exact in [TypeId::of::<i64>(), TypeId::of::<f64>(), texts, maps] {
                engine.register_raw_fn(name.as_str(), [exact], perform.clone());
            }
        }
        engine.register_raw_fn(name.as_str(), &types[..number], perform);
    }
}
