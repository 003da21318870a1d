//! The manual pages: what man(1) takes, and all that they have to tell.

use std::fs;
use std::path::Path;
use std::process::Command;

use nsscript::internal::script::catalog;

use super::nsscript::{PACKAGE, Ran, Scratch, nsscript};
use crate::support::have;

fn pages() -> [(&'static str, String); 2] {
    let page = |words: &[&str]| Ran::of(&mut nsscript(words)).printed();
    [("nsscript.1", page(&["man"])), ("nsscript-recipe.5", page(&["man", "--recipe"]))]
}

/// A page as man(1) shows it, without bold and underlined letters.
fn shown(file: &Path) -> String {
    let mut command = Command::new("groff");
    command.args(["-man", "-ww", "-k", "-Tutf8", "-rLL=200n", "-P-cbou"]).arg(file);
    // The printer goes to every column by writing, and the warnings are none.
    Ran::of(&mut command).printed()
}

/// Words without how they are laid out.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn roff_has_nothing_to_say_against_them() {
    let scratch = Scratch::new();
    for (name, page) in pages() {
        let file = scratch.file(name, page);
        if have(&["groff"]) {
            assert!(shown(&file).contains("NAME"), "{name}");
        }
        if have(&["mandoc"]) {
            let mut command = Command::new("mandoc");
            let ran = Ran::of(command.args(["-Tlint", "-W", "warning"]).arg(&file));
            let mut found = ran.stdout.lines().filter(|line| !line.contains("missing date"));
            assert_eq!(found.next(), None, "{}", ran.stdout);
        }
    }
}

#[test]
fn the_page_of_the_command_has_its_sections_options_and_commands() {
    if !have(&["groff"]) {
        return;
    }
    let scratch = Scratch::new();
    let [(name, page), _] = pages();
    let text = shown(&scratch.file(name, page));
    let sections: Vec<_> =
        text.lines().filter(|line| line.starts_with(char::is_uppercase)).collect();
    let wanted = [
        "NAME",
        "SYNOPSIS",
        "DESCRIPTION",
        "OPTIONS",
        "COMMANDS",
        "EXIT STATUS",
        "ENVIRONMENT",
        "JSON",
        "FILES",
        "EXAMPLES",
        "SEE ALSO",
    ];
    assert_eq!(sections[1..sections.len()], wanted, "{text}");
    let text = words(&text);
    assert!(text.contains("nsscript - Linux sandboxes as readable recipes"));
    let help = Ran::of(&mut nsscript(&["--help"])).printed();
    let of_help = |start: &str, title: &str| {
        let (_, rest) = help.split_once(title).unwrap();
        let lines = rest.lines().take_while(|line| !line.is_empty());
        let word = |line: &str| {
            line.split(&[' ', '[', ',']).find(|word| word.starts_with(start))?.to_owned().into()
        };
        lines.filter_map(word).collect::<Vec<String>>()
    };
    let options = of_help("--", "Options:\n");
    assert!(options.len() > 5, "{help}");
    for option in options {
        assert!(text.contains(&option), "{option}");
    }
    for command in ["plan", "test", "new", "store gc", "help", "man", "completions", "definitions"]
    {
        assert!(text.contains(&format!("nsscript {command}")), "{command}");
    }
    assert!(!text.contains("Default: false"));
}

#[test]
fn the_page_of_the_command_names_every_variable_that_is_read() {
    let [(_, page), _] = pages();
    let mut names: Vec<String> = Vec::new();
    let mut directories = vec![Path::new(PACKAGE).join("src")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                directories.push(entry.path());
                continue;
            }
            let text = fs::read_to_string(entry.path()).unwrap();
            for (at, found) in text.match_indices("var_os(\"") {
                let name = &text[at + found.len()..];
                names.push(name.split('"').next().unwrap().to_owned());
            }
        }
    }
    assert!(names.iter().any(|name| name == "NSSCRIPT_EXPLAIN"), "{names:?}");
    // Only unit tests read it.
    names.retain(|name| name != "NSSCRIPT_UPDATE");
    for name in names {
        assert!(page.contains(&name), "{name} is not told of in `nsscript man`");
    }
}

#[test]
fn the_page_of_the_language_has_every_verb() {
    if !have(&["groff"]) {
        return;
    }
    let scratch = Scratch::new();
    let [_, (name, page)] = pages();
    let text = words(&shown(&scratch.file(name, page)));
    for verb in catalog::all() {
        let signature = words(&verb.signature());
        assert!(text.contains(&signature), "{signature} is not in nsscript-recipe(5)");
        let summary = words(&catalog::summary(verb).replace('`', ""));
        assert!(text.contains(&summary), "{summary:?} is not in nsscript-recipe(5)");
        // Code stands there as it is in the source, signs of roff and all.
        for code in catalog::examples(verb) {
            assert!(text.contains(&words(&code)), "{code}");
        }
    }
    assert!(text.contains("net::router(sides)") && text.contains("UTS the UTS namespace"));
}

#[test]
fn both_are_written_where_man_finds_them_and_nothing_else_is_replaced() {
    let scratch = Scratch::new();
    let into = scratch.path().join("share/man");
    let write = || Ran::of(nsscript(&["man"]).arg(&into));
    let [(_, command), (_, language)] = pages();
    for _ in 0..2 {
        let written = write().printed();
        let wanted = ["man1/nsscript.1", "man5/nsscript-recipe.5"].map(|name| into.join(name));
        assert_eq!(written.lines().map(Path::new).collect::<Vec<_>>(), wanted);
        assert_eq!(fs::read_to_string(&wanted[0]).unwrap(), command);
        assert_eq!(fs::read_to_string(&wanted[1]).unwrap(), language);
        assert_eq!(fs::read_dir(into.join("man1")).unwrap().count(), 1, "nothing is left beside");
        fs::write(&wanted[0], ".\\\" Written by `nsscript man`.\nold\n").unwrap();
    }
    scratch.file("share/man/man5/nsscript-recipe.5", "mine\n");
    assert!(write().said(125).contains("man5/nsscript-recipe.5` was not written by nsscript"));
    let kept = fs::read_to_string(into.join("man1/nsscript.1")).unwrap();
    assert!(kept.ends_with("old\n"), "all or nothing");
}
