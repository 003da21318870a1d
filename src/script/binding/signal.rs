//! Signals in recipes: by name or number.

use rhai::Dynamic;

use super::argument::{Argument, ArgumentError, a_kind};
use super::call::Call;
use crate::diag::{closest, quoted};
use crate::run;
use crate::spec::ValueError;

/// A signal by its name, with or without `SIG`, or its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal(pub i32);

impl Argument for Signal {
    const KIND: &'static str = "a name or a number";

    fn take(value: Option<Dynamic>, _: &Call<'_, '_>) -> Result<Self, ArgumentError> {
        let value = value.unwrap_or_default();
        if let Ok(number) = value.as_int() {
            let number = i32::try_from(number).ok().filter(|number| (1..=64).contains(number));
            return Ok(Self(number.ok_or_else(|| {
                ValueError::new("invalid signal: expected a number from 1 to 64")
            })?));
        }
        if !value.is_string() {
            return Err(ArgumentError::Type { wanted: Self::KIND, given: a_kind(&value) });
        }
        Ok(Self(by_name(&value.to_string())?))
    }
}

fn by_name(name: &str) -> Result<i32, ValueError> {
    run::signal_number(name).ok_or_else(|| {
        let invalid = ValueError::new(format!("unknown signal {}", quoted(name)));
        let short = name.to_uppercase();
        match closest(short.trim_start_matches("SIG"), run::signal_names()) {
            Some(near) => invalid.hint(format!("did you mean {}?", quoted(near))),
            None => invalid.hint("expected a name such as `\"TERM\"`, or a number"),
        }
    })
}
