//! Words of other languages and tools: what `check`, a run and `help` say of them.
//!
//! `tests/words.txt` has the mistakes, one a line, in groups. Below each stand the first error that
//! `check` reports, with its hint, and that of a run only where it is another one.

use std::fs;
use std::path::Path;

use super::nsscript::{PACKAGE, Ran, nsscript, updates};
use crate::support::schema::fitting;

const TABLE: &str = "tests/words.txt";
const REWRITE: &str = "NSSCRIPT_UPDATE=1 cargo test --test suite words";

/// The first error that a command reports of a text, and its hints.
fn first(words: &[&str], code: &str) -> String {
    let ran = Ran::of(nsscript(words).args(["--error-format", "json", "-e", code]));
    assert_ne!(ran.status, Some(0), "{words:?} finds nothing in `{code}`");
    let reports = ran.stderr.lines().filter(|line| line.starts_with('{'));
    let report = fitting("report", reports.into_iter().next().unwrap_or_default());
    let mut told = format!("error: {}", report["message"].as_str().unwrap());
    for hint in report["hints"].as_array().unwrap() {
        told += &format!("\n  hint: {}", hint.as_str().unwrap());
    }
    told
}

/// What is said of a mistake.
fn told(code: &str) -> String {
    let (checked, run) = (first(&["check"], code), first(&["run"], code));
    let other = if run == checked { String::new() } else { format!("  run: {run}\n") };
    format!("  {checked}\n{other}")
}

#[test]
fn every_mistake_is_told_with_its_cure() {
    let path = Path::new(PACKAGE).join(TABLE);
    let text = fs::read_to_string(&path).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with(' '));
    let mut given = String::new();
    let mut mistakes = 0;
    for line in lines {
        given += &format!("{line}\n");
        if line.is_empty() || line.starts_with("== ") {
            continue;
        }
        let said = told(line);
        assert!(said.contains("\n  hint: "), "`{line}` is told without a cure:\n{said}");
        given += &said;
        mistakes += 1;
    }
    assert!(mistakes >= 100, "only {mistakes} mistakes in {TABLE}");
    if updates() {
        fs::write(&path, &given).unwrap();
    }
    assert!(updates() || given == text, "{TABLE} differs; `{REWRITE}` rewrites it:\n{given}");
}

#[test]
fn a_check_and_a_run_say_the_same() {
    let text = fs::read_to_string(Path::new(PACKAGE).join(TABLE)).unwrap();
    let (all, other) = text.lines().fold((0, 0), |(all, other), line| {
        (
            all + usize::from(line.starts_with("  error: ")),
            other + usize::from(line.starts_with("  run: ")),
        )
    });
    assert!(other * 20 < all, "a run says something else of {other} of {all} mistakes");
}

#[test]
fn help_knows_the_words_too() {
    for (word, hint) in [
        ("volume", "use `.bind(source, target)`"),
        ("ro_bind", "#{ read_only: true }"),
        ("needs", "dependencies(program)"),
        ("need", "skip_unless(condition, reason)"),
        ("None", "the empty value is `()`"),
        ("elif", "else if"),
        ("printf", "use `print(text)`"),
        ("match", "switch"),
    ] {
        let ran = Ran::of(&mut nsscript(&["help", word]));
        assert_eq!(ran.status, Some(125), "{word}");
        assert!(ran.stderr.contains(&format!("`{word}`")), "{}", ran.stderr);
        assert!(ran.stderr.contains(hint), "{}", ran.stderr);
    }
}
