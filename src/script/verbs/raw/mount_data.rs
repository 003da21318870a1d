//! The options of a file system as the one string that mount(2) takes.

use rhai::{Dynamic, Map};

use super::no_nul;
use crate::diag::{Report, quoted};
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;

/// Escapes a value for the option string, with a backslash before separators.
fn escaped(key: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace(',', "\\,");
    // Only a list of lower directories uses colons as separators.
    if matches!(key, "upperdir" | "workdir") { value } else { value.replace("\\\\:", "\\:") }
}

/// The options of the file system as one text.
pub(in crate::script::verbs) fn data(
    given: Option<&Dynamic>,
    kind: &str,
    call: &Call<'_, '_>,
) -> Result<Option<String>, VerbError> {
    let Some(given) = given else { return Ok(None) };
    if given.is_string() {
        return no_nul(given.to_string(), call).map(Some);
    }
    let Some(map) = given.read_lock::<Map>() else {
        let report = Report::error("`data` takes a map or a string");
        return Err(call.fail_at_key("data", report));
    };
    let mut options = Vec::new();
    for (key, value) in map.iter() {
        if let Ok(wanted) = value.as_bool() {
            if wanted {
                options.push(key.to_string());
            }
            continue;
        }
        let directories = if kind == "overlay" { overlay(key, value, call) } else { None };
        let value = match directories {
            Some(value) => value,
            None if value.is_map() || value.is_array() => {
                let message =
                    format!("the option {} of the file system takes one value", quoted(key));
                let report = Report::error(message);
                let hint = "use a string, a number, or `true` for an option without a value";
                return Err(call.fail_at_key("data", report.hint(hint)));
            }
            None => escaped(key, &value.to_string()),
        };
        let (key, value) = overlay_key(kind, key, value);
        options.push(format!("{key}={value}"));
    }
    if kind == "overlay" && wants_user_attributes(map.keys(), call) {
        options.push("userxattr".into());
    }
    let text = options.join(",");
    no_nul(text, call).map(|text| (!text.is_empty()).then_some(text))
}

/// The kernel's names for `lower`, `upper` and `work` of an overlay.
fn overlay_key(kind: &str, key: &str, value: String) -> (String, String) {
    match (kind, key) {
        ("overlay", "lower" | "upper" | "work") => (format!("{key}dir"), value),
        _ => (key.to_owned(), value),
    }
}

/// The directories of an overlay, with `\`, `:` and `,` escaped as mount(2) requires.
fn overlay(key: &str, value: &Dynamic, call: &Call<'_, '_>) -> Option<String> {
    if !matches!(key, "lower" | "upper" | "work" | "lowerdir" | "upperdir" | "workdir") {
        return None;
    }
    let is_lower = key.starts_with("lower");
    let one = |name: &str| {
        let path = call.context.place(name);
        let name = path.to_string_lossy().replace('\\', "\\\\").replace(',', "\\,");
        if is_lower { name.replace(':', "\\:") } else { name }
    };
    if let Some(array) = value.read_lock::<rhai::Array>().filter(|_| is_lower) {
        return Some(array.iter().map(|name| one(&name.to_string())).collect::<Vec<_>>().join(":"));
    }
    value.is_string().then(|| one(&value.to_string()))
}

/// Whether an overlay must store its metadata in user attributes.
///
/// Only the machine's root can use the default, `trusted.overlay.*`. Without either, directories of
/// lower layers can be neither removed nor replaced.
fn wants_user_attributes<'a>(
    mut keys: impl Iterator<Item = &'a rhai::Identifier>,
    call: &Call<'_, '_>,
) -> bool {
    // The kernel accepts these only together with the others.
    let decided = ["userxattr", "metacopy", "redirect_dir", "verity"];
    if keys.any(|key| decided.contains(&key.as_str())) {
        return false;
    }
    call.effects().in_user_namespace(call)
}
