//! Conversion of values between the language and Rust.

use std::any::TypeId;
use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use rhai::{Array, Blob, Dynamic, FnPtr, ImmutableString, Map};

use super::call::Call;
use super::shell_syntax::ShellSyntax;
use super::verb::OptionKey;
use crate::diag;
use crate::spec::{self, Capabilities, Command, GuestPath, Id, ValueError};

/// The error of one argument of a call.
#[derive(Clone, Debug)]
pub enum ArgumentError {
    /// The type is wrong.
    Type {
        /// The expected type, in words.
        wanted: &'static str,
        /// The given type, in words.
        given: String,
    },
    /// The type is right, but the value is invalid.
    Value(ValueError),
    /// An unknown key of an option map.
    UnknownOption {
        /// The key.
        key: String,
        /// The known keys.
        keys: &'static [OptionKey],
    },
    /// A value in an option map that its key does not accept.
    Option {
        /// The key.
        key: &'static str,
        /// The error of the value.
        error: Box<ArgumentError>,
    },
    /// A command string with shell syntax.
    Shell(ShellSyntax),
}

impl ArgumentError {
    /// An error in the value of an option.
    pub fn of_option(key: &'static str, error: Self) -> Self {
        Self::Option { key, error: Box::new(error) }
    }
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type { wanted, given } => write!(out, "it takes {wanted}, not {given}"),
            Self::Value(error) => error.fmt(out),
            Self::UnknownOption { key, .. } => write!(out, "no option {}", diag::quoted(key)),
            Self::Option { key, error } => write!(out, "the option {}: {error}", diag::quoted(key)),
            Self::Shell(found) => {
                write!(out, "it is not a shell: {} has no meaning", diag::quoted(&found.syntax))
            }
        }
    }
}

impl Error for ArgumentError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Type { .. } | Self::UnknownOption { .. } | Self::Shell(_) => None,
            Self::Value(error) => Some(error),
            Self::Option { error, .. } => Some(error),
        }
    }
}

impl From<ValueError> for ArgumentError {
    fn from(invalid: ValueError) -> Self {
        Self::Value(invalid)
    }
}

/// The types of parameters.
pub trait Argument: Sized {
    /// The accepted type, in words.
    const KIND: &'static str;
    /// Whether it is required.
    const REQUIRED: bool = true;
    /// Whether a map in its place is taken for the option map that follows.
    const SKIPS_MAPS: bool = false;
    /// Its keys, if it is an option map.
    const OPTIONS: &'static [OptionKey] = &[];
    /// The name of its type, if it is one of nsscript's own.
    const RECEIVER: &'static str = "";
    /// Its type, if it is one of nsscript's own.
    const TYPE_ID: Option<fn() -> TypeId> = None;

    /// Converts the given value.
    ///
    /// # Errors
    /// The value is not accepted.
    fn take(value: Option<Dynamic>, call: &Call<'_, '_>) -> Result<Self, ArgumentError>;
}

/// Checks a value.
pub(in crate::script) fn takes<T: Argument>(
    value: Option<Dynamic>,
    call: &Call<'_, '_>,
) -> Result<(), ArgumentError> {
    T::take(value, call).map(drop)
}

/// The types that verbs return.
pub trait Returned {
    /// The type, in words or by name.
    const KIND: &'static str;
    /// Whether `()` is possible as well.
    const OPTIONAL: bool = false;

    /// Converts to a value of the language.
    fn into_dynamic(self) -> Dynamic;
}

/// The type of a value, in words: `an integer`.
#[must_use]
pub fn a_kind(value: &Dynamic) -> String {
    a_type(value.type_name())
}

/// A type of the language in words.
#[must_use]
pub fn a_type(name: &str) -> String {
    match name.rsplit("::").next().unwrap_or(name) {
        "()" => "`()`".into(),
        "i64" => "an integer".into(),
        "f64" => "a float".into(),
        "bool" => "a boolean".into(),
        "char" => "a character".into(),
        "string" | "ImmutableString" | "&str" | "String" => "a string".into(),
        "array" => "an array".into(),
        "blob" => "a blob".into(),
        "map" => "a map".into(),
        "Fn" | "FnPtr" => "a function".into(),
        "range" | "range=" => "a range".into(),
        "ProcessHandle" => "a Process".into(),
        "HostFacts" | "Host" => "the Host".into(),
        "Output" | "SharedOutput" => "an Output".into(),
        "SharedPlan" => "a Plan".into(),
        "SharedNeeds" => "a Dependencies".into(),
        "Exit" => "an Exit".into(),
        "ScriptError" | "Error" => "an Error".into(),
        "Namespaces" => "namespaces".into(),
        "Parts" => "parts of a process".into(),
        "SharedNamespace" => "a Namespace".into(),
        "SharedNetwork" => "a Network".into(),
        // Some names of the language already have an article.
        other if other.starts_with("a ") || other.starts_with("an ") => other.into(),
        other => format!("a {other}"),
    }
}

