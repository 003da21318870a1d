//! One call of a verb: its arguments, its position, its context.

use std::rc::Rc;

use rhai::{Dynamic, EvalAltResult, FnPtr, NativeCallContext, Scope};

use super::argument::{Argument, ArgumentError, a_kind};
use super::context::{Context, Printed};
use super::effects::Effects;
use super::error::VerbError;
use super::method::no_verb_of;
use super::options;
use super::verb::Verb;
use crate::diag::{Facts, Origin, Report, quoted};
use crate::run::{Errno, RunError};
use crate::script::language::library::STDLIB;
use crate::spec::Policy;

/// A call of a verb.
pub struct Call<'c, 'e> {
    /// The state of this run.
    pub context: &'c Context,
    native: &'c NativeCallContext<'e>,
    verb: &'static Verb,
    arguments: Vec<Dynamic>,
    /// The number of arguments, and of parameters, taken so far.
    position: usize,
    parameter: usize,
}

impl<'c, 'e> Call<'c, 'e> {
    pub(in crate::script) fn new(
        context: &'c Context,
        native: &'c NativeCallContext<'e>,
        verb: &'static Verb,
        arguments: Vec<Dynamic>,
    ) -> Self {
        Self { context, native, verb, arguments, position: 0, parameter: 0 }
    }

    /// Whether two values are equal in the language. Values of different kinds are not.
    pub fn equal(&self, left: &Dynamic, right: &Dynamic) -> bool {
        let (mut left, mut right) = (left.clone(), right.clone());
        let answer = self.native.call_native_fn_raw("==", true, &mut [&mut left, &mut right]);
        answer.ok().and_then(|equal| equal.as_bool().ok()).unwrap_or(false)
    }

    /// Calls a closure of the recipe, without arguments.
    ///
    /// # Errors
    /// What it throws.
    pub fn run(&self, closure: &FnPtr) -> Result<Dynamic, Box<EvalAltResult>> {
        closure.call_within_context(self.native, ())
    }

    /// Calls a function of the module of nsscript with this name.
    ///
    /// # Errors
    /// What it throws.
    pub fn library(
        &self,
        name: &str,
        function: &str,
        argument: Dynamic,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let (engine, id) = (self.native.engine(), format!("<{name}>"));
        let found = STDLIB.iter().find(|(known, _)| *known == name);
        let text = found.map_or("", |(_, text)| *text);
        let mut tree = engine.compile(text)?;
        tree.set_source(id.as_str());
        self.context.sources.insert(&id, text);
        engine.call_fn(&mut Scope::new(), &tree, function, (argument,))
    }

    /// The text that the language prints for a value.
    pub fn printed(&self, value: &Dynamic) -> String {
        printed(self.native, value)
    }

    /// Prints a string for the recipe.
    ///
    /// # Errors
    /// The write fails.
    pub fn print(&self, text: &str, kind: Printed) -> Result<(), VerbError> {
        print_for(self.context, self.native, self.verb.name, text, kind)
    }

    /// The position of the call, that is of the verb's name.
    pub fn origin(&self) -> Option<Origin> {
        origin(self.context, self.native, self.verb.name)
    }

    /// Takes the argument for the next parameter, a `T`.
    ///
    /// # Errors
    /// Its type or value is wrong.
    pub fn next<T: Argument>(&mut self) -> Result<T, VerbError> {
        let name = self.verb.parameters.get(self.parameter).map_or("", |parameter| parameter.name);
        self.parameter += 1;
        let given = self.arguments.get(self.position);
        let skipped = given.is_some_and(|value| value.is_map() && T::SKIPS_MAPS);
        let value = if skipped { None } else { given.cloned() };
        if value.is_some() {
            self.position += 1;
        }
        T::take(value, self).map_err(|wrong| self.wrong(name, wrong))
    }

    /// Checks that every argument was taken; arguments after an option map are not.
    ///
    /// # Errors
    /// An argument was not taken.
    pub fn finish(&self) -> Result<(), VerbError> {
        if self.position >= self.arguments.len() {
            return Ok(());
        }
        Err(self.fail(options_last(self.verb)))
    }

