//! The manual pages of the verbs: complete, true, and the same everywhere.

use std::fs;
use std::path::Path;

use nsscript::internal::script::{End, Mode, Recipe, Script, catalog};

use super::nsscript::{PACKAGE, Ran, Scratch, missing, nsscript};

/// Every example, with the verb that it is an example of.
fn examples() -> Vec<(String, String)> {
    let of = |name: String, examples: Vec<String>| {
        examples.into_iter().map(move |code| (name.clone(), code))
    };
    catalog::all().flat_map(|verb| of(verb.signature(), catalog::examples(verb))).collect()
}

/// Fails with all that was found.
#[track_caller]
fn none(found: &[String]) {
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Whether a verb is read like a property: it has no parentheses.
fn is_property(signature: &str) -> bool {
    !signature.ends_with(')')
}

#[test]
fn the_reference_is_what_the_program_prints() {
    let wanted = Ran::of(&mut nsscript(&["reference"])).printed();
    let given = fs::read_to_string(Path::new(PACKAGE).join("REFERENCE.md")).unwrap_or_default();
    assert!(
        given == wanted,
        "REFERENCE.md is out of date: `cargo run -- reference --write` writes it"
    );
}

#[test]
fn every_verb_has_a_summary_of_one_line() {
    let is_bad = |summary: &str| {
        let long = summary.chars().count() > 100;
        long || !summary.ends_with('.') || !summary.starts_with(char::is_uppercase)
    };
    let bad = catalog::all().filter(|verb| is_bad(catalog::summary(verb)));
    let text = |summary, signature| format!("the summary of {signature}: {summary}");
    none(&bad.map(|verb| text(catalog::summary(verb), verb.signature())).collect::<Vec<_>>());
}

#[test]
fn every_verb_that_is_called_has_an_example_of_itself() {
    let mut found = Vec::new();
    for verb in catalog::all() {
        let (signature, call) = (verb.signature(), format!("{}(", verb.name));
        let shown = catalog::examples(verb).iter().any(|code| code.contains(&call));
        if !shown && !is_property(&signature) {
            found.push(format!("no example calls {signature}"));
        }
    }
    none(&found);
}

#[test]
fn manual_pages_have_known_headings_in_their_order() {
    for verb in catalog::all() {
        let sections = catalog::sections(verb.doc);
        let place = |heading: &str| catalog::HEADINGS.iter().position(|known| *known == heading);
        let places: Vec<_> = sections.iter().skip(1).map(|(heading, _)| place(heading)).collect();
        let name = verb.signature();
        assert!(places.iter().all(Option::is_some), "{name}: {sections:?}");
        assert!(places.is_sorted(), "the headings of {name} are out of order");
        assert!(sections.iter().all(|(_, text)| !text.is_empty()), "{name} has an empty section");
    }
}

#[test]
fn every_option_says_what_it_means() {
    for verb in catalog::all() {
        for option in verb.parameters.iter().flat_map(|parameter| parameter.options) {
            let (name, doc) =
                (format!("`{}` of {}", option.name, verb.signature()), option.doc.trim());
            assert!(!doc.is_empty() && !option.kind.is_empty(), "{name} says nothing");
            assert!(!doc.starts_with(char::is_uppercase) && !doc.ends_with('.'), "{name}: {doc}");
        }
    }
}

#[test]
fn the_list_of_verbs_has_every_verb() {
    let list = Ran::of(&mut nsscript(&["help"])).printed();
    for verb in catalog::all() {
        let line = format!("\n  {:<16} {}\n", verb.name, catalog::summary(verb));
        assert!(list.contains(&line), "{} is not in `nsscript help`", verb.signature());
    }
}

#[test]
fn every_verb_has_a_page() {
    let mut names: Vec<&str> = catalog::all().map(|verb| verb.name).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let page = Ran::of(&mut nsscript(&["help", name])).printed();
        for verb in catalog::named(name) {
            assert!(page.contains(&verb.signature()), "{} is not in\n{page}", verb.signature());
            assert!(page.contains(catalog::summary(verb)), "{name}: {page}");
        }
        let trailing = page.lines().find(|line| line.ends_with(' '));
        assert_eq!(trailing, None, "a line of the page of {name} ends with a blank");
    }
}

/// What is wrong with `code` in a dry run.
fn dry_run(code: &str) -> Result<(), String> {
    let (name, text) = ("example".to_owned(), code.to_owned());
    let recipe = Recipe {
        name,
        text,
        directory: "/".into(),
        arguments: Vec::new(),
        trust: false,
        breaks: Vec::new(),
    };
    match Script::new(recipe, Mode::DryRun, Box::new(|_| {})).run() {
        End::Status(0) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

#[test]
fn every_example_passes_a_dry_run() {
    let wrong = |(name, code): (String, String)| {
        let problem = dry_run(&code).err()?;
        Some(format!("the example of {name}:\n{code}\n{problem}\n"))
    };
    none(&examples().into_iter().filter_map(wrong).collect::<Vec<_>>());
}

#[test]
fn every_example_does_what_it_says() {
    let wrong = |(name, code): (String, String)| {
        let has_mkfs = || ["/usr/sbin", "/sbin"].map(|at| Path::new(at).join("mkfs.ext4").exists());
        if code.contains("disk_image(") && !has_mkfs().contains(&true) {
            missing("the program mkfs.ext4");
            return None;
        }
        // What an example writes on the host, as `build` does, it writes beside itself.
        let scratch = Scratch::new();
        let mut command = nsscript(&["-"]);
        let ran = Ran::reading(command.current_dir(scratch.path()), code.as_bytes());
        let fine = (ran.status, ran.stderr.as_str()) == (Some(0), "");
        (!fine).then(|| format!("the example of {name}:\n{code}\n{}\n", ran.stderr))
    };
    none(&examples().into_iter().filter_map(wrong).collect::<Vec<_>>());
}

#[test]
fn the_constants_of_the_reference_are_those_of_the_language() {
    let reference = fs::read_to_string(Path::new(PACKAGE).join("REFERENCE.md")).unwrap_or_default();
    for constant in catalog::constants() {
        let name = constant.name;
        assert!(reference.contains(&format!("- `{name}`:")), "{name}");
        let printed = Ran::of(&mut nsscript(&["-e", &format!("print({name});")])).printed();
        // What is printed are the kernel's names, of which the description has one.
        let main = constant.alias_of.unwrap_or(name);
        let same = Ran::of(&mut nsscript(&["-e", &format!("print({main});")])).printed();
        assert_eq!(printed, same, "{name}");
        let is_told = constant.doc().contains(printed.trim());
        assert!(is_told || constant.alias_of.is_some() || name == "ALL", "{name}");
    }
}
