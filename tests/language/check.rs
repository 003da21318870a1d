//! `nsscript check`: it finds every fault of `tests/check`, and none where there is none.
//!
//! A file of `tests/check` is a recipe with faults, and ends with comments that say what is found:
//! `// exit: STATUS` and all of standard error. What is in a directory `modules` is imported by others;
//! in `fine` are recipes without fault that look like they had one.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nsscript::internal::script::{Mode, Recipe, Script, catalog, check};

use super::diagnostics::split;
use super::nsscript::{PACKAGE, Ran, Scratch, nsscript, updates};
use super::recipes::{recipes, recipes_in};
use crate::support::missing;
use crate::support::schema::fitting;

const DIRECTORY: &str = "tests/check";
const REWRITE: &str = "NSSCRIPT_UPDATE=1 cargo test --test suite check";

/// All recipes below a directory of the package but modules, by path relative to the package.
fn below(directory: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut directories = vec![PathBuf::from(directory)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(Path::new(PACKAGE).join(&directory)).unwrap() {
            let entry = entry.unwrap();
            let path = directory.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                let is_other = ["modules", "fine"].iter().any(|name| entry.file_name() == *name);
                directories.extend((!is_other).then_some(path));
            } else if path.extension().is_some_and(|suffix| suffix == "rhai") {
                found.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// What a check says of a recipe, as the comments that say so.
fn annotations(recipe: &str) -> String {
    let ran = Ran::of(&mut nsscript(&["check", recipe]));
    assert_eq!(ran.stdout, "", "{recipe}");
    let status = ran.status.map_or("none".to_owned(), |status| status.to_string());
    let lines = std::iter::once(format!("exit: {status}"));
    let lines = lines.chain(ran.stderr.lines().map(str::to_owned));
    let text: String =
        lines.map(|line| format!("// {line}").trim_end().to_owned() + "\n").collect();
    text.replace(PACKAGE, "$ROOT")
}

#[test]
fn every_fault_is_found_and_nothing_else() {
    let mut differences = Vec::new();
    let mut faults = 0;
    for recipe in below(DIRECTORY) {
        let path = Path::new(PACKAGE).join(&recipe);
        let text = fs::read_to_string(&path).unwrap();
        let (code, wanted) = split(&text);
        let given = annotations(&recipe);
        faults += wanted.lines().filter(|line| line.starts_with("// error: ")).count();
        if given == wanted {
            continue;
        }
        if updates() {
            fs::write(&path, format!("{code}\n\n{given}")).unwrap();
            continue;
        }
        differences.push(format!("{recipe}\n--- expected\n{wanted}--- given\n{given}"));
    }
    let all = differences.join("\n");
    assert!(differences.is_empty(), "{all}\n{} differ; `{REWRITE}`", differences.len());
    assert!(updates() || faults >= 100, "only {faults} faults in {DIRECTORY}");
}

#[test]
fn what_a_check_finds_nothing_in_runs() {
    for recipe in below("tests/check/fine") {
        let ran = Ran::of(&mut nsscript(&[&recipe]));
        assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{recipe}");
        let checked = Ran::of(&mut nsscript(&["check", &recipe]));
        assert_eq!((checked.status, checked.stderr.as_str()), (Some(0), "no errors in 1 recipe\n"));
    }
}

#[test]
fn nothing_is_found_in_what_comes_with_the_package() {
    let mut paths = recipes();
    paths.extend(recipes_in("stdlib"));
    paths.extend(recipes_in("tests/explain"));
    paths.extend(recipes_in("tests/plans"));
    let names: Vec<_> = paths.iter().map(|path| path.to_str().unwrap()).collect();
    let ran = Ran::of(nsscript(&["check"]).args(&names));
    let number = names.len();
    let wanted = format!("no errors in {number} recipes\n");
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), wanted.as_str()));
}

/// What a check finds in a text.
fn found(name: &str, text: &str) -> Vec<String> {
    let recipe = Recipe {
        name: name.to_owned(),
        text: text.to_owned(),
        directory: PACKAGE.into(),
        arguments: Vec::new(),
        trust: false,
        breaks: Vec::new(),
    };
    check(&recipe).reports.into_iter().map(|report| format!("{name}: {}", report.message)).collect()
}

#[test]
fn nothing_is_found_in_manual_pages_and_the_readme() {
    let mut all = Vec::new();
    for verb in catalog::all() {
        for code in catalog::examples(verb) {
            all.extend(found(&verb.signature(), &code));
        }
    }
    for (line, code) in super::readme::blocks("rhai") {
        all.extend(found(&format!("README.md:{line}"), &code));
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn nothing_is_found_in_recipes_that_run() {
    let runs = |path: &String| {
        let text = fs::read_to_string(Path::new(PACKAGE).join(path)).unwrap();
        let (_, told) = split(&text);
        told.starts_with("// exit: 0\n") && !told.contains("// warning: ")
    };
    let paths: Vec<_> = below("tests/diagnostics").into_iter().filter(runs).collect();
    assert!(paths.len() >= 5, "only {} recipes run", paths.len());
    let ran = Ran::of(nsscript(&["check"]).args(&paths));
    let wanted = format!("no errors in {} recipes\n", paths.len());
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), wanted.as_str()));
}

