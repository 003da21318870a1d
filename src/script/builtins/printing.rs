//! `print` and `debug`. The language's own cannot fail.

use std::any::TypeId;
use std::rc::Rc;

use rhai::{Array, Blob, Dynamic, Engine, ImmutableString, Map, NativeCallContext};

use crate::diag;
use crate::script::binding::call::{print_for, printed};
use crate::script::binding::context::{Context, Printed};
use crate::script::language::named::Named;

/// Registers `print` and `debug`, which print through `context`.
pub fn register(engine: &mut Engine, context: &Rc<Context>, named: &Named<'_>) {
    // Functions of that name have printed their value already.
    engine.on_print(|_| {});
    engine.on_debug(|text, _, _| diag::say(&format!("{text}\n")));
    if !named.has("print") {
        return;
    }
    let own = context.clone();
    let print = move |native: NativeCallContext<'_>, values: &mut [&mut Dynamic]| {
        let text = values.first().map(|value| printed(&native, value)).unwrap_or_default();
        print_for(&own, &native, "print", &text, Printed::Output)?;
        Ok(ImmutableString::new())
    };
    // The language's own functions for these types have priority over one for any value.
    let types = [
        TypeId::of::<Dynamic>(),
        TypeId::of::<()>(),
        TypeId::of::<bool>(),
        TypeId::of::<char>(),
        TypeId::of::<f32>(),
        TypeId::of::<f64>(),
        TypeId::of::<ImmutableString>(),
        TypeId::of::<Array>(),
        TypeId::of::<Blob>(),
        TypeId::of::<Map>(),
    ];
    for one in types {
        engine.register_raw_fn("print", [one], print.clone());
    }
    engine.register_raw_fn("print", [], print);
}
