//! Arguments of verbs, checked by the code that converts them at run time, with known values or
//! with samples of their kind.

use rhai::{Dynamic, Expr, FnCallExpr, Map, NativeCallContext, Position};

use super::kind::Kind;
use super::{Checker, Step};
use crate::diag::Report;
use crate::script::binding::argument::{Argument, ArgumentError, OneKind, a_type};
use crate::script::binding::call::{Call, options_last};
use crate::script::binding::catalog;
use crate::script::binding::method::no_verb_of;
use crate::script::binding::verb::{Parameter, Verb};
use crate::script::errors::reword;

/// A value as far as it is known.
enum Value {
    /// Unknown.
    Unknown,
    /// A value of one of nsscript's types.
    Own(&'static str),
    /// A value of this kind.
    Sample(Dynamic),
    /// This value.
    Known(Dynamic),
}

impl Value {
    fn of(expression: &Expr, kind: Kind) -> Self {
        match kind {
            _ if let Some(own) = kind.own() => Self::Own(own),
            Kind::Is(_) => match expression.get_literal_value(None) {
                Some(value) if !value.is_fnptr() => Self::Known(value),
                _ => kind.sample().map_or(Self::Unknown, Self::Sample),
            },
            _ => Self::Unknown,
        }
    }
}

impl Checker<'_> {
    /// Reports wrong arguments of a verb. `given` has the kinds of all arguments, the receiver
    /// first.
    pub fn arguments(
        &mut self,
        verb: &'static Verb,
        call: &FnCallExpr,
        given: &[Kind],
        at: Position,
    ) {
        if self.step != Step::Say {
            return;
        }
        let global = self.world.engine.new_global_runtime_state();
        let source = self.unit.source.clone();
        let native = NativeCallContext::new_with_all_fields(
            self.world.engine,
            verb.name,
            Some(&source),
            &global,
            at,
        );
        let known = call.args.iter().filter_map(|argument| argument.get_literal_value(None));
        let asked = Call::new(self.world.context, &native, verb, known.collect());
        // The receiver of a method is only in the list of kinds.
        let before = given.len() - call.args.len();
        let mut position = usize::from(!verb.receiver().is_empty());
        for parameter in verb.given() {
            let Some(kind) = given.get(position) else { break };
            let argument = position.checked_sub(before).and_then(|index| call.args.get(index));
            let is_map = *kind == Kind::MAP;
            if *kind == Kind::Any && (parameter.skips_maps || !parameter.options.is_empty()) {
                return;
            }
            if is_map && parameter.skips_maps {
                continue;
            }
            position += 1;
            match argument {
                Some(Expr::Map(parts, _)) if !parameter.options.is_empty() => {
                    let pairs: Vec<_> = parts
                        .0
                        .iter()
                        .map(|(key, value)| (key.name.as_str(), key.pos, value))
                        .collect();
                    self.options(parameter, &pairs, &asked);
                }
                _ => {
                    let unknown = kind.own().map_or(Value::Unknown, Value::Own);
                    let sampled = kind.sample().map_or(unknown, Value::Sample);
                    let value = argument.map_or(sampled, |argument| Value::of(argument, *kind));
                    let report = wrong(parameter, value, &asked);
                    // A function that was called like a verb of that type.
                    let owner = kind.own().filter(|_| position == 1 && verb.receiver().is_empty());
                    if let (Some(_), Some(own)) = (&report, owner) {
                        return self.say_at(no_verb_of(own, verb.name, given.len() - 1), at);
                    }
                    match report {
                        Some(report) if report.origin.is_some() => self.say(report),
                        Some(report) => self.say_at(report, at),
                        None => {}
                    }
                }
            }
        }
        if position < given.len() {
            self.say_at(options_last(verb), at);
        }
    }

    /// Reports wrong keys and values of an option map.
    fn options(
        &mut self,
        parameter: &Parameter,
        pairs: &[(&str, Position, &Expr)],
        asked: &Call<'_, '_>,
    ) {
        for (key, at, value) in pairs {
            // Its own mistakes were reported.
            self.step = Step::Functions;
            let kind = self.expression(value);
            self.step = Step::Say;
            let option = parameter.options.iter().find(|option| option.name == *key);
            let value = Value::of(value, kind);
            let (value, is_known) = match (value, option) {
                (_, None) => (Dynamic::UNIT, true),
                (Value::Unknown, _) => continue,
                (Value::Own(own), Some(option)) => {
                    if option.kind == "a value" || option.kind == words(own) {
                        continue;
                    }
                    let wrong = ArgumentError::Type { wanted: option.kind, given: a_type(own) };
                    let wrong = ArgumentError::of_option(option.name, wrong);
                    self.say_key(asked.argument_report(parameter.name, wrong), key, *at);
                    continue;
                }
                (Value::Sample(value), _) => (value, false),
                (Value::Known(value), _) => (value, true),
            };
            let map = Map::from_iter([((*key).into(), value)]);
            let Err(found) = (parameter.take)(Some(map.into()), asked) else { continue };
            if is_known || is_of_type(&found) {
                self.say_key(asked.argument_report(parameter.name, found), key, *at);
            }
        }
    }

    fn say_key(&self, report: Report, key: &str, at: Position) {
        let origin = reword::word_at(at, &self.unit.source, self.world.context);
        self.say(report.at(Some(origin.underlining(key.chars().count()))));
    }
}

/// The error of a value for a parameter.
fn wrong(parameter: &Parameter, value: Value, asked: &Call<'_, '_>) -> Option<Report> {
    let (value, is_known) = match value {
        Value::Unknown => return None,
        Value::Own(own) => {
            let is_one_kind = own == "Namespaces" && parameter.kind == OneKind::KIND;
            let fits = parameter.kind == "a value" || parameter.kind == words(own) || is_one_kind;
            let wrong = ArgumentError::Type { wanted: parameter.kind, given: a_type(own) };
            return (!fits).then(|| asked.argument_report(parameter.name, wrong));
        }
        Value::Sample(value) => (value, false),
        Value::Known(value) => (value, true),
    };
    let found = (parameter.take)(Some(value), asked).err()?;
    (is_known || is_of_type(&found)).then(|| asked.argument_report(parameter.name, found))
}

/// Whether the type is wrong, not only the value.
fn is_of_type(wrong: &ArgumentError) -> bool {
    match wrong {
        ArgumentError::Type { .. } | ArgumentError::UnknownOption { .. } => true,
        ArgumentError::Value(_) | ArgumentError::Shell(_) => false,
        ArgumentError::Option { error, .. } => is_of_type(error),
    }
}

/// The words with which parameters describe one of nsscript's types.
fn words(own: &str) -> &'static str {
    let verb = catalog::all().find(|verb| verb.receiver() == own);
    verb.map_or("", |verb| verb.parameters[0].kind)
}
