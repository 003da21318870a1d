//! What `nsscript definitions` writes for editors.

use std::fs;
use std::os::unix::fs::symlink;

use nsscript::internal::script::catalog;
use serde_json::Value;

use super::nsscript::{Ran, Scratch, nsscript};
use crate::support::schema::fitting;

const FILES: [&str; 6] = [
    "nsscript.code-snippets",
    "nsscript.d.rhai",
    "nsscript.json",
    "std/container.d.rhai",
    "std/net.d.rhai",
    "std/roots.d.rhai",
];

/// The directory with all files in it.
fn written() -> Scratch {
    let scratch = Scratch::new();
    let mut command = nsscript(&["definitions", "new/editor"]);
    let told = Ran::of(command.current_dir(scratch.path())).printed();
    let mut names: Vec<_> =
        told.lines().map(|line| line.trim_start_matches("new/editor/")).collect();
    names.sort_unstable();
    assert_eq!(names, FILES);
    scratch
}

fn text(scratch: &Scratch, name: &str) -> String {
    fs::read_to_string(scratch.path().join("new/editor").join(name)).unwrap()
}

/// What is no definition in a definition file, by the grammar of Rhai's: a module, constants with
/// their types, functions with those of their parameters and results.
fn not_understood(file: &str) -> Vec<&str> {
    let is_name = |text: &str| {
        !text.is_empty()
            && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    let is_type = |text: &str| text.split(" | ").all(|one| one == "?" || is_name(one));
    let is_typed = |text: &str| {
        text.split_once(": ").is_some_and(|(name, kind)| is_name(name) && is_type(kind))
    };
    let is_function = |text: &str| {
        let (head, result) =
            text.split_once(" -> ").map_or((text, None), |(it, to)| (it, Some(to)));
        let head = head.strip_prefix("get ").unwrap_or(head);
        let parts = head.strip_suffix(')').and_then(|head| head.split_once('('));
        parts.is_some_and(|(name, parameters)| {
            let parameters = || parameters.split(", ").filter(|parameter| !parameter.is_empty());
            is_name(name) && parameters().all(is_typed) && result.is_none_or(is_type)
        })
    };
    let understood = |line: &&str| {
        let Some(code) = line.strip_suffix(';') else {
            return line.is_empty() || line.starts_with("//");
        };
        match code.split_once(' ') {
            Some(("module", name)) => name == "static" || name.starts_with("\"std/"),
            Some(("const", typed)) => is_typed(typed),
            Some(("fn", function)) => is_function(function),
            // A comment can end with a semicolon.
            _ => line.starts_with("///"),
        }
    };
    file.lines().filter(|line| !understood(line)).collect()
}

#[test]
fn definition_files_have_every_verb_for_each_number_of_arguments() {
    let scratch = written();
    let file = text(&scratch, "nsscript.d.rhai");
    assert!(file.starts_with("// Written by `nsscript definitions`"));
    assert_eq!(not_understood(&file), Vec::<&str>::new());
    for verb in catalog::all() {
        let receiver = verb.receiver();
        for number in verb.least()..=verb.parameters.len() {
            let is_it = |line: &&str| {
                let parts = line.strip_prefix("fn ").and_then(|line| line.split_once('('));
                parts.is_some_and(|(name, rest)| {
                    let parameters = rest.split(')').next().unwrap();
                    let found = parameters.split(", ").filter(|it| !it.is_empty()).count();
                    let of_receiver = receiver.is_empty()
                        || parameters
                            .split(", ")
                            .next()
                            .unwrap()
                            .ends_with(&format!(": {receiver}"));
                    name.trim_start_matches("get ") == verb.name && found == number && of_receiver
                })
            };
            assert!(file.lines().any(|line| is_it(&line)), "{} with {number}", verb.signature());
        }
        assert!(file.contains(&format!("/// `{}`", verb.signature())), "{}", verb.signature());
    }
    for line in [
        "fn bind(sandbox: Sandbox, source: String, target: String, options: Map) -> Sandbox;",
        "fn get code(exit: Exit) -> int;",
        "fn which(program: String) -> String;",
        "const UTS: Namespaces;",
        "const args: Array;",
    ] {
        assert!(file.lines().any(|found| found == line), "no line {line}");
    }
    let net = text(&scratch, "std/net.d.rhai");
    assert_eq!(not_understood(&net), Vec::<&str>::new());
    assert!(
        net.contains("\nmodule \"std/net\";\n")
            && net.contains("\nfn pair(one: ?, other: ?, subnet: ?) -> ?;\n")
    );
}

#[test]
fn the_index_has_all_that_the_catalog_knows() {
    let scratch = written();
    let index = fitting("definitions", &text(&scratch, "nsscript.json"));
    assert_eq!(index["nsscript"], env!("CARGO_PKG_VERSION"));
    let verbs = index["verbs"].as_array().unwrap();
    assert_eq!(verbs.len(), catalog::all().count());
    for (found, verb) in verbs.iter().zip(catalog::all()) {
        assert_eq!(found["name"], verb.name);
        assert_eq!(found["receiver"].as_str().unwrap_or_default(), verb.receiver());
        assert_eq!(found["summary"], catalog::summary(verb));
        assert_eq!(found["doc"], catalog::page(verb));
        assert_eq!(found["parameters"].as_array().unwrap().len(), verb.given().len());
        let options = verb.parameters.iter().flat_map(|parameter| parameter.options);
        let options: Vec<_> = options.map(|option| option.name).collect();
        let told = found["options"].as_array().unwrap();
        assert_eq!(told.iter().map(|it| it["name"].as_str().unwrap()).collect::<Vec<_>>(), options);
    }
    let bind = verbs.iter().find(|verb| verb["name"] == "bind").unwrap();
    let first = serde_json::json!({
        "name": "source", "takes": "a path on the host", "type": "String", "required": true,
    });
    assert_eq!(bind["parameters"][0], first);
    assert_eq!(
        (&bind["options"][0]["name"], &bind["options"][0]["default"]),
        (&"read_only".into(), &"false".into())
    );
    assert_eq!(index["modules"][0]["name"], "std/container");
    assert_eq!(index["constants"].as_array().unwrap().len(), catalog::constants().len() + 2);
}

#[test]
fn snippets_are_calls_with_places_for_what_is_required() {
    let scratch = written();
    let file = text(&scratch, "nsscript.code-snippets");
    let (comment, json) = file.split_once('\n').unwrap();
    assert!(comment.starts_with("// Written by `nsscript definitions`"));
    let snippets: Value = serde_json::from_str(json).unwrap();
    let bind = &snippets["sandbox.bind(source[, target][, #{ … }])"];
    let (prefix, body, scope) = (&bind["prefix"], &bind["body"], &bind["scope"]);
    assert_eq!(
        (prefix, body, scope),
        (&"bind".into(), &"bind(\"${1:source}\")$0".into(), &"rhai".into())
    );
    let called = catalog::all().filter(|verb| verb.signature().ends_with(')'));
    for verb in called {
        assert_eq!(snippets[verb.signature()]["prefix"], verb.name);
    }
}

#[test]
fn what_nsscript_has_written_is_replaced_and_nothing_else() {
    let scratch = written();
    let directory = scratch.path().join("new/editor");
    let again = || Ran::of(nsscript(&["definitions"]).arg(&directory));
    for name in FILES {
        let new = text(&scratch, name);
        fs::write(directory.join(name), &new[..new.len() / 2]).unwrap();
        again().printed();
        assert_eq!(text(&scratch, name), new, "{name} is replaced");
    }
    let count = fs::read_dir(&directory).unwrap().count();
    assert_eq!(count, 4, "nothing is left beside");
    fs::write(directory.join("note"), "mine").unwrap();
    fs::write(directory.join("nsscript.json"), "{ \"mine\": 1 }\n").unwrap();
    assert!(again().said(125).contains("nsscript.json` was not written by nsscript"));
    assert_eq!(text(&scratch, "nsscript.json"), "{ \"mine\": 1 }\n");
    fs::remove_file(directory.join("nsscript.json")).unwrap();
    symlink("note", directory.join("nsscript.json")).unwrap();
    assert!(again().said(125).contains("was not written by nsscript"));
    assert_eq!(text(&scratch, "note"), "mine");
    let file = scratch.file("file", "");
    let said = Ran::of(nsscript(&["definitions"]).arg(file)).said(125);
    assert!(said.contains("(ENOTDIR)"), "{said}");
}
