//! Functions that implement verbs: their signatures, and how they are called.

use rhai::Dynamic;

use super::{Parameter, source};
use crate::script::binding::argument::{Argument, Returned};
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;

/// A function that performs a verb: of the call, and of arguments that are converted for it.
#[diagnostic::on_unimplemented(
    message = "this function cannot be a verb",
    note = "a verb is a `fn(&Call<'_, '_>, …) -> T`, or `-> Result<T, VerbError>`",
    note = "the types of its other parameters are `Argument`, and `T` is `Returned`"
)]
pub trait Function<Arguments> {
    /// The signature from its types.
    const SIGNATURE: Signature;

    /// Converts the arguments of a call, and performs the verb.
    ///
    /// # Errors
    /// An argument is not accepted, or the function fails.
    fn perform(&self, call: &mut Call<'_, '_>) -> Result<Dynamic, VerbError>;
}

/// The signature of a verb, from the types of its function.
#[derive(Clone, Copy)]
pub struct Signature {
    /// The parameters, without names.
    pub parameters: &'static [Parameter],
    /// The type of its value, in words.
    pub returns: &'static str,
    /// Whether its value can be `()` instead.
    pub optional: bool,
}

impl Signature {
    /// The signature of a function.
    pub const fn of<Arguments, F: Function<Arguments>>(_: &F) -> Self {
        F::SIGNATURE
    }

    /// Its parameters, named by the lines of `names`.
    pub const fn named<const COUNT: usize>(self, names: &'static str) -> [Parameter; COUNT] {
        let mut parameters = [Parameter::of::<Dynamic>(); COUNT];
        let mut index = 0;
        while index < COUNT {
            parameters[index] = self.parameters[index];
            parameters[index].name = source::line(names, index);
            assert!(!parameters[index].name.is_empty(), "a parameter has no name in the file");
            index += 1;
        }
        assert!(source::line(names, COUNT).is_empty(), "the file has more names than parameters");
        parameters
    }
}

/// What the function of a verb returns: a value, or a result if it can fail.
pub trait Outcome {
    /// The value.
    type Value: Returned;

    /// Converts to a result.
    ///
    /// # Errors
    /// The function has failed.
    fn into_result(self) -> Result<Self::Value, VerbError>;
}

impl<T: Returned> Outcome for T {
    type Value = T;

    fn into_result(self) -> Result<T, VerbError> {
        Ok(self)
    }
}

impl<T: Returned> Outcome for Result<T, VerbError> {
    type Value = T;

    fn into_result(self) -> Self {
        self
    }
}

/// Implements the trait for functions of each number of arguments.
macro_rules! functions {
    ($(($($argument:ident $value:ident),*))*) => {$(
        impl<F, O, $($argument),*> Function<($($argument,)*)> for F
        where
            F: Fn(&Call<'_, '_> $(, $argument)*) -> O,
            O: Outcome,
            $($argument: Argument,)*
        {
            const SIGNATURE: Signature = Signature {
                parameters: &[$(Parameter::of::<$argument>()),*],
                returns: O::Value::KIND,
                optional: O::Value::OPTIONAL,
            };

            fn perform(&self, call: &mut Call<'_, '_>) -> Result<Dynamic, VerbError> {
                $(let $value = call.next::<$argument>()?;)*
                call.finish()?;
                let result = self(call $(, $value)*).into_result();
                let result = result.map_err(|failed| failed.at(call.origin().as_ref()));
                result.map(Returned::into_dynamic)
            }
        }
    )*};
}

functions! {
    ()
    (A a)
    (A a, B b)
    (A a, B b, C c)
    (A a, B b, C c, D d)
    (A a, B b, C c, D d, E e)
}
