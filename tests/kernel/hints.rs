//! Advice that is given where something fails: every piece of it is given once, and followed.
//!
//! A piece has a name in the source: the row of a table, a remedy, or the first argument of `advise`.
//! Its case, in the tables of `tests/hints`, makes the failure, compares the hint, does what it says,
//! and sees success; or says why that cannot be done on a machine for tests.

mod case;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use case::{Case, cases, follow};

use crate::rust::{Kind, Token, tokens};

/// Where the tables are.
const DIRECTORY: &str = "tests/hints";

fn package() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The cases of a table.
fn table(name: &str) -> Vec<Case> {
    let file = format!("{DIRECTORY}/{name}.txt");
    let text = fs::read_to_string(package().join(&file)).unwrap();
    cases(&file, &text)
}

/// A test for each table, so that they are gone through side by side.
macro_rules! tables {
    ($($name:ident)*) => {
        const TABLES: &[&str] = &[$(stringify!($name)),*];

        $(
            #[test]
            fn $name() {
                follow(&table(stringify!($name)));
            }
        )*
    };
}

tables! { start raw ids mounts file_systems overlays places programs networks plans privileges roots machines verbs }

#[test]
fn every_table_is_gone_through() {
    let files = fs::read_dir(package().join(DIRECTORY)).unwrap();
    let names = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: BTreeSet<String> = names.collect();
    let known: BTreeSet<String> = TABLES.iter().map(|name| format!("{name}.txt")).collect();
    assert_eq!(names, known);
}

/// Rust sources below a folder.
fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push((path.to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()));
        }
    }
    found
}

/// The names of the advice in a source: of rows, of remedies, and of what is added to reports.
fn names(source: &str) -> Vec<String> {
    let code: Vec<Token<'_>> =
        tokens(source).into_iter().filter(|token| token.kind != Kind::Comment).collect();
    let is = |at: usize, words: &[&str]| {
        words
            .iter()
            .enumerate()
            .all(|(index, word)| code.get(at + index).is_some_and(|token| token.text == *word))
    };
    let mut names = Vec::new();
    for at in 0..code.len() {
        let name = if is(at, &["row", "!", "("]) {
            code.get(at + 3).filter(|token| token.kind == Kind::Word)
        } else if is(at, &["Remedy", "::", "new", "("]) || is(at, &["Remedy", "::", "none", "("]) {
            code.get(at + 4)
        } else if is(at, &[".", "advise", "("]) {
            code.get(at + 3).filter(|token| token.text.starts_with('"'))
        } else {
            None
        };
        names.extend(name.map(|token| token.text.trim_matches('"').to_owned()));
    }
    names
}

#[test]
fn every_piece_of_advice_has_a_case() {
    let folder = package().join("src");
    let mut given = BTreeSet::new();
    for (path, source) in sources(&folder) {
        // There a report is made for a test.
        if path.ends_with("script/effects/codec.rs") {
            continue;
        }
        for name in names(&source) {
            assert!(given.insert(name.clone()), "{path}: two pieces of advice are called {name}");
        }
    }
    assert!(given.len() > 200, "only {} names are found", given.len());
    let cases: Vec<Case> = TABLES.iter().flat_map(|name| table(name)).collect();
    let parts = cases.iter().flat_map(|case| case.advice().split('.'));
    let followed: BTreeSet<String> = parts.map(str::to_owned).collect();
    let without: Vec<_> = given.difference(&followed).collect();
    assert!(without.is_empty(), "{} without a case: {without:#?}", without.len());
    let gone: Vec<_> = followed.difference(&given).collect();
    assert!(gone.is_empty(), "cases of advice that there is not: {gone:#?}");
}

/// Where hints are about what a plan, a launch or a raw call cannot do.
const NAMED: [&str; 10] = [
    "/src/plan/",
    "/src/run/launch/closure.rs",
    "/src/run/advice/hint.rs",
    "/src/run/advice/hint/",
    "/src/run/advice/loader",
    "/src/run/layers/unwritable.rs",
    "/src/run/raw/attach_loop.rs",
    "/src/run/remedy/",
    "/src/run/network/hints.rs",
    "/src/run/launch/outside.rs",
];

#[test]
fn hints_about_failures_have_names() {
    let folder = package().join("src");
    for (path, source) in sources(&folder) {
        if !NAMED.iter().any(|place| path.contains(place)) {
            continue;
        }
        let code: Vec<_> =
            tokens(&source).into_iter().filter(|token| token.kind != Kind::Comment).collect();
        for at in code.windows(3) {
            let is_hint = at[0].is(".") && at[1].is("hint") && at[2].is("(");
            assert!(!is_hint, "{path}:{}: say `advise` and a name", at[1].line);
        }
    }
}
