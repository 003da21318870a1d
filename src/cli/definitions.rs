//! Definitions of the verbs for editors.

use std::path::Path;
use std::process::ExitCode;

use super::exit::{Ui, print};
use super::written::{MARK, listed, write};
use crate::json;
use crate::script::manual;

/// Writes definition files of Rhai, the index of the verbs, and snippets of VS Code.
pub(super) fn definitions(directory: &Path, ui: Ui) -> ExitCode {
    let mark = format!("{MARK} definitions`, from the doc comments of the verbs.");
    let mut files: Vec<(String, String)> = manual::definitions()
        .into_iter()
        .map(|file| (file.path, format!("// {mark}\n{}", file.text)))
        .collect();
    files.push(("nsscript.json".into(), json::text(&manual::index(&mark))));
    let snippets = format!("// {mark}\n{}", json::snippets(&manual::snippets()));
    files.push(("nsscript.code-snippets".into(), snippets));
    match write(directory, &files) {
        Ok(paths) => print(&listed(&paths), ui),
        Err(why) => ui.fail(why),
    }
}