#[test]
fn a_check_says_what_a_run_says() {
    let mut all = Vec::new();
    let mut both = 0;
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    for path in below("tests/diagnostics") {
        let text = fs::read_to_string(Path::new(PACKAGE).join(&path)).unwrap();
        // What such a recipe is told as another user, nobody has written down.
        if text.contains("\n// as: root\n") && !is_root {
            missing(&format!("{path} is told as root"));
            continue;
        }
        let (_, told) = split(&text);
        let told: Vec<&str> =
            told.lines().filter_map(|line| line.strip_prefix("// error: ")).collect();
        let ran = Ran::of(&mut nsscript(&["check", "--error-format", "json", &path]));
        for line in ran.stderr.lines() {
            let report = fitting("report", line);
            let message = report["message"].as_str().unwrap().replace(PACKAGE, "$ROOT");
            if report["severity"] == "error" && told.contains(&message.as_str()) {
                both += 1;
            } else if report["severity"] == "error" {
                all.push(format!("{path}: {message}"));
            }
        }
    }
    assert!(both > 100, "only {both} mistakes are found");
    assert!(all.is_empty(), "a run does not say\n{}", all.join("\n"));
}

#[test]
fn nothing_of_a_checked_recipe_is_done() {
    let scratch = Scratch::new();
    let code =
        "mkdir(\"made\"); write_file(\"written\", \"x\"); rootfs().pack(\"root.tar\"); print(1);";
    let mut command = nsscript(&["check", "-"]);
    let ran = Ran::reading(command.current_dir(scratch.path()), code.as_bytes());
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
    assert!(scratch.is_empty());
}

#[test]
fn many_recipes_are_checked_at_once() {
    let scratch = Scratch::new();
    let wrong = scratch.file("wrong.rhai", "print(a);\nprint(b);\n");
    let fine = scratch.file("fine.rhai", "print(1);\n");
    let (wrong, fine) = (wrong.to_str().unwrap(), fine.to_str().unwrap());
    let ran = Ran::of(&mut nsscript(&["check", "--error-format", "short", wrong, fine]));
    let wanted = format!(
        "{wrong}:1:7: error: unknown variable `a`\n{wrong}:2:7: error: unknown variable `b`\n2 errors in 2 recipes\n"
    );
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(1), wanted.as_str()));

    let ran = Ran::of(&mut nsscript(&["check", "--error-format", "json", wrong, fine]));
    let lines: Vec<_> = ran.stderr.lines().map(|line| fitting("report", line)).collect();
    assert_eq!(ran.status, Some(1));
    assert_eq!(lines.len(), 2, "{}", ran.stderr);
    assert_eq!(lines[1]["place"]["line"], 2);
    assert_eq!(lines[1]["message"], "unknown variable `b`");

    let missing = scratch.path().join("missing.rhai");
    let ran = Ran::of(&mut nsscript(&["check", missing.to_str().unwrap(), fine]));
    assert_eq!(ran.status, Some(125));
    assert!(ran.stderr.ends_with("no errors in 1 recipe\n"), "{}", ran.stderr);
}

#[test]
fn code_and_standard_input_are_checked() {
    let ran = Ran::of(&mut nsscript(&["check", "-e", "sandbox().hostnme(\"a\").run(\"a\")"]));
    assert_eq!(ran.status, Some(1));
    assert!(ran.stderr.contains("<command line>:1:11"), "{}", ran.stderr);
    let ran = Ran::reading(&mut nsscript(&["check", "-"]), b"print(unknown);");
    assert_eq!(ran.status, Some(1));
    assert!(ran.stderr.contains("<standard input>:1:7"), "{}", ran.stderr);
    let ran = Ran::of(&mut nsscript(&["check"]));
    assert_eq!(ran.status, Some(125));
}

/// The type that an expression gives, where `guest` is a Sandbox and `any` is unknown.
fn kind_of(code: &str) -> Option<&'static str> {
    let recipe = Recipe {
        name: "expression".into(),
        text: String::new(),
        directory: "/".into(),
        arguments: Vec::new(),
        trust: false,
        breaks: Vec::new(),
    };
    let script = Script::new(recipe, Mode::DryRun, Box::new(|_| {}));
    script.kind_of(code, &[("guest", "Sandbox"), ("any", "")])
}

#[test]
fn the_types_of_expressions_are_told() {
    assert_eq!(kind_of("guest"), Some("Sandbox"));
    assert_eq!(kind_of("guest.hostname(\"a\").tmpfs(\"/tmp\")"), Some("Sandbox"));
    assert_eq!(kind_of("guest.output(\"ls\").stdout.trim()"), Some("string"));
    assert_eq!(kind_of("host.kernel.len()"), Some("i64"));
    assert_eq!(kind_of("rootfs().binary(\"sh\")"), Some("Rootfs"));
    assert_eq!(kind_of("UTS | PID"), Some("Namespaces"));
    assert_eq!(kind_of("[1, 2].map(|one| one)"), Some("array"));
    assert_eq!(kind_of("any.hostname(\"a\")"), Some("Sandbox"));
    assert_eq!(kind_of("any"), None);
    assert_eq!(kind_of("any[0]"), None);
    assert_eq!(kind_of("guest."), None);
}
