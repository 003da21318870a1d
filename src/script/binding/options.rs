//! Option maps: named settings after the arguments. Every key is declared and checked.

use rhai::{Dynamic, Map};

use super::argument::{Argument, ArgumentError};
use super::call::Call;
use super::verb::OptionKey;
use crate::diag::{Report, closest, list, quoted};
use crate::spec::ValueError;

/// The report for an unknown option of `verb`.
pub(in crate::script) fn unknown(
    verb: &str,
    key: &str,
    keys: &[OptionKey],
    call: &Call<'_, '_>,
) -> Report {
    let names: Vec<&str> = keys.iter().map(|key| key.name).collect();
    let shown: Vec<_> = names.iter().map(quoted).collect();
    let report = Report::error(format!("{verb} has no option {}", quoted(key)));
    let report = match closest(key, names) {
        Some(near) => report.hint(format!("did you mean {}?", quoted(near))),
        None => report.hint(format!("its options are {}", list(&shown, "and"))),
    };
    report.at(call.context.place_of_key(call.origin(), key))
}

/// The report for a value that an option of `verb` does not accept.
pub(in crate::script) fn wrong(
    verb: &str,
    key: &str,
    error: &ArgumentError,
    call: &Call<'_, '_>,
) -> Report {
    let origin = call.context.place_of_key(call.origin(), key);
    let shown = quoted(key);
    match error {
        ArgumentError::Type { wanted, given } => {
            Report::error(format!("the option {shown} of {verb} takes {wanted}, not {given}"))
                .at(origin)
        }
        ArgumentError::Value(error) => {
            let report = Report::error(format!("the option {shown} of {verb}: {error}"));
            let report = report.at(origin);
            match error.help() {
                Some(help) => report.hint(help),
                None => report,
            }
        }
        ArgumentError::UnknownOption { key, keys } => unknown(verb, key, keys, call),
        ArgumentError::Option { key, error } => wrong(verb, key, error, call),
        ArgumentError::Shell(found) => found.report(call),
    }
}

/// Takes the value of a key out of a map.
pub(in crate::script) fn key<T: Argument>(
    map: &mut Map,
    key: &'static str,
    call: &Call<'_, '_>,
) -> Result<Option<T>, ArgumentError> {
    let Some(value) = map.remove(key) else { return Ok(None) };
    if T::KIND.starts_with("a mode") {
        decimal_mode(key, call)?;
    }
    let taken = T::take(Some(value), call);
    taken.map(Some).map_err(|error| ArgumentError::of_option(key, error))
}

/// Refuses a mode with octal digits that is written as a decimal number: `755` is `0o1363`, which
/// is never intended.
fn decimal_mode(key: &'static str, call: &Call<'_, '_>) -> Result<(), ArgumentError> {
    let Some(text) = call.context.text_after_key(call.origin(), key) else { return Ok(()) };
    let digits: String = text.chars().take_while(char::is_ascii_alphanumeric).collect();
    let octal = digits.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    if octal && (3..=4).contains(&digits.len()) {
        let wrong = ValueError::new(format!("invalid mode {}: it is not octal", quoted(&digits)));
        let mode = quoted(format!("0o{}", digits.trim_start_matches('0')));
        let wrong = ArgumentError::Value(wrong.hint(format!("did you mean {mode}?")));
        return Err(ArgumentError::of_option(key, wrong));
    }
    Ok(())
}

/// The given map, or an empty one.
pub(in crate::script) fn map(value: Option<Dynamic>) -> Result<Map, ArgumentError> {
    let Some(value) = value else { return Ok(Map::new()) };
    let given = super::argument::a_kind(&value);
    let map = value.try_cast::<Map>();
    map.ok_or(ArgumentError::Type { wanted: "a map of options", given })
}

/// Checks that no key is left in a map.
pub(in crate::script) fn finish(
    map: &Map,
    keys: &'static [OptionKey],
) -> Result<(), ArgumentError> {
    match map.keys().next() {
        None => Ok(()),
        Some(key) => Err(ArgumentError::UnknownOption { key: key.to_string(), keys }),
    }
}

/// A key without the mark of a raw identifier: `r#type` is the key `type`.
pub(in crate::script) const fn plain(key: &'static str) -> &'static str {
    match key.as_bytes() {
        [b'r', b'#', ..] => key.split_at(2).1,
        _ => key,
    }
}

/// Declares an option map: a struct of keys, each with its type, default and description.
macro_rules! options {
    ($(
        $(#[doc = $about:literal])*
        struct $name:ident {$(
            $(#[doc = $doc:literal])*
            $key:ident: $type:ty = $default:literal,
        )*}
    )*) => {$(
        $(#[doc = $about])*
        #[derive(Clone, Debug, Default)]
        pub(in crate::script) struct $name {$(
            $(#[doc = $doc])*
            pub $key: Option<$type>,
        )*}

        impl $crate::script::binding::argument::Argument for $name {
            const KIND: &'static str = "a map of options";
            const REQUIRED: bool = false;
            const OPTIONS: &'static [$crate::script::binding::verb::OptionKey] = &[$(
                $crate::script::binding::verb::OptionKey {
                    name: $crate::script::binding::options::plain(stringify!($key)),
                    kind: <$type as $crate::script::binding::argument::Argument>::KIND,
                    default: $default,
                    doc: concat!($($doc),*),
                },
            )*];

            fn take(
                value: Option<rhai::Dynamic>,
                call: &$crate::script::binding::call::Call<'_, '_>,
            ) -> Result<Self, $crate::script::binding::argument::ArgumentError> {
                let mut map = $crate::script::binding::options::map(value)?;
                let options = Self {$(
                    $key: $crate::script::binding::options::key(
                        &mut map,
                        $crate::script::binding::options::plain(stringify!($key)),
                        call,
                    )?,
                )*};
                $crate::script::binding::options::finish(&map, Self::OPTIONS)?;
                Ok(options)
            }
        }
    )*};
}

pub(in crate::script) use options;
