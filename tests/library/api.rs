//! The public interface, as a list that is checked in: whoever changes it sees so.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// The list.
pub const LISTED: &str = include_str!("api.txt");

const HEAD: &str = "# Everything that another crate can name. `NSSCRIPT_UPDATE=1 cargo test --test \
                    library` writes it.\n";

/// The files of the library, in the order of their names.
fn files() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/library");
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.collect();
    files.sort();
    files
}

/// The declarations of a file that begin with `pub`, each in one line.
fn declarations(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut of = "";
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("impl") {
            // `impl<T> Trait for Type {`: methods of traits are not `pub`.
            let name = line.trim_start_matches("impl ").trim_end_matches([' ', '{']);
            of = name.split(" for ").last().unwrap_or_default();
            // Conversions of types that nobody else can name are no part of it.
            let is_own = ["RunError", "Report", "run::"].iter().any(|it| name.contains(it));
            if name.contains(" for ") && !is_own {
                found.push(format!("impl {}", name.trim_end_matches(" {}")));
            }
        }
        let shown = line.trim_start();
        if !shown.starts_with("pub ") {
            continue;
        }
        let mut whole = shown.to_owned();
        while !whole.ends_with(['{', ';', ',', '}']) {
            let Some(next) = lines.next() else { break };
            let next = next.trim();
            let gap = if whole.ends_with('(') || next.starts_with(')') { "" } else { " " };
            whole = format!("{}{gap}{next}", whole.trim_end());
        }
        while whole.ends_with('(') || whole.ends_with(',') && whole.contains("fn ") {
            let Some(next) = lines.next() else { break };
            let next = next.trim();
            let gap = if whole.ends_with('(') { "" } else { " " };
            whole = format!("{whole}{gap}{next}");
        }
        let whole = whole.trim_end_matches(['{', ' ']).replace(", )", ")");
        let hidden = whole.find("(pub(super)").or_else(|| whole.find("(Package)"));
        found.push(match whole.strip_prefix("pub fn ") {
            // Of a macro: the setters that several types have.
            Some(rest) if of.is_empty() => format!("pub fn *::{rest}"),
            Some(rest) => format!("pub fn {of}::{rest}"),
            None => whole[..hidden.unwrap_or(whole.len())].to_owned(),
        });
    }
    found
}

fn list() -> String {
    let mut list = HEAD.to_owned();
    for file in files() {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let _ = write!(list, "\n# {name}\n");
        for declaration in declarations(&fs::read_to_string(&file).unwrap()) {
            let _ = writeln!(list, "{declaration}");
        }
    }
    list
}

#[test]
fn the_public_interface_is_the_list() {
    let list = list();
    if std::env::var_os("NSSCRIPT_UPDATE").is_some() {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/library/api.txt");
        fs::write(place, &list).unwrap();
        return;
    }
    let hint = "NSSCRIPT_UPDATE=1 cargo test --test library";
    assert!(list == LISTED, "the public interface is another one: {hint}\n{list}");
}

#[test]
fn the_crate_shows_the_library_alone() {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let shown: Vec<_> = text.lines().filter(|line| line.starts_with("pub ")).collect();
    let wanted = [
        "pub mod cli;",
        "pub use library::{",
        "pub use library::{SandboxPackage, rhai};",
        "pub mod internal {",
    ];
    let mut shown_sorted = shown.clone();
    shown_sorted.sort_unstable();
    let mut wanted_sorted = wanted.to_vec();
    wanted_sorted.sort_unstable();
    assert_eq!(shown_sorted, wanted_sorted);
}
