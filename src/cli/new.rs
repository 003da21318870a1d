//! `nsscript new`: a starter recipe.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::exit::{Ui, print};
use crate::diag::{escape, os_error, quoted};

/// The recipe; `NAME` stands for its name and `FILE` for the path it is written to.
const START: &str = include_str!("new/start.rhai");

/// Writes a recipe called `name` that runs unchanged, and prints what can be done with it.
pub(super) fn new(name: &Path, ui: Ui) -> ExitCode {
    let written = path(name).and_then(|path| {
        write(&path)?;
        Ok(path)
    });
    match written {
        Ok(path) => print(&next_commands(&shell_word(&path)), ui),
        Err(why) => ui.fail(why),
    }
}

/// The next commands for a new recipe.
fn next_commands(file: &str) -> String {
    let commands = [
        (format!("nsscript plan {file}"), "shows what it would do"),
        (format!("nsscript {file}"), "runs it"),
        (format!("nsscript test {file}"), "runs it as a test"),
        ("nsscript help".into(), "lists what recipes can do"),
    ];
    let width = commands.iter().map(|(command, _)| command.chars().count()).max().unwrap_or(0);
    let line = |(command, what): &(String, &str)| format!("  {command:<width$}   {what}\n");
    format!("wrote {file}\n{}", commands.iter().map(line).collect::<String>())
}

/// The path of the recipe.
fn path(name: &Path) -> Result<PathBuf, String> {
    let text = name.as_os_str().as_encoded_bytes();
    let Some(last) = name.file_name().filter(|_| !text.ends_with(b"/")) else {
        return Err(format!("invalid file name {}", quoted(name.to_string_lossy())));
    };
    let mut file = last.to_owned();
    if name.extension().is_none_or(|extension| extension != "rhai") {
        file.push(".rhai");
    }
    Ok(name.with_file_name(file))
}

fn write(path: &Path) -> Result<(), String> {
    let shown = quoted(path.to_string_lossy());
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o755).open(path);
    let mut file = file.map_err(|error| match (error.kind(), path.parent()) {
        (ErrorKind::AlreadyExists, _) => format!("{shown} already exists"),
        (ErrorKind::NotFound, Some(above)) => {
            format!(
                "cannot write {shown}: the directory {} does not exist",
                quoted(above.to_string_lossy())
            )
        }
        _ => format!("cannot write {shown}: {}", os_error(&error)),
    })?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let text = START.replace("NAME", &escape(&stem)).replace("FILE", &shell_word(path));
    file.write_all(text.as_bytes()).map_err(|error| {
        let _ = std::fs::remove_file(path);
        format!("cannot write {shown}: {}", os_error(&error))
    })
}

/// A path, quoted as a shell word.
fn shell_word(path: &Path) -> String {
    let text = path.to_string_lossy();
    // A name that begins with `-` would be an option.
    let text = if text.starts_with('-') { format!("./{text}") } else { text.into_owned() };
    let is_plain = |letter: char| letter.is_alphanumeric() || "./_-+@%,:".contains(letter);
    if text.chars().all(is_plain) {
        return text;
    }
    if text.contains(char::is_control) {
        return escape(&text);
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}
