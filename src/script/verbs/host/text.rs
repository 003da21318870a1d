//! Text: its parts, its forms, and its patterns.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex_lite::{Regex, RegexBuilder};
use rhai::{Array, Dynamic};

use super::{format as formatting, json};
use crate::diag::{Report, quoted};
use crate::run;
use crate::script::binding::argument::{Argument, ArgumentError, Bytes, a_kind};
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::memory::{exceeded, is_exceeded, room};
use crate::script::binding::options::options;
use crate::script::binding::verb::{Verb, verbs};
use crate::spec::ValueError;

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["text.rs";
    fn lines,
    fn join,
    fn format,
    fn matches,
    fn captures,
    fn find_all,
    fn replace_all,
    fn to_json,
    fn sha256,
    fn base64 = to_base64,
    fn from_base64,
];

options! {
    /// How to write JSON.
    struct Json {
        /// writes several lines, with indentation
        pretty: bool = "false",
    }
}

/// The longest text that is searched: a search takes a time in proportion to it, and to the size of
/// the pattern, and cannot be interrupted.
const LONGEST: usize = 16 << 20;
/// The largest pattern, in bytes as it is compiled.
const LARGEST: usize = 256 << 10;

/// A regular expression.
#[derive(Clone, Debug)]
struct Pattern(Regex);

impl Argument for Pattern {
    const KIND: &'static str = "a string";

    fn take(value: Option<Dynamic>, call: &Call<'_, '_>) -> Result<Self, ArgumentError> {
        let text = String::take(value, call)?;
        let compiled = RegexBuilder::new(&text).size_limit(LARGEST).build();
        compiled.map(Self).map_err(|error| {
            let message = format!("invalid regular expression {}: {error}", quoted(&text));
            ValueError::new(message)
                .hint("write a backslash as `\\\\` in quotes, or the pattern in backticks")
                .into()
        })
    }
}

/// Checks that a text is not too long to be searched.
fn searched<'t>(text: &'t str, call: &Call<'_, '_>) -> Result<&'t str, VerbError> {
    if text.len() <= LONGEST {
        return Ok(text);
    }
    let report = Report::error("the text is longer than 16 MiB");
    Err(call.fail(report.hint("search its lines: `lines(text)`")))
}

/// Checks, for one of many parts, that the recipe may have more, and that no signal ends it.
fn one_more(call: &Call<'_, '_>) -> Result<(), VerbError> {
    if let Some(signal) = run::interrupted() {
        return Err(VerbError::Interrupted(signal));
    }
    if is_exceeded() { Err(call.fail(Report::error(exceeded()))) } else { Ok(()) }
}

/// Returns the lines of a text, without their line ends.
///
/// # Example
/// ```rhai
/// assert_eq(lines("one\ntwo\r\n"), ["one", "two"]);
/// ```
fn lines(call: &Call<'_, '_>, text: String) -> Result<Array, VerbError> {
    let mut found = Array::new();
    for line in text.lines() {
        one_more(call)?;
        found.push(line.into());
    }
    Ok(found)
}

/// Returns the elements of an array as one text, as they are printed, with `separator` between.
///
/// # Example
/// ```rhai
/// assert_eq(join(["a", 1, true], ", "), "a, 1, true");
/// ```
fn join(call: &Call<'_, '_>, array: Array, separator: Option<String>) -> Result<String, VerbError> {
    let separator = separator.unwrap_or_default();
    let mut text = String::new();
    for (index, value) in array.iter().enumerate() {
        one_more(call)?;
        if index > 0 {
            text.push_str(&separator);
        }
        text.push_str(&call.printed(value));
    }
    Ok(text)
}

/// Returns `template` with values in place of its braces.
///
/// `{}` is the next value, `{0}` the first, and `{name}` the value of a key if `values` is a map.
/// After a colon follows the form, as in Rust and Python:
/// `[[fill]align][0][width][.precision][type]`. The alignment is `<`, `^` or `>`. The precision is
/// the number of decimals, or of characters of text. The type is `x`, `X`, `o` or `b`, for integers.
/// `{{` and `}}` are braces.
///
/// # Errors
/// A form is invalid, or does not fit the value. A value is missing, or is not used.
///
/// # Example
/// ```rhai
/// assert_eq(format("{:<6}|{:>4}|{:.2}|{:04x}", ["ab", 7, 0.5, 255]), "ab    |   7|0.50|00ff");
/// assert_eq(format("{name} is {age}", #{ name: "Ann", age: 7 }), "Ann is 7");
/// ```
fn format(call: &Call<'_, '_>, template: String, values: Dynamic) -> Result<String, VerbError> {
    let text = formatting::formatted(&template, &values, &|value| call.printed(value));
    text.map_err(|invalid| call.fail(Report::from(&invalid)))
}

/// Returns whether a regular expression matches a part of the text.
///
/// The syntax is that of Rust's crate regex: no backreferences and no look-around. `^` and `$` are
/// the ends of the text, or of a line after `(?m)`. `\d`, `\w` and `\s` are those of ASCII.
///
/// # Errors
/// The expression is invalid. The text is longer than 16 MiB.
///
/// # Example
/// ```rhai
/// assert("eth0".matches("^eth[0-9]+$"));
/// ```
/// # See
/// regex(7)
fn matches(call: &Call<'_, '_>, text: String, regex: Pattern) -> Result<bool, VerbError> {
    Ok(regex.0.is_match(searched(&text, call)?))
}

