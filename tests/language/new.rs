//! `nsscript new`: a recipe that runs as it is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::nsscript::{PROGRAM, Ran, Scratch, nsscript, nsscript_as_user};

/// Runs nsscript in the scratch directory, as root or as a user who is not.
fn run(scratch: &Scratch, as_user: bool, words: &[&str]) -> Ran {
    let mut command = if as_user { nsscript_as_user(scratch, &[]) } else { nsscript(&[]) };
    Ran::of(command.args(words).current_dir(scratch.path().join("open")))
}

fn scratch() -> Scratch {
    let scratch = Scratch::new();
    let open = scratch.directory("open");
    fs::set_permissions(open, fs::Permissions::from_mode(0o777)).unwrap();
    scratch
}

#[test]
fn what_is_written_runs_passes_plan_and_is_a_test() {
    for as_user in [false, true] {
        let scratch = scratch();
        let run = |words: &[&str]| run(&scratch, as_user, words);
        let told = run(&["new", "box"]).printed();
        assert!(told.starts_with("wrote box.rhai\n"), "{told}");
        // Each of the commands that are shown can be given as it stands.
        let shown = told.lines().filter_map(|line| line.trim().strip_prefix("nsscript "));
        let shown: Vec<_> = shown.filter_map(|line| line.split("   ").next()).collect();
        assert_eq!(shown, ["plan box.rhai", "box.rhai", "test box.rhai", "help"]);
        for line in shown {
            let words: Vec<_> = line.split(' ').collect();
            let ran = run(&words);
            assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{line}: {ran:?}");
        }
        let printed = run(&["box.rhai"]).printed();
        for part in ["welcome\n", "hello from a root of its own\n", "uid=0(root)"] {
            assert!(printed.contains(part), "{printed}");
        }
        assert_eq!(
            run(&["box.rhai", "cat", "/etc/motd"]).printed(),
            "hello from a root of its own\n"
        );
        // Its `#!` line is a comment in a module, too.
        fs::write(scratch.path().join("open/uses.rhai"), "import \"box\"; print(1 + 1);").unwrap();
        let printed = run(&["uses.rhai"]).printed();
        assert!(printed.ends_with("\n2\n"), "{printed}");
        let checked = run(&["check", "uses.rhai"]);
        assert_eq!(checked.status, Some(0), "{checked:?}");
    }
}

#[test]
fn it_is_a_program() {
    let scratch = scratch();
    let open = scratch.path().join("open");
    Ran::of(nsscript(&["new", "box"]).current_dir(&open)).printed();
    let mode = fs::metadata(open.join("box.rhai")).unwrap().permissions().mode();
    assert_eq!(mode & 0o700, 0o700, "{mode:o}");
    assert_eq!(mode & 0o022, 0, "root would not run it: {mode:o}");
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", Path::new(PROGRAM).parent().unwrap().display());
    let mut command = Command::new(open.join("box.rhai"));
    let ran = Ran::of(command.args(["cat", "/etc/motd"]).env("PATH", path));
    assert_eq!(ran.printed(), "hello from a root of its own\n");
}

#[test]
fn nothing_is_overwritten_and_places_are_told() {
    let scratch = scratch();
    let run = |name: &str| run(&scratch, false, &["new", "--", name]);
    let open = scratch.path().join("open");
    fs::write(open.join("box.rhai"), "mine").unwrap();
    std::os::unix::fs::symlink("nowhere", open.join("link.rhai")).unwrap();
    fs::create_dir(open.join("deep")).unwrap();
    for name in ["box", "box.rhai", "./box", "link"] {
        assert!(run(name).said(125).contains(".rhai` already exists"), "{name}");
    }
    assert_eq!(fs::read_to_string(open.join("box.rhai")).unwrap(), "mine");
    assert!(run("none/box").said(125).contains("the directory `none` does not exist"));
    assert!(run("box.rhai/x").said(125).contains("(ENOTDIR)"));
    assert!(run("").said(125).contains("NAME"));
    for name in ["deep/", "..", "/"] {
        assert!(run(name).said(125).contains("invalid file name"), "{name}");
    }
    for (name, file) in [
        ("deep/box", "deep/box.rhai"),
        ("v1.2", "v1.2.rhai"),
        ("plan", "plan.rhai"),
        ("two words", "two words.rhai"),
        ("-e", "-e.rhai"),
    ] {
        let told = run(name).printed();
        let text = fs::read_to_string(open.join(file)).unwrap();
        assert!(text.starts_with("#!/usr/bin/env nsscript\n//! "), "{text}");
        // What is shown can be pasted into a shell.
        let line = told.lines().nth(1).unwrap().split("   ").next().unwrap().trim().to_owned();
        let line = line.replacen("nsscript", PROGRAM, 1);
        let mut shell = Command::new("sh");
        let ran = Ran::of(shell.args(["-c", &line]).current_dir(&open).env("NO_COLOR", "1"));
        assert!(ran.printed().starts_with("plan for `sh -c"), "{line}");
    }
}
