//! The command line: where a recipe comes from, what reaches it, and usage mistakes.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::nsscript::{PROGRAM, Ran, Scratch, nsscript, nsscript_as_user};

fn ran(arguments: &[&str]) -> Ran {
    Ran::of(&mut nsscript(arguments))
}

/// A recipe that prints what it was given.
fn recipe(scratch: &Scratch) -> String {
    let path = scratch.file("recipe.rhai", "print(args);");
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_recipe_is_a_file_a_text_or_standard_input() {
    let scratch = Scratch::new();
    assert_eq!(ran(&[&recipe(&scratch), "a"]).printed(), "[\"a\"]\n");
    assert_eq!(ran(&["-e", "print(args);", "a"]).printed(), "[\"a\"]\n");
    let input = Ran::reading(&mut nsscript(&["-", "a"]), b"print(args);");
    assert_eq!(input.printed(), "[\"a\"]\n");
}

#[test]
fn what_follows_the_recipe_reaches_it_even_where_it_looks_like_an_option() {
    let scratch = Scratch::new();
    let recipe = recipe(&scratch);
    let words = ["--help", "-V", "--error-format", "json", "-e", "x", "--json", "--", "-", ""];
    let wanted = format!("{words:?}\n");
    for before in [vec![recipe.as_str()], vec!["-e", "print(args);"], vec!["--", &recipe]] {
        let arguments = [before.as_slice(), &words].concat();
        assert_eq!(ran(&arguments).printed(), wanted, "{before:?}");
    }
    let input = Ran::reading(&mut nsscript(&[&["-"], &words[..]].concat()), b"print(args);");
    assert_eq!(input.printed(), wanted);
}

#[test]
fn what_follows_the_recipe_of_a_plan_reaches_it_too() {
    let code = "let words = args; sandbox(\"/\").read_only_root().run(words);";
    for option in ["--help", "--json", "-e"] {
        let plan = ran(&["plan", "-e", code, "echo", option]).printed();
        assert!(plan.starts_with(&format!("plan for `echo {option}`")), "{plan}");
    }
}

#[test]
fn a_recipe_may_begin_with_the_line_that_makes_it_a_program() {
    let scratch = Scratch::new();
    let code =
        format!("#!{PROGRAM}\n//! Prints what it was given.\nprint(args);\nassert(false);\n");
    let recipe = scratch.program("recipe", code);
    let ran = Ran::of(std::process::Command::new(&recipe).args(["a", "-b"]).env("NO_COLOR", "1"));
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(125), "[\"a\", \"-b\"]\n"));
    let place = format!("──▶ {}:4:1", recipe.display());
    assert!(ran.stderr.contains(&place), "the line counts: {}", ran.stderr);
}

#[test]
fn places_are_told_by_the_name_that_was_given() {
    let scratch = Scratch::new();
    scratch.file("deep/recipe.rhai", "assert(false);");
    let said = Ran::of(nsscript(&["deep/recipe.rhai"]).current_dir(scratch.path())).said(125);
    assert!(said.contains("──▶ deep/recipe.rhai:1:1"), "{said}");
    assert!(ran(&["-e", "assert(false);"]).said(125).contains("──▶ <command line>:1:1"));
    let input = Ran::reading(&mut nsscript(&["-"]), b"\nassert(false);").said(125);
    assert!(input.contains("──▶ <standard input>:2:1"), "{input}");
}

#[test]
fn columns_count_characters_and_marks_stand_under_what_they_mean() {
    let said = ran(&["-e", "let word = \"日本\"; let guest = sandbox().hostname(1);"]).said(125);
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[1].ends_with("<command line>:1:40"), "{said}");
    // Each of the two characters is as wide as two.
    assert_eq!(lines[4], format!("   │ {}^^^^^^^^", " ".repeat(41)), "{said}");
}

#[test]
fn a_recipe_that_cannot_be_read_is_told_with_the_reason() {
    let scratch = Scratch::new();
    scratch.file("recipe.rhai", "");
    let said = |name: &str| Ran::of(nsscript(&[name]).current_dir(scratch.path())).said(125);
    assert!(said("none.rhai").contains("`none.rhai`: no such file or directory (ENOENT)"));
    assert!(said("recipe.rahi").contains("did you mean `recipe.rhai`?"));
    assert_eq!(said("."), "error: the recipe `.` is a directory\n");
    assert!(said("recipe.rhai/inner").contains("(ENOTDIR)"));
    assert!(!said("").contains("``"));
}

#[test]
fn a_recipe_without_permission_is_told_so() {
    let scratch = Scratch::new();
    let recipe = scratch.file("recipe.rhai", "");
    fs::set_permissions(&recipe, fs::Permissions::from_mode(0o000)).unwrap();
    let said = Ran::of(nsscript_as_user(&scratch, &[]).arg("recipe.rhai")).said(125);
    assert!(said.contains("`recipe.rhai`: permission denied (EACCES)"), "{said}");
}