    /// The type of the first argument, if it is one of nsscript's own and the function does not
    /// accept it: the call was meant for a verb of that type.
    fn receiver(&self) -> Option<&'static str> {
        let is_first = self.position == 1 && self.verb.receiver().is_empty();
        let first = self.arguments.first().filter(|_| is_first)?;
        let kind = a_kind(first);
        let name = kind.rsplit(' ').next().unwrap_or_default();
        super::value::TYPES.iter().find(|known| **known == name).copied()
    }

    fn wrong(&self, name: &'static str, wrong: ArgumentError) -> VerbError {
        self.fail(self.argument_report(name, wrong))
    }

    /// The report for an argument that the parameter `name` does not accept.
    pub fn argument_report(&self, name: &'static str, wrong: ArgumentError) -> Report {
        let verb = quoted(self.verb.name);
        match wrong {
            ArgumentError::Type { .. } if self.receiver().is_some() => {
                let receiver = self.receiver().unwrap_or_default();
                no_verb_of(receiver, self.verb.name, self.arguments.len() - 1)
            }
            ArgumentError::Type { wanted, given } => {
                let name = quoted(name);
                let report = Report::error(format!("{verb} takes {wanted} as {name}, not {given}"));
                if wanted == <Policy as Argument>::KIND && given == "a string" {
                    return self.policy_in_quotes(report);
                }
                match self.constant_in_quotes() {
                    Some(constant) if given == "a string" => report
                        .hint(format!("write the constant without quotes: {}", quoted(constant))),
                    _ => report,
                }
            }
            ArgumentError::Value(invalid) => Report::from(&invalid),
            ArgumentError::UnknownOption { key, keys } => options::unknown(&verb, &key, keys, self),
            ArgumentError::Option { key, error } => options::wrong(&verb, key, &error, self),
            ArgumentError::Shell(found) => found.report(self),
        }
    }

    /// The hint for a string in place of a policy.
    fn policy_in_quotes(&self, report: Report) -> Report {
        let text = self.arguments.iter().find(|argument| argument.is_string());
        let text = text.map(ToString::to_string).unwrap_or_default();
        match Policy::preset(&text) {
            Ok(_) => report.hint(format!("write the policy of this name: `seccomp(\"{text}\")`")),
            Err(_) => report.hint("write a policy, such as `seccomp(\"default\")`"),
        }
    }

    /// The constant whose name an argument has as a string.
    fn constant_in_quotes(&self) -> Option<&'static str> {
        let texts = self.arguments.iter().filter(|argument| argument.is_string());
        let texts: Vec<String> = texts.map(ToString::to_string).collect();
        let constants = super::catalog::constants().into_iter();
        constants.map(|constant| constant.name).find(|name| texts.iter().any(|text| text == name))
    }

    /// A failure at a key of the option map.
    pub fn fail_at_key(&self, key: &str, report: Report) -> VerbError {
        let place = self.context.place_of_key(self.origin(), key);
        self.fail(report.at(place))
    }

    /// A failure at the position of this call.
    pub fn fail(&self, report: Report) -> VerbError {
        let origin = report.origin.clone().or_else(|| self.origin());
        VerbError::Reports(vec![report.at(origin)])
    }

    /// A failure that an earlier line caused, with a note that names this call.
    pub fn found_here(&self, error: impl Into<RunError>) -> VerbError {
        let mut failed = VerbError::from(error.into());
        if let (VerbError::Reports(reports), Some(here)) = (&mut failed, self.origin()) {
            for report in reports {
                match &report.origin {
                    None => report.origin = Some(here.clone()),
                    Some(origin) if (&origin.source, origin.line) != (&here.source, here.line) => {
                        report.notes.push(format!("found by `{}` at {here}", self.name()));
                    }
                    Some(_) => {}
                }
            }
        }
        failed
    }

    /// The implementation of this verb's effects: see [`Effects`].
    pub fn effects(&self) -> Rc<dyn Effects> {
        self.context.effects()
    }

    /// The name of the verb.
    pub fn name(&self) -> &'static str {
        self.verb.name
    }
}

/// The text that the language prints for a value.
pub(in crate::script) fn printed(native: &NativeCallContext<'_>, value: &Dynamic) -> String {
    if let Ok(text) = value.as_immutable_string_ref() {
        return text.to_string();
    }
    let mut value = value.flatten_clone();
    let text = native.call_native_fn_raw("to_string", true, &mut [&mut value]);
    text.map_or_else(|_| super::value::shown(&value), |text| text.to_string())
}

/// The position of a call of the function `name`.
fn origin(context: &Context, native: &NativeCallContext<'_>, name: &str) -> Option<Origin> {
    let position = native.call_position();
    let source = context.source_name(native.call_source());
    let line = u32::try_from(position.line()?).ok()?;
    let column = u32::try_from(position.position().unwrap_or(0)).ok()?;
    let origin = Origin::new(source, line, column).underlining(name.chars().count());
    Some(context.with_callers(origin))
}

/// Prints a string for the function `name` of the recipe.
///
/// # Errors
/// The write fails.
pub(in crate::script) fn print_for(
    context: &Context,
    native: &NativeCallContext<'_>,
    name: &str,
    text: &str,
    kind: Printed,
) -> Result<(), VerbError> {
    context.print(text, kind).map_err(|errno| {
        let message = format!("cannot write to standard output: {errno}");
        let mut report = Report::error(message).at(origin(context, native, name));
        report.facts = Facts::unwritten(errno.code());
        VerbError::Reports(vec![report])
    })
}

/// Whether the only failure is that nobody reads the output any more.
pub(in crate::script) fn is_unread(reports: &[Report]) -> bool {
    let unread = Facts::unwritten(Errno::PIPE.code());
    reports.first().is_some_and(|report| report.facts == unread)
}

/// The report for an argument after the option map.
pub(in crate::script) fn options_last(verb: &Verb) -> Report {
    let report = Report::error(format!("{} takes its options last", quoted(verb.name)));
    report.hint(format!("call it as {}", quoted(verb.signature())))
}
