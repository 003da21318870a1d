//! The functions of the language itself, for error messages.

use std::any::TypeId;

use rhai::{Array, Blob, Engine, FnPtr, ImmutableString, Map};

/// The numbers of arguments that a function of the language takes, in ascending order and with the
/// receiver. Empty if there is no such function.
pub fn counts(name: &str) -> Vec<usize> {
    let engine = Engine::new();
    let mut counts = engine.collect_fn_metadata(
        None,
        |info| (info.metadata.name == name).then_some(info.metadata.num_params),
        true,
    );
    counts.sort_unstable();
    counts.dedup();
    counts
}

/// The functions of the language that can be called on a value of this type.
pub fn methods(name: &str) -> Vec<String> {
    let wanted = match name {
        "string" => TypeId::of::<ImmutableString>(),
        "array" => TypeId::of::<Array>(),
        "blob" => TypeId::of::<Blob>(),
        "map" => TypeId::of::<Map>(),
        "Fn" => TypeId::of::<FnPtr>(),
        _ => return Vec::new(),
    };
    let is_name = |name: &str| name.bytes().all(|it| it.is_ascii_lowercase() || it == b'_');
    let mut names = Engine::new().collect_fn_metadata(
        None,
        |info| {
            let data = info.metadata;
            let fits = data.param_types.first() == Some(&wanted) && is_name(&data.name);
            fits.then(|| data.name.to_string())
        },
        true,
    );
    names.sort_unstable();
    names.dedup();
    names
}
