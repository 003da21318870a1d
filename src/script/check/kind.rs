//! Kinds of values, as far as the text determines them.

use std::any::TypeId;
use std::ops::{Range, RangeInclusive};

use rhai::{Array, Blob, Dynamic, FnPtr, ImmutableString, Map};

use crate::script::binding::catalog;
use crate::script::binding::value::TYPES;

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Unknown.
    Any,
    /// No value: the recipe continues elsewhere.
    Never,
    /// The type with this name in the engine: `i64`, `string`, `Sandbox`.
    Is(&'static str),
}

/// The types of the language, by the engine's names.
const PLAIN: [&str; 10] =
    ["()", "bool", "i64", "f64", "char", "string", "array", "map", "blob", "Fn"];

impl Kind {
    pub const UNIT: Self = Self::Is("()");
    pub const BOOL: Self = Self::Is("bool");
    pub const INTEGER: Self = Self::Is("i64");
    pub const TEXT: Self = Self::Is("string");
    pub const ARRAY: Self = Self::Is("array");
    pub const MAP: Self = Self::Is("map");
    pub const CLOSURE: Self = Self::Is("Fn");

    /// The kind of a known value.
    pub fn of(value: &Dynamic) -> Self {
        if value.is::<Range<i64>>() {
            return Self::Is("range");
        }
        Self::named(value.type_name())
    }

    /// The kind for the name of a type.
    pub fn named(name: &str) -> Self {
        let known = PLAIN.iter().chain(TYPES).find(|known| **known == name);
        known.map_or(Self::Any, |name| Self::Is(name))
    }

    /// The kind for a verb's description of its value.
    pub fn of_words(words: &str) -> Self {
        if let Some(name) = TYPES.iter().find(|name| **name == words) {
            return Self::Is(name);
        }
        match words {
            "nothing" => Self::UNIT,
            "a boolean" => Self::BOOL,
            "an integer" => Self::INTEGER,
            "a float" => Self::Is("f64"),
            "a string" => Self::TEXT,
            "a map" => Self::MAP,
            other if other.starts_with("an array") => Self::ARRAY,
            _ => Self::Any,
        }
    }

    /// The kind of a value that has one of two kinds.
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Never, kind) | (kind, Self::Never) => kind,
            (one, other) if one == other => one,
            _ => Self::Any,
        }
    }

    /// The name of its type, if known.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Is(name) => Some(name),
            Self::Any | Self::Never => None,
        }
    }

    /// The name of its type, if it is one of nsscript's own.
    pub fn own(self) -> Option<&'static str> {
        self.name().filter(|name| TYPES.contains(name))
    }

    /// The engine's id of its type, if known.
    pub fn type_id(self) -> Option<TypeId> {
        let name = self.name()?;
        Some(match name {
            "()" => TypeId::of::<()>(),
            "bool" => TypeId::of::<bool>(),
            "i64" => TypeId::of::<i64>(),
            "f64" => TypeId::of::<f64>(),
            "char" => TypeId::of::<char>(),
            "string" => TypeId::of::<ImmutableString>(),
            "array" => TypeId::of::<Array>(),
            "map" => TypeId::of::<Map>(),
            "blob" => TypeId::of::<Blob>(),
            "Fn" => TypeId::of::<FnPtr>(),
            "range" => TypeId::of::<Range<i64>>(),
            "range=" => TypeId::of::<RangeInclusive<i64>>(),
            own => {
                let verb = catalog::all().find(|verb| verb.receiver() == own)?;
                verb.parameters[0].type_id?()
            }
        })
    }

    /// A sample value, if it is a type of the language.
    pub fn sample(self) -> Option<Dynamic> {
        Some(match self.name()? {
            "()" => Dynamic::UNIT,
            "bool" => Dynamic::TRUE,
            "i64" => Dynamic::ONE,
            "f64" => Dynamic::from(1.0_f64),
            "char" => Dynamic::from('1'),
            "string" => Dynamic::from("1"),
            "array" => Dynamic::from(Array::new()),
            "map" => Dynamic::from(Map::new()),
            "blob" => Dynamic::from(Blob::new()),
            "Fn" => Dynamic::from(FnPtr::new("sample").ok()?),
            "range" => Dynamic::from(0..1_i64),
            "range=" => Dynamic::from(0..=1_i64),
            _ => return None,
        })
    }
}
