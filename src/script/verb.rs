//! A verb: what it is called, what it takes, what it says about itself, what it does.

use std::any::TypeId;

use rhai::Dynamic;

use super::argument::Wrong;
use super::call::Call;
use super::error::Failed;

/// What kind of name a verb is in a recipe.
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
    /// The name of the type, for a receiver: `Sandbox`; empty for what is no type of our own.
    pub receiver: &'static str,
    /// Whether it must be given.
    pub required: bool,
    /// The keys it takes, where it is an option map.
    pub options: &'static [OptionKey],
    /// The type that Rhai chooses by, for a receiver.
    pub type_id: Option<fn() -> TypeId>,
    /// Whether a map in its place is meant for the option map that follows.
    pub skips_maps: bool,
    /// Says what is wrong with a value, if anything is.
    pub take: fn(Option<Dynamic>, &Call<'_, '_>) -> Result<(), Wrong>,
}

/// One key of an option map.
#[derive(Clone, Copy, Debug)]
pub struct OptionKey {
    /// The key.
    pub name: &'static str,
    /// What it takes, in words.
    pub kind: &'static str,
    /// What holds where it is not given, as a recipe would write it; empty for nothing.
    pub default: &'static str,
    /// What it means: its documentation.
    pub doc: &'static str,
}

/// A verb of the language.
#[derive(Clone, Copy, Debug)]
pub struct Verb {
    /// Its name.
    pub name: &'static str,
    /// Whether it is called or read.
    pub kind: Kind,
    /// What it takes; the first is the value it is called on, where that has a type of its own.
    pub parameters: &'static [Parameter],
    /// What it gives, in words.
    pub returns: &'static str,
    /// Whether it may give nothing instead of that.
    pub optional: bool,
    /// Its manual page, as in the source.
    pub doc: &'static str,
    /// What it does.
    pub perform: fn(&mut Call<'_, '_>) -> Result<Dynamic, Failed>,
}

impl Verb {
    /// The type it is called on; empty for a function of its own.
    #[must_use]
    pub fn receiver(&self) -> &'static str {
        self.parameters.first().map_or("", |first| first.receiver)
    }

    /// The parameters without the value it is called on.
    #[must_use]
    pub fn given(&self) -> &'static [Parameter] {
        if self.receiver().is_empty() { self.parameters } else { &self.parameters[1..] }
    }

    /// How many of all its parameters must be given.
    #[must_use]
    pub fn least(&self) -> usize {
        self.parameters.iter().take_while(|parameter| parameter.required).count()
    }

    /// How a recipe calls it: `sandbox.bind(source, target, #{ … })`.
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

/// Declares verbs: functions whose doc comments are their manual pages.
///
/// `fn name(call, value: Type, …) -> Type { … }` is a function or, with a first parameter of a
/// type of our own, a verb of that type; `get name(…)` is a property. `Option<T>` and option maps
/// may be left out.
macro_rules! verbs {
    (@kind fn) => { $crate::script::verb::Kind::Function };
    (@kind get) => { $crate::script::verb::Kind::Property };
    ($(
        $(#[doc = $doc:literal])*
        $kind:ident $name:ident($call:ident $(, $argument:ident: $type:ty)*) -> $returns:ty $body:block
    )*) => {
        /// The verbs of this file.
        pub(in crate::script::verbs) const VERBS: &[$crate::script::verb::Verb] = &[$(
            $crate::script::verb::Verb {
                name: stringify!($name),
                kind: verbs!(@kind $kind),
                parameters: &[$(
                    $crate::script::argument::parameter::<$type>(stringify!($argument)),
                )*],
                returns: <$returns as $crate::script::argument::Returned>::KIND,
                optional: <$returns as $crate::script::argument::Returned>::OPTIONAL,
                doc: concat!($($doc, "\n"),*),
                perform: {
                    fn perform(
                        $call: &mut $crate::script::call::Call<'_, '_>,
                    ) -> Result<rhai::Dynamic, $crate::script::error::Failed> {
                        $(let $argument: $type = $call.next(stringify!($argument))?;)*
                        $call.finish()?;
                        let body = || -> Result<$returns, $crate::script::error::Failed> { $body };
                        let done = body().map_err(|failed| failed.at($call.origin().as_ref()));
                        done.map($crate::script::argument::Returned::into_dynamic)
                    }
                    perform
                },
            },
        )*];
    };
}

pub(super) use verbs;
