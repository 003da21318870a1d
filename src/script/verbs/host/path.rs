//! Paths as text: nothing is looked up.

use std::path::Path;

use crate::script::binding::call::Call;
use crate::script::binding::verb::{Verb, verbs};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["path.rs";
    fn parent,
    fn file_name,
    fn file_stem,
    fn extension,
    fn join_path,
];

/// A part of a path as text.
fn text(part: impl AsRef<Path>) -> String {
    part.as_ref().to_string_lossy().into_owned()
}

/// Returns the path without its last part, or `()` for `/` and the empty path.
///
/// # Example
/// ```rhai
/// assert_eq(parent("/etc/passwd"), "/etc");
/// assert_eq(parent("/"), ());
/// ```
/// # See
/// dirname(3)
fn parent(_call: &Call<'_, '_>, path: String) -> Option<String> {
    Path::new(&path).parent().map(text)
}

/// Returns the last part of a path, or `()` if the path ends in `..` or has no parts.
///
/// # Example
/// ```rhai
/// assert_eq(file_name("/etc/passwd"), "passwd");
/// ```
/// # See
/// basename(3)
fn file_name(_call: &Call<'_, '_>, path: String) -> Option<String> {
    Path::new(&path).file_name().map(text)
}

/// Returns the last part of a path without its extension, or `()` if there is none.
///
/// # Example
/// ```rhai
/// assert_eq(file_stem("/srv/root.tar.zst"), "root.tar");
/// assert_eq(file_stem(".profile"), ".profile");
/// ```
fn file_stem(_call: &Call<'_, '_>, path: String) -> Option<String> {
    Path::new(&path).file_stem().map(text)
}

/// Returns the text after the last dot of the file name, or `()` if there is none.
///
/// # Example
/// ```rhai
/// assert_eq(extension("/srv/root.tar.zst"), "zst");
/// assert_eq(extension(".profile"), ());
/// ```
fn extension(_call: &Call<'_, '_>, path: String) -> Option<String> {
    Path::new(&path).extension().map(text)
}

/// Returns `path` below `base`, with one slash between them. An absolute `path` replaces `base`.
///
/// # Example
/// ```rhai
/// assert_eq(join_path("/etc/", "passwd"), "/etc/passwd");
/// assert_eq(join_path("/etc", "/srv"), "/srv");
/// ```
fn join_path(_call: &Call<'_, '_>, base: String, path: String) -> String {
    text(Path::new(&base).join(path))
}