fn wrong<T>(wanted: &'static str, value: Option<&Dynamic>) -> Result<T, ArgumentError> {
    let given = value.map_or_else(|| "nothing".to_owned(), a_kind);
    Err(ArgumentError::Type { wanted, given })
}

/// The content of a string or a character.
fn text(value: &Dynamic) -> Option<String> {
    let string = value.read_lock::<ImmutableString>().map(|string| string.to_string());
    string.or_else(|| value.as_char().ok().map(String::from))
}

impl Argument for OneKind {
    const KIND: &'static str = "one kind of namespace, such as `NET`";
    const TYPE_ID: Option<fn() -> TypeId> = Some(TypeId::of::<spec::Namespaces>);

    fn take(given: Option<Dynamic>, _call: &Call<'_, '_>) -> Result<Self, ArgumentError> {
        let set = given.as_ref().and_then(|value| value.clone().try_cast::<spec::Namespaces>());
        let Some(set) = set else { return wrong(Self::KIND, given.as_ref()) };
        let mut kinds = set.kinds();
        match (kinds.next(), kinds.next()) {
            (Some(kind), None) => Ok(Self(kind)),
            _ => Err(not_one_kind().into()),
        }
    }
}

macro_rules! plain {
    ($($type:ty, $kind:literal, |$value:ident, $call:ident| $convert:expr;)*) => {$(
        impl Argument for $type {
            const KIND: &'static str = $kind;
            fn take(given: Option<Dynamic>, $call: &Call<'_, '_>) -> Result<Self, ArgumentError> {
                let Some($value) = given.as_ref() else { return wrong($kind, None) };
                match $convert {
                    Some(value) => Ok(value),
                    None => wrong($kind, given.as_ref()),
                }
            }
        }
    )*};
}

/// A path on the host, absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPath(pub PathBuf);

/// A path for a system call of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnPath(pub PathBuf);

/// A program of the host: a name to look up, or an absolute path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostProgram(pub String);

/// A user or group id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdNumber(pub u32);

/// A size in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

/// Permission bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode(pub u32);

/// The permission bits that new files do not get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask(pub u32);

/// The word `"all"`, for all ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllIdsWord;

/// One kind of namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneKind(pub spec::Kind);

/// A time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration(pub std::time::Duration);

/// Bytes: of a string or a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