#[test]
fn a_recipe_that_is_no_text_is_told_with_the_place() {
    let scratch = Scratch::new();
    let recipe = scratch.file("recipe.rhai", b"print(1);\n\xff\n");
    let said = ran(&[recipe.to_str().unwrap()]).said(125);
    assert!(said.contains("is not a text file: byte 10 is not UTF-8"), "{said}");
    let said = Ran::reading(&mut nsscript(&["-"]), b"\xc3(").said(125);
    assert!(said.contains("byte 0 is not UTF-8"), "{said}");
}

#[test]
fn an_argument_that_is_no_text_is_told() {
    let word = std::ffi::OsStr::from_bytes(b"a\xff");
    let said = Ran::of(nsscript(&["-e", ""]).arg(word)).said(125);
    assert_eq!(said, "error: argument 1 of the recipe, `a\\xff`, is not UTF-8\n");
}

#[test]
fn root_does_not_run_what_others_can_write_to() {
    let scratch = Scratch::new();
    let recipe = scratch.file("recipe.rhai", "print(1);");
    fs::set_permissions(&recipe, fs::Permissions::from_mode(0o666)).unwrap();
    let recipe = recipe.to_str().unwrap();
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        assert_eq!(ran(&[recipe]).printed(), "1\n");
        return;
    }
    assert!(ran(&[recipe]).said(125).contains("`--trust-recipe`"));
    assert!(ran(&["plan", recipe]).said(125).contains("`--trust-recipe`"));
    assert_eq!(ran(&["--trust-recipe", recipe]).printed(), "1\n");
}

#[test]
fn the_version_is_that_of_the_package() {
    let wanted = format!("nsscript {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(ran(&["--version"]).printed(), wanted);
    assert_eq!(ran(&["-V"]).printed(), wanted);
}

#[test]
fn help_goes_to_standard_output() {
    let help = ran(&["--help"]).printed();
    for word in ["RECIPE", "-e", "plan", "help", "--error-format"] {
        assert!(help.contains(word), "{word} is not in\n{help}");
    }
    assert!(ran(&["-h"]).printed().contains("Usage"));
    assert!(ran(&["plan", "--help"]).printed().contains("--json"));
}

#[test]
fn help_of_a_verb_is_its_manual_page() {
    let page = ran(&["help", "bind"]).printed();
    for part in ["sandbox.bind(source[, target][, #{ … }])", "`read_only`", "mount(2)"] {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
    assert!(ran(&["help"]).printed().contains("\n  bind "));
    assert!(ran(&["help", "bnid"]).said(125).contains("did you mean `bind`?"));
}

#[test]
fn mistakes_in_usage_end_with_125() {
    for arguments in [
        &["--no-such-option"][..],
        &["--error-format", "xml", "-e", ""],
        &["-e"],
        &["plan"],
        &["help", "bind", "run"],
        &["reference", "--no-such-option"],
    ] {
        let ran = ran(arguments);
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(125), ""), "{arguments:?}");
        assert!(!ran.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn an_option_that_is_nearly_right_is_suggested() {
    assert!(ran(&["--error-fromat", "json", "-e", ""]).said(125).contains("--error-format"));
    assert!(ran(&["pln", "recipes/hello.rhai"]).said(125).contains("did you mean `plan`?"));
}

#[test]
fn a_recipe_may_have_any_name() {
    use std::os::unix::ffi::OsStrExt;
    let scratch = Scratch::new();
    let name = std::ffi::OsStr::from_bytes(b"r\xff.rhai");
    std::fs::write(scratch.path().join(name), "print(args);").unwrap();
    let run = |words: &[&str], more: &[&std::ffi::OsStr]| {
        Ran::of(nsscript(words).args(more).current_dir(scratch.path()))
    };
    assert_eq!(run(&[], &[name, "a".as_ref()]).printed(), "[\"a\"]\n");
    assert_eq!(run(&["run"], &[name]).printed(), "[]\n");
    assert_eq!(run(&["plan"], &[name]).printed(), "");
    assert_eq!(run(&["check"], &[name]).said(0), "no errors in 1 recipe\n");
    assert_eq!(run(&["test"], &[name]).status, Some(0));
    // Behind options its name would be that of a command.
    let said = run(&["--explain"], &[name]).said(125);
    let hint = "hint: use `nsscript run` for a recipe with such a name";
    assert_eq!(said, format!("error: `r\\xff.rhai` is not UTF-8\n\n{hint}\n"));
    assert_eq!(run(&["help"], &[name]).said(125), "error: `r\\xff.rhai` is not UTF-8\n");
}
