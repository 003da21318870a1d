//! The verbs for an engine that another program has made.

use std::rc::Rc;

use rhai::{Engine, EvalAltResult, Module};

use super::binding::context::{Context, Warn};
use super::binding::error::End;
use super::binding::{catalog, value};
use super::builtins::bounded::MemoryExceeded;
use super::effects::kernel::Kernel;
use super::engine::register;
use super::errors::reword;
use super::language::named::Named;
use super::language::recipe::Recipe;
use crate::diag::Report;
use crate::run;

/// All verbs, with what they work with.
#[derive(Clone)]
pub struct Package {
    context: Rc<Context>,
}

impl Package {
    /// The verbs. Each warning is given to `warn`, once.
    #[must_use]
    pub fn new(warn: Warn) -> Self {
        let recipe = Recipe {
            name: "script".into(),
            text: String::new(),
            directory: std::env::current_dir().unwrap_or_else(|_| "/".into()),
            arguments: Vec::new(),
            trust: false,
            breaks: Vec::new(),
        };
        let context = Rc::new(Context::new(Rc::new(Kernel), &recipe, warn));
        let weak = Rc::downgrade(&context);
        context.runner.on_warning(Box::new(move |warning| {
            if let Some(context) = weak.upgrade() {
                context.warn(warning);
            }
        }));
        Self { context }
    }

    /// Registers the verbs, their types, and the constants.
    pub fn register_into_engine(&self, engine: &mut Engine) {
        value::name_types(engine);
        value::printing(engine, &Named::All);
        for verb in catalog::all() {
            register(engine, &self.context, verb);
        }
        let mut constants = Module::new();
        for constant in catalog::constants() {
            constants.set_var(constant.name, constant.value());
        }
        constants.set_var("host", value::HostFacts);
        engine.register_global_module(constants.into());
    }

    /// The reports of an error of the engine, or of the end that a script asked for.
    #[must_use]
    pub fn reports(&self, error: EvalAltResult) -> Vec<Report> {
        let ended = match reword::ending(&error) {
            Some(End::Status(status)) => {
                let mut report = Report::error(format!("the script exited with status {status}"));
                report.facts.status = Some(status);
                report
            }
            Some(End::NotRun(reason)) => Report::not_run(reason),
            Some(End::Signal(signal)) => {
                Report::error(format!("interrupted by {}", run::signal_name(signal)))
            }
            Some(End::Failed(reports)) => return reports,
            None if is_terminated(&error) => {
                Report::error("the program that runs the script has ended it")
            }
            None => return reword::reports(error, &self.context),
        };
        vec![ended]
    }
}

/// Whether the host of the engine has ended the script: `Engine::on_progress`. The memory limit of
/// `nsscript` itself has its own error.
fn is_terminated(error: &EvalAltResult) -> bool {
    match error {
        EvalAltResult::ErrorTerminated(token, _) => !token.is::<MemoryExceeded>(),
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _)
        | EvalAltResult::ErrorInModule(_, inner, _) => is_terminated(inner),
        _ => false,
    }
}
