//! A verb: its name, parameters, documentation and function.

pub(in crate::script) mod function;
pub(in crate::script) mod source;

use std::any::TypeId;

use rhai::Dynamic;

use super::argument::{self, Argument, ArgumentError};
use super::call::Call;
use super::error::VerbError;

/// The form of a verb in a recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Called: `f(x)`; on a value: `x.f(y)`.
    Function,
    /// Read: `x.f`.
    Property,
}

/// One parameter of a verb.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name in the documentation and in messages.
    pub name: &'static str,
    /// What it takes, in words: `a string`.
    pub kind: &'static str,
    /// The name of the type, for a receiver: `Sandbox`. Empty for other types than nsscript's own.
    pub receiver: &'static str,
    /// Whether it is required.
    pub required: bool,
    /// The keys, if it is an option map.
    pub options: &'static [OptionKey],
    /// The type by which Rhai selects the function, for a receiver.
    pub type_id: Option<fn() -> TypeId>,
    /// Whether a map in its place is taken for the option map that follows.
    pub skips_maps: bool,
    /// Checks a value.
    pub take: fn(Option<Dynamic>, &Call<'_, '_>) -> Result<(), ArgumentError>,
}

impl Parameter {
    /// Creates a parameter of the type `T`, without a name.
    const fn of<T: Argument>() -> Self {
        Self {
            name: "",
            kind: T::KIND,
            receiver: T::RECEIVER,
            required: T::REQUIRED,
            options: T::OPTIONS,
            type_id: T::TYPE_ID,
            skips_maps: T::SKIPS_MAPS,
            take: argument::takes::<T>,
        }
    }
}

/// One key of an option map.
#[derive(Clone, Copy, Debug)]
pub struct OptionKey {
    /// The key.
    pub name: &'static str,
    /// The accepted type, in words.
    pub kind: &'static str,
    /// The default, as a recipe writes it; empty if there is none.
    pub default: &'static str,
    /// Its documentation.
    pub doc: &'static str,
}

/// A verb of the language.
#[derive(Clone, Copy, Debug)]
pub struct Verb {
    /// Its name.
    pub name: &'static str,
    /// Whether it is called or read.
    pub kind: Kind,
    /// The parameters. The first is the receiver, if its type is one of nsscript's own.
    pub parameters: &'static [Parameter],
    /// The type of its value, in words.
    pub returns: &'static str,
    /// Whether its value can be `()` instead.
    pub optional: bool,
    /// Its help page, as in the source.
    pub doc: &'static str,
    /// Its implementation.
    pub perform: fn(&mut Call<'_, '_>) -> Result<Dynamic, VerbError>,
}

impl Verb {
    /// The type of the receiver; empty for a plain function.
    #[must_use]
    pub fn receiver(&self) -> &'static str {
        self.parameters.first().map_or("", |first| first.receiver)
    }

    /// The parameters without the receiver.
    #[must_use]
    pub fn given(&self) -> &'static [Parameter] {
        if self.receiver().is_empty() { self.parameters } else { &self.parameters[1..] }
    }

    /// The number of required parameters, including the receiver.
    #[must_use]
    pub fn least(&self) -> usize {
        self.parameters.iter().take_while(|parameter| parameter.required).count()
    }

    /// The form of a call: `sandbox.bind(source, target, #{ … })`.
    #[must_use]
    pub fn signature(&self) -> String {
        let receiver = self.receiver().to_lowercase();
        let dot = if receiver.is_empty() { "" } else { "." };
        if self.kind == Kind::Property {
            return format!("{receiver}{dot}{}", self.name);
        }
        let mut text = String::new();
        for parameter in self.given() {
            let name = if parameter.options.is_empty() { parameter.name } else { "#{ … }" };
            let comma = if text.is_empty() { "" } else { ", " };
            if parameter.required {
                text.push_str(&format!("{comma}{name}"));
            } else {
                text.push_str(&format!("[{comma}{name}]"));
            }
        }
        format!("{receiver}{dot}{}({text})", self.name)
    }
}

/// The verbs of a file: `verbs!["mount.rs"; fn bind, get name, fn mount = mount_in_sandbox]`.
///
/// `fn` is called in a recipe, `get` read as a property. Each is a plain function of the file, of
/// the same name or the one behind `=`. Its types say what the verb takes and returns; its doc
/// comment, which is the manual page, and the names of its parameters are read from the file.
macro_rules! verbs {
    ($file:literal; $($kind:ident $verb:ident $(= $function:ident)?),* $(,)?) => {
        &[$(verbs!(@verb $file, $kind, $verb $(, $function)?)),*]
    };
    (@kind fn) => { $crate::script::binding::verb::Kind::Function };
    (@kind get) => { $crate::script::binding::verb::Kind::Property };
    (@verb $file:literal, $kind:ident, $verb:ident) => {
        verbs!(@verb $file, $kind, $verb, $verb)
    };
    (@verb $file:literal, $kind:ident, $verb:ident, $function:ident) => {{
        use $crate::script::binding::verb::function::{Function, Signature};
        use $crate::script::binding::verb::source::{Source, Text};
        use $crate::script::binding::verb::{Parameter, Verb};

        const SIGNATURE: Signature = Signature::of(&$function);
        const SOURCE: Source = match Source::find(include_str!($file), stringify!($function)) {
            Some(source) => source,
            None => panic!(concat!(
                $file, " has no function `", stringify!($function), "` with a doc comment above it",
            )),
        };
        // Copies of exact size, so that the program does not contain the whole file.
        const DOC: Text<{ SOURCE.doc::<0>().length() }> = SOURCE.doc();
        const NAMES: Text<{ SOURCE.names::<0>().length() }> = SOURCE.names();
        const PARAMETERS: [Parameter; SIGNATURE.parameters.len()] = SIGNATURE.named(NAMES.as_str());
        Verb {
            name: stringify!($verb),
            kind: verbs!(@kind $kind),
            parameters: &PARAMETERS,
            returns: SIGNATURE.returns,
            optional: SIGNATURE.optional,
            doc: DOC.as_str(),
            perform: |call| $function.perform(call),
        }
    }};
}

pub(in crate::script) use verbs;