plain! {
    String, "a string", |value, _call| text(value);
    i64, "an integer", |value, _call| value.as_int().ok();
    bool, "a boolean", |value, _call| value.as_bool().ok();
    Dynamic, "a value", |value, _call| Some(value.clone());
    HostPath, "a path on the host", |value, call| match text(value) {
        Some(text) => Some(HostPath(absolute(host_path(&text, call)?)?)),
        None => None,
    };
    OwnPath, "a path on the host", |value, call| match text(value) {
        Some(text) => Some(OwnPath(host_path(&text, call)?)),
        None => None,
    };
    HostProgram, "a string", |value, call| match text(value) {
        Some(text) if text.contains('/') => {
            let path = absolute(host_path(&text, call)?)?;
            Some(HostProgram(path.to_string_lossy().into_owned()))
        }
        Some(text) if text.is_empty() => {
            return Err(ValueError::new("the program name is empty").into());
        }
        other => other.map(HostProgram),
    };
    GuestPath, "a path inside the sandbox", |value, _call| match text(value) {
        Some(text) => Some(GuestPath::new(&text)?),
        None => None,
    };
    Array, "an array", |value, _call| value.read_lock::<Array>().map(|array| array.clone());
    FnPtr, "a closure", |value, _call| value.read_lock::<FnPtr>().map(|closure| closure.clone());
    Map, "a map", |value, _call| value.read_lock::<Map>().map(|map| map.clone());
    Bytes, "a string or a blob", |value, _call| {
        let blob = value.read_lock::<Blob>().map(|blob| blob.clone());
        blob.or_else(|| text(value).map(String::into_bytes)).map(Bytes)
    };
    Vec<String>, "an array of strings", |value, _call| match value.read_lock::<Array>() {
        Some(array) => Some(texts(&array, "an array of strings")?),
        None => None,
    };
    Command, "a string or an array of strings", |value, _call| match words(value)? {
        Some(words) => Some(Command::new(words)?),
        None => None,
    };
    Id, "an id or a name", |value, _call| match value.as_int() {
        Ok(number) => Some(Id::Number(id(number)?)),
        Err(_) => text(value).map(|name| Id::named(&name)),
    };
    AllIdsWord, "`\"all\"`", |value, _call| match text(value) {
        Some(text) if text == "all" => Some(AllIdsWord),
        Some(text) => return Err(no_ids(&text).into()),
        None => None,
    };
    Capabilities, "an array of capabilities, `\"container\"` or `\"all\"`", |value, _call| {
        match (value.read_lock::<Array>(), text(value)) {
            (Some(array), _) => {
                let names = texts(&array, "an array of capabilities")?;
                Some(Capabilities::parse(names)?)
            }
            (None, Some(word)) => Some(Capabilities::parse_word(&word)?),
            (None, None) => None,
        }
    };
    IdNumber, "an id", |value, _call| match value.as_int() {
        Ok(number) => Some(IdNumber(id(number)?)),
        Err(_) => None,
    };
    Size, "a size such as `\"64M\"`", |value, _call| match value.as_int() {
        Ok(number) => Some(Size(u64::try_from(number).map_err(|_| no_size(&number.to_string()))?)),
        Err(_) => match text(value) {
            Some(text) => Some(Size(diag::size(&text).ok_or_else(|| no_size(&text))?)),
            None => None,
        },
    };
    Mode, "a mode such as `0o755`", |value, _call| match value.as_int() {
        Ok(number @ 0..=0o7777) => u32::try_from(number).ok().map(Mode),
        Ok(number) => return Err(no_mode(number).into()),
        Err(_) => None,
    };
    Mask, "a umask such as `0o022`", |value, call| match value.as_int() {
        Ok(number) => {
            let bits = u32::try_from(number).ok().filter(|bits| *bits <= 0o777);
            let written = call.context.text_in_parentheses(call.origin()).unwrap_or_default();
            let digits: String = written.chars().take_while(char::is_ascii_alphanumeric).collect();
            // `22` is `0o026`, which is never intended.
            let is_decimal = digits == number.to_string() && number > 7;
            let is_octal = digits.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
            match bits {
                Some(_) if is_decimal && is_octal => return Err(decimal_mask(number).into()),
                Some(bits) => Some(Mask(bits)),
                None => return Err(no_mask(number).into()),
            }
        }
        Err(_) => None,
    };
    Duration, "a duration such as `\"5s\"`", |value, _call| match (value.as_int(), text(value)) {
        (Ok(seconds), _) => Some(Duration(seconds_of(seconds)?)),
        (_, Some(text)) => Some(Duration(duration(&text)?)),
        _ => match value.as_float() {
            Ok(seconds) => Some(Duration(fraction(seconds)?)),
            Err(_) => None,
        },
    };
}

fn host_path(text: &str, call: &Call<'_, '_>) -> Result<PathBuf, ValueError> {
    if text.is_empty() {
        return Err(ValueError::new("the path is empty"));
    }
    if text.contains('\0') {
        return Err(ValueError::new("the path on the host contains a NUL byte"));
    }
    let path = call.context.place(text);
    // `.` and doubled slashes are removed. `..` stays, because only the kernel can resolve it.
    Ok(path.components().collect())
}

/// Makes a path absolute, because the working directory can change later.
fn absolute(path: PathBuf) -> Result<PathBuf, ValueError> {
    let absolute = if path.is_relative() { std::path::absolute(&path) } else { Ok(path) };
    absolute.map_err(|_| {
        ValueError::new("the working directory is not reachable from the root directory")
    })
}

/// The strings of an array.
fn texts(array: &Array, wanted: &'static str) -> Result<Vec<String>, ArgumentError> {
    let text = |(index, value): (usize, &Dynamic)| {
        let given = format!("an array whose element {index} is {}", a_kind(value));
        text(value).ok_or(ArgumentError::Type { wanted, given })
    };
    array.iter().enumerate().map(text).collect()
}

fn words(value: &Dynamic) -> Result<Option<Vec<String>>, ArgumentError> {
    if let Some(array) = value.read_lock::<Array>() {
        return texts(&array, "a string or an array of strings").map(Some);
    }
    let Some(text) = text(value) else { return Ok(None) };
    if let Some(found) = ShellSyntax::find(&text) {
        return Err(ArgumentError::Shell(found));
    }
    let words = shell_words::split(&text).map_err(|_| {
        ValueError::new(format!("unterminated quote in {}", diag::quoted(&text))).hint(
            "quote a literal quote as well, or pass the words as an array, which needs no \
                 quoting",
        )
    });
    Ok(Some(words?))
}

