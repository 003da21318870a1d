//! Annotated recipes: every file of `tests/diagnostics` ends with what nsscript says of it.
//!
//! The recipe comes first, then as comments `// exit: STATUS`, a line `// out: …` for each line
//! of standard output, and all of standard error as it is shown to a person. A recipe finds in
//! `args[0]` a directory with files of known kinds; its path is `$TMP` in the texts, and that of
//! the package `$ROOT`, and the number of a namespace `…`. A recipe with a line `// as: root` needs to be run by root.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::elf;
use super::nsscript::{PACKAGE, Ran, Scratch, missing, nsscript, updates};

const DIRECTORY: &str = "tests/diagnostics";
const REWRITE: &str = "NSSCRIPT_UPDATE=1 cargo test --test suite diagnostics";

/// The recipes, by path relative to the package, in order. Those in a directory `modules` are
/// imported by others.
fn recipes() -> Vec<String> {
    let mut found = Vec::new();
    let mut directories = vec![PathBuf::from(DIRECTORY)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(Path::new(PACKAGE).join(&directory)).unwrap() {
            let entry = entry.unwrap();
            let path = directory.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                directories.extend((entry.file_name() != "modules").then_some(path));
            } else {
                found.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The files that recipes find in `args[0]`.
fn fixture() -> Scratch {
    let scratch = Scratch::new();
    scratch.file("file", "text\n");
    scratch.file("directory/inner", "text\n");
    scratch.program("bin/script", "#!/bin/sh\n");
    scratch.program("bin/orphan", "#!/opt/no-such-interpreter\n");
    scratch.program("bin/plain", elf::program(None, &[]));
    scratch.program("bin/dynamic", elf::program(Some("/lib/ld-none.so.1"), &["libnone.so.1"]));
    scratch
}

/// The recipe and its expectations: what comes from the last line `// exit: …` on.
pub fn split(text: &str) -> (&str, &str) {
    match text.rfind("\n// exit: ") {
        Some(end) => (text[..end].trim_end(), &text[end + 1..]),
        None => (text.trim_end(), ""),
    }
}

/// What nsscript does with a recipe, as the comments that say so.
fn annotations(recipe: &str, fixture: &Scratch) -> String {
    let ran = Ran::of(&mut nsscript(&[recipe, fixture.text()]));
    let status = ran.status.map_or("none".to_owned(), |status| status.to_string());
    let mut lines = vec![format!("exit: {status}")];
    lines.extend(ran.stdout.lines().map(|line| format!("out: {line}")));
    lines.extend(ran.stderr.lines().map(str::to_owned));
    let text: String =
        lines.iter().map(|line| format!("// {line}").trim_end().to_owned() + "\n").collect();
    without_numbers(&text.replace(fixture.text(), "$TMP").replace(PACKAGE, "$ROOT"))
}

/// A text in which namespaces have no numbers, which are others with every run: `net:[…]`.
fn without_numbers(text: &str) -> String {
    let mut parts = text.split(":[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let is_number = part.len() - rest.len() > 6 && rest.starts_with(']');
        plain += ":[";
        plain += if is_number { "…" } else { "" };
        plain += if is_number { rest } else { part };
    }
    plain
}

/// Says how a recipe differs from its expectations, or rewrites them.
fn check(recipe: &str, fixture: &Scratch, is_root: bool) -> Option<String> {
    let path = Path::new(PACKAGE).join(recipe);
    let text = fs::read_to_string(&path).unwrap();
    if text.contains("\n// as: root\n") && !is_root {
        missing(&format!("{recipe} is told as root"));
        return None;
    }
    let (code, wanted) = split(&text);
    let given = annotations(recipe, fixture);
    if given == wanted {
        return None;
    }
    if updates() {
        fs::write(&path, format!("{code}\n\n{given}")).unwrap();
        return None;
    }
    Some(format!("{recipe}\n--- expected\n{wanted}--- given\n{given}"))
}

#[test]
fn every_recipe_is_told_what_its_comments_say() {
    let recipes = recipes();
    assert!(recipes.len() > 60, "only {} recipes in {DIRECTORY}", recipes.len());
    let fixture = fixture();
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let differ = |recipe: &String| check(recipe, &fixture, is_root);
    let differences: Vec<String> = recipes.iter().filter_map(differ).collect();
    let number = differences.len();
    let all = differences.join("\n");
    assert!(differences.is_empty(), "{all}\n{number} recipes differ; `{REWRITE}` rewrites them");
}

/// The words that no message may hold: they are those of the engine or of Rust.
const FOREIGN: [&str; 15] = [
    "rhai",
    "ImmutableString",
    "&str",
    "i64",
    "f64",
    "Dynamic",
    "EvalAltResult",
    "nsscript::",
    "anon$",
    "failed to",
    "Failed",
    "entity not found",
    "os error",
    "unwrap",
    "panicked",
];

#[test]
fn no_message_holds_words_of_the_engine_or_of_rust() {
    let mut found = Vec::new();
    for recipe in recipes() {
        let text = fs::read_to_string(Path::new(PACKAGE).join(&recipe)).unwrap();
        let (_, told) = split(&text);
        let messages = told.lines().filter(|line| {
            ["// error:", "// warning:", "// hint:", "//    ="]
                .iter()
                .any(|head| line.starts_with(head))
        });
        for message in messages {
            let plain = message.replace(".rhai", "");
            let foreign = FOREIGN.iter().find(|word| plain.contains(**word));
            found.extend(foreign.map(|word| format!("{recipe}: `{word}` in {message}")));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_message_is_in_the_voice_of_the_project() {
    let mut found = Vec::new();
    for recipe in recipes() {
        let text = fs::read_to_string(Path::new(PACKAGE).join(&recipe)).unwrap();
        let (_, told) = split(&text);
        for line in told.lines() {
            let message = ["// error: ", "// warning: ", "// hint: "]
                .iter()
                .find_map(|head| line.strip_prefix(head));
            let Some(message) = message else { continue };
            let begins_well =
                !message.starts_with(char::is_uppercase) || message.contains("AppArmor");
            if !begins_well || message.ends_with('.') || message.contains("``") {
                found.push(format!("{recipe}: {message}"));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
