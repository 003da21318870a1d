//! One call of a verb: its arguments, its place, what it works with.

use std::rc::Rc;

use rhai::{Dynamic, EvalAltResult, FnPtr, NativeCallContext};

use super::argument::{Argument, ArgumentError, a_kind};
use super::context::{Context, Printed};
use super::effects::Effects;
use super::error::VerbError;
use super::method::no_verb_of;
use super::options;
use super::verb::Verb;
use crate::diag::{Facts, Origin, Report, quoted};
use crate::run::{Errno, RunError};

/// A call of a verb.
pub struct Call<'c, 'e> {
    /// What this run works with.
    pub context: &'c Context,
    native: &'c NativeCallContext<'e>,
    verb: &'static Verb,
    arguments: Vec<Dynamic>,
    /// How many of the arguments, and of the parameters, were taken.
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

    /// Whether the language takes two values as equal; values of different kinds are not.
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

    /// A value as the language prints it.
    pub fn printed(&self, value: &Dynamic) -> String {
        printed(self.native, value)
    }

    /// Prints a text of the recipe.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn tell(&self, text: &str, kind: Printed) -> Result<(), VerbError> {
        tell(self.context, self.native, self.verb.name, text, kind)
    }

    /// The place of the call: of the verb's name.
    pub fn origin(&self) -> Option<Origin> {
        origin(self.context, self.native, self.verb.name)
    }

    /// The argument for the next parameter, which is a `T`.
    ///
    /// # Errors
    /// It is of another type, or cannot be what it says.
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

    /// Makes sure that every argument was taken: what follows an option map is not.
    ///
    /// # Errors
    /// One was not.
    pub fn finish(&self) -> Result<(), VerbError> {
        if self.position >= self.arguments.len() {
            return Ok(());
        }
        Err(self.fail(options_last(self.verb)))
    }

    /// The type of our own that a function was called on as if it were a verb of that: its first
    /// argument, which it does not take.
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

    /// The report of an argument that the parameter `name` does not take.
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
                match self.constant_in_quotes() {
                    Some(constant) if given == "a string" => report.hint(format!(
                        "a constant is written without quotes: {}",
                        quoted(constant)
                    )),
                    _ => report,
                }
            }
            ArgumentError::Value(invalid) => Report::from(&invalid),
            ArgumentError::UnknownOption { key, keys } => options::unknown(&verb, &key, keys, self),
            ArgumentError::Option { key, error } => options::wrong(&verb, key, &error, self),
        }
    }

    /// The constant that an argument names in quotes.
    fn constant_in_quotes(&self) -> Option<&'static str> {
        let texts = self.arguments.iter().filter(|argument| argument.is_string());
        let texts: Vec<String> = texts.map(ToString::to_string).collect();
        let constants = super::catalog::constants().into_iter();
        constants.map(|(name, ..)| name).find(|name| texts.iter().any(|text| text == name))
    }

    /// The failure that `report` says of a key of the option map.
    pub fn fail_at_key(&self, key: &str, report: Report) -> VerbError {
        let place = self.context.place_of_key(self.origin(), key);
        self.fail(report.at(place))
    }

    /// The failure that `report` says, at the place of this call.
    pub fn fail(&self, report: Report) -> VerbError {
        let origin = report.origin.clone().or_else(|| self.origin());
        VerbError::Reports(vec![report.at(origin)])
    }

    /// The failure of something that a line before this call has asked for: it says which call found
    /// that out.
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

    /// What does what this verb asks for: see [`Effects`].
    pub fn effects(&self) -> Rc<dyn Effects> {
        self.context.effects()
    }

    /// The name of the verb.
    pub fn name(&self) -> &'static str {
        self.verb.name
    }
}

/// A value as the language prints it.
pub(in crate::script) fn printed(native: &NativeCallContext<'_>, value: &Dynamic) -> String {
    if let Ok(text) = value.as_immutable_string_ref() {
        return text.to_string();
    }
    let mut value = value.flatten_clone();
    let text = native.call_native_fn_raw("to_string", true, &mut [&mut value]);
    text.map_or_else(|_| super::value::shown(&value), |text| text.to_string())
}

/// The place of a call of the function `name`.
fn origin(context: &Context, native: &NativeCallContext<'_>, name: &str) -> Option<Origin> {
    let position = native.call_position();
    let source = context.source_name(native.call_source());
    let line = u32::try_from(position.line()?).ok()?;
    let column = u32::try_from(position.position().unwrap_or(0)).ok()?;
    let origin = Origin::new(source, line, column).underlining(name.chars().count());
    Some(context.with_callers(origin))
}

/// Prints a text of the recipe, which the function `name` was called for.
///
/// # Errors
/// It cannot be written.
pub(in crate::script) fn tell(
    context: &Context,
    native: &NativeCallContext<'_>,
    name: &str,
    text: &str,
    kind: Printed,
) -> Result<(), VerbError> {
    context.tell(text, kind).map_err(|errno| {
        let message = format!("cannot write to the standard output: {errno}");
        let mut report = Report::error(message).at(origin(context, native, name));
        report.facts = Facts::unwritten(errno.code());
        VerbError::Reports(vec![report])
    })
}

/// Whether all that is wrong is that nobody reads the output any more.
pub(in crate::script) fn is_unread(reports: &[Report]) -> bool {
    let unread = Facts::unwritten(Errno::PIPE.code());
    reports.first().is_some_and(|report| report.facts == unread)
}

/// That something follows the option map of a call.
pub(in crate::script) fn options_last(verb: &Verb) -> Report {
    let report = Report::error(format!("{} takes its options last", quoted(verb.name)));
    report.hint(format!("it is called as {}", quoted(verb.signature())))
}