/// Checks a user or group id.
///
/// # Errors
/// The name or number is invalid.
pub fn id(number: i64) -> Result<u32, ValueError> {
    let id = u32::try_from(number).ok().filter(|id| *id != u32::MAX);
    id.ok_or_else(|| {
        ValueError::new(format!(
            "invalid id {number}: expected a number from 0 to {}",
            u32::MAX - 1
        ))
    })
}

fn no_size(text: &str) -> ValueError {
    let text = diag::quoted(text);
    ValueError::new(format!("invalid size {text}: expected bytes or a number with K, M, G or T"))
        .hint("write a number of bytes, or a string such as `\"64M\"`")
}

fn no_mode(number: i64) -> ValueError {
    let shown = if number < 0 { number.to_string() } else { format!("{number:#o}") };
    ValueError::new(format!("invalid mode `{shown}`")).hint(HOW_MODE)
}

/// The hint for modes.
const HOW_MODE: &str = "write the mode in octal, from `0` to `0o7777`: `0o755`";

fn no_ids(text: &str) -> ValueError {
    ValueError::new(format!("unknown ids {}", diag::quoted(text)))
        .hint("write `\"all\"`, or map single ranges with `map_user` and `map_group`")
}

fn no_mask(number: i64) -> ValueError {
    let shown = if number < 0 { number.to_string() } else { format!("{number:#o}") };
    ValueError::new(format!("invalid umask `{shown}`"))
        .hint("write the umask in octal, from `0` to `0o777`: `0o022`")
}

fn decimal_mask(number: i64) -> ValueError {
    ValueError::new(format!("invalid umask `{number}`: it is not octal"))
        .hint(format!("did you mean `0o{number:03}`?"))
}

fn not_one_kind() -> ValueError {
    ValueError::new("expected one kind of namespace")
        .hint("name one, such as `NET`; `namespaces(process)` returns all of them")
}

fn no_duration(text: &str) -> ValueError {
    ValueError::new(format!("invalid duration {}", diag::quoted(text)))
        .hint("expected a number of seconds, or a string such as `\"250ms\"`, `\"5s\"` or `\"2m\"`")
}

fn seconds_of(seconds: i64) -> Result<std::time::Duration, ValueError> {
    let seconds = u64::try_from(seconds).map_err(|_| no_duration(&seconds.to_string()))?;
    Ok(std::time::Duration::from_secs(seconds))
}

fn fraction(seconds: f64) -> Result<std::time::Duration, ValueError> {
    std::time::Duration::try_from_secs_f64(seconds).map_err(|_| no_duration(&seconds.to_string()))
}

fn duration(text: &str) -> Result<std::time::Duration, ValueError> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: f64 = digits.trim().parse().map_err(|_| no_duration(text))?;
    let seconds = match &text[digits.len()..] {
        "ms" => number / 1000.0,
        "s" | "" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        "d" => number * 86400.0,
        _ => return Err(no_duration(text)),
    };
    fraction(seconds).map_err(|_| no_duration(text))
}

impl<T: Argument> Argument for Option<T> {
    const KIND: &'static str = T::KIND;
    const REQUIRED: bool = false;
    const SKIPS_MAPS: bool = true;

    fn take(value: Option<Dynamic>, call: &Call<'_, '_>) -> Result<Self, ArgumentError> {
        match value {
            None => Ok(None),
            given => T::take(given, call).map(Some),
        }
    }
}

macro_rules! returned {
    ($($type:ty, $kind:literal, |$value:ident| $convert:expr;)*) => {$(
        impl Returned for $type {
            const KIND: &'static str = $kind;
            fn into_dynamic(self) -> Dynamic {
                let $value = self;
                $convert
            }
        }
    )*};
}

returned! {
    (), "nothing", |_value| Dynamic::UNIT;
    bool, "a boolean", |value| value.into();
    i64, "an integer", |value| value.into();
    f64, "a float", |value| value.into();
    String, "a string", |value| value.into();
    Vec<String>, "an array of strings", |value| {
        value.into_iter().map(Dynamic::from).collect::<Array>().into()
    };
    Array, "an array", |value| value.into();
    Vec<i64>, "an array of integers", |value| {
        value.into_iter().map(Dynamic::from).collect::<Array>().into()
    };
    Map, "a map", |value| value.into();
    Vec<Map>, "an array of maps", |value| {
        value.into_iter().map(Dynamic::from).collect::<Array>().into()
    };
    Dynamic, "a value", |value| value;
}

impl<T: Returned> Returned for Option<T> {
    const KIND: &'static str = T::KIND;
    const OPTIONAL: bool = true;

    fn into_dynamic(self) -> Dynamic {
        self.map_or(Dynamic::UNIT, T::into_dynamic)
    }
}
