//! README.md: every block of code in it is run, and so are the commands of docs/json.md.
//!
//! A `rhai` block is a recipe. In a `console` block a line after `$` is a command for a shell, and
//! the lines that follow are what it writes; a line `…` stands for any number of lines. A `sh`
//! block is a script. Commands of cargo are not run here: the tests are run by cargo.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::nsscript::{PACKAGE, PROGRAM, Ran, Scratch, in_own_places, missing, nsscript};

/// The blocks of README.md in this language, each with the line it begins in.
pub fn blocks(language: &str) -> Vec<(usize, String)> {
    blocks_of("README.md", language)
}

/// The same of another page.
fn blocks_of(page: &str, language: &str) -> Vec<(usize, String)> {
    let Ok(text) = fs::read_to_string(Path::new(PACKAGE).join(page)) else {
        missing(page);
        return Vec::new();
    };
    let mut blocks = Vec::new();
    let mut open: Option<(usize, bool, String)> = None;
    for (index, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(info), None) => open = Some((index + 1, info == language, String::new())),
            (Some(_), Some(_)) => {
                let closed = open.take().filter(|(_, wanted, _)| *wanted);
                blocks.extend(closed.map(|(line, _, block)| (line, block)));
            }
            (None, Some((_, _, block))) => block.push_str(&format!("{line}\n")),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block of {page} is not closed");
    blocks
}

/// A shell in the package that finds the nsscript under test.
fn shell(script: &str) -> Ran {
    let directory = Path::new(PROGRAM).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("sh");
    command.args(["-e", "-c", script]).current_dir(PACKAGE).stdin(Stdio::null());
    command.env("PATH", format!("{}:{path}", directory.display())).env("NO_COLOR", "1");
    in_own_places(&mut command);
    Ran::of(&mut command)
}

fn is_of_cargo(command: &str) -> bool {
    command.split_whitespace().next() == Some("cargo")
}

#[test]
fn every_recipe_runs() {
    for (line, code) in blocks("rhai") {
        let scratch = Scratch::new();
        let mut command = nsscript(&["-"]);
        let ran = Ran::reading(command.current_dir(scratch.path()), code.as_bytes());
        assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "README.md:{line}\n{code}");
        assert!(scratch.is_empty(), "README.md:{line} left something behind");
    }
}

#[test]
fn every_recipe_passes_plan() {
    for (line, code) in blocks("rhai") {
        let ran = Ran::reading(&mut nsscript(&["plan", "-"]), code.as_bytes());
        assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "README.md:{line}\n{code}");
    }
}

#[test]
fn every_command_writes_what_stands_below_it() {
    let pages = ["README.md", "docs/json.md"];
    let blocks = |page| blocks_of(page, "console").into_iter().map(move |block| (page, block));
    for (page, (line, block)) in pages.into_iter().flat_map(blocks) {
        let mut commands: Vec<(&str, String)> = Vec::new();
        for shown in block.lines() {
            match (shown.strip_prefix("$ "), commands.last_mut()) {
                (Some(command), _) => commands.push((command, String::new())),
                (None, Some((_, output))) => output.push_str(&format!("{shown}\n")),
                (None, None) => panic!("{page}:{line}: output without a command"),
            }
        }
        for (command, output) in commands.into_iter().filter(|(command, _)| !is_of_cargo(command)) {
            let ran = shell(&format!("{{ {command}\n}} 2>&1"));
            if output.is_empty() {
                assert_eq!(ran.status, Some(0), "{page}:{line}: {command}: {ran:?}");
            } else {
                let given = &ran.stdout;
                assert!(fits(&output, given), "{page}:{line}: {command} writes\n{given}");
            }
        }
    }
}

#[test]
fn every_script_runs() {
    for (line, block) in blocks("sh") {
        let script: Vec<&str> = block.lines().filter(|command| !is_of_cargo(command)).collect();
        let ran = shell(&script.join("\n"));
        assert_eq!(ran.status, Some(0), "README.md:{line}: {ran:?}");
    }
}

#[test]
fn every_recipe_of_the_package_is_in_its_table() {
    let text = fs::read_to_string(Path::new(PACKAGE).join("README.md")).unwrap_or_default();
    // The lessons are in recipes/README.md.
    for recipe in super::recipes::recipes_in("recipes") {
        let name = recipe.file_name().unwrap().to_str().unwrap();
        assert!(text.contains(&format!("](recipes/{name})")), "{name} is not in README.md");
    }
}

#[test]
fn every_file_that_is_linked_is_there() {
    let text = fs::read_to_string(Path::new(PACKAGE).join("README.md")).unwrap_or_default();
    for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')) {
        let target = link.0.split('#').next().unwrap();
        if !target.is_empty() && !target.contains("://") {
            assert!(Path::new(PACKAGE).join(target).exists(), "{target} is linked and not there");
        }
    }
}

/// Whether `given` is `wanted`, in which a line `…` stands for any number of lines.
fn fits(wanted: &str, given: &str) -> bool {
    fn lines_fit(wanted: &[&str], given: &[&str]) -> bool {
        match wanted {
            [] => given.is_empty(),
            ["…", rest @ ..] => (0..=given.len()).any(|skip| lines_fit(rest, &given[skip..])),
            [first, rest @ ..] => given.first() == Some(first) && lines_fit(rest, &given[1..]),
        }
    }
    let (wanted, given): (Vec<&str>, Vec<&str>) =
        (wanted.lines().collect(), given.lines().collect());
    lines_fit(&wanted, &given)
}

#[test]
fn an_ellipsis_stands_for_any_number_of_lines() {
    assert!(fits("a\n…\nc\n", "a\nb\nb\nc\n"));
    assert!(fits("a\n…\n", "a\n"));
    assert!(!fits("a\n…\nc\n", "a\nb\n"));
    assert!(!fits("a\n", "a\nb\n"));
}