/// Returns the first match of a regular expression with its groups, or `()` if there is none.
///
/// The value is an array of strings, of which the first is the whole match. A group that takes no
/// part in it is `()`.
///
/// # Errors
/// As for `matches`.
///
/// # Example
/// ```rhai
/// let found = captures("inet 10.0.0.1/24", `inet ([0-9.]+)/(\d+)`);
/// assert_eq(found, ["inet 10.0.0.1/24", "10.0.0.1", "24"]);
/// ```
/// # See
/// `matches`
fn captures(call: &Call<'_, '_>, text: String, regex: Pattern) -> Result<Option<Array>, VerbError> {
    let found = regex.0.captures(searched(&text, call)?);
    Ok(found.map(|found| {
        let group = |group: Option<regex_lite::Match<'_>>| {
            group.map_or(Dynamic::UNIT, |group| group.as_str().into())
        };
        found.iter().map(group).collect()
    }))
}

/// Returns all parts of a text that a regular expression matches, in order.
///
/// # Errors
/// As for `matches`.
///
/// # Example
/// ```rhai
/// assert_eq(find_all("a1 b22", `\d+`), ["1", "22"]);
/// ```
/// # See
/// `matches`, `captures`
fn find_all(call: &Call<'_, '_>, text: String, regex: Pattern) -> Result<Array, VerbError> {
    let mut found = Array::new();
    for one in regex.0.find_iter(searched(&text, call)?) {
        one_more(call)?;
        found.push(one.as_str().into());
    }
    Ok(found)
}

/// Returns the text with all matches of a regular expression replaced.
///
/// In `by`, `$1` is the first group, `${name}` the group of a name, and `$$` a dollar sign.
///
/// # Errors
/// As for `matches`.
///
/// # Example
/// ```rhai
/// assert_eq(replace_all("a=1, b=2", `(\w)=(\d)`, "$2=$1"), "1=a, 2=b");
/// ```
/// # See
/// `matches`
fn replace_all(
    call: &Call<'_, '_>,
    text: String,
    regex: Pattern,
    by: String,
) -> Result<String, VerbError> {
    let (mut out, mut done) = (String::new(), 0);
    for found in regex.0.captures_iter(searched(&text, call)?) {
        one_more(call)?;
        let Some(whole) = found.get(0) else { continue };
        out.push_str(&text[done..whole.start()]);
        found.expand(&by, &mut out);
        done = whole.end();
    }
    out.push_str(&text[done..]);
    Ok(out)
}

/// Returns a value as JSON, on one line unless `pretty` is true.
///
/// `()` becomes `null`, and a blob an array of numbers. Keys of maps are sorted.
///
/// # Errors
/// The value contains what JSON cannot express: a type of nsscript, a closure, or a float that is
/// not finite.
///
/// # Example
/// ```rhai
/// assert_eq(to_json(#{ name: "box", ports: [80, 443] }), `{"name":"box","ports":[80,443]}`);
/// ```
fn to_json(call: &Call<'_, '_>, value: Dynamic, options: Json) -> Result<String, VerbError> {
    let pretty = options.pretty.unwrap_or(false);
    let text = json::text(&value, pretty, &mut || one_more(call));
    match text {
        Ok(text) => Ok(text),
        Err(json::Unwritten::Value(value)) => {
            let message = format!("{} cannot be expressed in JSON", a_kind(&value));
            let what = if value.is_float() { "replace it" } else { "turn it into text or a map" };
            Err(call.fail(Report::error(message).hint(format!("{what} first"))))
        }
        Err(json::Unwritten::Call(error)) => Err(error),
    }
}

/// Returns the sha256 of a text or blob as 64 hexadecimal digits.
///
/// # Example
/// ```rhai
/// assert(sha256("hello").starts_with("2cf24dba5fb0a30e"));
/// ```
/// # See
/// sha256sum(1), `sha256_file`
fn sha256(_call: &Call<'_, '_>, content: Bytes) -> String {
    run::digest_of_bytes(&content.0)
}

/// Returns a text or blob in base64, with padding.
///
/// # Example
/// ```rhai
/// assert_eq(base64("hello"), "aGVsbG8=");
/// ```
/// # See
/// base64(1), RFC 4648
fn to_base64(call: &Call<'_, '_>, content: Bytes) -> Result<String, VerbError> {
    room(content.0.len() / 3 * 4 + 4, call)?;
    Ok(STANDARD.encode(&content.0))
}

/// Returns the blob that a text in base64 expresses. White space is ignored.
///
/// # Errors
/// The text is not base64.
///
/// # Example
/// ```rhai
/// assert_eq(from_base64("aGVsbG8=").as_string(), "hello");
/// ```
/// # See
/// base64(1), RFC 4648
fn from_base64(call: &Call<'_, '_>, text: String) -> Result<Dynamic, VerbError> {
    room(text.len().saturating_mul(2), call)?;
    let text: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(&text).map_err(|error| {
        call.fail(Report::error(format!("invalid base64: {}", error.to_string().to_lowercase())))
    })?;
    Ok(Dynamic::from_blob(bytes))
}
